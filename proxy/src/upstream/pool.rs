// SPDX-License-Identifier: Apache-2.0
//! Idle connections of one upstream on one core, and the lease of one that is in use.

use crate::upstream::line::Line;
use crate::upstream::outgoing::OutgoingBody;
use crate::upstream::{InFlight, Upstream};
use crate::worker::Worker;
use hyper::client::conn::http1::SendRequest;
use std::sync::Arc;
use std::time::Duration;

/// How long a connection that has answered may take to be ready again (the upload may still be running).
const READY_TIMEOUT: Duration = Duration::from_secs(1);

/// Idle connections, the youngest last: the old ones run into their idle timeout.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Vec<Idle>,
    idle_max: usize,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<OutgoingBody>,
    line: Arc<Line>,
}

impl Pool {
    pub(crate) fn new(idle_max: usize) -> Self {
        Self { idle: Vec::new(), idle_max }
    }

    fn take(&mut self) -> Option<Idle> {
        while let Some(idle) = self.idle.pop() {
            // Idle time may have run out in this very tick; such a connection is about to close.
            if idle.sender.is_ready() && !idle.line.step.fired() {
                return Some(idle);
            }
        }
        None
    }

    fn put(&mut self, idle: Idle) {
        if self.idle.len() >= self.idle_max {
            self.idle.retain(|idle| !idle.sender.is_closed());
        }
        if self.idle.len() < self.idle_max {
            self.idle.push(idle);
        }
    }
}

/// A connection in use. Dropped, it closes; only [`Lease::release`] gives it back.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) sender: SendRequest<OutgoingBody>,
    pub(crate) line: Arc<Line>,
    pub(crate) whose: Whose,
    total: Duration,
    worker: Arc<Worker>,
    upstream: Arc<Upstream>,
    _in_flight: Arc<InFlight>,
}

/// Whether a connection has served before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// It has, so the upstream may be closing it at this moment.
    Pool,
    /// It has not.
    Fresh,
}

/// What a lease is taken for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) worker: Arc<Worker>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) in_flight: Arc<InFlight>,
    /// For the whole exchange.
    pub(crate) total: Duration,
}

impl Wanted {
    /// An idle connection, if there is one.
    pub(crate) fn pooled(&self) -> Option<Lease> {
        let idle = self.upstream.pool(self.worker.index)?.lock().take()?;
        Some(self.lease(idle, Whose::Pool))
    }

    /// A new connection.
    pub(crate) async fn fresh(&self) -> std::io::Result<Lease> {
        let (sender, line) = crate::upstream::line::connect(&self.worker, &self.upstream.config).await?;
        Ok(self.lease(Idle { sender, line }, Whose::Fresh))
    }

    fn lease(&self, Idle { sender, line }: Idle, whose: Whose) -> Lease {
        Lease {
            sender,
            line,
            whose,
            total: self.total,
            worker: Arc::clone(&self.worker),
            upstream: Arc::clone(&self.upstream),
            _in_flight: Arc::clone(&self.in_flight),
        }
    }
}

impl Lease {
    /// A request begins on this connection.
    pub(crate) fn begin(&self) {
        self.line.begin(self.first_byte(), self.total);
    }

    /// How long the upstream may take for the head of its answer.
    pub(crate) fn first_byte(&self) -> Duration {
        self.upstream.config.first_byte
    }

    /// How long it may take for the whole.
    pub(crate) fn whole(&self) -> Duration {
        self.total
    }

    /// Gives the connection back after a complete answer.
    pub(crate) fn release(self) {
        let Self { mut sender, line, worker, upstream, .. } = self;
        if sender.is_ready() {
            return rest(&upstream, worker.index, Idle { sender, line });
        }
        if sender.is_closed() {
            return;
        }
        let core = worker.index;
        worker.upstream_tasks.spawn(async move {
            if let Ok(Ok(())) = tokio::time::timeout(READY_TIMEOUT, sender.ready()).await {
                rest(&upstream, core, Idle { sender, line });
            }
        });
    }
}

fn rest(upstream: &Upstream, core: usize, idle: Idle) {
    idle.line.rest(&upstream.config);
    if let Some(pool) = upstream.pool(core) {
        pool.lock().put(idle);
    }
}
