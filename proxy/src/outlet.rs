// SPDX-License-Identifier: Apache-2.0
//! What leaves on an HTTP/1 connection: a head of ours, and a body under our framing (RFC 9112 §6, §7), be it an answer
//! or a request.

use bytes::{Buf, Bytes};
use http::HeaderName;
use http::header::CONTENT_LENGTH;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Room for an ordinary head.
const HEAD_BYTES_USUAL: usize = 1024;
/// A buffer that has grown beyond this is not kept.
const HEAD_BYTES_KEPT_MAX: usize = 4 * 1024;

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// There is none, whatever the head says.
    Bodiless,
    /// So many bytes are still to come.
    Length(u64),
    Chunked,
    /// By the end of the connection: an answer in HTTP/1.0.
    Close,
}

/// The body is not what its head promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overrun;

/// What is written and not yet taken by the other side.
#[derive(Debug)]
pub(crate) struct Outlet {
    head: Vec<u8>,
    /// Bytes of the head that were taken.
    taken: usize,
    data: Bytes,
    tail: &'static [u8],
    coding: Coding,
    /// The other side has taken nothing of this message.
    is_untouched: bool,
}

impl Outlet {
    pub(crate) fn new() -> Self {
        Self { head: Vec::new(), taken: 0, data: Bytes::new(), tail: b"", coding: Coding::Bodiless, is_untouched: true }
    }

    /// Begins a head. What was left of another message is gone.
    pub(crate) fn start(&mut self, coding: Coding) {
        if self.head.capacity() > HEAD_BYTES_KEPT_MAX {
            self.head = Vec::new();
        }
        self.head.clear();
        self.taken = 0;
        self.head.reserve(HEAD_BYTES_USUAL);
        (self.data, self.tail, self.coding) = (Bytes::new(), b"", coding);
        self.is_untouched = true;
    }

    /// Puts bytes of the head.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.head.extend_from_slice(bytes);
    }

    /// Puts a field of the head.
    pub(crate) fn field(&mut self, name: &HeaderName, value: &[u8]) {
        let name = name.as_str().as_bytes();
        self.head.reserve(name.len().saturating_add(value.len()).saturating_add(b": \r\n".len()));
        self.head.extend_from_slice(name);
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(value);
        self.head.extend_from_slice(b"\r\n");
    }

    /// Puts `Content-Length`.
    pub(crate) fn length(&mut self, length: u64) {
        let mut digits = [0; DIGITS_MAX];
        self.field(&CONTENT_LENGTH, decimal(length, &mut digits));
    }

    /// The head written so far.
    #[cfg(test)]
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether the other side has taken nothing of this message.
    pub(crate) fn is_untouched(&self) -> bool {
        self.is_untouched
    }

    /// Whether there is room for a piece of the body.
    pub(crate) fn has_room(&self) -> bool {
        self.data.is_empty() && self.tail.is_empty()
    }

    /// Whether the body is known to be complete.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.coding, Coding::Bodiless | Coding::Length(0))
    }

    /// Puts a piece of the body behind what is there; nothing of an earlier piece is left.
    pub(crate) fn push(&mut self, data: Bytes) -> Result<(), Overrun> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.coding {
            Coding::Bodiless => return Ok(()),
            Coding::Length(left) => *left = left.checked_sub(data.len() as u64).ok_or(Overrun)?,
            Coding::Chunked => {
                let mut digits = [0; DIGITS_MAX];
                self.head.extend_from_slice(hexadecimal(data.len() as u64, &mut digits));
                self.head.extend_from_slice(b"\r\n");
                self.tail = b"\r\n";
            }
            Coding::Close => {}
        }
        self.data = data;
        Ok(())
    }

    /// The body is complete.
    pub(crate) fn finish(&mut self) -> Result<(), Overrun> {
        match self.coding {
            Coding::Length(left) if left > 0 => Err(Overrun),
            Coding::Chunked => {
                self.tail = if self.tail.is_empty() { b"0\r\n\r\n" } else { b"\r\n0\r\n\r\n" };
                self.coding = Coding::Bodiless;
                Ok(())
            }
            Coding::Bodiless | Coding::Length(_) | Coding::Close => Ok(()),
        }
    }

    /// Whether everything was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.len() == self.taken && self.data.is_empty() && self.tail.is_empty()
    }

    /// Writes until everything was taken.
    pub(crate) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut W,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let head = self.head.get(self.taken..).unwrap_or_default();
            let parts = [IoSlice::new(head), IoSlice::new(&self.data), IoSlice::new(self.tail)];
            // A transport that takes one piece only takes the first of those it is given.
            let first = parts.iter().position(|part| !part.is_empty()).unwrap_or_default();
            let written =
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, parts.get(first..).unwrap_or_default()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.took(written);
        }
        Pin::new(stream).poll_flush(cx)
    }

    fn took(&mut self, written: usize) {
        self.is_untouched = false;
        let of_head = written.min(self.head.len().saturating_sub(self.taken));
        self.taken = self.taken.saturating_add(of_head);
        if self.taken == self.head.len() {
            self.head.clear();
            self.taken = 0;
        }
        let rest = written.saturating_sub(of_head);
        let of_data = rest.min(self.data.len());
        self.data.advance(of_data);
        if self.data.is_empty() {
            self.data = Bytes::new();
        }
        self.tail = self.tail.get(rest.saturating_sub(of_data)..).unwrap_or_default();
    }
}

/// Digits of the longest number, in any base used here.
const DIGITS_MAX: usize = 20;

fn decimal(number: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
    written(number, 10, digits)
}

fn hexadecimal(number: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
    written(number, 16, digits)
}

fn written(mut number: u64, base: u64, digits: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut first = DIGITS_MAX;
    for (at, place) in digits.iter_mut().enumerate().rev() {
        let digit = usize::try_from(number % base).unwrap_or_default();
        *place = b"0123456789abcdef".get(digit).copied().unwrap_or(b'0');
        first = at;
        number /= base;
        if number == 0 {
            break;
        }
    }
    digits.get(first..).unwrap_or_default()
}

#[cfg(test)]
mod tests;
