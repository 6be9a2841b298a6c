// SPDX-License-Identifier: Apache-2.0
//! How the body is delimited. One field line, one reading, or a refusal (RFC 9112 §6, SM-1..SM-4, T01–T05).

use crate::fault::WireFault;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, Version};
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

pub(crate) fn framing(version: Version, headers: &HeaderMap) -> Result<Framing, WireFault> {
    let length = content_length(headers)?;
    let chunked = transfer_encoding(version, headers)?;
    match (length, chunked) {
        (Some(_), true) => Err(WireFault::framing("content-length and transfer-encoding together")),
        (Some(length), false) => Ok(Framing::Length(length)),
        (None, true) => Ok(Framing::Chunked),
        (None, false) if version == Version::HTTP_2 => Ok(Framing::Chunked),
        (None, false) => Ok(Framing::None),
    }
}

/// `^(0|[1-9][0-9]{0,18})$` on one line (T02, T03); equal duplicates are refused too.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, WireFault> {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let Some(value) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(WireFault::framing("several content-length lines"));
    }
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
    value.to_str().ok().and_then(|text| text.parse().ok()).map(Some).ok_or(invalid)
}

/// Exactly one line with the one word `chunked`, in HTTP/1.1 only (T04, T05).
fn transfer_encoding(version: Version, headers: &HeaderMap) -> Result<bool, WireFault> {
    let mut lines = headers.get_all(TRANSFER_ENCODING).iter();
    let Some(value) = lines.next() else { return Ok(false) };
    if version != Version::HTTP_11 {
        return Err(WireFault::framing("transfer-encoding outside http/1.1"));
    }
    if lines.next().is_some() {
        return Err(WireFault::framing("several transfer-encoding lines"));
    }
    if value.as_bytes().eq_ignore_ascii_case(b"chunked") {
        Ok(true)
    } else {
        Err(WireFault::framing("transfer-encoding is not exactly chunked"))
    }
}

/// Only `100-continue` is an expectation (RFC 9110 §10.1.1: compared without case); ignored in HTTP/1.0 and
/// where no body follows.
pub(crate) fn expect_continue(version: Version, framing: Framing, headers: &HeaderMap) -> Result<bool, WireFault> {
    let mut lines = headers.get_all(EXPECT).iter();
    let Some(value) = lines.next() else { return Ok(false) };
    if lines.next().is_some() || !value.as_bytes().eq_ignore_ascii_case(b"100-continue") {
        return Err(WireFault { reason: Reason::WireExpect, detail: "an expectation other than 100-continue" });
    }
    Ok(version != Version::HTTP_10 && !matches!(framing, Framing::None | Framing::Length(0)))
}
