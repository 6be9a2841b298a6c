// SPDX-License-Identifier: Apache-2.0
//! What a client may send (T47, T49, T52, T53, SM-20): every rule is about frames, not about what they say.

use super::count::{Bucket, Recent};
use super::{FrameHead, FrameKind, Frames, Seen};
use std::ops::ControlFlow;

/// The maxima of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameRules {
    /// CONTINUATION frames of one header block (T49).
    pub continuations_max: u32,
    /// Bytes of one header block before it is decompressed (T49).
    pub block_bytes_max: u32,
    /// Frames a second that ask for work and bring nothing: settings, pings, priorities, window updates, resets,
    /// farewells, extensions, empty content and empty header blocks (T52, T53).
    pub control_rate: u32,
    /// So many of them at once.
    pub control_burst: u32,
    /// Streams a client resets in ten seconds (T47).
    pub resets_max: u32,
    /// From so many resets in ten seconds on, they must be at most half of the streams opened in them (T47).
    pub resets_share_from: u32,
}

impl Default for FrameRules {
    fn default() -> Self {
        Self {
            continuations_max: 5,
            block_bytes_max: 32 * 1024,
            control_rate: 100,
            control_burst: 200,
            resets_max: 100,
            resets_share_from: 25,
        }
    }
}

/// A DATA frame we sent may be answered by this many frames: a window update of its stream and of the connection,
/// and a measurement of the way.
const ANSWERS_PER_DATA_FRAME: u32 = 3;
/// A stream may come with this many: its window and its priority.
const EXTRAS_PER_STREAM: u32 = 2;
/// The most that can be saved up.
const CONTROL_EARNED_MAX: u32 = 2_000;

/// What a peer did too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// CONTINUATION frames of one header block.
    Continuations,
    /// Bytes of one header block.
    HeaderBlock,
    /// Frames that bring nothing.
    Control,
    /// Streams it reset itself.
    RapidReset,
    /// Streams it made us reset.
    ProvokedResets,
    /// Header blocks nobody asked for.
    Heads,
    /// A push, which was ruled out.
    Push,
}

/// The first frame that is too much. Of the bytes just read, `keep` stand before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Bytes that may go on.
    pub keep: usize,
    /// Why.
    pub violation: Violation,
}

/// Watches what one client sends.
#[derive(Clone, Debug)]
pub struct ClientFrames {
    frames: Frames,
    rules: FrameRules,
    control: Bucket,
    resets: Recent,
    opened: Recent,
    last_stream: u32,
    block: Option<Block>,
    unfinished_since_ms: Option<u64>,
}

/// A header block that has not ended.
#[derive(Clone, Copy, Debug)]
struct Block {
    continuations: u32,
    bytes: u32,
    since_ms: u64,
}

impl ClientFrames {
    /// From the preface on.
    pub fn new(rules: FrameRules) -> Self {
        Self {
            frames: Frames::of_client(),
            rules,
            control: Bucket::new(rules.control_rate, rules.control_burst, CONTROL_EARNED_MAX),
            resets: Recent::default(),
            opened: Recent::default(),
            last_stream: 0,
            block: None,
            unfinished_since_ms: None,
        }
    }

    /// Looks at bytes that were just read.
    pub fn read(&mut self, bytes: &[u8], now_ms: u64) -> Result<(), Refused> {
        let mut frames = self.frames.clone();
        let fed = frames.feed(bytes, |seen| match seen {
            Seen::Head(head) => self.judge(head, now_ms).map_or(ControlFlow::Continue(()), ControlFlow::Break),
            Seen::Code(_) => ControlFlow::Continue(()),
        });
        self.frames = frames;
        self.note_unfinished(now_ms);
        fed.map_err(|(keep, violation)| Refused { keep, violation })
    }

    /// DATA frames left for the client; it may answer them.
    pub fn data_sent(&mut self, frames: u32) {
        self.control.earn(frames.saturating_mul(ANSWERS_PER_DATA_FRAME));
    }

    /// Since when something other than content has begun and not ended: the preface, a header block, a frame. A
    /// client has as long for it as for the head of a request (T49, T55); content has a pace of its own (T56).
    pub fn unfinished_since_ms(&self) -> Option<u64> {
        self.unfinished_since_ms
    }

    fn note_unfinished(&mut self, now_ms: u64) {
        self.unfinished_since_ms = match (self.block, self.frames.passing()) {
            (Some(block), _) => Some(block.since_ms),
            (None, Some(head)) if head.kind == FrameKind::Data => None,
            (None, _) if self.frames.is_between() => None,
            // A frame that was unfinished before, or one that just began: the earlier time is never later than the
            // truth by more than one read.
            (None, _) => Some(self.unfinished_since_ms.unwrap_or(now_ms)),
        };
    }

    fn judge(&mut self, head: FrameHead, now_ms: u64) -> Option<Violation> {
        // What was unfinished has ended, and another frame begins.
        self.unfinished_since_ms = None;
        match head.kind {
            FrameKind::Headers => self.begin_block(head, now_ms),
            FrameKind::Continuation => self.go_on(head, now_ms),
            FrameKind::Data if head.length > 0 || head.ends_stream() => None,
            FrameKind::Reset => self.reset(now_ms),
            _ => self.charge(now_ms),
        }
    }

    fn charge(&mut self, now_ms: u64) -> Option<Violation> {
        (!self.control.take(now_ms)).then_some(Violation::Control)
    }

    fn begin_block(&mut self, head: FrameHead, now_ms: u64) -> Option<Violation> {
        if head.stream > self.last_stream {
            self.last_stream = head.stream;
            self.opened.add(now_ms);
            self.control.earn(EXTRAS_PER_STREAM);
        }
        self.block = (!head.ends_block()).then_some(Block { continuations: 0, bytes: head.length, since_ms: now_ms });
        if head.length > self.rules.block_bytes_max {
            return Some(Violation::HeaderBlock);
        }
        if head.length == 0 { self.charge(now_ms) } else { None }
    }

    /// A CONTINUATION without a block is the parser's to refuse; it is counted like one that begins a block.
    fn go_on(&mut self, head: FrameHead, now_ms: u64) -> Option<Violation> {
        let mut block = self.block.unwrap_or(Block { continuations: 0, bytes: 0, since_ms: now_ms });
        block.continuations = block.continuations.saturating_add(1);
        block.bytes = block.bytes.saturating_add(head.length);
        self.block = (!head.ends_block()).then_some(block);
        if block.continuations > self.rules.continuations_max {
            return Some(Violation::Continuations);
        }
        (block.bytes > self.rules.block_bytes_max).then_some(Violation::HeaderBlock)
    }

    fn reset(&mut self, now_ms: u64) -> Option<Violation> {
        let resets = self.resets.add(now_ms);
        let many = resets > self.rules.resets_max;
        let most = resets >= self.rules.resets_share_from
            && u64::from(resets).saturating_mul(2) > u64::from(self.opened.count(now_ms));
        if many || most {
            return Some(Violation::RapidReset);
        }
        self.charge(now_ms)
    }
}
