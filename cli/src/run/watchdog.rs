// SPDX-License-Identifier: Apache-2.0
//! Cores that stand still (F39): a lag is told, a core that is stuck for good ends the process, so that whoever keeps it
//! starts it again. A thread of its own, because what it looks for is a runtime that does not turn.

use crate::log::{self, say};
use portcullis_decision::Clock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often the cores are looked at; a healthy one has moved between two looks, or at the latest at the next.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks without a move after which a core lags.
const LAG_LOOKS: u32 = 3;
/// Looks without a move after which a core is stuck: five seconds.
const STUCK_LOOKS: u32 = 50;
/// A look that comes later than this says that the whole process stood still (a debugger, a paused machine).
const OVERSLEPT: Duration = Duration::from_secs(1);
/// How long the last words have to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What the watchdog found and is told.
#[derive(Default)]
pub(super) struct Leash {
    /// Lags since the start.
    pub(super) lags: AtomicU64,
    /// Set when the cores are about to end.
    pub(super) off: AtomicBool,
}

/// Starts watching.
pub(super) fn start(pulses: Vec<Arc<AtomicU64>>, clock: Arc<dyn Clock>) -> std::io::Result<Arc<Leash>> {
    let leash: Arc<Leash> = Arc::default();
    let held = Arc::clone(&leash);
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || watch(&pulses, &*clock, &held))?;
    Ok(leash)
}

fn watch(pulses: &[Arc<AtomicU64>], clock: &dyn Clock, leash: &Leash) {
    let mut cores: Vec<Stillness> = pulses.iter().map(|_| Stillness::default()).collect();
    while !leash.off.load(Ordering::Relaxed) {
        let before = clock.monotonic();
        std::thread::sleep(LOOK_EVERY);
        let overslept = clock.monotonic().saturating_sub(before) > OVERSLEPT;
        for (core, (pulse, stillness)) in pulses.iter().zip(&mut cores).enumerate() {
            match stillness.look(pulse.load(Ordering::Relaxed), overslept) {
                Look::Moving | Look::Still => {}
                Look::Lags => {
                    leash.lags.fetch_add(1, Ordering::Relaxed);
                    say!("warning: core {core} does not turn; something on it blocks or takes long");
                }
                // Its last look may have come in between.
                Look::Stuck if leash.off.load(Ordering::Relaxed) => return,
                Look::Stuck => end(core),
            }
        }
    }
}

/// Says what every thread is at, and ends the process.
fn end(core: usize) -> ! {
    say!("error: core {core} has not turned for 5 s; the process ends, so that it can be started again");
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let stat = read("stat");
        let state = stat.rsplit(')').next().unwrap_or_default().trim().chars().next().unwrap_or('?');
        say!("thread {}: {} {state} {}", task.file_name().to_string_lossy(), read("comm").trim(), read("wchan").trim());
    }
    log::flush(LAST_WORDS);
    std::process::abort()
}

/// How long a core has stood still.
#[derive(Default)]
struct Stillness {
    seen: u64,
    looks: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Moving,
    Still,
    /// Told once for each time.
    Lags,
    Stuck,
}

impl Stillness {
    fn look(&mut self, pulse: u64, overslept: bool) -> Look {
        if pulse != self.seen || overslept {
            *self = Self { seen: pulse, looks: 0 };
            return Look::Moving;
        }
        self.looks = self.looks.saturating_add(1);
        match self.looks {
            LAG_LOOKS => Look::Lags,
            looks if looks >= STUCK_LOOKS => Look::Stuck,
            _ => Look::Still,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f39_a_core_that_stands_still_lags_once_and_is_stuck_after_five_seconds() {
        let mut core = Stillness::default();
        assert_eq!(core.look(1, false), Look::Moving);
        let looks: Vec<Look> = (0..STUCK_LOOKS).map(|_| core.look(1, false)).collect();
        assert_eq!(looks.iter().filter(|look| **look == Look::Lags).count(), 1);
        assert_eq!(looks.iter().position(|look| *look == Look::Stuck), Some(49));
        assert_eq!(core.look(2, false), Look::Moving, "and one that goes on is forgiven");
        assert_eq!(core.look(2, false), Look::Still);
    }

    #[test]
    fn f39_a_process_that_was_stopped_is_not_stuck() {
        let mut core = Stillness::default();
        for _ in 0..200 {
            assert_eq!(core.look(0, false), Look::Still);
            assert_eq!(core.look(0, false), Look::Still);
            assert_eq!(core.look(0, true), Look::Moving);
        }
    }
}
