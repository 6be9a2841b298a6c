// SPDX-License-Identifier: Apache-2.0
//! The head the upstream sees: written by us from the canonical request, never the client's bytes (BCP-1, HTTP-8, T37).

use crate::exchange::Exchange;
use crate::gate::{Api, Gate, UpstreamIdentity};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, FORWARDED, HOST, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, RANGE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_authorize::{Guard, Known, Needs};
use portcullis_contract::{Location, Operation};
use portcullis_decision::Caller;
use portcullis_wire::Head;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

const DPOP: HeaderName = HeaderName::from_static("dpop");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Credentials and whatever is ours to set; removed first, so that a client's spelling never survives.
const REMOVED: [HeaderName; 9] =
    [AUTHORIZATION, DPOP, API_KEY, IDEMPOTENCY_KEY, TRACEPARENT, TRACESTATE, BAGGAGE, HOST, CONTENT_LENGTH];
/// On a guarded operation these could turn the judged answer into one that cannot be judged.
const CONDITIONS: [HeaderName; 2] = [IF_NONE_MATCH, IF_MODIFIED_SINCE];
const RANGES: [HeaderName; 2] = [RANGE, IF_RANGE];

/// What a head is written for.
pub(crate) struct Writing<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) api: &'a Api,
    pub(crate) operation: Option<&'a Operation>,
    pub(crate) needs: &'a Needs,
    pub(crate) caller: &'a Caller,
}

impl Writing<'_> {
    /// The headers of the request itself.
    pub(crate) fn request(
        &self,
        exchange: &mut Exchange,
        head: Head,
        media_type: Option<&Arc<str>>,
        known: &Known,
    ) -> HeaderMap {
        let Head { mut headers, authority, .. } = head;
        for name in &REMOVED {
            headers.remove(name);
        }
        if self.needs.guard != Guard::Pass {
            for name in &CONDITIONS {
                headers.remove(name);
            }
            if !self.needs.known_before {
                for name in &RANGES {
                    headers.remove(name);
                }
            }
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if let Some(accept) = &self.needs.narrow_accept {
            headers.insert(ACCEPT, accept.clone());
        }
        match &known.if_match {
            Some(tag) => drop(headers.insert(IF_MATCH, tag.clone())),
            None => drop(headers.remove(IF_MATCH)),
        }
        match media_type.and_then(|m| HeaderValue::from_str(m).ok()) {
            Some(value) => drop(headers.insert(CONTENT_TYPE, value)),
            None => drop(headers.remove(CONTENT_TYPE)),
        }
        self.keep_declared_cookies(&mut headers);
        let host = authority.as_ref().map(|a| (a.host(), a.port()));
        self.add_ours(exchange, &mut headers, host);
        headers
    }

    /// The headers of a look-up: no client header, the caller's upstream identity.
    pub(crate) fn look_up(&self, trace: &str, request_id: HeaderValue) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(VIA, HeaderValue::from_static("1.1 portcullis"));
        headers.insert(REQUEST_ID, request_id);
        if let Ok(value) = HeaderValue::from_str(trace) {
            headers.insert(TRACEPARENT, value);
        }
        self.add_identity(&mut headers);
        headers
    }

    fn keep_declared_cookies(&self, headers: &mut HeaderMap) {
        if !headers.contains_key(COOKIE) {
            return;
        }
        let declared = |name: &str| {
            self.operation.into_iter().flat_map(|o| &o.parameters).any(|p| p.location == Location::Cookie && *p.name == *name)
        };
        let mut kept = String::new();
        for value in headers.get_all(COOKIE) {
            for pair in value.to_str().unwrap_or_default().split(';').map(str::trim) {
                let name = pair.split('=').next().unwrap_or_default();
                if declared(name) {
                    kept.push_str(if kept.is_empty() { "" } else { "; " });
                    kept.push_str(pair);
                }
            }
        }
        headers.remove(COOKIE);
        if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_str(&kept)) {
            headers.insert(COOKIE, value);
        }
    }

    fn add_ours(&self, exchange: &mut Exchange, headers: &mut HeaderMap, host: Option<(&str, Option<u16>)>) {
        headers.insert(VIA, HeaderValue::from_static("1.1 portcullis"));
        headers.insert(REQUEST_ID, request_id(exchange));
        let scheme = self.gate.public_scheme;
        let mut text = String::with_capacity(96);
        let address = exchange.address();
        let _ = match address {
            IpAddr::V4(v4) => write!(text, "for={v4}"),
            IpAddr::V6(v6) => write!(text, "for=\"[{v6}]\""),
        };
        let _ = write!(text, ";proto={scheme}");
        if let Some((host, port)) = host {
            let _ = match port {
                Some(port) => write!(text, ";host=\"{host}:{port}\""),
                None => write!(text, ";host=\"{host}\""),
            };
        }
        set(headers, FORWARDED, &text);
        text.clear();
        let _ = write!(text, "{address}");
        set(headers, X_FORWARDED_FOR, &text);
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
        if let Some((host, port)) = host {
            text.clear();
            let _ = match port {
                Some(port) => write!(text, "{host}:{port}"),
                None => write!(text, "{host}"),
            };
            set(headers, X_FORWARDED_HOST, &text);
        }
        let trace = trace_of(exchange);
        set(headers, TRACEPARENT, &trace);
        self.add_identity(headers);
    }

    fn add_identity(&self, headers: &mut HeaderMap) {
        let UpstreamIdentity::Header(name) = &self.api.upstream_identity else { return };
        headers.remove(name);
        if let Some(identity) = self.caller.identity()
            // An origin trims blanks: ` alice` would arrive as `alice`.
            && identity.subject.trim() == &*identity.subject
        {
            set(headers, name.clone(), &identity.subject);
        }
    }
}

/// A subject that is no header value (control characters) is not sent; nothing else is.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The request's id as a header value.
pub(crate) fn request_id(exchange: &Exchange) -> HeaderValue {
    HeaderValue::from_bytes(&exchange.request().to_ascii()).unwrap_or(HeaderValue::from_static("0"))
}

/// Our `traceparent`. Traces of clients are not continued: an outsider must not choose ids or force sampling (TR-3, TR-4).
pub(crate) fn trace_of(exchange: &mut Exchange) -> String {
    let (trace, span): (u128, u64) = (rand::random(), rand::random());
    let text = exchange.trace.get_or_insert_with(|| format!("{:032x}", trace.max(1)).into_boxed_str());
    format!("00-{text}-{:016x}-00", span.max(1))
}
