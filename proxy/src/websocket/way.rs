// SPDX-License-Identifier: Apache-2.0
//! One direction of a WebSocket: read, judged, passed on. What waits here is at most one reading, and nothing more is
//! read before it was taken: a side that takes nothing holds back the other.

use bytes::{Buf, BytesMut};
use portcullis_wire::websocket::{Bounds, Breach, Close, FrameReader, Kind, Side, Step};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// Room for one reading.
const READ_BYTES: usize = 16 * 1024;
/// Less room than this is made larger first.
const READ_BYTES_MIN: usize = 1024;
/// Readings of one direction before the other has its turn.
const READINGS_MAX: u32 = 8;
/// In which control frames are counted.
const CONTROL_WINDOW_MS: u64 = 10_000;

/// Why nothing more passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    /// The close frame has passed.
    Closed,
    /// The source ended without one.
    Eof,
    /// The source failed, or took too long.
    Source,
    /// The sink failed, or took too long.
    Sink,
    /// What comes next may not pass.
    Breach(Breach),
    /// Too many control frames.
    Flood,
}

/// One direction.
pub(super) struct Way {
    frames: FrameReader,
    buffer: BytesMut,
    /// So many leading bytes of the buffer may pass.
    passing: usize,
    /// What stops it once those have passed.
    halt: Option<Halt>,
    close: Option<Close>,
    unflushed: bool,
    stuck: bool,
    moved: bool,
    controls: (u64, u32),
    pub(super) bytes: u64,
    pub(super) messages: u64,
}

impl Way {
    /// `early` was read before; `first` passes unjudged, before it.
    pub(super) fn new(from: Side, bounds: Bounds, early: BytesMut, first: &[u8]) -> Self {
        let mut buffer = early;
        if !first.is_empty() {
            let mut joined = BytesMut::with_capacity(first.len().saturating_add(buffer.len()));
            joined.extend_from_slice(first);
            joined.extend_from_slice(&buffer);
            buffer = joined;
        }
        Self {
            frames: FrameReader::new(from, bounds),
            buffer,
            passing: first.len(),
            halt: None,
            close: None,
            unflushed: false,
            stuck: false,
            moved: false,
            controls: (0, 0),
            bytes: 0,
            messages: 0,
        }
    }

    /// Carries what there is; ready when nothing more passes. `limits`: the core's milliseconds, and the control
    /// frames that may come in ten seconds.
    pub(super) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
        to: &mut W,
        limits: (u64, u32),
    ) -> Poll<Halt>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        for _ in 0..READINGS_MAX {
            self.judge(limits);
            if ready!(self.poll_pass(cx, to)).is_err() {
                return Poll::Ready(Halt::Sink);
            }
            if let Some(halt) = self.halt {
                return Poll::Ready(halt);
            }
            match ready!(self.poll_fill(cx, from)) {
                Ok(0) => self.halt = Some(Halt::Eof),
                Ok(_) => self.moved = true,
                Err(_) => self.halt = Some(Halt::Source),
            }
        }
        // There may be more; what goes the other way must not wait for its end.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether anything moved since this was asked before.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Whether the sink takes nothing.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck
    }

    /// The code of the close frame that passed.
    pub(super) fn close_code(&self) -> Option<Close> {
        self.close
    }

    /// Whether a frame of ours may be put behind what has passed, once that has passed.
    pub(super) fn takes_a_frame(&self) -> bool {
        self.frames.is_between_frames() && !self.frames.is_closed()
    }

    /// Judges everything at hand.
    fn judge(&mut self, (now_ms, controls_max): (u64, u32)) {
        while self.halt.is_none() {
            let fresh = self.buffer.get(self.passing..).unwrap_or_default();
            if fresh.is_empty() {
                return;
            }
            match self.frames.read(fresh) {
                Ok(Step::NeedMore) => return,
                Ok(Step::Pass(_, Some(Kind::Control))) if self.is_flood(now_ms, controls_max) => {
                    self.halt = Some(Halt::Flood);
                }
                Ok(Step::Pass(bytes, kind)) => {
                    self.passing = self.passing.saturating_add(bytes);
                    self.bytes = self.bytes.saturating_add(bytes as u64);
                    match kind {
                        None | Some(Kind::Control | Kind::Data { last: false }) => {}
                        Some(Kind::Data { last: true }) => self.messages = self.messages.saturating_add(1),
                        Some(Kind::Close(code)) => (self.close, self.halt) = (code, Some(Halt::Closed)),
                    }
                }
                Err(breach) => self.halt = Some(Halt::Breach(breach)),
            }
        }
    }

    /// Counts a control frame; whether it is one too many.
    fn is_flood(&mut self, now_ms: u64, controls_max: u32) -> bool {
        let (since_ms, count) = self.controls;
        self.controls = if now_ms.saturating_sub(since_ms) >= CONTROL_WINDOW_MS {
            (now_ms, 1)
        } else {
            (since_ms, count.saturating_add(1))
        };
        self.controls.1 > controls_max
    }

    /// Writes what may pass, and pushes it out.
    pub(super) fn poll_pass<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<std::io::Result<()>> {
        self.stuck = true;
        while self.passing > 0 {
            let next = self.buffer.get(..self.passing).unwrap_or_default();
            let written = ready!(Pin::new(&mut *to).poll_write(cx, next))?;
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            self.buffer.advance(written);
            self.passing = self.passing.saturating_sub(written);
            self.unflushed = true;
            self.moved = true;
        }
        if self.unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.unflushed = false;
        }
        self.stuck = false;
        Poll::Ready(Ok(()))
    }

    fn poll_fill<R: AsyncRead + Unpin>(&mut self, cx: &mut Context<'_>, from: &mut R) -> Poll<std::io::Result<usize>> {
        if self.buffer.capacity().saturating_sub(self.buffer.len()) < READ_BYTES_MIN {
            self.buffer.reserve(READ_BYTES);
        }
        let read = pin!(from.read_buf(&mut self.buffer)).poll(cx);
        if read.is_pending() && self.buffer.is_empty() {
            // Whoever says nothing holds nothing.
            self.buffer = BytesMut::new();
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::task::Waker;
    use tokio::io::ReadBuf;

    /// Always has another frame, and takes everything.
    struct Endless(u64);

    impl AsyncRead for Endless {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            while buf.remaining() >= 4 {
                buf.put_slice(&[0x82, 2, 7, 7]);
            }
            self.0 += 1;
            assert!(self.0 < 100_000, "it never ends");
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Endless {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn one_direction_gives_the_other_its_turn() {
        let bounds = Bounds { message_bytes_max: 100, fragments_max: 10 };
        let mut way = Way::new(Side::Server, bounds, BytesMut::new(), b"");
        let (mut source, mut sink) = (Endless(0), Endless(0));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(way.poll(&mut cx, &mut source, &mut sink, (0, 100)).is_pending());
        assert_eq!(source.0, u64::from(READINGS_MAX));
        // What was read last is passed on next time.
        assert!(way.has_moved() && way.bytes >= u64::from(READINGS_MAX - 1) * READ_BYTES_MIN as u64);
    }
}
