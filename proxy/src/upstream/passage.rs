// SPDX-License-Identifier: Apache-2.0
//! One request's way through an upstream: its place, its target, and what both learn of how it went. Whatever happens
//! to the request, a panic and a client that leaves included, what was taken is given back when this is dropped.

use crate::config::Event;
use crate::upstream::balance::{Choice, Tried, choose};
use crate::upstream::bulkhead::NoPlace;
use crate::upstream::circuit_breaker::{Circuit, Closed, Entry, Per};
use crate::upstream::endpoint::Endpoint;
use crate::upstream::{Upstream, Upstreams};
use crate::worker::Worker;
use portcullis_decision::Reason;
use portcullis_pipeline::{Destination, OriginFault};
use std::sync::Arc;
use std::time::Duration;

/// What comes of one attempt, as far as the upstream can help it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It answered.
    Good,
    /// It did not, or said that it cannot.
    Bad,
}

/// A request at an upstream.
#[derive(Debug)]
pub(crate) struct Passage {
    upstreams: Arc<Upstreams>,
    to: Destination,
    /// Whether it has a place in the bulkhead.
    placed: bool,
    operation: Slot,
    /// The target it is at.
    endpoint: Option<usize>,
    target: Slot,
}

/// How it was let in by one circuit.
#[derive(Clone, Copy, Debug)]
enum Slot {
    /// Nothing watches.
    Unwatched,
    /// It has not said how it went.
    Open(Entry),
    /// It has.
    Told(Entry),
}

impl Passage {
    /// Asks the circuit of the operation; nothing is taken yet but the right to try.
    pub(crate) fn begin(upstreams: &Arc<Upstreams>, to: Destination, now_ms: u64) -> Result<Self, OriginFault> {
        let mut this = Self {
            upstreams: Arc::clone(upstreams),
            to,
            placed: false,
            operation: Slot::Unwatched,
            endpoint: None,
            target: Slot::Unwatched,
        };
        let upstream = this.upstream()?;
        if upstream.per() == Some(Per::Operation)
            && let Some(circuit) = this.upstreams.circuit(to.operation)
        {
            let entry = circuit.enter(now_ms, upstream.bulkhead.limit()).map_err(closed)?;
            this.operation = Slot::Open(entry);
        }
        Ok(this)
    }

    /// Where it goes.
    pub(crate) fn upstream(&self) -> Result<&Arc<Upstream>, OriginFault> {
        // An index outside the revision cannot happen while gate and upstreams are swapped together.
        self.upstreams.by_index(self.to.upstream).ok_or(OriginFault::new(Reason::UpstreamUnreachable))
    }

    /// Takes a place without waiting.
    pub(crate) fn enter(&mut self) -> Result<(), NoPlace> {
        let upstream = self.upstreams.by_index(self.to.upstream).ok_or(NoPlace)?;
        upstream.bulkhead.enter()?;
        self.placed = true;
        Ok(())
    }

    /// Waits for a place.
    pub(crate) async fn wait(&mut self, patience: Duration) -> Result<(), OriginFault> {
        let bulkhead = Arc::clone(&self.upstream()?.bulkhead);
        bulkhead.wait(self.to.priority, patience).await.map_err(|NoPlace| overloaded())?;
        self.placed = true;
        Ok(())
    }

    /// Chooses a target, another one than those tried if there is one.
    pub(crate) fn choose(&mut self, tried: Tried, now_ms: u64) -> Result<usize, OriginFault> {
        self.leave_target(now_ms);
        let upstream = Arc::clone(self.upstream()?);
        let (index, slot) = if upstream.watches_targets() {
            let random = if upstream.endpoints.len() > 1 { rand::random() } else { 0 };
            let whole = upstream.bulkhead.limit();
            let choice = Choice { now_ms, per: upstream.per(), whole, tried, random };
            let (index, entry) = choose(&upstream.endpoints, choice).map_err(closed)?;
            (index, Slot::Open(entry))
        } else {
            (0, Slot::Unwatched)
        };
        let endpoint = upstream.endpoints.get(index).ok_or(OriginFault::new(Reason::UpstreamUnreachable))?;
        if !matches!(slot, Slot::Unwatched) {
            endpoint.begin();
        }
        self.endpoint = Some(index);
        self.target = slot;
        Ok(index)
    }

    /// The target it is at.
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.upstreams.by_index(self.to.upstream)?.endpoints.get(self.endpoint?)
    }

    /// How an attempt went; `took` is the time to the head of its answer, where somebody asked.
    pub(crate) fn tell(&mut self, outcome: Outcome, took: Option<Duration>, worker: &Worker) {
        let now_ms = worker.deadlines.now_ms();
        let Some(upstream) = self.upstreams.by_index(self.to.upstream) else { return };
        // What fails fast is not fast.
        let took = took.filter(|_| outcome == Outcome::Good);
        if let (Some(took), Some(endpoint)) = (took, self.endpoint()) {
            endpoint.measured(took, now_ms);
        }
        upstream.bulkhead.measured(took, now_ms);
        let operation = self.upstreams.circuit(self.to.operation);
        let (operation, opened) = self.operation.tell(operation, upstream, outcome, now_ms);
        let circuit = self.endpoint().map(|endpoint| &endpoint.circuit);
        let (target, target_opened) = self.target.tell(circuit, upstream, outcome, now_ms);
        let named = |target| Event::CircuitOpened { upstream: Arc::clone(&upstream.config.name), target };
        if opened {
            (worker.config.events)(named(None));
        }
        if target_opened {
            (worker.config.events)(named(self.endpoint().map(|endpoint| endpoint.target.to_string())));
        }
        (self.operation, self.target) = (operation, target);
    }

    /// Whether the operation is well enough for another attempt.
    pub(crate) fn may_try_again(&self) -> bool {
        match self.operation {
            Slot::Unwatched => true,
            Slot::Open(_) | Slot::Told(_) => self.upstreams.circuit(self.to.operation).is_some_and(Circuit::is_closed),
        }
    }

    /// The revision it belongs to.
    pub(crate) fn upstreams(&self) -> &Arc<Upstreams> {
        &self.upstreams
    }

    /// The upstream's and the target's index.
    pub(crate) fn place(&self) -> (usize, Option<usize>) {
        (self.to.upstream, self.endpoint)
    }

    fn leave_target(&mut self, now_ms: u64) {
        if matches!(self.target, Slot::Unwatched) {
            // One target and nobody who compares: nothing was counted.
            self.endpoint = None;
            return;
        }
        if let Some(endpoint) = self.endpoint() {
            endpoint.end();
            self.target.leave(&endpoint.circuit, now_ms);
        }
        self.endpoint = None;
        self.target = Slot::Unwatched;
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        // A try that says nothing is over at once: the next request may try.
        self.leave_target(0);
        if let Some(circuit) = self.upstreams.circuit(self.to.operation) {
            self.operation.leave(circuit, 0);
        }
        if self.placed
            && let Some(upstream) = self.upstreams.by_index(self.to.upstream)
        {
            upstream.bulkhead.leave();
        }
    }
}

impl Slot {
    /// Passes it on; whether that opened the circuit.
    fn tell(self, circuit: Option<&Circuit>, upstream: &Upstream, outcome: Outcome, now_ms: u64) -> (Self, bool) {
        let (entry, now) = match self {
            Slot::Unwatched => return (self, false),
            Slot::Open(entry) => (entry, entry),
            // A later attempt, or the rest of an answer: it says something, but it is not the one that tries.
            Slot::Told(entry) => (entry, Entry::Free),
        };
        // Targets are watched with the same rules, also where the breaker is off.
        let rules = upstream.config.circuit_breaker.unwrap_or_default();
        let opened = match (circuit, outcome) {
            (None, _) => false,
            (Some(circuit), Outcome::Good) => {
                circuit.succeed(now, now_ms);
                false
            }
            (Some(circuit), Outcome::Bad) => circuit.fail(now, &rules, now_ms, rand::random()),
        };
        (Slot::Told(entry), opened)
    }

    fn leave(self, circuit: &Circuit, now_ms: u64) {
        match self {
            Slot::Unwatched => {}
            Slot::Open(entry) => {
                circuit.give_up(entry, now_ms);
                circuit.leave(entry);
            }
            Slot::Told(entry) => circuit.leave(entry),
        }
    }
}

fn closed(closed: Closed) -> OriginFault {
    match closed {
        Closed::Ramp => overloaded(),
        Closed::ForMs(ms) => {
            // Up to a quarter later, so that callers do not come back together.
            let spread_ms = (ms / 4).saturating_mul(u64::from(rand::random::<u32>())) >> 32;
            let after = Duration::from_millis(ms.saturating_add(spread_ms));
            OriginFault { reason: Reason::UpstreamBreakerOpen, retry_after: Some(after) }
        }
    }
}

fn overloaded() -> OriginFault {
    OriginFault { reason: Reason::UpstreamOverloaded, retry_after: Some(Duration::from_secs(1)) }
}
