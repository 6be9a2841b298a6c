// SPDX-License-Identifier: Apache-2.0
//! The head the client sees: the upstream's, without what is not the client's business, with what we promise on
//! every answer (cli.md, ST-20).

use crate::exchange::Exchange;
use crate::field_names::{FieldNames, strip};
use crate::gate::{Api, Gate, UpstreamIdentity};
use crate::grpc;
use crate::upstream_head::request_id;
use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_LOCATION, ETAG, LINK, LOCATION, REFRESH, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_contract::Response;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Fields of ours on one answer, `Date` of the connection with them: room for all is made once.
const PROMISED_FIELDS_MAX: usize = 6;
/// Hop-by-hop fields (RFC 9110 §7.6.1) and fields that tell what runs behind the gate.
const REMOVED: FieldNames<24> = FieldNames::new([
    "connection",
    // Orders to a server in front: a client has no business with them, and a server before us must not obey (T37).
    "x-accel-redirect",
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-expires",
    "x-accel-limit-rate",
    "x-sendfile",
    "x-lighttpd-send-file",
    "x-reproxy-url",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "server",
    "x-powered-by",
    "x-aspnet-version",
    "x-aspnetmvc-version",
    "request-id",
    // Only the gate knows whether an answer was kept.
    "idempotency-replayed",
    // A way around the gate.
    "alt-svc",
]);
/// Fields that may lead a client to the upstream itself.
const LEADING: FieldNames<4> = FieldNames::new(["location", "content-location", "link", "refresh"]);

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
    let identity = match &api.upstream_identity {
        UpstreamIdentity::Header(name) => Some(name),
        UpstreamIdentity::Anonymous => None,
    };
    let sets_cookies = declared.is_some_and(|r| r.headers.contains(&SET_COOKIE));
    let changed = fidelity == Fidelity::Changed;
    strip(headers, |name| {
        REMOVED.has(name)
            || identity == Some(name)
            || (*name == SET_COOKIE && !sets_cookies)
            || (changed && (*name == ETAG || *name == CONTENT_LENGTH))
    });
    if headers.keys().any(|name| LEADING.has(name)) {
        rewrite_location(gate, api, headers);
    }
    if exchange.trail().caller().is_some_and(|c| c.identity().is_some()) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    }
    if exchange.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    promise(gate, exchange, headers);
}

/// Leaves of an origin's trailers what may leave in a head, and may stand in trailers. `identity` is the header that
/// tells the upstream who calls.
pub(crate) fn judge_trailers(identity: Option<&HeaderName>, trailers: &mut HeaderMap) {
    grpc::judge_trailers(trailers, |name| REMOVED.has(name) || LEADING.has(name) || identity == Some(name));
}

/// What stands on every answer, refusals included.
pub(crate) fn promise(gate: &Gate, exchange: &Exchange, headers: &mut HeaderMap) {
    headers.reserve(PROMISED_FIELDS_MAX);
    headers.insert(REQUEST_ID, request_id(exchange.request()));
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

/// `Location`, `Content-Location`, `Link` and `Refresh` never name the upstream's own host (config.md §4).
fn rewrite_location(gate: &Gate, api: &Api, headers: &mut HeaderMap) {
    for name in [LINK, REFRESH] {
        let internal = |value: &HeaderValue| !value.to_str().is_ok_and(|text| !text.contains("//"));
        if headers.get_all(&name).iter().any(internal) {
            headers.remove(&name);
        }
    }
    for name in [LOCATION, CONTENT_LOCATION] {
        let Some(location) = headers.get(&name) else { continue };
        let rewritten = location.to_str().ok().and_then(|text| rewrite(gate, api, text));
        match rewritten.and_then(|text| HeaderValue::from_str(&text).ok()) {
            Some(value) => drop(headers.insert(name, value)),
            None => drop(headers.remove(name)),
        }
    }
}

/// `None`: it would lead to the upstream itself, or readers disagree about where it leads.
fn rewrite(gate: &Gate, api: &Api, location: &str) -> Option<String> {
    // Browsers read a backslash as a slash.
    if location.contains('\\') || location.starts_with("//") {
        return None;
    }
    let base = api.base_path.as_ref().map_or("", |b| b.as_str().trim_end_matches('/'));
    let below = |path: &str| {
        let path =
            path.strip_prefix(&*api.upstream_path).filter(|p| p.is_empty() || p.starts_with('/')).unwrap_or(path);
        let path = format!("{base}{path}");
        // What was a path must not become a host.
        (!path.starts_with("//")).then_some(path)
    };
    if location.starts_with('/') {
        return below(location);
    }
    let end = location.find(['/', '?', '#']).unwrap_or(location.len());
    let Some((scheme, _)) = location.get(..end).unwrap_or_default().split_once(':') else {
        return Some(location.to_owned());
    };
    let authority = location.get(scheme.len()..)?.strip_prefix("://")?;
    let authority = authority.get(..authority.find(['/', '?', '#']).unwrap_or(authority.len()))?;
    let (origin, rest) = location.split_at_checked(scheme.len() + "://".len() + authority.len())?;
    if api.upstream_origins.iter().any(|upstream| origin.eq_ignore_ascii_case(upstream)) {
        return (rest.is_empty() || rest.starts_with('/'))
            .then(|| below(rest))?
            .map(|path| format!("{}{path}", gate.public_url));
    }
    let leads_back = api.upstream_origins.iter().any(|upstream| names_host_of(upstream, authority));
    (!leads_back).then(|| location.to_owned())
}

/// Whether this is the upstream's host by another scheme, port, spelling or with user information.
fn names_host_of(origin: &str, authority: &str) -> bool {
    let host = |authority: &str| {
        let host = authority.rsplit('@').next().unwrap_or_default();
        let port = host.rfind(':').filter(|_| !host.ends_with(']')).unwrap_or(host.len());
        host.get(..port).unwrap_or_default().trim_end_matches('.').to_ascii_lowercase()
    };
    origin.split_once("://").is_some_and(|(_, upstream)| host(upstream) == host(authority))
}
