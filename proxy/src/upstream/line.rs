// SPDX-License-Identifier: Apache-2.0
//! One connection to an upstream: its socket, its deadlines, and what it saw of the answer so far.

use crate::deadline::Deadline;
use crate::upstream::UpstreamConfig;
use crate::upstream::addresses::Addresses;
use crate::upstream::carrier::Carrier;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::interim::Interim;
use crate::upstream::pool::Idle;
use crate::upstream::sent::Sent;
use crate::upstream::target::Carriage;
use crate::worker::Worker;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
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
    /// The core it belongs to.
    pub(crate) worker: Arc<Worker>,
    peer: SocketAddr,
    /// Of the target's addresses when it was opened.
    generation: u32,
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
    /// The client's body is not all handed over yet.
    uploading: AtomicBool,
    /// The final answer began before the request had ended: nobody knows what the upstream will take the rest for.
    early: AtomicBool,
    idle: AtomicBool,
    task: OnceLock<Waker>,
    /// Never contended: who reads it and who writes it live on one core.
    sent: Mutex<Sent>,
}

/// What a request may cost, and whether its head is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beginning {
    pub(crate) first_byte: Duration,
    pub(crate) total: Duration,
    pub(crate) keep_head: bool,
    pub(crate) uploads: bool,
}

impl Line {
    /// A request begins.
    pub(crate) fn begin(&self, Beginning { first_byte, total, keep_head, uploads }: Beginning) {
        self.sent.lock().begin(keep_head);
        self.uploading.store(uploads, Ordering::Relaxed);
        self.idle.store(false, Ordering::Relaxed);
        self.answered.store(0, Ordering::Relaxed);
        self.exchange.fetch_add(1, Ordering::Relaxed);
        // The whole is never shorter than a step: one of the two is enough to wait for.
        self.step.arm(first_byte.min(total));
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

    /// What `read` makes of the head of the current request, if it was kept and is whole.
    pub(crate) fn head_sent<T>(&self, read: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
        read(self.sent.lock().head()?)
    }

    /// Whether it leads to where the target is now.
    pub(crate) fn is_current(&self, addresses: &Addresses) -> bool {
        addresses.leads_to(self.peer, self.generation)
    }

    /// The client's body is handed over to its last byte.
    pub(crate) fn uploaded(&self) {
        self.uploading.store(false, Ordering::Relaxed);
    }

    /// Whether another request may follow on it (SM-13).
    pub(crate) fn is_reusable(&self) -> bool {
        !self.early.load(Ordering::Relaxed) && !self.is_hostile()
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
pub(crate) async fn connect(worker: &Arc<Worker>, endpoint: &Endpoint, patience: Duration) -> io::Result<Idle> {
    let (socket, peer) = tokio::time::timeout(patience, dial(worker, endpoint, patience)).await??;
    let line = Arc::new(Line {
        worker: Arc::clone(worker),
        peer,
        generation: endpoint.addresses.generation_of(peer),
        step: worker.deadlines.register(),
        total: worker.deadlines.register(),
        answered: AtomicU64::new(0),
        exchange: AtomicU32::new(0),
        hostile: AtomicBool::new(false),
        uploading: AtomicBool::new(false),
        early: AtomicBool::new(false),
        idle: AtomicBool::new(false),
        task: OnceLock::new(),
        sent: Mutex::default(),
    });
    let stream =
        LineStream { socket, line: Arc::clone(&line), exchange: 0, interim: Interim::new(), written: Written::Nothing };
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
    Ok(Idle { sender, line })
}

/// `EMFILE`, `ENFILE`, `ENOBUFS`, `ENOMEM` and `EADDRNOTAVAIL` of Linux.
const OUR_ERRORS: [i32; 5] = [24, 23, 105, 12, 99];

/// Whether a connection failed because this machine or process has no more to give.
pub(crate) fn is_ours(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|number| OUR_ERRORS.contains(&number))
}

/// A transport to one of the target's addresses; none of them may use up the time of the others.
async fn dial(worker: &Arc<Worker>, endpoint: &Endpoint, patience: Duration) -> io::Result<(Carrier, SocketAddr)> {
    let beside = |work| worker.upstream_tasks.spawn(work);
    let addresses = endpoint.addresses.to_try(worker.deadlines.now_ms(), beside).await?;
    let each = patience.checked_div(u32::try_from(addresses.len()).unwrap_or(1)).unwrap_or(patience);
    let mut last = io::ErrorKind::NotFound.into();
    for address in addresses {
        match tokio::time::timeout(each, open(endpoint, address)).await {
            Ok(Ok(carrier)) => return Ok((carrier, address)),
            Ok(Err(error)) => last = error,
            Err(late) => last = late.into(),
        }
    }
    Err(last)
}

/// A connection to one address, with the handshake where the target says `https`.
async fn open(endpoint: &Endpoint, address: SocketAddr) -> io::Result<Carrier> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    match (endpoint.target.scheme, &endpoint.tls) {
        (Carriage::Plain, _) => Ok(Carrier::Plain(socket)),
        (Carriage::Tls, Some(tls)) => {
            // On the heap while it lasts: it is far larger than what a plain connection needs here.
            let shaken = Box::pin(tls.connect(socket, &endpoint.target.host_name())).await?;
            Ok(Carrier::Tls(Box::new(shaken)))
        }
        // Never plain where TLS was asked for.
        (Carriage::Tls, None) => Err(io::ErrorKind::Unsupported.into()),
    }
}

struct LineStream {
    socket: Carrier,
    line: Arc<Line>,
    exchange: u32,
    interim: Interim,
    written: Written,
}

/// How much of the current request the socket took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Nothing,
    /// Some of what it was offered.
    Some,
    /// All it was offered so far.
    All,
}

impl LineStream {
    /// Looks whether another request has begun.
    fn turn(&mut self) {
        let exchange = self.line.exchange.load(Ordering::Relaxed);
        if exchange != self.exchange {
            self.exchange = exchange;
            self.interim = Interim::new();
            self.written = Written::Nothing;
        }
    }

    fn observe(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.turn();
        if bytes.is_empty() {
            return Ok(());
        }
        self.line.answered.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let began = self.interim.is_final();
        let counted = self.interim.observe(bytes);
        if counted.is_err() || self.written == Written::Nothing {
            // Too many interim answers, or an answer to nothing (T18).
            self.line.hostile.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::InvalidData.into());
        }
        let unfinished = self.written == Written::Some || self.line.uploading.load(Ordering::Relaxed);
        if unfinished && !began && self.interim.is_final() {
            self.line.early.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn offer(&mut self, first: &[u8]) {
        self.turn();
        if self.written == Written::Nothing {
            self.line.sent.lock().offer(first);
        }
    }

    fn wrote(&mut self, taken: usize, offered: usize) {
        self.written = if taken < offered { Written::Some } else { Written::All };
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
        self.offer(buf);
        let taken = ready!(Pin::new(&mut self.socket).poll_write(cx, buf))?;
        self.wrote(taken, buf.len());
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.offer(bufs.first().map_or(&[], |first| first));
        let taken = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        self.wrote(taken, bufs.iter().map(|buf| buf.len()).sum());
        Poll::Ready(Ok(taken))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f36_running_out_of_descriptors_is_not_the_upstreams_fault() {
        assert!(OUR_ERRORS.iter().all(|number| is_ours(&io::Error::from_raw_os_error(*number))));
        for theirs in [io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut, io::ErrorKind::HostUnreachable] {
            assert!(!is_ours(&theirs.into()), "{theirs}");
        }
        assert!(!is_ours(&io::Error::from_raw_os_error(111)));
    }
}
