// SPDX-License-Identifier: Apache-2.0
//! Upstreams: where cleared requests go, how many of them at once, and what is done when one does not answer.
//!
//! With one target and nothing configured a request costs here two additions to a shared number and a few loads.

pub(crate) mod adaptive;
pub(crate) mod addresses;
pub(crate) mod answer;
pub(crate) mod balance;
pub(crate) mod bulkhead;
pub(crate) mod carrier;
pub(crate) mod circuit_breaker;
pub(crate) mod course;
pub(crate) mod endpoint;
pub(crate) mod exchange;
pub(crate) mod flow;
pub(crate) mod h2;
pub(crate) mod health;
pub(crate) mod line;
pub(crate) mod outgoing;
pub(crate) mod passage;
pub(crate) mod passed;
pub(crate) mod pool;
pub(crate) mod retry;
pub(crate) mod tally;
mod target;
pub(crate) mod upgrade;

pub use balance::TARGETS_MAX;
pub use bulkhead::Concurrency;
pub use circuit_breaker::{CircuitBreaker, Per};
pub use health::HealthCheck;
pub use retry::Retry;
pub use target::{Target, TargetError};

use crate::tls::UpstreamTls;
use addresses::{Resolve, SystemResolver};
use bulkhead::Bulkhead;
use circuit_breaker::Circuit;
use endpoint::Endpoint;
use retry::Budget;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// What is spoken to an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1.
    #[default]
    One,
    /// HTTP/2: agreed on where there is TLS (or else HTTP/1.1), known beforehand where there is none.
    Two,
}

/// One upstream, already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamConfig {
    /// Name in the configuration.
    pub name: Arc<str>,
    /// Where it is: one to [`TARGETS_MAX`] places that answer alike.
    pub targets: Vec<Target>,
    /// How its `https` targets are spoken to; without it they are not.
    pub tls: Option<Arc<UpstreamTls>>,
    /// What is spoken to it.
    pub http: Http,
    /// For the connection to stand, TLS included.
    pub connect: Duration,
    /// From the end of the request to the end of the answer's head.
    pub first_byte: Duration,
    /// From the request's way out to the end of the answer, over all attempts.
    pub total: Duration,
    /// Connections kept without a request, per core and target.
    pub idle_max: usize,
    /// How long each of them is kept.
    pub idle: Duration,
    /// Requests at once.
    pub concurrency: Concurrency,
    /// When it is left alone; `None`: never.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// When a request is sent again.
    pub retry: Retry,
    /// How it is asked whether it is well.
    pub health: Option<HealthCheck>,
}

impl UpstreamConfig {
    /// The defaults of the configuration contract.
    pub fn new(name: Arc<str>, targets: Vec<Target>) -> Self {
        Self {
            name,
            targets,
            tls: None,
            http: Http::One,
            connect: Duration::from_secs(1),
            first_byte: Duration::from_secs(5),
            total: Duration::from_secs(15),
            idle_max: 128,
            idle: Duration::from_mins(1),
            concurrency: Concurrency::default(),
            circuit_breaker: Some(CircuitBreaker::default()),
            retry: Retry::default(),
            health: None,
        }
    }
}

/// One upstream with its targets.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) config: UpstreamConfig,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) bulkhead: Arc<Bulkhead>,
    pub(crate) budget: Budget,
    cores: NonZeroUsize,
}

impl Upstream {
    fn new(config: UpstreamConfig, cores: NonZeroUsize, resolver: &Arc<dyn Resolve>) -> Self {
        let endpoint = |target: &Target| {
            let mut endpoint = Endpoint::new(target.clone(), config.idle_max, cores, Arc::clone(resolver));
            endpoint.tls.clone_from(&config.tls);
            endpoint
        };
        let endpoints = config.targets.iter().take(TARGETS_MAX).map(endpoint).collect();
        let bulkhead = Bulkhead::new(config.concurrency);
        Self { config, endpoints, bulkhead, budget: Budget::default(), cores }
    }

    /// Whether its targets are watched one by one.
    pub(crate) fn watches_targets(&self) -> bool {
        self.endpoints.len() > 1 || self.per() == Some(Per::Target) || self.config.health.is_some()
    }

    /// What its circuit breaker watches.
    pub(crate) fn per(&self) -> Option<Per> {
        self.config.circuit_breaker.map(|breaker| breaker.per)
    }

    /// Whether somebody wants to know how long answers take.
    pub(crate) fn is_timed(&self) -> bool {
        self.endpoints.len() > 1 || self.bulkhead.is_adaptive()
    }
}

/// The upstreams of one revision, by the index the gate uses.
#[derive(Debug)]
pub struct Upstreams {
    upstreams: Vec<Arc<Upstream>>,
    /// By the operation's number; an operation has one upstream.
    circuits: Vec<Circuit>,
}

impl Upstreams {
    /// Builds the pools for a proxy of `cores` threads and the circuits for so many `operations`; an upstream that did
    /// not change since `previous` keeps its connections, counts and what is known of its targets. Circuits of
    /// operations begin closed.
    pub fn build(
        configs: Vec<UpstreamConfig>,
        operations: usize,
        cores: NonZeroUsize,
        previous: Option<&Upstreams>,
    ) -> Self {
        let resolver: Arc<dyn Resolve> = Arc::new(SystemResolver);
        Self::resolved_by(&resolver, configs, operations, cores, previous)
    }

    pub(crate) fn resolved_by(
        resolver: &Arc<dyn Resolve>,
        configs: Vec<UpstreamConfig>,
        operations: usize,
        cores: NonZeroUsize,
        previous: Option<&Upstreams>,
    ) -> Self {
        let known = |config: &UpstreamConfig| {
            let known = previous?.upstreams.iter().find(|u| u.config == *config && u.cores == cores)?;
            // The same files may hold other certificates by now.
            if let (Some(before), Some(now)) = (&known.config.tls, &config.tls) {
                before.adopt(now);
            }
            Some(Arc::clone(known))
        };
        let upstreams = configs
            .into_iter()
            .map(|config| known(&config).unwrap_or_else(|| Arc::new(Upstream::new(config, cores, resolver))))
            .collect();
        Self { upstreams, circuits: (0..operations).map(|_| Circuit::default()).collect() }
    }

    pub(crate) fn by_index(&self, index: usize) -> Option<&Arc<Upstream>> {
        self.upstreams.get(index)
    }

    /// How those that speak TLS do it, with their names.
    pub fn tls(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<UpstreamTls>)> {
        self.upstreams.iter().filter_map(|upstream| Some((&upstream.config.name, upstream.config.tls.as_ref()?)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        self.upstreams.iter()
    }

    /// The circuit of an operation.
    pub(crate) fn circuit(&self, operation: usize) -> Option<&Circuit> {
        self.circuits.get(operation)
    }
}
