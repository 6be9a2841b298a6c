// SPDX-License-Identifier: Apache-2.0
//! One connection to an upstream: its socket, its deadlines, and what it saw of the answer so far.

use crate::deadline::Deadline;
use crate::upstream::interim::Interim;
use crate::upstream::outgoing::OutgoingBody;
use crate::upstream::target::Host;
use crate::upstream::{Target, UpstreamConfig};
use crate::worker::Worker;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Largest head of an answer, and most bytes of an answer waiting here (T18, T57).
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// What the connection's task and its user share.
#[derive(Debug)]
pub(crate) struct Line {
    /// Next byte expected of the upstream; while idle, how long the connection is kept.
    pub(crate) step: Arc<Deadline>,
    /// The whole exchange.
    pub(crate) total: Arc<Deadline>,
    /// Bytes seen since the current request began.
    answered: AtomicU64,
    /// Increased by each request; tells the socket that a new answer begins.
    exchange: AtomicU32,
    /// The upstream broke a rule hyper does not check.
    hostile: AtomicBool,
    idle: AtomicBool,
    task: OnceLock<Waker>,
}

impl Line {
    /// A request begins.
    pub(crate) fn begin(&self, first_byte: Duration, total: Duration) {
        self.idle.store(false, Ordering::Relaxed);
        self.answered.store(0, Ordering::Relaxed);
        self.exchange.fetch_add(1, Ordering::Relaxed);
        self.step.arm(first_byte);
        self.total.arm(total);
    }

    /// The exchange is over and the connection waits for the next.
    pub(crate) fn rest(&self, config: &UpstreamConfig) {
        self.total.clear();
        if let Some(task) = self.task.get() {
            self.step.watch(task);
        }
        self.step.arm(config.idle);
        self.idle.store(true, Ordering::Relaxed);
    }

    /// Whether any byte of the current answer was seen.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed) > 0
    }

    /// Whether the upstream broke a rule hyper does not check.
    pub(crate) fn is_hostile(&self) -> bool {
        self.hostile.load(Ordering::Relaxed)
    }
}

/// Opens a connection and starts its task.
pub(crate) async fn connect(
    worker: &Arc<Worker>,
    config: &UpstreamConfig,
) -> io::Result<(SendRequest<OutgoingBody>, Arc<Line>)> {
    let socket = tokio::time::timeout(config.connect, dial(&config.target)).await??;
    socket.set_nodelay(true)?;
    let line = Arc::new(Line {
        step: worker.deadlines.register(),
        total: worker.deadlines.register(),
        answered: AtomicU64::new(0),
        exchange: AtomicU32::new(0),
        hostile: AtomicBool::new(false),
        idle: AtomicBool::new(false),
        task: OnceLock::new(),
    });
    let stream = LineStream { socket, line: Arc::clone(&line), exchange: 0, interim: Interim::new() };
    let (sender, mut connection) = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let kept = Arc::clone(&line);
    worker.upstream_tasks.spawn(std::future::poll_fn(move |cx| {
        let _ = kept.task.get_or_init(|| cx.waker().clone());
        if kept.idle.load(Ordering::Relaxed) && kept.step.fired() {
            return Poll::Ready(());
        }
        // Its error reaches whoever uses the connection; with nobody there it means that the upstream closed.
        Pin::new(&mut connection).poll(cx).map(drop)
    }));
    Ok((sender, line))
}

async fn dial(target: &Target) -> io::Result<TcpStream> {
    match &target.host {
        Host::Address(address) => TcpStream::connect(address).await,
        Host::Name(name) => TcpStream::connect((&**name, target.port)).await,
    }
}

struct LineStream {
    socket: TcpStream,
    line: Arc<Line>,
    exchange: u32,
    interim: Interim,
}

impl LineStream {
    fn observe(&mut self, bytes: &[u8]) -> io::Result<()> {
        let exchange = self.line.exchange.load(Ordering::Relaxed);
        if exchange != self.exchange {
            self.exchange = exchange;
            self.interim = Interim::new();
        }
        self.line.answered.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.interim.observe(bytes).map_err(|_| {
            self.line.hostile.store(true, Ordering::Relaxed);
            io::ErrorKind::InvalidData.into()
        })
    }
}

impl AsyncRead for LineStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        Poll::Ready(self.observe(buf.filled().get(before..).unwrap_or_default()))
    }
}

impl AsyncWrite for LineStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
