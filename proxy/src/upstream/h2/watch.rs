// SPDX-License-Identifier: Apache-2.0
//! What is known of one connection to an upstream: whether it may be used, and whether it still lives. All of it stays
//! on one core: the lock is never contended.

use crate::deadline::Deadlines;
use parking_lot::Mutex;
use portcullis_wire::frames::{Heard, Violation};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Nothing heard for so long while an answer is awaited: the upstream is asked whether it lives.
const QUIET_MS: u64 = 10_000;
/// It has so long to say so.
const PONG_TIMEOUT_MS: u64 = 5_000;
/// While it says nothing else it is not asked again for so long: gRPC servers end connections that are asked more often.
const ASK_AGAIN_MS: u64 = 5 * 60 * 1_000;
/// Ended streams remembered, the latest: those of clients that left are never asked for.
const ENDED_MAX: usize = 4 * super::STREAMS_MAX;
/// How long the end of a connection may take.
const FAREWELL_TIMEOUT_MS: u64 = 1_000;

/// What to do with a connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Nothing,
    /// Ask whether the upstream lives.
    Ask,
    /// Nobody needs it: tell the upstream, and end.
    Retire,
    /// It is dead, or does not end by itself.
    Cut,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Watch {
    deadlines: Arc<Deadlines>,
    idle_ms: u64,
    state: Mutex<State>,
}

/// Whether a connection may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The upstream's settings have not come.
    Greeting,
    Usable,
    /// A request waited its time, and meanwhile nothing was heard.
    Doubted,
    /// The upstream takes no more streams, or the connection has ended.
    Leaving,
}

#[derive(Debug)]
struct State {
    standing: Standing,
    violation: Option<Violation>,
    /// What the transport ended with.
    error: Option<io::Error>,
    /// How often anything came.
    heard: u64,
    heard_ms: u64,
    /// Something that is no control frame came since the last question.
    answered: bool,
    asked_ms: Option<u64>,
    /// Nothing came since it was asked.
    awaiting: bool,
    open: usize,
    /// Streams the upstream ended, until whoever has them looked.
    ended: VecDeque<u32>,
    /// Since when `open` is 0.
    idle_since_ms: u64,
    retired_ms: Option<u64>,
}

impl Watch {
    /// A connection that is kept for `idle` without a stream.
    pub(super) fn new(deadlines: &Arc<Deadlines>, idle: Duration) -> Arc<Self> {
        let now_ms = deadlines.now_ms();
        let state = State {
            standing: Standing::Greeting,
            violation: None,
            error: None,
            heard: 0,
            heard_ms: now_ms,
            answered: false,
            asked_ms: None,
            awaiting: false,
            open: 0,
            ended: VecDeque::new(),
            idle_since_ms: now_ms,
            retired_ms: None,
        };
        let idle_ms = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        Arc::new(Self { deadlines: Arc::clone(deadlines), idle_ms, state: Mutex::new(state) })
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.deadlines.now_ms()
    }

    /// Bytes came.
    pub(super) fn hear(&self, heard: Heard) {
        let now_ms = self.now_ms();
        let mut state = self.state.lock();
        state.standing = match state.standing {
            _ if heard.goaway => Standing::Leaving,
            Standing::Greeting if heard.settings => Standing::Usable,
            Standing::Doubted => Standing::Usable,
            other => other,
        };
        state.answered |= heard.answer;
        state.heard = state.heard.wrapping_add(1);
        state.heard_ms = now_ms;
        state.awaiting = false;
    }

    /// The upstream broke a rule of frames.
    pub(super) fn violate(&self, violation: Violation) {
        let mut state = self.state.lock();
        state.violation.get_or_insert(violation);
        state.standing = Standing::Leaving;
    }

    /// The transport failed. The parser keeps no more of it than its kind.
    pub(super) fn fail(&self, error: io::Error) -> io::Error {
        let kind = error.kind();
        self.state.lock().error = Some(error);
        kind.into()
    }

    /// What the transport failed with, told once.
    pub(super) fn take_error(&self) -> Option<io::Error> {
        self.state.lock().error.take()
    }

    pub(super) fn is_hostile(&self) -> bool {
        self.state.lock().violation.is_some()
    }

    /// Whether the upstream's settings were seen: it speaks HTTP/2.
    pub(super) fn is_greeted(&self) -> bool {
        self.state.lock().standing != Standing::Greeting
    }

    /// How often anything came, to compare.
    pub(super) fn heard(&self) -> u64 {
        self.state.lock().heard
    }

    /// The upstream said that a stream has no more. The parser forgets it when a reset follows (RFC 9113 §8.1), and an
    /// answer that is whole must be told from one that was cut.
    pub(super) fn end_stream(&self, stream: u32) {
        let mut state = self.state.lock();
        if state.ended.len() == ENDED_MAX {
            state.ended.pop_front();
        }
        state.ended.push_back(stream);
    }

    /// Whether it said so; asked once.
    pub(super) fn take_ended(&self, stream: u32) -> bool {
        let mut state = self.state.lock();
        match state.ended.iter().position(|ended| *ended == stream) {
            Some(at) => {
                state.ended.remove(at);
                true
            }
            None => false,
        }
    }

    /// A request waited its time; `heard` is what had come when it began.
    pub(super) fn doubt(&self, heard: u64) {
        let mut state = self.state.lock();
        if state.heard == heard && state.standing == Standing::Usable {
            state.standing = Standing::Doubted;
        }
    }

    /// No more streams here.
    pub(super) fn leave(&self) {
        self.state.lock().standing = Standing::Leaving;
    }

    /// Whether it may take streams at all.
    pub(super) fn is_usable(&self) -> bool {
        let state = self.state.lock();
        state.standing == Standing::Usable && state.retired_ms.is_none()
    }

    /// Takes a place if there is one among `max`.
    pub(super) fn enter(&self, max: usize) -> bool {
        let mut state = self.state.lock();
        let free = state.open < max;
        if free {
            state.open = state.open.saturating_add(1);
        }
        free
    }

    /// Gives it back.
    pub(super) fn exit(&self) {
        let now_ms = self.now_ms();
        let mut state = self.state.lock();
        state.open = state.open.saturating_sub(1);
        if state.open == 0 {
            state.idle_since_ms = now_ms;
        }
    }

    /// What is to be done now. What it answers is taken as done.
    pub(super) fn look(&self) -> Look {
        let now_ms = self.now_ms();
        let mut state = self.state.lock();
        let since = |then_ms: u64| now_ms.saturating_sub(then_ms);
        if let Some(retired_ms) = state.retired_ms {
            let late = state.open == 0 && since(retired_ms.max(state.idle_since_ms)) >= FAREWELL_TIMEOUT_MS;
            if late {
                return Look::Cut;
            }
        } else if state.standing == Standing::Leaving || (state.open == 0 && since(state.idle_since_ms) >= self.idle_ms)
        {
            state.retired_ms = Some(now_ms);
            return Look::Retire;
        }
        if state.awaiting {
            let late = state.asked_ms.is_some_and(|asked_ms| since(asked_ms) >= PONG_TIMEOUT_MS);
            return if late { Look::Cut } else { Look::Nothing };
        }
        let quiet = state.open > 0 && since(state.heard_ms) >= QUIET_MS;
        let spaced = state.answered || state.asked_ms.is_none_or(|asked_ms| since(asked_ms) >= ASK_AGAIN_MS);
        if state.standing == Standing::Doubted || (quiet && spaced) {
            state.asked_ms = Some(now_ms);
            state.awaiting = true;
            state.answered = false;
            return Look::Ask;
        }
        Look::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(deadlines: &Deadlines, ms: u64) {
        deadlines.sweep(Duration::from_millis(ms));
    }

    fn watch(deadlines: &Arc<Deadlines>) -> Arc<Watch> {
        let watch = Watch::new(deadlines, Duration::from_mins(1));
        watch.hear(Heard { settings: true, ..Heard::default() });
        watch
    }

    const ANSWER: Heard = Heard { settings: false, goaway: false, answer: true };

    #[test]
    fn an_upstream_is_asked_whether_it_lives_only_while_an_answer_is_awaited_and_not_often() {
        let deadlines: Arc<Deadlines> = Arc::default();
        let watch = watch(&deadlines);
        at(&deadlines, 30_000);
        assert_eq!(watch.look(), Look::Nothing, "nobody waits");
        assert!(watch.enter(1) && !watch.enter(1));
        assert_eq!(watch.look(), Look::Ask);
        at(&deadlines, 31_000);
        watch.hear(Heard::default());
        at(&deadlines, 60_000);
        assert_eq!(watch.look(), Look::Nothing, "it has said nothing since but that it lives");
        watch.hear(ANSWER);
        at(&deadlines, 71_000);
        assert_eq!(watch.look(), Look::Ask);
        at(&deadlines, 75_900);
        assert_eq!(watch.look(), Look::Nothing);
        at(&deadlines, 76_000);
        assert_eq!(watch.look(), Look::Cut, "nothing came back");
    }

    #[test]
    fn a_connection_is_doubted_only_where_nothing_was_heard() {
        let deadlines: Arc<Deadlines> = Arc::default();
        let watch = watch(&deadlines);
        let before = watch.heard();
        watch.hear(ANSWER);
        watch.doubt(before);
        assert!(watch.is_usable());
        watch.doubt(watch.heard());
        assert!(!watch.is_usable());
        assert_eq!(watch.look(), Look::Ask);
        watch.hear(Heard::default());
        assert!(watch.is_usable(), "it lives");
    }

    #[test]
    fn an_idle_connection_and_one_that_was_told_to_end_are_retired() {
        let deadlines: Arc<Deadlines> = Arc::default();
        let (idle, told) = (watch(&deadlines), watch(&deadlines));
        assert!(told.enter(9));
        told.hear(Heard { goaway: true, ..Heard::default() });
        assert_eq!((told.is_usable(), told.look()), (false, Look::Retire));
        at(&deadlines, 60_000);
        assert_eq!((idle.look(), idle.look()), (Look::Retire, Look::Nothing));
        assert_ne!(told.look(), Look::Cut, "a stream is open");
        told.exit();
        at(&deadlines, 61_000);
        assert_eq!((idle.look(), told.look()), (Look::Cut, Look::Cut));
    }

    #[test]
    fn the_latest_ended_streams_are_remembered_and_no_more() {
        let watch = watch(&Arc::default());
        let last = u32::try_from(ENDED_MAX).unwrap() + 1;
        (1..=last).for_each(|stream| watch.end_stream(stream));
        assert!(watch.take_ended(last) && !watch.take_ended(last), "asked once");
        assert!(watch.take_ended(2) && !watch.take_ended(1), "the oldest was forgotten");
    }
}
