// SPDX-License-Identifier: Apache-2.0
//! Asks each target whether it is well, before a client has to find out.
//!
//! A probe is a `GET` of ours on a connection of its own: any 2xx is well. [`FAILS_MIN`] failures in a row take a
//! target out, one success brings it back with a slow start. Probes are spread, so that many gateways do not ask at
//! the same moment. One core asks for all.

use crate::config::{Condition, Event};
use crate::upstream::Upstreams;
use crate::upstream::course::probe;
use crate::worker::Worker;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// So many failures in a row take a target out.
const FAILS_MIN: u32 = 2;
/// How often the keeper looks whether a probe is due.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How an upstream is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// Path, and a query where there is one; not below the target's own path.
    pub path: Arc<str>,
    /// How often.
    pub every: Duration,
}

/// What the probes of one target said. Well until they say otherwise.
#[derive(Debug, Default)]
pub(crate) struct Health {
    down: AtomicBool,
    failed: AtomicU32,
    due_ms: AtomicU64,
    probing: AtomicBool,
}

/// What a probe changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing.
    Same,
    /// It is out.
    Down,
    /// It is back.
    Up,
}

impl Health {
    /// Whether the last probes failed.
    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Whether a probe is due; says yes once.
    fn is_due(&self, now_ms: u64, every: Duration, random: u32) -> bool {
        if now_ms < self.due_ms.load(Ordering::Relaxed) || self.probing.swap(true, Ordering::AcqRel) {
            return false;
        }
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX >> 33);
        // Nine to eleven tenths.
        let spread_ms = (every_ms / 5).saturating_mul(u64::from(random)) >> 32;
        let next_ms = now_ms.saturating_add(every_ms - every_ms / 10).saturating_add(spread_ms);
        self.due_ms.store(next_ms, Ordering::Relaxed);
        true
    }

    fn learn(&self, well: bool) -> Turn {
        self.probing.store(false, Ordering::Release);
        if well {
            self.failed.store(0, Ordering::Relaxed);
            return if self.down.swap(false, Ordering::Relaxed) { Turn::Up } else { Turn::Same };
        }
        let failed = self.failed.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failed >= FAILS_MIN && !self.down.swap(true, Ordering::Relaxed) { Turn::Down } else { Turn::Same }
    }
}

/// Probes the targets of whatever upstreams are current, for as long as the core lives.
pub(crate) async fn keep(worker: Arc<Worker>, current: impl Fn() -> Arc<Upstreams> + Send + 'static) {
    loop {
        let upstreams = current();
        for (number, upstream) in upstreams.iter().enumerate() {
            let Some(check) = &upstream.config.health else { continue };
            for (index, endpoint) in upstream.endpoints.iter().enumerate() {
                if endpoint.health.is_due(worker.deadlines.now_ms(), check.every, rand::random()) {
                    let (upstreams, asking) = (Arc::clone(&upstreams), Arc::clone(&worker));
                    worker.upstream_tasks.spawn(async move { ask(&asking, &upstreams, number, index).await });
                }
            }
        }
        drop(upstreams);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn ask(worker: &Arc<Worker>, upstreams: &Upstreams, number: usize, index: usize) {
    let Some(upstream) = upstreams.by_index(number) else { return };
    let (Some(endpoint), Some(check)) = (upstream.endpoints.get(index), &upstream.config.health) else { return };
    let patience = upstream.config.connect.saturating_add(upstream.config.first_byte).min(check.every);
    let asked = tokio::time::timeout(patience, probe(worker, upstream, endpoint, &check.path)).await;
    let now = match endpoint.health.learn(matches!(asked, Ok(true))) {
        Turn::Same => return,
        Turn::Down => Condition::Unwell,
        Turn::Up => {
            endpoint.circuit.recover(worker.deadlines.now_ms());
            Condition::Well
        }
    };
    let (upstream, target) = (Arc::clone(&upstream.config.name), endpoint.target.to_string());
    (worker.config.events)(Event::TargetTurned { upstream, target, now });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f26_two_failures_take_a_target_out_and_one_success_brings_it_back() {
        let health = Health::default();
        assert_eq!(health.learn(false), Turn::Same);
        assert_eq!(health.learn(true), Turn::Same);
        assert_eq!((health.learn(false), health.is_down()), (Turn::Same, false));
        assert_eq!((health.learn(false), health.is_down()), (Turn::Down, true));
        assert_eq!((health.learn(false), health.is_down()), (Turn::Same, true));
        assert_eq!((health.learn(true), health.is_down()), (Turn::Up, false));
    }

    #[test]
    fn f32_probes_are_spread_and_never_two_at_once() {
        let every = Duration::from_secs(5);
        for (random, not_before) in [(0, 4_500), (u32::MAX / 2, 4_999), (u32::MAX, 5_499)] {
            let health = Health::default();
            assert!(health.is_due(0, every, random));
            assert!(!health.is_due(60_000, every, random), "one is under way");
            health.learn(true);
            assert!(!health.is_due(not_before - 1, every, random), "{random}");
            assert!(health.is_due(not_before, every, random), "{random}");
        }
    }
}
