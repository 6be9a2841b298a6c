// SPDX-License-Identifier: Apache-2.0
//! The gateway's own pages: what a problem's `type` leads to. They tell what the status tells, and nothing else.

use http::{Method, StatusCode, response};
use portcullis_decision::problem;
use portcullis_wire::Head;

/// Statuses a problem may have (the table of `decision::reason`).
const STATUSES: [StatusCode; 20] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::CONFLICT,
    StatusCode::PRECONDITION_FAILED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::URI_TOO_LONG,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::EXPECTATION_FAILED,
    StatusCode::MISDIRECTED_REQUEST,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
    StatusCode::HTTP_VERSION_NOT_SUPPORTED,
];

/// The page a request asks for, if it asks for one: `GET /problems/not-found`.
pub(crate) fn find(head: &Head) -> Option<(response::Parts, String)> {
    // Nearly no request is for one: look at the beginning before cutting the path into segments.
    if !head.path.as_str().starts_with("/problems/") || (head.method != Method::GET && head.method != Method::HEAD) {
        return None;
    }
    let mut segments = head.path.segments();
    let (Some("problems"), Some(name), None) = (segments.next(), segments.next(), segments.next()) else {
        return None;
    };
    let status = STATUSES.into_iter().find(|status| problem::name(*status) == name)?;
    let title = status.canonical_reason().unwrap_or_default();
    let text = format!(
        "{title} ({})\n\nThe gateway refused a request with this status. The problem's `instance` names the request; \
         whoever runs the gateway can ask `portcullis explain` why.\n",
        status.as_u16()
    );
    let mut parts = http::Response::new(()).into_parts().0;
    parts.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    Some((parts, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_decision::Reason;

    #[test]
    fn every_status_of_the_table_has_a_page() {
        for status in Reason::ALL.iter().filter_map(|r| r.status()) {
            // 429 uses the registered type of the RateLimit draft, as reduced capacity does.
            assert!(status == StatusCode::TOO_MANY_REQUESTS || STATUSES.contains(&status), "{status}");
        }
    }
}
