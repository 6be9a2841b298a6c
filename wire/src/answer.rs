// SPDX-License-Identifier: Apache-2.0
//! The head of an HTTP/1 answer, read from an upstream's bytes as they arrive (RFC 9112 §4–§6; T18).
//!
//! An answer whose length has two readings is no answer. Nothing is repaired: no bare LF, no folded line, no
//! `Content-Length` beside a coding, no second one however equal. Interim answers are skipped, a few of them. Fields of
//! one hop stay on it. However the bytes are cut, the verdict is the same.

use crate::field_line::FieldLine;
use crate::grammar;
use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use smallvec::SmallVec;

/// Most interim answers (1xx) in front of one answer.
pub const INTERIM_MAX: u32 = 5;
/// Largest head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Most fields of one.
const FIELDS_MAX: usize = 100;
/// Digits of a length; more do not fit 64 bits.
const LENGTH_DIGITS_MAX: usize = 19;

/// Fields of one hop (RFC 9110 §7.6.1), beside those that are read here. `static`, so that none is made to compare.
static HOP_BY_HOP: [HeaderName; 6] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    TE,
    TRAILER,
    UPGRADE,
];

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's answer is not believed: {0}")]
pub struct AnswerFault(&'static str);

/// How the body of an answer is delimited (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFraming {
    /// There is none, whatever its fields say.
    None,
    /// So many bytes.
    Length(u64),
    /// The chunked coding.
    Chunked,
    /// By the end of the connection.
    UntilClose,
}

/// The head of a final answer, or of one that switches protocols.
#[derive(Debug)]
pub struct AnswerHead {
    /// Its status; the reason phrase is the upstream's prose.
    pub status: StatusCode,
    /// Its end-to-end fields. `Content-Length` is there where it was: it is one number.
    pub headers: HeaderMap,
    /// How its body is delimited.
    pub framing: AnswerFraming,
    /// Whether its connection may serve another request after it.
    pub keeps_alive: bool,
    /// Whether it says, of a 101, that its connection is a WebSocket from here on (RFC 6455 §4.1), and nothing else.
    pub switches_to_websocket: bool,
}

/// What stands at the start of the bytes so far.
#[derive(Debug)]
pub enum AnswerScanned {
    /// The beginning of a head.
    NeedMore,
    /// A head; its bytes, and those of interim answers before it, were taken from the buffer.
    Head(AnswerHead),
    /// What no answer begins with.
    Refused(AnswerFault),
}

/// Reads the head of one answer from a growing buffer.
#[derive(Debug, Default)]
pub struct AnswerScan {
    /// Bytes of the buffer that were looked at.
    seen: usize,
    /// Where the line being read begins.
    line: usize,
    status: Option<StatusLine>,
    fields: SmallVec<[FieldLine; 16]>,
    interims: u32,
}

#[derive(Clone, Copy, Debug)]
struct StatusLine {
    minor: u8,
    status: StatusCode,
}

impl AnswerScan {
    /// Before the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads on. `buffer` begins with the answer and is only appended to between calls. `to_head`: the request was a
    /// `HEAD`, whose answer has no body.
    pub fn head(&mut self, buffer: &mut BytesMut, to_head: bool) -> AnswerScanned {
        loop {
            let (end, line) = match self.lines(buffer) {
                Ok(None) => return AnswerScanned::NeedMore,
                Ok(Some(found)) => found,
                Err(fault) => return AnswerScanned::Refused(fault),
            };
            let head = buffer.split_to(end).freeze();
            if line.status.is_informational() && line.status != StatusCode::SWITCHING_PROTOCOLS {
                let interims = self.interims.saturating_add(1);
                if interims > INTERIM_MAX {
                    return AnswerScanned::Refused(AnswerFault("too many interim answers"));
                }
                *self = Self { interims, ..Self::default() };
                continue;
            }
            return match self.build(&head, line, to_head) {
                Ok(head) => AnswerScanned::Head(head),
                Err(fault) => AnswerScanned::Refused(fault),
            };
        }
    }

    /// Cuts lines; the end of the head when the empty one was found.
    fn lines(&mut self, buffer: &[u8]) -> Result<Option<(usize, StatusLine)>, AnswerFault> {
        loop {
            let fresh = buffer.get(self.seen..).unwrap_or_default();
            let found = memchr::memchr(b'\n', fresh);
            let end = found.map_or(buffer.len(), |found| self.seen.saturating_add(found));
            if end >= HEAD_BYTES_MAX {
                return Err(AnswerFault("the head is too long"));
            }
            if found.is_none() {
                self.seen = buffer.len();
                self.check_beginning(buffer)?;
                return Ok(None);
            }
            let line = buffer.get(self.line..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or(AnswerFault("bare lf"))?;
            let next = end.saturating_add(1);
            match self.status {
                None => self.status = Some(StatusLine::read(line)?),
                Some(status) if line.is_empty() => return Ok(Some((next, status))),
                Some(_) => self.field(line)?,
            }
            self.seen = next;
            self.line = next;
        }
    }

    /// What is no answer is known by its first bytes: nobody waits for the end of its line.
    fn check_beginning(&self, buffer: &[u8]) -> Result<(), AnswerFault> {
        let expected = b"HTTP/1.";
        let there = buffer.len().min(expected.len());
        if self.status.is_none() && buffer.get(..there) != expected.get(..there) {
            return Err(NO_STATUS_LINE);
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), AnswerFault> {
        let colon = memchr::memchr(b':', line).ok_or(AnswerFault("a field line without a colon"))?;
        if self.fields.len() >= FIELDS_MAX {
            return Err(AnswerFault("too many fields"));
        }
        let field = FieldLine::cut(line, self.line, colon).ok_or(AnswerFault("the head is too long"))?;
        self.fields.push(field);
        Ok(())
    }

    fn build(&self, head: &Bytes, line: StatusLine, to_head: bool) -> Result<AnswerHead, AnswerFault> {
        let mut found = Found::default();
        let mut headers = HeaderMap::with_capacity(self.fields.len());
        for field in &self.fields {
            let name = HeaderName::from_bytes(field.name(head)).map_err(|_| AnswerFault("a field name is no token"))?;
            let value = field.value(head).ok_or(AnswerFault("a byte that may not stand in a field"))?;
            if found.take(&name, &value)? {
                headers.append(name, value);
            }
        }
        for name in &found.named {
            headers.remove(name);
        }
        let framing = found.framing(line, to_head)?;
        let keeps_alive = line.minor == 1 && !found.closes && framing != AnswerFraming::UntilClose;
        let switches_to_websocket = line.minor == 1 && found.switches_to_websocket();
        Ok(AnswerHead { status: line.status, headers, framing, keeps_alive, switches_to_websocket })
    }
}

const NO_STATUS_LINE: AnswerFault = AnswerFault("no status line");

impl StatusLine {
    /// `HTTP/1.1 200 OK`; the reason phrase, and the blank before it, may be missing.
    fn read(line: &[u8]) -> Result<Self, AnswerFault> {
        let rest = line.strip_prefix(b"HTTP/1.").ok_or(NO_STATUS_LINE)?;
        let (minor, rest) = match rest {
            [b'0', b' ', rest @ ..] => (0, rest),
            [b'1', b' ', rest @ ..] => (1, rest),
            _ => return Err(NO_STATUS_LINE),
        };
        let (digits, reason) = rest.split_at_checked(3).ok_or(NO_STATUS_LINE)?;
        let status = StatusCode::from_bytes(digits).map_err(|_| NO_STATUS_LINE)?;
        let is_text = |byte: &u8| grammar::is_text_byte(*byte) || *byte >= 0x80;
        match reason {
            [] => Ok(Self { minor, status }),
            [b' ', phrase @ ..] if phrase.iter().all(is_text) => Ok(Self { minor, status }),
            _ => Err(NO_STATUS_LINE),
        }
    }
}

/// What the fields of one hop say.
#[derive(Debug, Default)]
struct Found {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    /// What `Upgrade` names, and how often it stands there.
    upgrade: Option<HeaderValue>,
    upgrades: u32,
    /// Named by `Connection`: for us, and not for the client.
    named: Vec<HeaderName>,
}

impl Found {
    /// Looks at a field; whether it goes on to the client.
    fn take(&mut self, name: &HeaderName, value: &HeaderValue) -> Result<bool, AnswerFault> {
        if *name == CONTENT_LENGTH {
            if self.length.is_some() {
                return Err(AnswerFault("two lengths"));
            }
            self.length = Some(number(value.as_bytes()).ok_or(AnswerFault("a length that is no number"))?);
        } else if *name == TRANSFER_ENCODING {
            if self.chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(AnswerFault("a transfer coding other than chunked"));
            }
            self.chunked = true;
            return Ok(false);
        } else if *name == CONNECTION {
            self.connection(value.as_bytes());
            return Ok(false);
        }
        if *name == UPGRADE {
            self.upgrade = Some(value.clone());
            self.upgrades = self.upgrades.saturating_add(1);
        }
        Ok(!HOP_BY_HOP.contains(name))
    }

    /// RFC 9112 §6.1: an interim answer has neither length nor coding (SM-14).
    fn switches_to_websocket(&self) -> bool {
        self.upgrades == 1
            && self.upgrade.as_ref().is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
            && self.named.contains(&UPGRADE)
            && self.length.is_none()
            && !self.chunked
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            self.closes |= option.eq_ignore_ascii_case(b"close");
            // An upstream cannot have the framing it was believed for removed.
            let name = HeaderName::from_bytes(option).ok().filter(|name| *name != CONTENT_LENGTH);
            self.named.extend(name);
        }
    }

    fn framing(&self, line: StatusLine, to_head: bool) -> Result<AnswerFraming, AnswerFault> {
        if self.chunked && self.length.is_some() {
            return Err(AnswerFault("a length beside a transfer coding"));
        }
        if self.chunked && line.minor == 0 {
            return Err(AnswerFault("a transfer coding in http/1.0"));
        }
        let bodiless = to_head
            || line.status.is_informational()
            || matches!(line.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        Ok(match self.length {
            _ if bodiless => AnswerFraming::None,
            _ if self.chunked => AnswerFraming::Chunked,
            Some(length) => AnswerFraming::Length(length),
            None => AnswerFraming::UntilClose,
        })
    }
}

/// Digits and nothing else.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > LENGTH_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
