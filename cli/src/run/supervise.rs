// SPDX-License-Identifier: Apache-2.0
//! Background tasks that do not die silently (F38): one that ends or panics is started again, after a pause that grows,
//! and one that gives no sign of life makes the gateway not ready.

use crate::log::say;
use portcullis_console::{Ready, Source};
use portcullis_decision::Clock;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A task that ran for so long begins with the shortest pause again.
const STEADY: Duration = Duration::from_mins(1);

/// The background tasks of the process.
pub(crate) struct Supervisor {
    clock: Arc<dyn Clock>,
    tasks: JoinSet<()>,
    watched: Vec<Arc<Health>>,
}

/// What is known of a task.
struct Health {
    name: &'static str,
    /// Longest silence.
    patience: Duration,
    /// Monotonic milliseconds of the last sign of life.
    beat_ms: AtomicU64,
    restarts: AtomicU64,
}

/// A task's way to say that it lives.
#[derive(Clone)]
pub(crate) struct Pulse {
    health: Arc<Health>,
    clock: Arc<dyn Clock>,
}

impl Pulse {
    /// A sign of life.
    pub(crate) fn beat(&self) {
        self.health.beat_ms.store(millis(self.clock.monotonic()), Ordering::Relaxed);
    }
}

impl Supervisor {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, tasks: JoinSet::new(), watched: Vec::new() }
    }

    /// Keeps a task running. `patience` is the longest it may go without a sign of life.
    pub(crate) fn keep<F, T>(&mut self, name: &'static str, patience: Duration, work: F)
    where
        F: Fn(Pulse) -> T + Send + Sync + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let health = Arc::new(Health { name, patience, beat_ms: AtomicU64::new(0), restarts: AtomicU64::new(0) });
        let pulse = Pulse { health: Arc::clone(&health), clock: Arc::clone(&self.clock) };
        pulse.beat();
        self.watched.push(health);
        self.tasks.spawn(async move {
            let mut pause = PAUSE_MIN;
            loop {
                let began = pulse.clock.monotonic();
                // A set of one: it catches a panic, and it takes the task along when this one is dropped.
                let mut one = JoinSet::new();
                one.spawn(work(pulse.clone()));
                let how = match one.join_next().await {
                    Some(Err(error)) if error.is_panic() => "panicked",
                    _ => "ended",
                };
                if pulse.clock.monotonic().saturating_sub(began) >= STEADY {
                    pause = PAUSE_MIN;
                }
                pulse.health.restarts.fetch_add(1, Ordering::Relaxed);
                say!("error: background task `{name}` {how}; it starts again in {} ms", pause.as_millis());
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE_MAX);
            }
        });
    }

    /// What `/readyz` asks.
    pub(crate) fn source(&self) -> Source {
        let (watched, clock) = (self.watched.clone(), Arc::clone(&self.clock));
        Source::new("tasks", move || {
            let now_ms = millis(clock.monotonic());
            let silent = watched
                .iter()
                .find(|health| now_ms.saturating_sub(health.beat_ms.load(Ordering::Relaxed)) > millis(health.patience));
            silent.map_or(Ready::Yes, |health| {
                Ready::No(format!("background task `{}` gives no sign of life", health.name).into())
            })
        })
    }

    /// How often tasks had to be started again.
    pub(crate) fn restarts(&self) -> impl Fn() -> u64 + Send + Sync + use<> {
        let watched = self.watched.clone();
        move || watched.iter().map(|health| health.restarts.load(Ordering::Relaxed)).sum()
    }

    /// Ends every task.
    pub(crate) fn stop(&mut self) {
        self.tasks.abort_all();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_decision::{ManualClock, SystemClock};

    #[tokio::test]
    async fn f38_a_task_that_panics_or_ends_is_started_again() {
        let mut supervisor = Supervisor::new(Arc::new(SystemClock::new()));
        let runs = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&runs);
        supervisor.keep("frail", Duration::from_secs(5), move |_| {
            let counted = Arc::clone(&counted);
            async move {
                match counted.fetch_add(1, Ordering::SeqCst) {
                    0 => panic!("expected by this test"),
                    1 => {}
                    _ => std::future::pending().await,
                }
            }
        });
        for _ in 0..200 {
            if runs.load(Ordering::SeqCst) >= 3 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!((runs.load(Ordering::SeqCst), supervisor.restarts()()), (3, 2));
    }

    #[tokio::test]
    async fn f38_a_silent_task_is_a_reason_not_to_be_ready() {
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1_790_000_000)));
        let mut supervisor = Supervisor::new(clock.clone());
        supervisor.keep("keys", Duration::from_secs(30), |_| std::future::pending());
        let source = supervisor.source();
        assert_eq!(source.ready(), Ready::Yes);
        clock.advance(Duration::from_secs(31));
        assert!(matches!(source.ready(), Ready::No(why) if why.contains("`keys`")));
    }
}
