// SPDX-License-Identifier: Apache-2.0
//! gRPC (PROTOCOL-HTTP2): messages in both directions at once, and an answer that ends in trailers.

use crate::field_names::{FieldNames, strip};
use http::{HeaderMap, HeaderName};

/// What an answer's trailers are worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Trailers {
    /// Nobody asked for them, and nothing judged them (SM-12).
    #[default]
    Drop,
    /// The status of the call is in them.
    Pass,
}

/// What may not stand in trailers (RFC 9110 §6.5.1), and what is promised in heads alone (RL-5).
const NOT_IN_TRAILERS: FieldNames<24> = FieldNames::new([
    "age",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "expires",
    "host",
    "proxy-authorization",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "access-control-allow-origin",
    "access-control-allow-credentials",
    "x-content-type-options",
    "content-security-policy",
]);

/// Whether a media type is that of gRPC. gRPC-Web is not: it has no trailers.
pub(crate) fn is_grpc(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let name = b"application/grpc";
    let (prefix, rest) = essence.as_bytes().split_at_checked(name.len()).unwrap_or((b"", b""));
    prefix.eq_ignore_ascii_case(name) && matches!(rest, [] | [b'+', ..])
}

/// Takes away what does not leave in trailers; `ours` are further names.
pub(crate) fn judge_trailers(trailers: &mut HeaderMap, ours: impl Fn(&HeaderName) -> bool) {
    strip(trailers, |name| NOT_IN_TRAILERS.has(name) || ours(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_known_by_its_media_type() {
        for yes in ["application/grpc", "application/grpc+proto", "Application/gRPC", "application/grpc; v=1"] {
            assert!(is_grpc(yes), "{yes}");
        }
        for no in ["application/grpc-web", "application/grpc-web+proto", "application/json", "application/grp", ""] {
            assert!(!is_grpc(no), "{no}");
        }
    }
}
