// SPDX-License-Identifier: Apache-2.0
//! What the field lines of a request must look like, and which of them go further (HTTP-8, HTTP-10, T07, T09,
//! T37–T42, SM-15, SM-16).

use crate::authority::{self, Authority};
use crate::fault::WireFault;
use crate::framing::{FramingLines, once};
use crate::grammar;
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

/// Fields of one connection: they end here, as framing fields, `Host` and expectations do.
const ENDING_HERE: [HeaderName; 6] = [TE, TRAILER, UPGRADE, KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS];

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

/// The number of field lines so far.
pub(crate) fn check_count(fields: usize, limits: &HeadLimits) -> Result<(), WireFault> {
    if fields > limits.fields_max { Err(WireFault::head_too_large("too many fields")) } else { Ok(()) }
}

/// The size of a name and its value.
pub(crate) fn check_size(bytes: usize, limits: &HeadLimits) -> Result<(), WireFault> {
    if bytes > limits.field_bytes_max { Err(WireFault::head_too_large("a field is too long")) } else { Ok(()) }
}

/// The spelling of a name.
pub(crate) fn check_name(name: &[u8]) -> Result<(), WireFault> {
    if grammar::is_name(name) {
        return Ok(());
    }
    Err(WireFault::malformed(match name {
        [] => "field without a name",
        [b' ' | b'\t', ..] => "folded or indented line",
        [.., b' ' | b'\t'] => "blank before a colon",
        _ if memchr::memchr(b'_', name).is_some() => "underscore in a field name",
        _ => "field name is no token",
    }))
}

/// The spelling of a value.
pub(crate) fn check_value(value: &[u8]) -> Result<(), WireFault> {
    if grammar::is_text(value) {
        Ok(())
    } else {
        Err(WireFault::malformed("field value has bytes that are not visible ascii"))
    }
}

/// The lines of a head that something else parsed. `line_bytes` is the size of the request line.
pub(crate) fn gather<'r>(
    headers: HeaderMap,
    version: Version,
    limits: &HeadLimits,
    reserved: &'r Reserved,
    line_bytes: usize,
) -> Result<Lines<'r>, WireFault> {
    check_count(headers.len(), limits)?;
    let mut bytes = line_bytes;
    for (name, value) in &headers {
        let field = name.as_str().len().saturating_add(value.len());
        check_size(field, limits)?;
        bytes = bytes.saturating_add(field).saturating_add(FIELD_OVERHEAD_BYTES);
        check_name(name.as_str().as_bytes())?;
        check_value(value.as_bytes())?;
        if version == Version::HTTP_2 {
            check_edges(value.as_bytes())?;
        }
    }
    check_head(bytes, limits)?;
    let mut lines = Lines::new(version, reserved, headers.len());
    let mut current = None;
    for (name, value) in headers {
        // A name stands before the first of its values only.
        current = name.or(current);
        if let Some(name) = current.clone() {
            lines.take(name, || Ok(value))?;
        }
    }
    Ok(lines)
}

/// RFC 9113 §8.2.1: in HTTP/1 the whitespace around a value is none of it, so a value that brings some would change on
/// its way (SM-15).
fn check_edges(value: &[u8]) -> Result<(), WireFault> {
    match value {
        [b' ' | b'\t', ..] | [.., b' ' | b'\t'] => {
            Err(WireFault::malformed("whitespace at the edge of a value in http/2"))
        }
        _ => Ok(()),
    }
}

/// The size of the whole head.
pub(crate) fn check_head(bytes: usize, limits: &HeadLimits) -> Result<(), WireFault> {
    if bytes > limits.head_bytes_max { Err(WireFault::head_too_large("the head is too long")) } else { Ok(()) }
}

/// The field lines of one head, taken one by one: what goes further is kept, what ends here is judged or dropped.
pub(crate) struct Lines<'r> {
    version: Version,
    reserved: &'r Reserved,
    kept: HeaderMap,
    stripped: usize,
    host: Option<HeaderValue>,
    connection: SmallVec<[HeaderValue; 1]>,
    upgrade: Upgrade,
    pub(crate) framing: FramingLines,
}

/// What `Upgrade` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upgrade {
    Nothing,
    WebSocket,
    /// Another protocol, or a choice: as if nothing were asked for.
    Other,
}

/// The end-to-end fields.
pub(crate) struct Kept {
    pub(crate) headers: HeaderMap,
    pub(crate) stripped: usize,
    pub(crate) last: bool,
    pub(crate) websocket: bool,
}

impl<'r> Lines<'r> {
    /// No line yet; room for `expected` of them.
    pub(crate) fn new(version: Version, reserved: &'r Reserved, expected: usize) -> Self {
        Self {
            version,
            reserved,
            // More fields than a map can hold are refused when they come.
            kept: HeaderMap::try_with_capacity(expected).unwrap_or_default(),
            stripped: 0,
            host: None,
            connection: SmallVec::new(),
            upgrade: Upgrade::Nothing,
            framing: FramingLines::default(),
        }
    }

    /// The next line. The value is made only where it is looked at.
    pub(crate) fn take(
        &mut self,
        name: HeaderName,
        value: impl FnOnce() -> Result<HeaderValue, WireFault>,
    ) -> Result<(), WireFault> {
        if self.version == Version::HTTP_2 && is_of_a_connection(&name) {
            return judge_in_http_2(&name, &value()?);
        }
        if name == HOST {
            return once(&mut self.host, value()?, WireFault::malformed("several host lines"));
        }
        if name == CONNECTION {
            self.connection.push(value()?);
            return Ok(());
        }
        if name == CONTENT_LENGTH {
            return self.framing.length(value()?);
        }
        if name == TRANSFER_ENCODING {
            return self.framing.coding(value()?);
        }
        if name == EXPECT {
            return self.framing.expect(value()?);
        }
        if self.reserved.contains(&name) {
            self.stripped = self.stripped.saturating_add(1);
            return Ok(());
        }
        if ENDING_HERE.contains(&name) {
            if name == UPGRADE {
                let one = self.upgrade == Upgrade::Nothing && value()?.as_bytes().eq_ignore_ascii_case(b"websocket");
                self.upgrade = if one { Upgrade::WebSocket } else { Upgrade::Other };
            }
            return Ok(());
        }
        match self.kept.try_append(name, value()?) {
            Ok(_) => Ok(()),
            Err(_) => Err(WireFault::head_too_large("too many fields")),
        }
    }

    /// The one authority: `Host`, which may only repeat what the target says.
    pub(crate) fn authority(&self, target: Option<&http::uri::Authority>) -> Result<Option<Authority>, WireFault> {
        authority::authority(self.version, target, self.host.as_ref())
    }

    /// The end-to-end fields of the client.
    pub(crate) fn finish(mut self) -> Result<Kept, WireFault> {
        if self.version == Version::HTTP_2 {
            join_cookies(&mut self.kept)?;
        }
        // Equal counts mean that no name stands twice.
        if self.kept.len() != self.kept.keys_len()
            && SINGLETONS.iter().any(|name| self.kept.get_all(*name).iter().nth(1).is_some())
        {
            return Err(WireFault::malformed("a field that has one value stands twice"));
        }
        let options = Options::read(&self.connection, self.reserved)?;
        // HTTP/1.0 knows no upgrade (RFC 9110 §7.8).
        let websocket =
            self.upgrade == Upgrade::WebSocket && self.version == Version::HTTP_11 && options.named.contains(&UPGRADE);
        for name in options.named {
            self.kept.remove(name);
        }
        let last = options.close || self.version == Version::HTTP_10;
        Ok(Kept { headers: self.kept, stripped: self.stripped, last, websocket })
    }
}

/// RFC 9113 §8.2.2.
fn judge_in_http_2(name: &HeaderName, value: &HeaderValue) -> Result<(), WireFault> {
    if name == TRANSFER_ENCODING {
        return Err(WireFault::framing("transfer-encoding outside http/1.1"));
    }
    if name != TE {
        return Err(WireFault::malformed("connection field in http/2"));
    }
    if value.as_bytes().eq_ignore_ascii_case(b"trailers") {
        Ok(())
    } else {
        Err(WireFault::malformed("te other than trailers in http/2"))
    }
}

fn is_of_a_connection(name: &HeaderName) -> bool {
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, TE].contains(name)
}

/// What `Connection` says.
#[derive(Default)]
struct Options {
    close: bool,
    named: SmallVec<[HeaderName; 1]>,
}

impl Options {
    /// Naming a reserved field or one that a check relies on is an attack on what stands behind us (T39).
    fn read(lines: &[HeaderValue], reserved: &Reserved) -> Result<Self, WireFault> {
        let mut read = Self::default();
        let mut options = 0_usize;
        for line in lines {
            for option in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if option.eq_ignore_ascii_case(b"close") {
                    read.close = true;
                    continue;
                }
                if option.is_empty() || option.eq_ignore_ascii_case(b"keep-alive") {
                    continue;
                }
                options = options.saturating_add(1);
                if options > CONNECTION_OPTIONS_MAX {
                    return Err(WireFault::malformed("too many connection options"));
                }
                let name = HeaderName::from_bytes(option)
                    .map_err(|_| WireFault::malformed("connection option is no token"))?;
                if name == PROXY_CONNECTION {
                    continue;
                }
                if name.as_str().contains('_') || reserved.contains(&name) || reserved::is_guarded(name.as_str()) {
                    return Err(WireFault::malformed("connection names a field that is not of this connection"));
                }
                read.named.push(name);
            }
        }
        Ok(read)
    }
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
