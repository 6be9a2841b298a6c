// SPDX-License-Identifier: Apache-2.0
//! The head the upstream sees: written by us from the canonical request, never the client's bytes (BCP-1, HTTP-8, T37).

use crate::exchange::Exchange;
use crate::field_names::{FieldNames, strip};
use crate::gate::{Api, Gate, UpstreamIdentity};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, FORWARDED, IF_MATCH, VIA};
use http::{HeaderMap, HeaderName, HeaderValue};
use portcullis_authorize::{Guard, Known, Needs};
use portcullis_contract::{Location, Operation};
use portcullis_decision::{Caller, RequestId};
use portcullis_wire::Head;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
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
const REMOVED: FieldNames<9> = FieldNames::new([
    "authorization",
    "dpop",
    "x-api-key",
    "idempotency-key",
    "traceparent",
    "tracestate",
    "baggage",
    "host",
    "content-length",
]);
/// On a guarded operation these could turn the judged answer into one that cannot be judged.
const CONDITIONS: FieldNames<2> = FieldNames::new(["if-none-match", "if-modified-since"]);
const RANGES: FieldNames<2> = FieldNames::new(["range", "if-range"]);

/// Fields of a WebSocket's handshake, which each side of the gate has its own of.
const HANDSHAKE: FieldNames<5> = FieldNames::new([
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-accept",
]);

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
        let guarded = self.needs.guard != Guard::Pass;
        let media_type = media_type.and_then(|m| HeaderValue::from_str(m).ok());
        strip(&mut headers, |name| {
            REMOVED.has(name)
                || (guarded && (CONDITIONS.has(name) || (!self.needs.known_before && RANGES.has(name))))
                || (*name == IF_MATCH && known.if_match.is_none())
                || (*name == CONTENT_TYPE && media_type.is_none())
        });
        headers.reserve(OURS_FIELDS_MAX);
        if guarded {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if let Some(accept) = &self.needs.narrow_accept {
            headers.insert(ACCEPT, accept.clone());
        }
        if let Some(tag) = &known.if_match {
            headers.insert(IF_MATCH, tag.clone());
        }
        if let Some(media_type) = media_type {
            headers.insert(CONTENT_TYPE, media_type);
        }
        self.keep_declared_cookies(&mut headers);
        let host = authority.as_ref().map(|a| (a.host(), a.port()));
        self.add_ours(exchange, &mut headers, host);
        headers
    }

    /// The headers of a look-up: no client header, the caller's upstream identity.
    pub(crate) fn look_up(&self, request: RequestId) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(VIA, HeaderValue::from_static("1.1 portcullis"));
        headers.insert(REQUEST_ID, request_id(request));
        put(&mut headers, TRACEPARENT, Bytes::copy_from_slice(&traceparent(request)));
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
        text.put_slice(&traceparent(exchange.request()));
        exchange.trace = Some(trace_id(exchange.request()));
        let trace = id.end..text.len();
        let text = text.freeze();
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

/// Takes away what the host writes anew for its own side of a WebSocket, and every cookie: a browser sends those to
/// whatever site opens a WebSocket, and the origin's answer cannot be kept from it (T128).
pub(crate) fn strip_handshake(headers: &mut HeaderMap) {
    strip(headers, |name| HANDSHAKE.has(name) || *name == COOKIE);
}

/// A subject that is no header value (control characters) is not sent; nothing else is.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The request's id as a header value.
pub(crate) fn request_id(request: RequestId) -> HeaderValue {
    HeaderValue::from_bytes(&request.to_ascii()).unwrap_or(HeaderValue::from_static("0"))
}

/// The trace's id, in hexadecimal. It is the request's id in another alphabet, so that either finds the other; eighty
/// of its bits are random. Traces of clients are not continued: an outsider must not choose ids or force sampling
/// (TR-3, TR-4).
pub(crate) fn trace_id(request: RequestId) -> Box<str> {
    let mut text = [0; 32];
    write_hex(&mut text, request.to_u128());
    std::str::from_utf8(&text).unwrap_or_default().into()
}

/// Our `traceparent`, with a span id of its own each time.
fn traceparent(request: RequestId) -> [u8; TRACEPARENT_BYTES] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
    let span = rand::random::<u64>().max(1);
    if let Some(place) = text.get_mut(3..35) {
        write_hex(place, request.to_u128().max(1));
    }
    if let Some(place) = text.get_mut(36..52) {
        write_hex(place, u128::from(span));
    }
    text
}

/// The low digits of a number, as many as there is place for.
fn write_hex(place: &mut [u8], mut number: u128) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    for digit in place.iter_mut().rev() {
        let [low, ..] = number.to_le_bytes();
        *digit = DIGITS.get(usize::from(low & 15)).copied().unwrap_or(b'0');
        number >>= 4;
    }
}

/// Writes the address as a node of `Forwarded` (RFC 7239 §6) and tells where in it the bare address stands.
fn push_address(text: &mut BytesMut, address: IpAddr) -> Range<usize> {
    let bracket = matches!(address, IpAddr::V6(_));
    text.put_slice(if bracket { b"\"[" } else { b"" });
    let begin = text.len();
    match address {
        IpAddr::V4(address) => push_ipv4(text, address),
        IpAddr::V6(address) => {
            // Writing to a buffer that grows cannot fail.
            let _ = write!(text, "{address}");
        }
    }
    let end = text.len();
    text.put_slice(if bracket { b"]\"" } else { b"" });
    begin..end
}

/// Without the formatting machinery: this is written for every request.
fn push_ipv4(text: &mut BytesMut, address: Ipv4Addr) {
    for (at, number) in address.octets().into_iter().enumerate() {
        if at > 0 {
            text.put_u8(b'.');
        }
        let digit = |value: u8| b'0'.saturating_add(value % 10);
        if number >= 100 {
            text.put_u8(digit(number / 100));
        }
        if number >= 10 {
            text.put_u8(digit(number / 10));
        }
        text.put_u8(digit(number));
    }
}

/// A value that is a slice of a buffer of ours.
fn put(headers: &mut HeaderMap, name: HeaderName, value: Bytes) {
    if let Ok(value) = HeaderValue::from_maybe_shared(value) {
        headers.insert(name, value);
    }
}
