// SPDX-License-Identifier: Apache-2.0
//! Idle connections to one target on one core, and the lease of one that is in use.

use crate::upstream::addresses::Addresses;
use crate::upstream::line::Line;
use crate::upstream::outgoing::OutgoingBody;
use crate::upstream::passage::Passage;
use crate::upstream::{Upstream, Upstreams};
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

/// A connection: hyper's end of it and what we know of it.
#[derive(Debug)]
pub(crate) struct Idle {
    pub(crate) sender: SendRequest<OutgoingBody>,
    pub(crate) line: Arc<Line>,
}

impl Pool {
    pub(crate) fn new(idle_max: usize) -> Self {
        Self { idle: Vec::new(), idle_max }
    }

    /// A connection that can be used at once and leads to where the target is now.
    pub(crate) fn take(&mut self, addresses: &Addresses) -> Option<Idle> {
        while let Some(idle) = self.idle.pop() {
            // Idle time may have run out in this very tick; such a connection is about to close.
            if idle.sender.is_ready() && !idle.line.step.fired() && idle.line.is_current(addresses) {
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
}

/// Whether a connection has served before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// It has, so the upstream may be closing it at this moment.
    Pool,
    /// It has not.
    Fresh,
}

impl Lease {
    pub(crate) fn of(Idle { sender, line }: Idle, whose: Whose) -> Self {
        Self { sender, line, whose }
    }

    /// Gives the connection back after a complete answer.
    pub(crate) fn release(self, passage: &Passage) {
        let Self { mut sender, line, .. } = self;
        let (number, Some(index)) = passage.place() else { return };
        if !line.is_reusable() {
            return;
        }
        if sender.is_ready() {
            return rest(passage.upstreams(), (number, index), Idle { sender, line });
        }
        if sender.is_closed() {
            return;
        }
        let worker = Arc::clone(&line.worker);
        let upstreams = Arc::clone(passage.upstreams());
        worker.upstream_tasks.spawn(async move {
            if let Ok(Ok(())) = tokio::time::timeout(READY_TIMEOUT, sender.ready()).await {
                rest(&upstreams, (number, index), Idle { sender, line });
            }
        });
    }
}

fn rest(upstreams: &Upstreams, (number, index): (usize, usize), idle: Idle) {
    let Some(upstream) = upstreams.by_index(number).map(Arc::as_ref) else { return };
    put(upstream, index, idle);
}

fn put(upstream: &Upstream, index: usize, idle: Idle) {
    let Some(endpoint) = upstream.endpoints.get(index) else { return };
    let Some(pool) = endpoint.pool(idle.line.worker.index) else { return };
    idle.line.rest(&upstream.config);
    pool.lock().put(idle);
}
