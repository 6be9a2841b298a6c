// SPDX-License-Identifier: Apache-2.0
//! The head of an HTTP/1 request, read from its bytes as they arrive (RFC 9112 §2–§5; T06–T08, T20, T21, T42,
//! SM-5..SM-8, SM-11, SM-20).
//!
//! Every byte is looked at when it arrives and lines are cut once, so that a head that drips costs no more than one
//! that comes whole, and what can never become a head is refused before more of it is held. Nothing is repaired: no
//! empty line before the request line, no bare LF, no folded line, no blank too many.
//!
//! However the bytes are cut, the verdict is the same: a fault stands at a byte, and the first one counts.

mod line;

use crate::fault::WireFault;
use crate::field_line::FieldLine;
use crate::fields::{self, Lines};
use crate::grammar;
use crate::head::{Head, HeadLimits};
use crate::receive::{self, Line};
use crate::reserved::Reserved;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, Method};
use line::RequestLine;
use smallvec::SmallVec;

/// `: ` of a field line.
const SEPARATOR_BYTES: usize = 2;

/// What stands at the start of the bytes so far.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "moved once, and a box would cost more than the move")]
pub enum Scanned {
    /// The beginning of a head.
    NeedMore,
    /// A head; its bytes were taken from the buffer.
    Head(Head),
    /// What no head begins with. Nothing that follows has a meaning.
    Refused(Refusal),
}

/// A head that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub fault: WireFault,
    /// The method as sent; `-` where none could be read.
    pub method: Method,
}

/// Reads one head after the other from a growing buffer.
#[derive(Debug, Default)]
pub struct Scan {
    /// Bytes of the buffer that were looked at.
    seen: usize,
    /// Where the line being read begins.
    line: usize,
    request: Option<RequestLine>,
    fields: SmallVec<[FieldLine; 16]>,
}

impl Scan {
    /// Before the first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads on. `buffer` begins with the head and is only appended to between calls; when the head is complete, its
    /// bytes are split off and the scan is ready for the next one.
    pub fn head(&mut self, buffer: &mut BytesMut, limits: &HeadLimits, reserved: &Reserved) -> Scanned {
        let read = match self.lines(buffer, limits) {
            Ok(None) => return Scanned::NeedMore,
            Ok(Some(end)) => self.build(&buffer.split_to(end).freeze(), limits, reserved),
            Err(fault) => Err((fault, self.method(buffer))),
        };
        *self = Self::new();
        match read {
            Ok(head) => Scanned::Head(head),
            Err((fault, method)) => Scanned::Refused(Refusal { fault, method }),
        }
    }

    /// The head ends before its end: with the connection, or with the time it had.
    pub fn broken_off(&mut self, buffer: &[u8], fault: WireFault) -> Refusal {
        let method = self.method(buffer);
        *self = Self::new();
        Refusal { fault, method }
    }

    /// Cuts lines; the end of the head when the empty one was found.
    fn lines(&mut self, buffer: &[u8], limits: &HeadLimits) -> Result<Option<usize>, WireFault> {
        loop {
            let fresh = buffer.get(self.seen..).unwrap_or_default();
            let Some(found) = memchr::memchr(b'\n', fresh) else {
                self.check_bytes(buffer, buffer.len(), limits)?;
                self.seen = buffer.len();
                return Ok(None);
            };
            let end = self.seen.saturating_add(found);
            self.check_bytes(buffer, end, limits)?;
            let next = end.saturating_add(1);
            let line = buffer.get(self.line..end).unwrap_or_default();
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(WireFault::malformed("bare lf"));
            };
            fields::check_head(next, limits)?;
            if self.request.is_none() {
                self.request = Some(RequestLine::read(line, limits)?);
            } else if line.is_empty() {
                return Ok(Some(next));
            } else {
                let start = self.line;
                self.field(line, start, limits)?;
            }
            self.seen = next;
            self.line = next;
        }
    }

    /// Looks at the bytes of the line being read that were not looked at before, up to `end`, where an LF stands or
    /// nothing yet. What cannot stand in a line, and what makes it too long, is refused in its order.
    fn check_bytes(&self, buffer: &[u8], end: usize, limits: &HeadLimits) -> Result<(), WireFault> {
        let mut from = self.seen;
        // A CR that was last is no longer last.
        if from > self.line && from < end && buffer.get(from.saturating_sub(1)) == Some(&b'\r') {
            from = from.saturating_sub(1);
        }
        let fresh = buffer.get(from..end).unwrap_or_default();
        let text = fresh.strip_suffix(b"\r").unwrap_or(fresh);
        let text_end = from.saturating_add(text.len());
        let too_long = self.line_end_max(buffer, limits);
        if !grammar::is_text(text) {
            let bad = text.iter().position(|byte| !grammar::is_text_byte(*byte)).unwrap_or_default();
            if from.saturating_add(bad) < too_long.0 {
                return Err(WireFault::malformed("a byte that may not stand in a head"));
            }
        }
        if text_end > too_long.0 { Err(too_long.1) } else { Ok(()) }
    }

    /// Where the line being read would be too long, and what it would be then.
    fn line_end_max(&self, buffer: &[u8], limits: &HeadLimits) -> (usize, WireFault) {
        let head = (limits.head_bytes_max, WireFault::head_too_large("the head is too long"));
        let (bytes_max, fault) = if self.request.is_some() {
            let bytes = limits.field_bytes_max.saturating_add(SEPARATOR_BYTES);
            (bytes, WireFault::head_too_large("a field is too long"))
        } else {
            RequestLine::bytes_max(buffer, limits)
        };
        let line = (self.line.saturating_add(bytes_max), fault);
        if line.0 <= head.0 { line } else { head }
    }

    fn field(&mut self, line: &[u8], start: usize, limits: &HeadLimits) -> Result<(), WireFault> {
        let Some(colon) = memchr::memchr(b':', line) else {
            return Err(WireFault::malformed("field line without a colon"));
        };
        let name = line.get(..colon).unwrap_or_default();
        fields::check_name(name)?;
        let field = FieldLine::cut(line, start, colon).ok_or(WireFault::head_too_large("the head is too long"))?;
        fields::check_size(field.size(), limits)?;
        fields::check_count(self.fields.len().saturating_add(1), limits)?;
        self.fields.push(field);
        Ok(())
    }

    /// The one reading of the whole head.
    fn build(&self, head: &Bytes, limits: &HeadLimits, reserved: &Reserved) -> Result<Head, (WireFault, Method)> {
        let Some(request) = &self.request else { return Err((LOST, no_method())) };
        let method = request.method(head).ok_or((LOST, no_method()))?;
        self.judge(head, request, method.clone(), limits, reserved).map_err(|fault| (fault, method))
    }

    fn judge(
        &self,
        head: &Bytes,
        request: &RequestLine,
        method: Method,
        limits: &HeadLimits,
        reserved: &Reserved,
    ) -> Result<Head, WireFault> {
        let target = request.target(head, &method)?;
        let mut lines = Lines::new(request.version, reserved, self.fields.len());
        for field in &self.fields {
            let name =
                HeaderName::from_bytes(field.name(head)).map_err(|_| WireFault::malformed("field name is no token"))?;
            lines.take(name, || field.value(head).ok_or(NOT_VISIBLE))?;
        }
        receive::judge(Line { method, target, authority: None, version: request.version }, lines, limits)
    }

    /// The method of a head that is refused.
    fn method(&self, buffer: &[u8]) -> Method {
        let word = match &self.request {
            Some(request) => request.method(buffer),
            None => line::first_word(buffer).and_then(|word| Method::from_bytes(word).ok()),
        };
        word.unwrap_or_else(no_method)
    }
}

/// The places of a head do not lie in it. Cannot happen; if it did, the head would be refused.
const LOST: WireFault = WireFault::malformed("the head was lost");

const NOT_VISIBLE: WireFault = WireFault::malformed("field value has bytes that are not visible ascii");

/// What the record shows where no method could be read.
fn no_method() -> Method {
    Method::from_bytes(b"-").unwrap_or_default()
}

#[cfg(test)]
mod tests;
