// SPDX-License-Identifier: Apache-2.0
//! An origin's answer to a handshake (RFC 6455 §4.1, RFC 9112 §4): strictly read, and a 101 only believed where it
//! switches to what was asked for (T15). What comes behind a 101 is left in the buffer.

use super::Offer;
use crate::grammar;
use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

/// Largest head, interim answers before it included.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Most fields.
const FIELDS_MAX: usize = 100;
/// Most interim answers before it.
const INTERIMS_MAX: u32 = 5;
/// Digits of a length.
const LENGTH_DIGITS_MAX: usize = 19;

const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");
const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");
const EXTENSIONS: HeaderName = HeaderName::from_static("sec-websocket-extensions");

/// An answer that cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer to the handshake is not believed: {0}")]
pub struct AnswerFault(pub &'static str);

/// What was answered.
#[derive(Clone, Debug)]
pub enum Answered {
    /// The connection is a WebSocket from here on.
    Switched {
        /// The subprotocol chosen, one of those offered.
        protocol: Option<HeaderValue>,
    },
    /// It is not.
    Refused {
        /// With this status,
        status: StatusCode,
        /// these fields,
        headers: HeaderMap,
        /// and a body of so many bytes; `None`: chunked, or up to the end.
        framing: Body,
    },
}

/// How the body of a refusal is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes.
    Length(u64),
    /// The chunked coding.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// Reads the head of the answer from a growing buffer.
#[derive(Debug, Default)]
pub struct Answer {
    /// Bytes of the buffer that hold no end of a head.
    seen: usize,
    bytes: usize,
    interims: u32,
}

impl Answer {
    /// Reads on; the bytes of the head are taken from the buffer. `accept` is what the origin proves itself by.
    pub fn head(
        &mut self,
        buffer: &mut BytesMut,
        offer: &Offer,
        accept: &[u8],
    ) -> Result<Option<Answered>, AnswerFault> {
        loop {
            let Some(end) = self.end(buffer)? else { return Ok(None) };
            let head = buffer.split_to(end);
            self.bytes = self.bytes.saturating_add(end);
            self.seen = 0;
            let (minor, status, headers) = read(&head)?;
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return switched(minor, &headers, offer, accept).map(Some);
            }
            if !status.is_informational() {
                let framing = framing(minor, status, &headers)?;
                return Ok(Some(Answered::Refused { status, headers, framing }));
            }
            self.interims = self.interims.saturating_add(1);
            if self.interims > INTERIMS_MAX {
                return Err(AnswerFault("too many interim answers"));
            }
        }
    }

    fn end(&mut self, buffer: &[u8]) -> Result<Option<usize>, AnswerFault> {
        // The end may have begun in what was seen.
        let from = self.seen.saturating_sub(3);
        let found = memchr::memmem::find(buffer.get(from..).unwrap_or_default(), b"\r\n\r\n");
        let end = found.map(|at| from.saturating_add(at).saturating_add(4));
        if self.bytes.saturating_add(end.unwrap_or(buffer.len())) > HEAD_BYTES_MAX {
            return Err(AnswerFault("the head is too long"));
        }
        self.seen = buffer.len();
        Ok(end)
    }
}

/// A status line and fields, each by the letter.
fn read(head: &[u8]) -> Result<(u8, StatusCode, HeaderMap), AnswerFault> {
    let head = head.strip_suffix(b"\r\n\r\n").ok_or(AnswerFault("no end"))?;
    let mut lines = memchr::memmem::find_iter(head, b"\r\n").chain([head.len()]).scan(0, |from, to| {
        let line = head.get(*from..to);
        *from = to.saturating_add(2);
        line
    });
    let (minor, status) = status_line(lines.next().unwrap_or_default())?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = memchr::memchr(b':', line).ok_or(AnswerFault("a field line without a colon"))?;
        let (name, rest) = line.split_at_checked(colon).unwrap_or_default();
        let value = rest.get(1..).unwrap_or_default().trim_ascii();
        if !grammar::is_token(name) || !grammar::is_text(value) || headers.len() >= FIELDS_MAX {
            return Err(AnswerFault("a field that may not stand there"));
        }
        let name = HeaderName::from_bytes(name).map_err(|_| AnswerFault("a field name is no token"))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| AnswerFault("a field value is none"))?;
        headers.append(name, value);
    }
    Ok((minor, status, headers))
}

fn status_line(line: &[u8]) -> Result<(u8, StatusCode), AnswerFault> {
    const NONE: AnswerFault = AnswerFault("no status line");
    let rest = line.strip_prefix(b"HTTP/1.").ok_or(NONE)?;
    let (minor, rest) = match rest {
        [b'0', b' ', rest @ ..] => (0, rest),
        [b'1', b' ', rest @ ..] => (1, rest),
        _ => return Err(NONE),
    };
    let (digits, reason) = rest.split_at_checked(3).ok_or(NONE)?;
    let status = StatusCode::from_bytes(digits).map_err(|_| NONE)?;
    let is_text = |byte: &u8| grammar::is_text_byte(*byte) || *byte >= 0x80;
    match reason {
        [] => Ok((minor, status)),
        [b' ', phrase @ ..] if phrase.iter().all(is_text) => Ok((minor, status)),
        _ => Err(NONE),
    }
}

/// Whether a 101 switches to a WebSocket, and to the one that was asked for.
fn switched(minor: u8, headers: &HeaderMap, offer: &Offer, accept: &[u8]) -> Result<Answered, AnswerFault> {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none()).map(HeaderValue::as_bytes)
    };
    let options = headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    if minor != 1
        || !one(&UPGRADE).is_some_and(|to| to.eq_ignore_ascii_case(b"websocket"))
        || !options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
    {
        return Err(AnswerFault("it switches to something else"));
    }
    if one(&ACCEPT) != Some(accept) {
        return Err(AnswerFault("it does not prove that it read the handshake"));
    }
    if headers.contains_key(&EXTENSIONS) {
        return Err(AnswerFault("an extension nobody offered"));
    }
    // RFC 9112 §6.1: a 1xx has neither (SM-14).
    if headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) {
        return Err(AnswerFault("a body in an answer that has none"));
    }
    let mut chosen = headers.get_all(&PROTOCOL).iter();
    match (chosen.next(), chosen.next()) {
        (None, _) => Ok(Answered::Switched { protocol: None }),
        (Some(one), None) if offer.protocols().contains(one) => Ok(Answered::Switched { protocol: Some(one.clone()) }),
        _ => Err(AnswerFault("a subprotocol nobody offered")),
    }
}

fn framing(minor: u8, status: StatusCode, headers: &HeaderMap) -> Result<Body, AnswerFault> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let found = match (lengths.next(), lengths.next(), codings.next(), codings.next()) {
        (None, None, None, None) => Body::UntilClose,
        (Some(length), None, None, None) => {
            let digits = length.as_bytes();
            let plain = digits.len() <= LENGTH_DIGITS_MAX && digits.iter().all(u8::is_ascii_digit);
            let number = length.to_str().ok().filter(|_| plain).and_then(|text| text.parse().ok());
            Body::Length(number.ok_or(AnswerFault("a length that is no number"))?)
        }
        (None, None, Some(coding), None) if minor == 1 && coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            Body::Chunked
        }
        _ => return Err(AnswerFault("two lengths, or a coding other than chunked")),
    };
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(if bodiless { Body::Length(0) } else { found })
}
