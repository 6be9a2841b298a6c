// SPDX-License-Identifier: Apache-2.0
//! The request line: method, one space, a path with perhaps a query, one space, `HTTP/1.0` or `HTTP/1.1` (RFC 9112
//! §3; T20, T21, T35).

use super::LOST;
use crate::fault::WireFault;
use crate::field_line::at;
use crate::grammar;
use crate::head::HeadLimits;
use crate::path::CanonicalPath;
use crate::query::Query;
use crate::receive;
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Method, Version};
use portcullis_decision::Reason;

/// The longest method; longer words are no method of anybody.
pub(super) const METHOD_BYTES_MAX: usize = 64;
/// Two spaces and a version.
const AFTER_METHOD_BYTES: usize = 10;

/// Where method and target stand in the head.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine {
    method_end: u32,
    target_end: u32,
    pub(super) version: Version,
}

/// The word before the first space, where it may be a method.
pub(super) fn first_word(buffer: &[u8]) -> Option<&[u8]> {
    let start = buffer.get(..=METHOD_BYTES_MAX).unwrap_or(buffer);
    let word = start.get(..memchr::memchr(b' ', start)?)?;
    grammar::is_token(word).then_some(word)
}

impl RequestLine {
    /// How long the line that begins the buffer may become, and what it is beyond: a word too long for a method is
    /// told from a target too long without waiting for the end of either.
    pub(super) fn bytes_max(buffer: &[u8], limits: &HeadLimits) -> (usize, WireFault) {
        match first_word(buffer) {
            Some(method) => {
                let bytes = method.len().saturating_add(limits.uri_bytes_max).saturating_add(AFTER_METHOD_BYTES);
                (bytes, receive::TARGET_TOO_LONG)
            }
            None => (METHOD_BYTES_MAX, WireFault::malformed("the request line begins with no method")),
        }
    }

    /// Reads the line; all of its bytes may stand in a line.
    pub(super) fn read(line: &[u8], limits: &HeadLimits) -> Result<Self, WireFault> {
        let method = first_word(line).ok_or(WireFault::malformed("the request line begins with no method"))?;
        let target_start = method.len().saturating_add(1);
        let rest = line.get(target_start..).unwrap_or_default();
        let length = memchr::memrchr(b' ', rest).ok_or(WireFault::malformed("the request line has no version"))?;
        let (target, version) = rest.split_at_checked(length).unwrap_or_default();
        if target.is_empty() || memchr::memchr2(b' ', b'\t', target).is_some() {
            return Err(WireFault::malformed("the request line is not three words"));
        }
        if memchr::memchr(b'#', target).is_some() {
            return Err(WireFault::malformed("the target has a fragment"));
        }
        receive::check_target_size(target.len(), limits)?;
        let version = version_of(version.get(1..).unwrap_or_default())?;
        let place = |at: usize| u32::try_from(at).map_err(|_| receive::TARGET_TOO_LONG);
        Ok(Self { method_end: place(method.len())?, target_end: place(target_start.saturating_add(length))?, version })
    }

    pub(super) fn method(&self, head: &[u8]) -> Option<Method> {
        Method::from_bytes(head.get(..at(self.method_end))?).ok()
    }

    /// The target, a slice of the head.
    pub(super) fn target(&self, head: &Bytes, method: &Method) -> Result<PathAndQuery, WireFault> {
        let (from, to) = (at(self.method_end).saturating_add(1), at(self.target_end));
        let text = head.get(from..to).ok_or(LOST)?;
        if text == b"*" {
            return Err(receive::refuse_asterisk(method));
        }
        if text.first() != Some(&b'/') {
            return Err(WireFault::malformed("target is not in origin form"));
        }
        PathAndQuery::from_maybe_shared(head.slice(from..to)).map_err(|_| fault_of(text))
    }
}

/// Why the `http` crate takes a target for none: our own rules know better.
fn fault_of(target: &[u8]) -> WireFault {
    let text = std::str::from_utf8(target).unwrap_or_default();
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    match (CanonicalPath::parse(path), Query::parse(query, usize::MAX)) {
        (Err(fault), _) | (_, Err(fault)) => fault,
        _ => WireFault::malformed("target is no path and query"),
    }
}

fn version_of(word: &[u8]) -> Result<Version, WireFault> {
    match word {
        b"HTTP/1.1" => Ok(Version::HTTP_11),
        b"HTTP/1.0" => Ok(Version::HTTP_10),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            Err(WireFault { reason: Reason::WireVersion, detail: "version is not 1.0, 1.1 or 2" })
        }
        _ => Err(WireFault::malformed("the request line ends with no version")),
    }
}
