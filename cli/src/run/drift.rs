// SPDX-License-Identifier: Apache-2.0
//! A wall clock that is moved (F22). Timers and limits run on the monotonic clock and do not notice; times of tokens and
//! records do, so the move is told and written into the trail.

use super::supervise::Pulse;
use crate::log::say;
use portcullis_audit::{Happening, Journal};
use portcullis_decision::{Clock, Facts};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often the clocks are compared.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A smaller move is what time synchronisation does.
const MOVE_MIN_MS: i64 = 5_000;

/// Where the wall clock stands beside the monotonic one.
struct Drift {
    offset_ms: i64,
}

impl Drift {
    fn at(clock: &dyn Clock) -> Self {
        Self { offset_ms: offset_ms(clock) }
    }

    /// How far it was moved since the last look, if it was.
    fn look(&mut self, clock: &dyn Clock) -> Option<i64> {
        let now_ms = offset_ms(clock);
        let moved_ms = now_ms.saturating_sub(self.offset_ms);
        if moved_ms.saturating_abs() < MOVE_MIN_MS {
            return None;
        }
        self.offset_ms = now_ms;
        Some(moved_ms)
    }
}

fn offset_ms(clock: &dyn Clock) -> i64 {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    millis(clock.wall()).saturating_sub(millis(clock.monotonic()))
}

/// Compares the clocks until it is stopped.
pub(super) async fn watch(clock: Arc<dyn Clock>, journal: Journal, moves: Arc<AtomicU64>, pulse: Pulse) {
    let mut drift = Drift::at(&*clock);
    loop {
        pulse.beat();
        tokio::time::sleep(LOOK_EVERY).await;
        if let Some(moved_ms) = drift.look(&*clock) {
            moves.fetch_add(1, Ordering::Relaxed);
            say!("warning: the wall clock was moved by {moved_ms} ms; tokens are judged by the new time");
            // The trail may be what is broken; the log has it all the same.
            drop(journal.note(Happening::ClockMoved, Facts::none().with("by_ms", moved_ms)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    struct Two(Mutex<(Duration, Duration)>);

    impl Clock for Two {
        fn monotonic(&self) -> Duration {
            self.0.lock().0
        }

        fn wall(&self) -> Duration {
            self.0.lock().1
        }
    }

    #[test]
    fn f22_a_jump_is_found_once_in_either_direction_and_drift_is_not() {
        let clock = Two(Mutex::new((Duration::from_secs(10), Duration::from_secs(1_790_000_000))));
        let mut drift = Drift::at(&clock);
        let mut after = |wall_ms: i64| {
            let mut times = clock.0.lock();
            times.0 += Duration::from_secs(1);
            let moved = i64::try_from(times.1.as_millis()).unwrap() + wall_ms;
            times.1 = Duration::from_millis(u64::try_from(moved).unwrap());
            drop(times);
            drift.look(&clock)
        };
        assert_eq!(after(1_000), None);
        assert_eq!(after(1_400), None, "a clock that is brought into step");
        assert_eq!(after(3_601_000), Some(3_600_400));
        assert_eq!(after(1_000), None);
        assert_eq!(after(-3_599_000), Some(-3_600_000));
        assert_eq!(after(0), None, "a clock that stands still for a moment");
    }
}
