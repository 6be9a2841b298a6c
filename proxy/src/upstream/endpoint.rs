// SPDX-License-Identifier: Apache-2.0
//! One target of an upstream: its connections per core, how busy it is, and whether it is well.

use crate::tls::UpstreamTls;
use crate::upstream::addresses::{Addresses, Resolve};
use crate::upstream::circuit_breaker::{Circuit, Standing};
use crate::upstream::h2;
use crate::upstream::pool::Pool;
use crate::upstream::target::Target;
use parking_lot::Mutex;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The newest answer counts for one in so many.
const LATENCY_SHARE: u32 = 8;
/// Without a new answer the average is halved in this time.
const LATENCY_HALF_LIFE_MS: u64 = 1_000;

/// A target and what is known of it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    /// How it is spoken to, where its address says `https`.
    pub(crate) tls: Option<Arc<UpstreamTls>>,
    pub(crate) addresses: Arc<Addresses>,
    /// Trips by failures of its own; used where there are several targets, or by choice.
    pub(crate) circuit: Circuit,
    /// Whether its probes say that it is well.
    pub(crate) health: crate::upstream::health::Health,
    /// By core: a connection is only used on the core that opened it.
    pools: Vec<Mutex<Pool>>,
    /// The same in HTTP/2.
    pools_two: Vec<Arc<h2::Pool>>,
    under_way: AtomicU32,
    /// Of the heads of its answers, moving average.
    latency_us: AtomicU32,
    measured_ms: AtomicU64,
}

impl Endpoint {
    pub(crate) fn new(target: Target, idle_max: usize, cores: NonZeroUsize, resolver: Arc<dyn Resolve>) -> Self {
        let addresses = Addresses::of(&target, resolver);
        Self {
            target,
            tls: None,
            addresses,
            circuit: Circuit::default(),
            health: crate::upstream::health::Health::default(),
            pools: (0..cores.get()).map(|_| Mutex::new(Pool::new(idle_max))).collect(),
            pools_two: (0..cores.get()).map(|_| Arc::default()).collect(),
            under_way: AtomicU32::new(0),
            latency_us: AtomicU32::new(0),
            measured_ms: AtomicU64::new(0),
        }
    }

    /// The pool of a core.
    pub(crate) fn pool(&self, core: usize) -> Option<&Mutex<Pool>> {
        self.pools.get(core)
    }

    /// The HTTP/2 connections of a core.
    pub(crate) fn pool_two(&self, core: usize) -> Option<&Arc<h2::Pool>> {
        self.pools_two.get(core)
    }

    /// One more request goes here.
    pub(crate) fn begin(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// One is over.
    pub(crate) fn end(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    /// The head of an answer took so long.
    pub(crate) fn measured(&self, took: Duration, now_ms: u64) {
        self.measured_ms.store(now_ms, Ordering::Relaxed);
        let newest = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let known = self.latency_us.load(Ordering::Relaxed);
        let next = if known == 0 { newest } else { known - known / LATENCY_SHARE + newest / LATENCY_SHARE };
        // Lost against another core at times: it is an average.
        self.latency_us.store(next.max(1), Ordering::Relaxed);
    }

    /// How long a request sent now would wait, up to a factor. What was measured long ago counts for less and less:
    /// who was slow once is asked again.
    pub(crate) fn load(&self, now_ms: u64) -> u64 {
        let waiting = u64::from(self.under_way.load(Ordering::Relaxed)).saturating_add(1);
        let half_lives = now_ms.saturating_sub(self.measured_ms.load(Ordering::Relaxed)) / LATENCY_HALF_LIFE_MS;
        let latency_us = self.latency_us.load(Ordering::Relaxed) >> half_lives.min(31);
        waiting.saturating_mul(u64::from(latency_us.max(1)))
    }

    /// How a balancer sees it.
    pub(crate) fn standing(&self, now_ms: u64) -> Standing {
        if self.health.is_down() { Standing::Out { for_ms: 1_000 } } else { self.circuit.standing(now_ms) }
    }
}
