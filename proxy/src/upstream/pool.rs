// SPDX-License-Identifier: Apache-2.0
//! Idle connections to one target on one core.

use crate::upstream::Upstreams;
use crate::upstream::addresses::Addresses;
use crate::upstream::line::Line;
use crate::upstream::passage::Passage;
use crate::worker::Worker;
use std::sync::Arc;
use std::time::Duration;

/// How often connections that ended, or waited too long, are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Idle connections, the youngest last: the old ones run into their idle timeout.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "a connection goes from hand to hand: a pointer is moved, not all it holds")]
pub(crate) struct Pool {
    idle: Vec<Box<Line>>,
    idle_max: usize,
}

/// Whether a connection has served before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// It has, so the upstream may be closing it at this moment.
    Pool,
    /// It has not.
    Fresh,
}

impl Pool {
    pub(crate) fn new(idle_max: usize) -> Self {
        Self { idle: Vec::new(), idle_max }
    }

    /// A connection that can be used at once and leads to where the target is now.
    pub(crate) fn take(&mut self, addresses: &Addresses) -> Option<Box<Line>> {
        while let Some(mut line) = self.idle.pop() {
            if line.is_current(addresses) && line.is_quiet() {
                return Some(line);
            }
        }
        None
    }

    fn put(&mut self, line: Box<Line>) {
        if self.idle.len() >= self.idle_max {
            self.sweep();
        }
        if self.idle.len() < self.idle_max {
            self.idle.push(line);
        }
    }

    fn sweep(&mut self) {
        self.idle.retain_mut(|line| line.is_quiet());
    }
}

/// Gives a connection back after a complete answer.
pub(crate) fn release(mut line: Box<Line>, passage: &Passage) {
    let (number, Some(index)) = passage.place() else { return };
    let Some(upstream) = passage.upstreams().by_index(number) else { return };
    let Some(pool) = upstream.endpoints.get(index).and_then(|endpoint| endpoint.pool(line.worker.index)) else {
        return;
    };
    line.rest(upstream.config.idle);
    pool.lock().put(line);
}

/// Closes what nobody uses, in the pools of one core, for as long as it lives.
pub(crate) async fn keep(worker: Arc<Worker>, current: impl Fn() -> Arc<Upstreams> + Send + 'static) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let upstreams = current();
        for endpoint in upstreams.iter().flat_map(|upstream| &upstream.endpoints) {
            if let Some(pool) = endpoint.pool(worker.index) {
                pool.lock().sweep();
            }
        }
    }
}
