// SPDX-License-Identifier: Apache-2.0
//! The reading side of an HTTP/1 connection: its bytes, and the body of the request it is at.
//!
//! The connection and whoever reads the body (perhaps the task of an upstream connection) share it; both live on one
//! core, so the lock is never waited for.

use crate::body::RequestBody;
use crate::deadline::Deadline;
use crate::stream::{ClientStream, Transport};
use crate::worker::Worker;
use bytes::{Buf, Bytes, BytesMut};
use parking_lot::{Mutex, MutexGuard};
use portcullis_pipeline::BodyFault;
use portcullis_wire::{ChunkReader, Framing, Piece};
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Room for reading at once: heads and small bodies fit.
const READ_BYTES: usize = 4 * 1024;
/// The same while a body is read.
const READ_BODY_BYTES: usize = 16 * 1024;
/// Less room than this is made larger first.
const READ_BYTES_MIN: usize = 1024;
/// Most bytes of an unread body that are read and thrown away (T13).
pub(super) const DRAIN_BYTES_MAX: usize = 64 * 1024;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// What is left of the body.
#[derive(Debug)]
enum Content {
    /// Nothing: what comes next is a head.
    None,
    Length(u64),
    Chunked(Box<ChunkReader>),
    /// It cannot be read any further.
    Broken(BodyFault),
}

/// Who holds the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Somebody who may read it.
    Yes,
    /// Nobody any more.
    No,
}

/// What the connection reads from.
pub(super) struct State<T> {
    pub(super) stream: ClientStream<T>,
    pub(super) buffer: BytesMut,
    content: Content,
    held: Held,
    /// What is still to be sent of `100 (Continue)`, which the client waits for (T14).
    go_ahead: &'static [u8],
    /// The connection, which waits for nothing while a body is read.
    connection: Option<Waker>,
}

/// What became of the body when the answer is about to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reusable {
    Yes,
    No,
}

/// The reading side of a connection.
pub(super) struct Inlet<T> {
    state: Mutex<State<T>>,
    deadline: OnceLock<Arc<Deadline>>,
}

/// A body on a connection, whatever that runs over.
pub(crate) trait InletBody: Send + Sync {
    /// The next piece; content only, in its order.
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>>;
    /// Bytes still to come, where the client said how many.
    fn length(&self) -> Option<u64>;
    /// Whether nothing more comes.
    fn is_end(&self) -> bool;
    /// Nobody will read it any more.
    fn let_go(&self);
}

impl<T: Transport> Inlet<T> {
    pub(super) fn new(stream: ClientStream<T>) -> Arc<Self> {
        let state = State {
            stream,
            buffer: BytesMut::new(),
            content: Content::None,
            held: Held::No,
            go_ahead: b"",
            connection: None,
        };
        Arc::new(Self { state: Mutex::new(state), deadline: OnceLock::new() })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock()
    }

    /// The body of the head that was just read.
    pub(super) fn open(self: &Arc<Self>, framing: Framing, expect_continue: bool, worker: &Arc<Worker>) -> RequestBody {
        let content = match framing {
            Framing::None | Framing::Length(0) => return RequestBody::empty(),
            Framing::Length(length) => Content::Length(length),
            Framing::Chunked => Content::Chunked(Box::default()),
        };
        let mut state = self.lock();
        state.content = content;
        state.held = Held::Yes;
        state.go_ahead = if expect_continue { CONTINUE } else { b"" };
        drop(state);
        let deadline = Arc::clone(self.deadline.get_or_init(|| worker.deadlines.register()));
        RequestBody::of_connection(Arc::clone(self) as Arc<dyn InletBody>, deadline, worker)
    }

    /// Resolves when the client has left while its request is being answered. Not while a body is read or bytes of a
    /// next request are here: then it shows there.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if !matches!(state.content, Content::None) {
            if !state.connection.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                state.connection = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        if !state.buffer.is_empty() {
            return Poll::Pending;
        }
        match state.poll_fill(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(bytes)) if bytes > 0 => Poll::Pending,
            Poll::Ready(_) => Poll::Ready(()),
        }
    }

    /// Before the head of an answer: takes what has already arrived of a body nobody read, without waiting for more.
    pub(super) fn settle(&self, cx: &mut Context<'_>) -> Reusable {
        let mut state = self.lock();
        if matches!(state.content, Content::None) {
            return Reusable::Yes;
        }
        // A client that waits for `100 (Continue)` may send its body or not: nobody can tell what comes next.
        if state.held == Held::Yes || !state.go_ahead.is_empty() {
            return Reusable::No;
        }
        let mut seen = 0_usize;
        loop {
            match state.poll_data(cx) {
                Poll::Ready(None) => return Reusable::Yes,
                Poll::Ready(Some(Ok(data))) => {
                    seen = seen.saturating_add(data.len());
                    if seen > DRAIN_BYTES_MAX {
                        return Reusable::No;
                    }
                }
                Poll::Ready(Some(Err(_))) | Poll::Pending => return Reusable::No,
            }
        }
    }

    /// Whether the client ended in the middle of its body. It is gone, even if half of its connection is there: what is
    /// recorded of its request is that it left, so no answer is sent.
    pub(super) fn broke_off(&self) -> bool {
        matches!(self.lock().content, Content::Broken(BodyFault::Aborted))
    }

    /// Nothing that comes in is read as anything any more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        if !matches!(state.content, Content::None) {
            state.content = Content::Broken(BodyFault::Aborted);
        }
    }
}

impl<T: Transport> State<T> {
    /// Reads what there is, as far as there is room; 0: the client sends no more.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.is_empty() && self.buffer.capacity() == 0 {
            return self.poll_first(cx);
        }
        if self.buffer.capacity().saturating_sub(self.buffer.len()) < READ_BYTES_MIN {
            let reads_body = !matches!(self.content, Content::None);
            self.buffer.reserve(if reads_body { READ_BODY_BYTES } else { READ_BYTES });
        }
        pin!(self.stream.read_buf(&mut self.buffer)).poll(cx)
    }

    /// Reads what there is where no room is held for it: a connection that waits has none, however many of them wait.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        self.buffer = BytesMut::from(read.filled());
        Poll::Ready(Ok(self.buffer.len()))
    }

    /// Holds no room for what may never come.
    pub(super) fn forget(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        loop {
            if !self.go_ahead.is_empty() {
                let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.go_ahead));
                match written {
                    Ok(bytes) if bytes > 0 => self.go_ahead = self.go_ahead.get(bytes..).unwrap_or_default(),
                    _ => return self.broken(BodyFault::Aborted),
                }
                if self.go_ahead.is_empty() {
                    // Pushed out by the next write at the latest; only TLS holds anything back.
                    let _ = Pin::new(&mut self.stream).poll_flush(cx);
                }
                continue;
            }
            match self.take() {
                Ok(Taken::Data(data)) => return Poll::Ready(Some(Ok(data))),
                Ok(Taken::End) => return Poll::Ready(None),
                Ok(Taken::NeedMore) => {}
                Err(fault) => return self.broken(fault),
            }
            match ready!(self.poll_fill(cx)) {
                Ok(bytes) if bytes > 0 => {}
                // The body ends before its end.
                _ => return self.broken(BodyFault::Aborted),
            }
        }
    }

    /// Takes content off the buffer.
    fn take(&mut self) -> Result<Taken, BodyFault> {
        match &mut self.content {
            Content::None => Ok(Taken::End),
            Content::Broken(fault) => Err(*fault),
            Content::Length(_) if self.buffer.is_empty() => Ok(Taken::NeedMore),
            Content::Length(left) => {
                let there = self.buffer.len();
                let bytes = usize::try_from(*left).map_or(there, |left| left.min(there));
                *left = left.saturating_sub(bytes as u64);
                if *left == 0 {
                    self.complete();
                }
                Ok(Taken::Data(self.buffer.split_to(bytes).freeze()))
            }
            Content::Chunked(reader) => {
                let read = reader.read(&self.buffer).map_err(|_| BodyFault::Malformed)?;
                self.buffer.advance(read.framing);
                match read.piece {
                    Piece::NeedMore => Ok(Taken::NeedMore),
                    Piece::Data(bytes) => Ok(Taken::Data(self.buffer.split_to(bytes).freeze())),
                    Piece::End => {
                        self.complete();
                        Ok(Taken::End)
                    }
                }
            }
        }
    }

    /// The body was read to its end: the connection may go on, and looks after its client again.
    fn complete(&mut self) {
        self.content = Content::None;
        if let Some(connection) = self.connection.take() {
            connection.wake();
        }
    }

    fn broken(&mut self, fault: BodyFault) -> Poll<Option<Result<Bytes, BodyFault>>> {
        self.content = Content::Broken(fault);
        Poll::Ready(Some(Err(fault)))
    }
}

enum Taken {
    Data(Bytes),
    NeedMore,
    End,
}

impl<T: Transport> InletBody for Inlet<T> {
    fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        self.lock().poll_data(cx)
    }

    fn length(&self) -> Option<u64> {
        match self.lock().content {
            Content::None => Some(0),
            Content::Length(left) => Some(left),
            Content::Chunked(_) | Content::Broken(_) => None,
        }
    }

    fn is_end(&self) -> bool {
        matches!(self.lock().content, Content::None)
    }

    fn let_go(&self) {
        self.lock().held = Held::No;
    }
}
