// SPDX-License-Identifier: Apache-2.0
//! A client's socket with the patience of the gate built in: how long a connection may idle, a head may take
//! (T55), and an answer may wait to be read (T57).

use crate::deadline::Deadline;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No byte of a next request was seen.
    Idle = 0,
    /// A head is arriving.
    Head = 1,
    /// A request is being answered; other deadlines hold.
    Serving = 2,
    /// As idle, and nothing is held for a next request.
    Settled = 3,
}

/// A connection that idles so long gives back what it holds for its next request. Sooner it would only cost those whose
/// requests follow each other.
const SETTLES_AFTER: Duration = Duration::from_secs(1);

/// How long each phase may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) idle: Duration,
    pub(crate) head: Duration,
    pub(crate) write_stall: Duration,
}

/// The phase of a connection, with its deadline.
#[derive(Debug)]
pub(crate) struct Pace {
    phase: AtomicU8,
    deadline: Arc<Deadline>,
    patience: Patience,
}

impl Pace {
    /// A connection that was just accepted: its first byte has as long as a head.
    pub(crate) fn new(deadline: Arc<Deadline>, patience: Patience) -> Self {
        deadline.arm(patience.head);
        Self { phase: AtomicU8::new(Phase::Settled as u8), deadline, patience }
    }

    /// Whose task is woken when a deadline passes.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// A handshake is done: a head has the time it has on any new connection.
    pub(crate) fn begin(&self) {
        self.phase.store(Phase::Settled as u8, Ordering::Relaxed);
        self.deadline.arm(self.patience.head);
    }

    fn in_time(&self) -> io::Result<()> {
        if self.deadline.fired() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }

    /// How long each phase may take.
    pub(crate) fn patience(&self) -> Patience {
        self.patience
    }

    /// A head was read; the gate decides.
    pub(crate) fn serve(&self) {
        self.phase.store(Phase::Serving as u8, Ordering::Relaxed);
        self.deadline.clear();
    }

    /// An answer was taken. The time starts here, because nothing is read before there is something to read.
    pub(crate) fn rest(&self) {
        let phase = if self.patience.idle > SETTLES_AFTER { Phase::Idle } else { Phase::Settled };
        self.phase.store(phase as u8, Ordering::Relaxed);
        self.wait();
    }

    /// Whether what is held for a next request has to be given back now. Asked before anything is read: a deadline that
    /// has passed is an error there.
    pub(crate) fn settles(&self) -> bool {
        let settles = self.phase() == Phase::Idle && self.deadline.fired();
        if settles {
            self.phase.store(Phase::Settled as u8, Ordering::Relaxed);
            self.deadline.arm(self.patience.idle.saturating_sub(SETTLES_AFTER));
        }
        settles
    }

    /// Whether nothing may be held for a next request.
    pub(crate) fn is_settled(&self) -> bool {
        self.phase() == Phase::Settled
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Head,
            2 => Phase::Serving,
            _ => Phase::Settled,
        }
    }

    /// Bytes of a next head are here: its time begins.
    pub(crate) fn first_byte(&self) {
        if matches!(self.phase(), Phase::Idle | Phase::Settled) {
            self.phase.store(Phase::Head as u8, Ordering::Relaxed);
            self.deadline.clear();
        }
    }

    /// Starts the phase's time unless it runs: a head's time is absolute, whatever trickles in.
    fn wait(&self) {
        if self.deadline.runs() {
            return;
        }
        match self.phase() {
            Phase::Idle => self.deadline.arm(self.patience.idle.min(SETTLES_AFTER)),
            Phase::Settled => self.deadline.arm(self.patience.idle),
            Phase::Head => self.deadline.arm(self.patience.head),
            Phase::Serving => {}
        }
    }
}

/// What a connection runs over: a socket, or TLS over one.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Makes the close that follows a reset, so that no client takes what it got for a whole answer (F28): without a
    /// length, the end of an HTTP/1.0 answer is the end of the connection.
    fn reset(&self);
}

/// A client's socket. It keeps the time of a client that does not read: below TLS, where bytes that are taken can be
/// told from bytes that wait.
#[derive(Debug)]
pub(crate) struct Socket {
    tcp: TcpStream,
    pace: Arc<Pace>,
    /// Whether the deadline now stands for a client that does not read.
    stalled: bool,
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream, pace: Arc<Pace>) -> Self {
        Self { tcp, pace, stalled: false }
    }

    /// Looks at the first bytes without taking them.
    pub(crate) fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        self.tcp.poll_peek(cx, buf)
    }

    fn wrote(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_pending() {
            if !self.stalled {
                self.stalled = true;
                self.pace.deadline.arm(self.pace.patience.write_stall);
            }
        } else if self.stalled {
            self.stalled = false;
            self.pace.deadline.clear();
            self.pace.wait();
        }
        result
    }
}

impl Transport for Socket {
    fn reset(&self) {
        // Without it the close is an orderly one; the framing still tells HTTP/1.1 clients.
        let _ = self.tcp.set_zero_linger();
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.pace.in_time()?;
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.pace.in_time()?;
        let result = Pin::new(&mut self.tcp).poll_write(cx, buf);
        self.wrote(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pace.in_time()?;
        let result = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

/// A client's side of a connection: what is read here is what was said, after TLS.
#[derive(Debug)]
pub(crate) struct ClientStream<T> {
    transport: T,
    pace: Arc<Pace>,
}

impl<T: Transport> ClientStream<T> {
    pub(crate) fn new(transport: T, pace: Arc<Pace>) -> Self {
        Self { transport, pace }
    }

    /// Makes the close that follows a reset.
    pub(crate) fn reset(&self) {
        self.transport.reset();
    }
}

impl<T: Transport> AsyncRead for ClientStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.pace.in_time()?;
        let before = buf.filled().len();
        let result = Pin::new(&mut self.transport).poll_read(cx, buf);
        if result.is_pending() {
            self.pace.wait();
        } else if buf.filled().len() > before {
            self.pace.first_byte();
        }
        result
    }
}

impl<T: Transport> AsyncWrite for ClientStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.pace.in_time()?;
        Pin::new(&mut self.transport).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pace.in_time()?;
        Pin::new(&mut self.transport).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pace.in_time()?;
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}
