// SPDX-License-Identifier: Apache-2.0
//! How the body is delimited. One field line, one reading, or a refusal (RFC 9112 §6, SM-1..SM-4, T01–T05).

use crate::fault::WireFault;
use http::{HeaderValue, Version};
use portcullis_decision::Reason;

/// The longest decimal that fits every 64-bit reader, signed ones too.
const CONTENT_LENGTH_DIGITS_MAX: usize = 19;

/// How the body of a request is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// Exactly this many bytes.
    Length(u64),
    /// In HTTP/1.1: chunked. In HTTP/2 without `content-length`: unknown until the stream ends, which may be at
    /// once; the body itself tells (`is_end_stream`).
    Chunked,
}

/// The lines that delimit the body, gathered while the head is read.
#[derive(Debug, Default)]
pub(crate) struct FramingLines {
    length: Option<HeaderValue>,
    coding: Option<HeaderValue>,
    expect: Option<HeaderValue>,
}

impl FramingLines {
    /// A `Content-Length` line; equal duplicates are refused too (T02).
    pub(crate) fn length(&mut self, value: HeaderValue) -> Result<(), WireFault> {
        once(&mut self.length, value, WireFault::framing("several content-length lines"))
    }

    /// A `Transfer-Encoding` line; two of them have two readings (T04).
    pub(crate) fn coding(&mut self, value: HeaderValue) -> Result<(), WireFault> {
        once(&mut self.coding, value, WireFault::framing("several transfer-encoding lines"))
    }

    /// An `Expect` line.
    pub(crate) fn expect(&mut self, value: HeaderValue) -> Result<(), WireFault> {
        once(&mut self.expect, value, EXPECTATION)
    }

    /// How the body is delimited.
    pub(crate) fn framing(&self, version: Version) -> Result<Framing, WireFault> {
        let length = self.length.as_ref().map(content_length).transpose()?;
        if let Some(coding) = &self.coding {
            transfer_encoding(version, coding)?;
        }
        match (length, self.coding.is_some()) {
            (Some(_), true) => Err(WireFault::framing("content-length and transfer-encoding together")),
            (Some(length), false) => Ok(Framing::Length(length)),
            (None, true) => Ok(Framing::Chunked),
            (None, false) if version == Version::HTTP_2 => Ok(Framing::Chunked),
            (None, false) => Ok(Framing::None),
        }
    }

    /// Only `100-continue` is an expectation (RFC 9110 §10.1.1: compared without case); ignored in HTTP/1.0 and
    /// where no body follows.
    pub(crate) fn expects_continue(&self, version: Version, framing: Framing) -> Result<bool, WireFault> {
        let Some(value) = &self.expect else { return Ok(false) };
        if !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
            return Err(EXPECTATION);
        }
        Ok(version != Version::HTTP_10 && !matches!(framing, Framing::None | Framing::Length(0)))
    }
}

const EXPECTATION: WireFault =
    WireFault { reason: Reason::WireExpect, detail: "an expectation other than 100-continue" };

/// Keeps the value of a field that may stand once.
pub(crate) fn once(slot: &mut Option<HeaderValue>, value: HeaderValue, twice: WireFault) -> Result<(), WireFault> {
    if slot.is_some() {
        return Err(twice);
    }
    *slot = Some(value);
    Ok(())
}

/// `^(0|[1-9][0-9]{0,18})$` on one line (T02, T03).
fn content_length(value: &HeaderValue) -> Result<u64, WireFault> {
    let invalid = WireFault::framing("content-length is not a plain decimal");
    let digits = value.as_bytes();
    let canonical = match digits {
        [b'0'] => true,
        [b'1'..=b'9', ..] => digits.len() <= CONTENT_LENGTH_DIGITS_MAX && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return Err(invalid);
    }
    value.to_str().ok().and_then(|text| text.parse().ok()).ok_or(invalid)
}

/// Exactly the one word `chunked`, in HTTP/1.1 only (T04, T05).
fn transfer_encoding(version: Version, value: &HeaderValue) -> Result<(), WireFault> {
    if version != Version::HTTP_11 {
        return Err(WireFault::framing("transfer-encoding outside http/1.1"));
    }
    if value.as_bytes().eq_ignore_ascii_case(b"chunked") {
        Ok(())
    } else {
        Err(WireFault::framing("transfer-encoding is not exactly chunked"))
    }
}
