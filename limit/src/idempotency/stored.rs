// SPDX-License-Identifier: Apache-2.0
//! A kept answer.

use bytes::Bytes;
use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName};

/// An answer to give again. Kept without cookies (ID-7), without what belongs to one connection, and without what we
/// say anew for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Of one connection (RFC 9110 §7.6.1), of one client, or of one answer.
const NEVER_KEPT: [&str; 17] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "set-cookie",
    "set-cookie2",
    "date",
    "age",
    "request-id",
    "ratelimit",
    "ratelimit-policy",
];
/// What a kept answer costs beside its bytes, roughly.
const ENTRY_BYTES: usize = 256;

impl Stored {
    /// What may be kept of an answer.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        Self { status, headers: headers.clone(), body }.bare()
    }

    /// Without the headers that are never kept.
    pub(super) fn bare(mut self) -> Self {
        let mut dropped: Vec<HeaderName> = NEVER_KEPT.iter().map(|name| HeaderName::from_static(name)).collect();
        for connection in self.headers.get_all(header::CONNECTION) {
            let words = connection.to_str().unwrap_or_default().split(',');
            dropped.extend(words.filter_map(|word| HeaderName::try_from(word.trim()).ok()));
        }
        for name in dropped {
            self.headers.remove(name);
        }
        self
    }

    /// The memory it takes, roughly.
    pub(super) fn cost_bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len().saturating_add(value.len()));
        headers.fold(self.body.len().saturating_add(ENTRY_BYTES), usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn id_07_no_cookie_and_nothing_of_the_connection_is_kept() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("set-cookie", "session=1"),
            ("connection", "x-hop, Keep-Alive"),
            ("x-hop", "1"),
            ("date", "today"),
            ("content-length", "2"),
            ("content-type", "application/json"),
            ("location", "/orders/1"),
            ("etag", "\"1\""),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        let stored = Stored::new(StatusCode::CREATED, &headers, Bytes::from_static(b"{}"));
        let mut kept: Vec<&str> = stored.headers.keys().map(HeaderName::as_str).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["content-type", "etag", "location"]);
    }
}
