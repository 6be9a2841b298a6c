// SPDX-License-Identifier: Apache-2.0
//! The head the upstream sees: written by us from the canonical request, never the client's bytes (BCP-1, HTTP-8, T37).

use crate::exchange::Exchange;
use crate::gate::{Api, Gate, UpstreamIdentity};
use bytes::{BufMut, Bytes, BytesMut};
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
use std::ops::Range;
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

/// Length of a `traceparent`.
const TRACEPARENT_BYTES: usize = 55;
/// Fields of ours in one head, those of the connection to the upstream with them: room for all is made once.
const OURS_FIELDS_MAX: usize = 10;
/// As much as is written of ours into one head, with a host of usual length.
const OURS_BYTES_USUAL: usize = 192;

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
        strip(&mut headers, &REMOVED);
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
            self.operation
                .into_iter()
                .flat_map(|o| &o.parameters)
                .any(|p| p.location == Location::Cookie && *p.name == *name)
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
        let scheme = self.gate.public_scheme;
        // One buffer for all that is written here: every value below is a slice of it.
        let mut text = BytesMut::with_capacity(OURS_BYTES_USUAL);
        text.put_slice(b"for=");
        let address = push_address(&mut text, exchange.address());
        text.put_slice(b";proto=");
        text.put_slice(scheme.as_bytes());
        let host = host.map(|(name, port)| {
            text.put_slice(b";host=\"");
            let begin = text.len();
            text.put_slice(name.as_bytes());
            if let Some(port) = port {
                text.put_u8(b':');
                text.put_slice(port.to_string().as_bytes());
            }
            let host = begin..text.len();
            text.put_u8(b'"');
            host
        });
        let forwarded = 0..text.len();
        text.put_slice(&exchange.request().to_ascii());
        let id = forwarded.end..text.len();
        push_trace(&mut text, exchange);
        let trace = id.end..text.len();
        let text = text.freeze();
        headers.reserve(OURS_FIELDS_MAX);
        headers.insert(VIA, HeaderValue::from_static("1.1 portcullis"));
        put(headers, REQUEST_ID, text.slice(id));
        put(headers, FORWARDED, text.slice(forwarded));
        put(headers, X_FORWARDED_FOR, text.slice(address));
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
        if let Some(host) = host {
            put(headers, X_FORWARDED_HOST, text.slice(host));
        }
        put(headers, TRACEPARENT, text.slice(trace));
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
    let mut text = BytesMut::with_capacity(TRACEPARENT_BYTES);
    push_trace(&mut text, exchange);
    String::from_utf8_lossy(&text).into_owned()
}

fn push_trace(text: &mut BytesMut, exchange: &mut Exchange) {
    let (trace, span): (u128, u64) = (rand::random(), rand::random());
    text.put_slice(b"00-");
    if let Some(known) = &exchange.trace {
        text.put_slice(known.as_bytes());
    } else {
        let begin = text.len();
        push_hex(text, &trace.max(1).to_be_bytes());
        let written = text.get(begin..).and_then(|digits| std::str::from_utf8(digits).ok());
        exchange.trace = written.map(Box::from);
    }
    text.put_u8(b'-');
    push_hex(text, &span.max(1).to_be_bytes());
    text.put_slice(b"-00");
}

fn push_hex(text: &mut BytesMut, bytes: &[u8]) {
    let digit = |n: u8| if n < 10 { b'0'.wrapping_add(n) } else { b'a'.wrapping_sub(10).wrapping_add(n) };
    for byte in bytes {
        text.put_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
}

/// Writes the address as a node of `Forwarded` (RFC 7239 §6) and tells where in it the bare address stands.
fn push_address(text: &mut BytesMut, address: IpAddr) -> Range<usize> {
    let bracket = matches!(address, IpAddr::V6(_));
    text.put_slice(if bracket { b"\"[" } else { b"" });
    let begin = text.len();
    // Writing to a buffer that grows cannot fail.
    let _ = write!(text, "{address}");
    let end = text.len();
    text.put_slice(if bracket { b"]\"" } else { b"" });
    begin..end
}

/// A value that is a slice of a buffer of ours.
fn put(headers: &mut HeaderMap, name: HeaderName, value: Bytes) {
    if let Ok(value) = HeaderValue::from_maybe_shared(value) {
        headers.insert(name, value);
    }
}

/// Removes fields, at most 32 names. Few of them are there as a rule, and looking costs less than removing.
pub(crate) fn strip(headers: &mut HeaderMap, names: &[HeaderName]) {
    let mut there = 0_u32;
    for name in headers.keys() {
        if let Some(at) = names.iter().position(|known| known == name) {
            there |= 1 << at;
        }
    }
    for (at, name) in names.iter().enumerate() {
        if there >> at & 1 == 1 {
            headers.remove(name);
        }
    }
}
