// SPDX-License-Identifier: Apache-2.0
//! Upstreams: where cleared requests go, with a pool of connections per core.

pub(crate) mod answer;
pub(crate) mod interim;
pub(crate) mod line;
pub(crate) mod outgoing;
pub(crate) mod pool;
mod target;

pub use target::{Target, TargetError};

use parking_lot::Mutex;
use pool::Pool;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// One upstream, already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamConfig {
    /// Name in the configuration.
    pub name: Arc<str>,
    /// Where it is.
    pub target: Target,
    /// For the connection to stand.
    pub connect: Duration,
    /// From the end of the request to the end of the answer's head.
    pub first_byte: Duration,
    /// From the end of the request to the end of the answer.
    pub total: Duration,
    /// Connections kept without a request, per core.
    pub idle_max: usize,
    /// How long each of them is kept.
    pub idle: Duration,
    /// Requests under way at once, over all cores; more are refused.
    pub in_flight_max: usize,
}

impl UpstreamConfig {
    /// The defaults of the configuration contract.
    pub fn new(name: Arc<str>, target: Target) -> Self {
        Self {
            name,
            target,
            connect: Duration::from_secs(1),
            first_byte: Duration::from_secs(5),
            total: Duration::from_secs(15),
            idle_max: 128,
            idle: Duration::from_mins(1),
            in_flight_max: 10_000,
        }
    }
}

/// One upstream with its pools.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) config: UpstreamConfig,
    /// By core: a connection is only used on the core that opened it.
    pools: Vec<Mutex<Pool>>,
    in_flight: AtomicUsize,
}

/// One request under way.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Upstream>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Upstream {
    fn new(config: UpstreamConfig, cores: NonZeroUsize) -> Self {
        let pools = (0..cores.get()).map(|_| Mutex::new(Pool::new(config.idle_max))).collect();
        Self { config, pools, in_flight: AtomicUsize::new(0) }
    }

    /// Counts one more request, unless there are too many.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        let entered = InFlight(Arc::clone(self));
        (self.in_flight.fetch_add(1, Ordering::Relaxed) < self.config.in_flight_max).then_some(entered)
    }

    /// The pool of a core.
    pub(crate) fn pool(&self, core: usize) -> Option<&Mutex<Pool>> {
        self.pools.get(core)
    }
}

/// The upstreams of one revision, by the index the gate uses.
#[derive(Debug)]
pub struct Upstreams {
    upstreams: Vec<Arc<Upstream>>,
}

impl Upstreams {
    /// Builds the pools for a proxy of `cores` threads; an upstream that did not change since `previous` keeps its
    /// connections and counts.
    pub fn build(configs: Vec<UpstreamConfig>, cores: NonZeroUsize, previous: Option<&Upstreams>) -> Self {
        let known = |config: &UpstreamConfig| {
            let known = previous?.upstreams.iter().find(|u| u.config == *config && u.pools.len() == cores.get())?;
            Some(Arc::clone(known))
        };
        let upstreams = configs
            .into_iter()
            .map(|config| known(&config).unwrap_or_else(|| Arc::new(Upstream::new(config, cores))))
            .collect();
        Self { upstreams }
    }

    pub(crate) fn by_index(&self, index: usize) -> Option<&Arc<Upstream>> {
        self.upstreams.get(index)
    }
}
