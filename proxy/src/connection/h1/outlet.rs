// SPDX-License-Identifier: Apache-2.0
//! The writing side of an HTTP/1 connection: a head of ours, and a body under our framing (RFC 9112 §6).

use crate::stream::{ClientStream, Transport};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderName, Method, Response, StatusCode, Version};
use http_body::Body;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Room for an ordinary head.
const HEAD_BYTES_USUAL: usize = 1024;
/// A buffer that has grown beyond this is not kept.
const HEAD_BYTES_KEPT_MAX: usize = 4 * 1024;

/// How the body of an answer is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// There is none, whatever the head says.
    Bodiless,
    /// So many bytes are still to come.
    Length(u64),
    Chunked,
    /// By the end of the connection: HTTP/1.0.
    Close,
}

/// What the framing of an answer depends on, beside the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) version: Version,
}

impl Asked {
    pub(super) fn new(method: &Method, version: Version) -> Self {
        Self { is_head: *method == Method::HEAD, version }
    }
}

/// The body is not what its head promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overrun;

/// What is written and not yet taken by the client.
#[derive(Debug)]
pub(super) struct Outlet {
    head: BytesMut,
    data: Bytes,
    tail: &'static [u8],
    coding: Coding,
}

impl Outlet {
    pub(super) fn new() -> Self {
        Self { head: BytesMut::new(), data: Bytes::new(), tail: b"", coding: Coding::Bodiless }
    }

    /// Whether the end of this answer is the end of the connection.
    pub(super) fn needs_close<B: Body>(asked: Asked, answer: &Response<B>) -> bool {
        coding(asked, answer) == Coding::Close
    }

    /// Writes a head into the buffer.
    pub(super) fn begin<B: Body>(&mut self, asked: Asked, answer: &Response<B>, last: bool, date: &[u8]) {
        self.coding = coding(asked, answer);
        let status = answer.status();
        if self.head.capacity() > HEAD_BYTES_KEPT_MAX {
            self.head = BytesMut::new();
        }
        self.head.reserve(HEAD_BYTES_USUAL);
        self.head.put_slice(b"HTTP/1.1 ");
        self.head.put_slice(status.as_str().as_bytes());
        self.head.put_u8(b' ');
        self.head.put_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        self.head.put_slice(b"\r\n");
        let (mut dated, mut sized) = (false, false);
        for (name, value) in answer.headers() {
            if *name == CONNECTION || *name == TRANSFER_ENCODING {
                continue;
            }
            // Where there is a body its length is what is counted; elsewhere it tells what a body would have.
            if *name == CONTENT_LENGTH && (self.coding != Coding::Bodiless || status == StatusCode::NO_CONTENT) {
                continue;
            }
            dated |= *name == DATE;
            sized |= *name == CONTENT_LENGTH;
            self.field(name, value.as_bytes());
        }
        if !dated {
            self.field(&DATE, date);
        }
        match self.coding {
            Coding::Length(length) => self.length(length),
            Coding::Chunked => self.field(&TRANSFER_ENCODING, b"chunked"),
            // The answer to a HEAD tells the length of what it leaves out.
            Coding::Bodiless if asked.is_head && !sized => {
                if let Some(length) = answer.body().size_hint().exact().filter(|length| *length > 0) {
                    self.length(length);
                }
            }
            Coding::Bodiless | Coding::Close => {}
        }
        if last {
            self.field(&CONNECTION, b"close");
        }
        self.head.put_slice(b"\r\n");
    }

    fn length(&mut self, length: u64) {
        let mut digits = [0; DIGITS_MAX];
        self.field(&CONTENT_LENGTH, decimal(length, &mut digits));
    }

    fn field(&mut self, name: &HeaderName, value: &[u8]) {
        let name = name.as_str().as_bytes();
        self.head.reserve(name.len().saturating_add(value.len()).saturating_add(b": \r\n".len()));
        self.head.put_slice(name);
        self.head.put_slice(b": ");
        self.head.put_slice(value);
        self.head.put_slice(b"\r\n");
    }

    /// Puts a piece of the body behind what is there; nothing of an earlier piece is left.
    pub(super) fn push(&mut self, data: Bytes) -> Result<(), Overrun> {
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.coding {
            Coding::Bodiless => return Ok(()),
            Coding::Length(left) => *left = left.checked_sub(data.len() as u64).ok_or(Overrun)?,
            Coding::Chunked => {
                let mut digits = [0; DIGITS_MAX];
                self.head.put_slice(hexadecimal(data.len() as u64, &mut digits));
                self.head.put_slice(b"\r\n");
                self.tail = b"\r\n";
            }
            Coding::Close => {}
        }
        self.data = data;
        Ok(())
    }

    /// The body is complete.
    pub(super) fn finish(&mut self) -> Result<(), Overrun> {
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
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_empty() && self.data.is_empty() && self.tail.is_empty()
    }

    /// Writes until everything was taken.
    pub(super) fn poll_write<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut ClientStream<T>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let parts = [IoSlice::new(&self.head), IoSlice::new(&self.data), IoSlice::new(self.tail)];
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
        let of_head = written.min(self.head.len());
        if of_head == self.head.len() {
            // Unlike advancing, this leaves the whole buffer to the next head.
            self.head.clear();
        } else {
            self.head.advance(of_head);
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

fn coding<B: Body>(asked: Asked, answer: &Response<B>) -> Coding {
    let status = answer.status();
    let bodiless = asked.is_head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    match answer.body().size_hint().exact() {
        _ if bodiless => Coding::Bodiless,
        Some(length) => Coding::Length(length),
        None if asked.version == Version::HTTP_10 => Coding::Close,
        None => Coding::Chunked,
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
