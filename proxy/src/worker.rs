// SPDX-License-Identifier: Apache-2.0
//! One core: a thread, a current-thread runtime, a listener, pools and deadlines of its own.
//!
//! Tasks are `Send` and run by the runtime's own scheduler rather than a `LocalSet`: what a task wakes on its own
//! core is then a push to a local queue, where a `LocalSet` woken by the I/O driver costs a write to an eventfd.

use crate::caps::Caps;
use crate::config::{Config, Event};
use crate::connection::{self, Handler};
use crate::deadline::{Deadlines, TICK};
use crate::listener::accept_all;
use crate::tasks::Tasks;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Most connections taken from the backlog when a listener closes.
const BACKLOG_SWEEP_MAX: usize = 1024;

/// How far the process is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Everything is served.
    Serving,
    /// Everything is served, and every answer says that the connection ends: clients go elsewhere by themselves.
    Leaving,
    /// No new connection; those that are open may still send what they were about to send.
    Closed,
    /// Idle connections end; what is being answered is finished.
    Draining,
    /// What is left is cut.
    Stopping,
}

/// What the connections of one core share.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) config: Arc<Config>,
    pub(crate) deadlines: Arc<Deadlines>,
    /// Client connections and work that outlives them: drain waits for these.
    pub(crate) client_tasks: Tasks,
    /// Upstream connections: they end with the core.
    pub(crate) upstream_tasks: Tasks,
    leaving: AtomicBool,
    draining: AtomicBool,
    /// The `Date` of answers, as of the last sweep.
    date: Mutex<(u64, HttpDate)>,
    /// Goes up with every sweep: a core whose number stands still is stuck (F39).
    pulse: Arc<AtomicU64>,
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
pub(crate) type HttpDate = [u8; 29];

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker whose tasks run on `runtime`.
    pub(crate) fn on(runtime: &Handle, index: usize, config: Arc<Config>, pulse: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self {
            index,
            config,
            deadlines: Arc::default(),
            client_tasks: Tasks::on(runtime.clone()),
            upstream_tasks: Tasks::on(runtime.clone()),
            leaving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            date: Mutex::new((0, *b"Thu, 01 Jan 1970 00:00:00 GMT")),
            pulse,
        })
    }

    /// Whether answers say that their connection ends.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Says so from now on.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether connections end after the answer they are at.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Ends every idle connection, and the others after their answer.
    pub(crate) fn drain(&self) {
        self.leave();
        self.draining.store(true, Ordering::Relaxed);
        self.deadlines.wake_all();
    }

    /// The `Date` of an answer, to a [`TICK`].
    pub(crate) fn date(&self) -> HttpDate {
        self.date.lock().1
    }

    fn keep_date(&self) {
        let wall = self.config.clock.wall();
        let mut date = self.date.lock();
        if date.0 != wall.as_secs() {
            let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(wall.as_secs()));
            if let Ok(text) = text.as_bytes().try_into() {
                *date = (wall.as_secs(), text);
            }
        }
    }

    /// Looks at the deadlines for as long as the core lives.
    pub(crate) async fn sweep(self: Arc<Self>, caps: Arc<Caps>) {
        loop {
            tokio::time::sleep(TICK).await;
            self.pulse.fetch_add(1, Ordering::Relaxed);
            self.deadlines.sweep(self.config.clock.monotonic());
            self.keep_date();
            // One core reports for all; a flood of refusals is one event per tick.
            if self.index == 0
                && let Some(refusals) = caps.take_refusals()
            {
                (self.config.events)(refusals);
            }
            if self.index == 0
                && let Some(failures) = self.config.tls.as_ref().and_then(|tls| tls.take_failures())
            {
                (self.config.events)(failures);
            }
        }
    }
}

/// What a core needs to begin.
pub(crate) struct Start<H> {
    pub(crate) worker: Arc<Worker>,
    pub(crate) caps: Arc<Caps>,
    pub(crate) handler: H,
    pub(crate) stage: watch::Receiver<Stage>,
}

/// Serves until told to stop. Answers how many tasks were cut.
pub(crate) async fn run<H: Handler>(start: Start<H>, listener: TcpListener) -> usize {
    let Start { worker, caps, handler, mut stage } = start;
    worker.deadlines.sweep(worker.config.clock.monotonic());
    worker.keep_date();
    worker.upstream_tasks.spawn(Arc::clone(&worker).sweep(Arc::clone(&caps)));
    handler.begin(&worker);
    let admit = {
        let worker = Arc::clone(&worker);
        move |socket: TcpStream, peer: SocketAddr| {
            // A refused connection is closed unread: an answer would cost what the cap saves.
            if let Ok(admitted) = caps.admit(peer.ip()) {
                connection::open(&worker, &handler, socket, peer, admitted);
            }
        }
    };
    // Accepting is a task of its own, because waking the runtime's root costs a system call and a task does not.
    let accepting = Tasks::on(Handle::current());
    let events = Arc::clone(&worker.config.events);
    let until = stage.clone();
    accepting.spawn(accept_until(until, listener, events, admit));
    tokio::select! {
        () = reached(&mut stage, Stage::Leaving) => {}
        // It ends by itself only by a panic: a core that accepts nothing is no use.
        () = accepting.finished() => {}
    }
    worker.leave();
    accepting.finished().await;
    reached(&mut stage, Stage::Draining).await;
    worker.drain();
    tokio::select! {
        () = worker.client_tasks.finished() => {}
        () = reached(&mut stage, Stage::Stopping) => {}
    }
    worker.client_tasks.live()
}

async fn accept_until(
    mut stage: watch::Receiver<Stage>,
    listener: TcpListener,
    events: crate::config::Events,
    mut admit: impl FnMut(TcpStream, SocketAddr) + Send,
) {
    tokio::select! {
        () = accept_all(&listener, &events, &mut admit) => {}
        () = reached(&mut stage, Stage::Closed) => {}
    }
    // Whom the kernel already shook hands with would get a reset: serve them, too.
    for _ in 0..BACKLOG_SWEEP_MAX {
        let next = std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx))).await;
        match next {
            std::task::Poll::Ready(Ok((socket, peer))) => admit(socket, peer),
            std::task::Poll::Ready(Err(_)) => {}
            std::task::Poll::Pending => break,
        }
    }
}

/// Resolves when the process is at `at` or further, or whoever steered it is gone.
async fn reached(stage: &mut watch::Receiver<Stage>, at: Stage) {
    // An error means that nobody can drain us any more: stop as if asked to.
    drop(stage.wait_for(|now| *now >= at).await);
}

/// Reports a core whose thread ends before it was told to.
pub(crate) struct CoreWatch {
    pub(crate) config: Arc<Config>,
    pub(crate) core: usize,
    pub(crate) stage: watch::Receiver<Stage>,
}

impl Drop for CoreWatch {
    fn drop(&mut self) {
        if *self.stage.borrow() == Stage::Serving {
            (self.config.events)(Event::CoreLost { core: self.core });
        }
    }
}
