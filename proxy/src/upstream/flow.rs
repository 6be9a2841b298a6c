// SPDX-License-Identifier: Apache-2.0
//! How an answer flows that nobody reads here. It may take as long as it takes, but it has to come: no pause is longer
//! than [`StreamBounds::pause`], and content keeps a least rate once the exchange's own time is over (F27). Time in which
//! the client is waited for is not the upstream's.

use crate::config::StreamBounds;
use crate::deadline::Deadline;
use crate::worker::Worker;
use portcullis_pipeline::Flow;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

/// How often slow content is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What an upstream has brought of an answer, and in what time.
#[derive(Debug)]
pub(crate) struct Flowing {
    worker: Arc<Worker>,
    deadline: Arc<Deadline>,
    kind: Flow,
    /// The time of the whole exchange, after which the rate counts.
    grace: Duration,
    received: u64,
    /// Time spent waiting for the upstream, all in all.
    waited: Duration,
    /// The same since the last piece.
    pause: Duration,
    /// The stretch the deadline now stands for.
    step: Duration,
    /// Whether anything came in it.
    moved: bool,
}

/// It does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stalled;

impl Flowing {
    pub(crate) fn new(worker: Arc<Worker>, kind: Flow, grace: Duration) -> Self {
        let deadline = worker.deadlines.register();
        let zero = Duration::ZERO;
        Self { worker, deadline, kind, grace, received: 0, waited: zero, pause: zero, step: zero, moved: false }
    }

    /// What it is made of.
    pub(crate) fn kind(&self) -> Flow {
        self.kind
    }

    /// Nothing is there yet.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) -> Result<(), Stalled> {
        let bounds = &self.worker.config.streams;
        if self.deadline.fired() {
            self.waited = self.waited.saturating_add(self.step);
            self.pause = if self.moved { Duration::ZERO } else { self.pause.saturating_add(self.step) };
            self.moved = false;
            self.deadline.clear();
            if self.pause >= bounds.pause || self.is_behind(bounds) {
                return Err(Stalled);
            }
        }
        if !self.deadline.runs() {
            self.step = match self.kind {
                Flow::Events | Flow::Messages => bounds.pause,
                Flow::Content => LOOK_EVERY.min(bounds.pause.saturating_sub(self.pause)),
            };
            self.deadline.arm(self.step);
        }
        self.deadline.watch(cx.waker());
        Ok(())
    }

    fn is_behind(&self, bounds: &StreamBounds) -> bool {
        let due = self.waited.saturating_sub(self.grace).as_secs().saturating_mul(bounds.rate_min);
        self.kind == Flow::Content && self.received < due
    }

    /// A piece came. Content that drips is still waited for: its deadline runs on.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
        self.pause = Duration::ZERO;
        self.moved = true;
        if self.kind != Flow::Content {
            self.deadline.clear();
            self.moved = false;
        }
    }
}
