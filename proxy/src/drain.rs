// SPDX-License-Identifier: Apache-2.0
//! Starting every core, and ending them without cutting an answer (F07).

use crate::caps::Caps;
use crate::config::Config;
use crate::connection::Handler;
use crate::listener;
use crate::worker::{self, CoreWatch, Stage, Start, Worker};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How long a core has to stop after it was told to cut what is left.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the proxy did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system gave no thread or no runtime.
    #[error("cannot start core {core}")]
    Core {
        /// Index of the core.
        core: usize,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A proxy that serves.
#[derive(Debug)]
#[must_use = "a proxy that is dropped stops without draining"]
pub struct Running {
    /// Where clients come in.
    pub public: SocketAddr,
    stage: watch::Sender<Stage>,
    cores: Vec<Core>,
    /// The listening sockets once more, to hand them over.
    listeners: Vec<std::net::TcpListener>,
}

#[derive(Debug)]
struct Core {
    cut: oneshot::Receiver<usize>,
    thread: JoinHandle<()>,
    pulse: Arc<AtomicU64>,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Every answer was finished.
    Whole,
    /// So many connections were cut, because the deadline passed.
    Cut(usize),
}

impl Running {
    /// Every answer says from now on that its connection ends; everything is still served.
    pub fn leave(&self) {
        // No receiver means that every core has ended already.
        let _ = self.stage.send(Stage::Leaving);
    }

    /// Accepts nothing more. What clients were about to send on connections that are open is still answered.
    pub fn close(&mut self) {
        self.listeners.clear();
        let _ = self.stage.send(Stage::Closed);
    }

    /// The listening sockets, for the process that goes on with them.
    pub fn sockets(&self) -> io::Result<Vec<std::net::TcpListener>> {
        self.listeners.iter().map(std::net::TcpListener::try_clone).collect()
    }

    /// A number for each core that goes up several times a second, unless the core is stuck (F39).
    pub fn pulses(&self) -> Vec<Arc<AtomicU64>> {
        self.cores.iter().map(|core| Arc::clone(&core.pulse)).collect()
    }

    /// Stops accepting, ends idle connections, finishes what is being answered, and after `deadline` cuts the rest.
    pub async fn drain(self, deadline: Duration) -> Drained {
        let Self { stage, cores, listeners, .. } = self;
        drop(listeners);
        // No receiver means that every core has ended already.
        let _ = stage.send(Stage::Draining);
        let (mut receivers, threads): (Vec<_>, Vec<_>) = cores.into_iter().map(|core| (core.cut, core.thread)).unzip();
        let mut cut = 0_usize;
        let all = async {
            for core in &mut receivers {
                cut = cut.saturating_add(core.await.unwrap_or(0));
            }
        };
        if tokio::time::timeout(deadline, all).await.is_err() {
            let _ = stage.send(Stage::Stopping);
            for core in &mut receivers {
                if core.is_terminated() {
                    continue;
                }
                // A thread that does not even stop is left behind: the process is about to end.
                let stopped = tokio::time::timeout(STOP_TIMEOUT, core).await;
                cut = cut.saturating_add(stopped.map_or(1, |sent| sent.unwrap_or(0)));
            }
        } else {
            join(threads).await;
        }
        if cut == 0 { Drained::Whole } else { Drained::Cut(cut) }
    }
}

/// Threads that reported their end are joined, so that their sockets are closed when drain returns.
async fn join(threads: Vec<JoinHandle<()>>) {
    let joined = tokio::task::spawn_blocking(move || {
        for thread in threads {
            drop(thread.join());
        }
    });
    drop(tokio::time::timeout(STOP_TIMEOUT, joined).await);
}

/// Listeners, one for each core, on one address.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) public: SocketAddr,
    pub(crate) listeners: Vec<std::net::TcpListener>,
}

/// Binds a listener for each core.
pub(crate) fn bind(address: SocketAddr, cores: NonZeroUsize) -> Result<Bound, StartError> {
    let (public, listeners) =
        listener::bind(address, cores).map_err(|source| StartError::Listen { address, source })?;
    Ok(Bound { public, listeners })
}

/// Takes over sockets that listen already. Every one of them is served, and every core has one.
pub(crate) fn adopt(listeners: Vec<std::net::TcpListener>, cores: NonZeroUsize) -> io::Result<Bound> {
    let first = listeners.first().ok_or(io::ErrorKind::NotFound)?;
    let public = first.local_addr()?;
    let mut shared = Vec::new();
    for again in listeners.iter().cycle().take(cores.get().saturating_sub(listeners.len())) {
        shared.push(again.try_clone()?);
    }
    let mut listeners = listeners;
    listeners.append(&mut shared);
    for listener in &listeners {
        listener.set_nonblocking(true)?;
    }
    Ok(Bound { public, listeners })
}

/// Starts a core for each listener. `handler` makes the decider of each.
pub(crate) fn start<H: Handler>(config: Config, bound: Bound, handler: impl Fn() -> H) -> Result<Running, StartError> {
    let config = Arc::new(config);
    let Bound { public, listeners } = bound;
    let (stage, seen) = watch::channel(Stage::Serving);
    let caps = Arc::new(Caps::new(&config.connections));
    let copies = listeners.iter().map(std::net::TcpListener::try_clone).collect::<io::Result<_>>();
    let copies = copies.map_err(|source| StartError::Core { core: 0, source })?;
    let mut running = Running { public, stage, cores: Vec::with_capacity(listeners.len()), listeners: copies };
    for (core, listener) in listeners.into_iter().enumerate() {
        let began = Began {
            config: Arc::clone(&config),
            caps: Arc::clone(&caps),
            stage: seen.clone(),
            core,
            handler: handler(),
        };
        running.cores.push(begin(began, listener).map_err(|source| StartError::Core { core, source })?);
    }
    Ok(running)
}

struct Began<H> {
    config: Arc<Config>,
    caps: Arc<Caps>,
    stage: watch::Receiver<Stage>,
    core: usize,
    handler: H,
}

fn begin<H: Handler>(began: Began<H>, listener: std::net::TcpListener) -> io::Result<Core> {
    let Began { config, caps, stage, core, handler } = began;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let (sender, cut) = oneshot::channel();
    let pulse: Arc<AtomicU64> = Arc::default();
    let beating = Arc::clone(&pulse);
    let thread = std::thread::Builder::new().name(format!("proxy-{core}")).spawn(move || {
        let _watch = CoreWatch { config: Arc::clone(&config), core, stage: stage.clone() };
        let worker = Worker::on(runtime.handle(), core, config, beating);
        let left = runtime.block_on(worker::run(Start { worker, caps, handler, stage }, listener));
        // A name that is being resolved must not hold up the end.
        runtime.shutdown_background();
        // Nobody waits when the proxy was dropped without draining.
        let _ = sender.send(left);
    })?;
    Ok(Core { cut, thread, pulse })
}
