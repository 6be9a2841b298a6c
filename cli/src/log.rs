// SPDX-License-Identifier: Apache-2.0
//! The operational log: lines for people on stderr. It never holds anybody up (F40).
//!
//! Once it runs, lines go through a bounded ring to a thread of its own. When nobody reads stderr and the ring is full,
//! lines are dropped and counted, and the count is told as soon as there is room. Decisions are not here: their record is
//! the signed trail, which is never dropped.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// Lines that wait at most.
const LINES_MAX: usize = 1024;
/// Longest line that is kept; a report of findings is several lines, each its own.
const LINE_BYTES_MAX: usize = 8 * 1024;

static RING: OnceLock<SyncSender<Item>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

enum Item {
    Line(String),
    /// Answered when everything before it was written.
    Flush(SyncSender<()>),
}

/// Starts the ring. From here on nothing of this process writes to stderr itself, a panic included.
pub(crate) fn start() -> std::io::Result<()> {
    let (sender, receiver) = sync_channel(LINES_MAX);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&receiver))?;
    // A second start changes nothing.
    drop(RING.set(sender));
    std::panic::set_hook(Box::new(|info| {
        // Where, never what: a message may hold what a client sent.
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        tell(&format!("error: a panic at {place}"));
    }));
    Ok(())
}

/// Says something, in one line or several.
pub(crate) fn tell(text: &str) {
    for line in text.lines() {
        match RING.get() {
            None => eprintln!("{line}"),
            Some(ring) => {
                let item = Item::Line(line.chars().take(LINE_BYTES_MAX / 4).collect());
                if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = ring.try_send(item) {
                    DROPPED.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Lines dropped since the start.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Waits until what was said is written, not longer than `patience`.
pub(crate) fn flush(patience: Duration) {
    let Some(ring) = RING.get() else { return };
    let (sender, receiver) = sync_channel(1);
    // A full ring means that nobody reads: there is nothing to wait for.
    if ring.try_send(Item::Flush(sender)).is_ok() {
        let _ = receiver.recv_timeout(patience);
    }
}

fn write_all(lines: &Receiver<Item>) {
    let mut told = 0;
    while let Ok(item) = lines.recv() {
        match item {
            Item::Line(line) => {
                write_line(&line);
                let dropped = dropped();
                if dropped != told {
                    write_line(&format!("warning: {} lines of this log were dropped", dropped.saturating_sub(told)));
                    told = dropped;
                }
            }
            Item::Flush(done) => drop(done.try_send(())),
        }
    }
}

fn write_line(line: &str) {
    // One write a line. A closed stderr is no reason to stop.
    drop(std::io::stderr().lock().write_all(format!("{line}\n").as_bytes()));
}

/// Says a formatted line.
macro_rules! say {
    ($($argument:tt)*) => { $crate::log::tell(&format!($($argument)*)) };
}
pub(crate) use say;
