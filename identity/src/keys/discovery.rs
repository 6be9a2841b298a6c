// SPDX-License-Identifier: Apache-2.0
//! Where an issuer publishes its keys: RFC 8414, and `OpenID` Connect discovery for issuers that predate it (MD-1..3).

use super::jwks::{self, ReadSet};
use super::ring::KeySourceError;
use crate::algorithm::Algorithm;
use crate::json;
use portcullis_decision::fetch::{Fetched, check_address};
use serde_json::Value;

/// The two addresses of an issuer's metadata, in the order they are asked (MD-1): RFC 8414 §3.1 puts the well-known
/// path between host and path, `OpenID` Connect Discovery §4 appends it.
pub(super) fn metadata_urls(issuer: &str) -> [String; 2] {
    let trimmed = issuer.strip_suffix('/').unwrap_or(issuer);
    let (scheme, rest) = trimmed.split_once("://").unwrap_or(("https", trimmed));
    let (host, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    [
        format!("{scheme}://{host}/.well-known/oauth-authorization-server{path}"),
        format!("{trimmed}/.well-known/openid-configuration"),
    ]
}

/// Reads metadata: the issuer must be ours to the letter (MD-2), or nothing of it is used.
pub(super) fn read_metadata(issuer: &str, answer: &Fetched) -> Result<String, KeySourceError> {
    check_json(answer, &["application/json"])?;
    let metadata = json::object(answer.body.clone()).map_err(|_| KeySourceError::Metadata)?;
    if metadata.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(KeySourceError::OtherIssuer);
    }
    let address = metadata.get("jwks_uri").and_then(Value::as_str).ok_or(KeySourceError::Metadata)?;
    let uri = check_address(address).map_err(KeySourceError::Fetch)?;
    // An issuer that is reached by TLS must not send us to keys that are not.
    if issuer.starts_with("https:") && uri.scheme_str() != Some("https") {
        return Err(KeySourceError::Metadata);
    }
    Ok(address.to_owned())
}

/// Reads a key set.
pub(super) fn read_keys(answer: &Fetched, allowed: &[Algorithm]) -> Result<ReadSet, KeySourceError> {
    check_json(answer, &["application/json", "application/jwk-set+json"])?;
    jwks::read(&answer.body, allowed).map_err(KeySourceError::Keys)
}

/// MD-3: 200 and JSON; an HTML page or a redirect is no metadata.
fn check_json(answer: &Fetched, types: &[&str]) -> Result<(), KeySourceError> {
    if answer.status != 200 {
        return Err(KeySourceError::Status(answer.status));
    }
    match answer.content_type.as_deref() {
        Some(given) if types.iter().any(|t| given.eq_ignore_ascii_case(t)) => Ok(()),
        _ => Err(KeySourceError::ContentType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn answer(status: u16, content_type: &str, body: &str) -> Fetched {
        Fetched { status, content_type: Some(content_type.to_owned()), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn md_1_the_well_known_path_stands_between_host_and_path() {
        assert_eq!(metadata_urls("https://h/t1")[0], "https://h/.well-known/oauth-authorization-server/t1");
        assert_eq!(metadata_urls("https://h/t1")[1], "https://h/t1/.well-known/openid-configuration");
        assert_eq!(metadata_urls("https://h/")[0], "https://h/.well-known/oauth-authorization-server");
        assert_eq!(metadata_urls("https://h/")[1], "https://h/.well-known/openid-configuration");
        assert_eq!(metadata_urls("http://[::1]:9/a/")[0], "http://[::1]:9/.well-known/oauth-authorization-server/a");
    }

    #[test]
    fn md_2_metadata_of_another_issuer_is_not_used() {
        let body = |iss: &str| format!(r#"{{"issuer":"{iss}","jwks_uri":"https://keys.example.com/k"}}"#);
        let read = |iss: &str| read_metadata("https://h", &answer(200, "application/json", &body(iss)));
        assert_eq!(read("https://h"), Ok("https://keys.example.com/k".to_owned()));
        for other in ["https://h/", "https://H", "http://h", "https://h2", ""] {
            assert_eq!(read(other), Err(KeySourceError::OtherIssuer), "{other}");
        }
    }

    #[test]
    fn md_3_only_json_with_status_200_is_read() {
        let body = r#"{"issuer":"https://h","jwks_uri":"https://h/k"}"#;
        assert!(read_metadata("https://h", &answer(200, "application/json", body)).is_ok());
        for (status, kind) in [(302, "application/json"), (200, "text/html"), (404, "application/json"), (200, "")] {
            assert!(read_metadata("https://h", &answer(status, kind, body)).is_err(), "{status} {kind}");
        }
    }

    #[test]
    fn t95_keys_are_fetched_over_tls_when_the_issuer_is() {
        let read = |iss: &str, uri: &str| {
            read_metadata(iss, &answer(200, "application/json", &format!(r#"{{"issuer":"{iss}","jwks_uri":"{uri}"}}"#)))
        };
        assert!(read("http://127.0.0.1:1", "http://127.0.0.1:1/k").is_ok());
        for uri in ["http://127.0.0.1/k", "http://h/k", "file:///etc/passwd", "https://u@h/k", "/k", ""] {
            assert!(read("https://h", uri).is_err(), "{uri}");
        }
    }
}
