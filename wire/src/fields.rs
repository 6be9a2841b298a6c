// SPDX-License-Identifier: Apache-2.0
//! What the field lines of a request must look like, and which of them go further (HTTP-8, HTTP-10, T07, T09,
//! T37–T42, SM-15, SM-16).

use crate::fault::WireFault;
use crate::head::HeadLimits;
use crate::reserved::{self, Reserved};
use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use smallvec::SmallVec;

/// What one field line costs beside its bytes: `: ` and CRLF.
const FIELD_OVERHEAD_BYTES: usize = 4;
/// At most this many options may stand in `Connection`.
const CONNECTION_OPTIONS_MAX: usize = 16;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Fields of one connection, framing and expectations: they end here.
const ENDING_HERE: [HeaderName; 11] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    HTTP2_SETTINGS,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields with one value by definition: two of them have two readings (T41). `Authorization` is judged by identity,
/// framing fields and `Host` by their own rules.
const SINGLETONS: [&str; 18] = [
    "access-control-request-method",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "dpop",
    "from",
    "idempotency-key",
    "if-modified-since",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "origin",
    "range",
    "referer",
    "sec-fetch-site",
    "user-agent",
];

/// Checks size, spelling and number of every line. `line_bytes` is the size of the request line.
pub(crate) fn check(headers: &HeaderMap, limits: &HeadLimits, line_bytes: usize) -> Result<(), WireFault> {
    if headers.len() > limits.fields_max {
        return Err(WireFault::head_too_large("too many fields"));
    }
    let mut bytes = line_bytes;
    for (name, value) in headers {
        let field = name.as_str().len().saturating_add(value.len());
        if field > limits.field_bytes_max {
            return Err(WireFault::head_too_large("a field is too long"));
        }
        bytes = bytes.saturating_add(field).saturating_add(FIELD_OVERHEAD_BYTES);
        if memchr::memchr(b'_', name.as_str().as_bytes()).is_some() {
            return Err(WireFault::malformed("underscore in a field name"));
        }
        if !value.as_bytes().iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Err(WireFault::malformed("field value has bytes that are not visible ascii"));
        }
    }
    if bytes > limits.head_bytes_max {
        return Err(WireFault::head_too_large("the head is too long"));
    }
    Ok(())
}

/// Leaves the end-to-end fields of the client and tells how many reserved lines were taken away.
pub(crate) fn keep_end_to_end(
    headers: &mut HeaderMap,
    version: Version,
    reserved: &Reserved,
) -> Result<usize, WireFault> {
    if version == Version::HTTP_2 {
        refuse_connection_fields(headers)?;
        join_cookies(headers)?;
    }
    // Equal counts mean that no name stands twice.
    if headers.len() != headers.keys_len()
        && SINGLETONS.iter().any(|name| headers.get_all(*name).iter().nth(1).is_some())
    {
        return Err(WireFault::malformed("a field that has one value stands twice"));
    }
    for name in connection_options(headers, reserved)? {
        headers.remove(name);
    }
    let mut stripped = 0_usize;
    let mut doomed: SmallVec<[HeaderName; 4]> = SmallVec::new();
    for name in headers.keys().filter(|name| reserved.contains(name)) {
        doomed.push(name.clone());
    }
    for name in doomed {
        stripped = stripped.saturating_add(headers.get_all(&name).iter().count());
        headers.remove(name);
    }
    for name in ENDING_HERE {
        headers.remove(name);
    }
    Ok(stripped)
}

/// The fields that `Connection` names. Naming a reserved field or one that a check relies on is an attack on what
/// stands behind us (T39).
fn connection_options(headers: &HeaderMap, reserved: &Reserved) -> Result<SmallVec<[HeaderName; 2]>, WireFault> {
    let mut named = SmallVec::new();
    let mut options = 0_usize;
    for value in headers.get_all(CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.is_empty() || is_plain_option(option) {
                continue;
            }
            options = options.saturating_add(1);
            if options > CONNECTION_OPTIONS_MAX {
                return Err(WireFault::malformed("too many connection options"));
            }
            let name =
                HeaderName::from_bytes(option).map_err(|_| WireFault::malformed("connection option is no token"))?;
            if name == PROXY_CONNECTION {
                continue;
            }
            if name.as_str().contains('_') || reserved.contains(&name) || reserved::is_guarded(name.as_str()) {
                return Err(WireFault::malformed("connection names a field that is not of this connection"));
            }
            named.push(name);
        }
    }
    Ok(named)
}

fn is_plain_option(option: &[u8]) -> bool {
    option.eq_ignore_ascii_case(b"close") || option.eq_ignore_ascii_case(b"keep-alive")
}

/// RFC 9113 §8.2.2.
fn refuse_connection_fields(headers: &HeaderMap) -> Result<(), WireFault> {
    let forbidden = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE];
    if forbidden.iter().any(|name| headers.contains_key(name)) {
        return Err(WireFault::malformed("connection field in http/2"));
    }
    if headers.get_all(TE).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"trailers")) {
        return Err(WireFault::malformed("te other than trailers in http/2"));
    }
    Ok(())
}

/// RFC 9113 §8.2.3: crumbs are joined before anything reads them.
fn join_cookies(headers: &mut HeaderMap) -> Result<(), WireFault> {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return Ok(());
    }
    let mut joined = Vec::new();
    for (index, crumb) in headers.get_all(COOKIE).iter().enumerate() {
        if index > 0 {
            joined.extend_from_slice(b"; ");
        }
        joined.extend_from_slice(crumb.as_bytes());
    }
    let value = HeaderValue::from_bytes(&joined).map_err(|_| WireFault::malformed("cookie is no field value"))?;
    headers.insert(COOKIE, value);
    Ok(())
}
