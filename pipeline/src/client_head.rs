// SPDX-License-Identifier: Apache-2.0
//! The head the client sees: the upstream's, without what is not the client's business, with what we promise on
//! every answer (cli.md, ST-20).

use crate::exchange::Exchange;
use crate::gate::{Api, Gate};
use crate::upstream_head::request_id;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, ETAG, LINK, LOCATION, SERVER, SET_COOKIE, STRICT_TRANSPORT_SECURITY,
    TRANSFER_ENCODING, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_contract::Response;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Hop-by-hop fields (RFC 9110 §7.6.1) and fields that tell what runs behind the gate.
const REMOVED: [HeaderName; 14] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("te"),
    HeaderName::from_static("trailer"),
    TRANSFER_ENCODING,
    UPGRADE,
    SERVER,
    HeaderName::from_static("x-powered-by"),
    HeaderName::from_static("x-aspnet-version"),
    REQUEST_ID,
    // A way around the gate.
    HeaderName::from_static("alt-svc"),
];

/// How the body of an answer relates to what the upstream sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fidelity {
    /// Byte for byte.
    Same,
    /// Something was left out.
    Changed,
}

/// Makes the upstream's head ours.
pub(crate) fn write(
    gate: &Gate,
    api: &Api,
    exchange: &mut Exchange,
    headers: &mut HeaderMap,
    declared: Option<&Response>,
    fidelity: Fidelity,
) {
    remove_named_by_connection(headers);
    for name in &REMOVED {
        headers.remove(name);
    }
    if !declared.is_some_and(|r| r.headers.contains(&SET_COOKIE)) {
        headers.remove(SET_COOKIE);
    }
    if fidelity == Fidelity::Changed {
        headers.remove(ETAG);
        headers.remove(CONTENT_LENGTH);
    }
    rewrite_location(gate, api, headers);
    if exchange.trail().caller().is_some_and(|c| c.identity().is_some()) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    }
    if exchange.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    promise(gate, exchange, headers);
}

/// What stands on every answer, refusals included.
pub(crate) fn promise(gate: &Gate, exchange: &Exchange, headers: &mut HeaderMap) {
    headers.insert(REQUEST_ID, request_id(exchange));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(value) = &gate.strict_transport_security {
        headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
    }
    if let Some(fields) = &exchange.fields {
        fields.apply(headers);
    }
}

fn remove_named_by_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .filter_map(|token| HeaderName::from_bytes(token.trim().as_bytes()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

/// `Location` and `Link` never name the upstream's own host (config.md §4).
fn rewrite_location(gate: &Gate, api: &Api, headers: &mut HeaderMap) {
    if let Some(link) = headers.get(LINK)
        && !link.to_str().is_ok_and(|l| !l.contains(&*api.upstream_origin) && !l.contains("//"))
    {
        headers.remove(LINK);
    }
    let Some(location) = headers.get(LOCATION) else { return };
    let rewritten = location.to_str().ok().and_then(|text| rewrite(gate, api, text));
    match rewritten.and_then(|text| HeaderValue::from_str(&text).ok()) {
        Some(value) => drop(headers.insert(LOCATION, value)),
        None => drop(headers.remove(LOCATION)),
    }
}

fn rewrite(gate: &Gate, api: &Api, location: &str) -> Option<String> {
    let base = api.base_path.as_ref().map_or("", |b| b.as_str().trim_end_matches('/'));
    let below = |path: &str| {
        let path =
            path.strip_prefix(&*api.upstream_path).filter(|p| p.is_empty() || p.starts_with('/')).unwrap_or(path);
        format!("{base}{path}")
    };
    if let Some(path) = location.strip_prefix(&*api.upstream_origin) {
        return (path.is_empty() || path.starts_with('/')).then(|| format!("{}{}", gate.public_url, below(path)));
    }
    if location.starts_with("//") {
        return None;
    }
    Some(if location.starts_with('/') { below(location) } else { location.to_owned() })
}
