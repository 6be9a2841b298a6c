// SPDX-License-Identifier: Apache-2.0
//! What an upstream may send (T18, T49, T53): it is watched like a client, because one that was taken over is one.

use super::client::{Refused, Violation};
use super::count::Bucket;
use super::{FrameHead, FrameKind, Frames, Seen};
use std::ops::ControlFlow;

/// CONTINUATION frames of one header block.
const CONTINUATIONS_MAX: u32 = 5;
/// Bytes of one header block before it is decompressed: as much as the head of an HTTP/1 answer may have.
const BLOCK_BYTES_MAX: u32 = 64 * 1024;
/// Frames a second that bring nothing, and so many at once.
const CONTROL_RATE: u32 = 100;
const CONTROL_BURST: u32 = 200;
/// Each DATA frame we send may be answered by this many: windows of its stream and of the connection, and a
/// measurement of the way.
const ANSWERS_PER_DATA_FRAME: u32 = 3;
/// Each stream we open, by this many: its window, its reset, a measurement.
const EXTRAS_PER_STREAM: u32 = 3;
/// The most that can be saved up.
const CONTROL_EARNED_MAX: u32 = 4_000;
/// Header blocks a stream may bring: five interim heads, the answer's, its trailers.
const BLOCKS_PER_STREAM: u32 = 7;
/// The most of them that can be saved up.
const BLOCKS_EARNED_MAX: u32 = 200 * BLOCKS_PER_STREAM;

/// What was among bytes that were just read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Its settings, which an HTTP/2 server sends before all else (RFC 9113 §3.4).
    pub settings: bool,
    /// It will take no more streams.
    pub goaway: bool,
    /// An answer: its head, or content.
    pub answer: bool,
}

/// Watches what passes between us and one upstream.
#[derive(Clone, Debug)]
pub struct UpstreamFrames {
    theirs: Frames,
    ours: Frames,
    control: Bucket,
    blocks: Bucket,
    /// CONTINUATION frames and bytes of a header block that has not ended.
    block: Option<(u32, u32)>,
}

impl Default for UpstreamFrames {
    fn default() -> Self {
        Self::new()
    }
}

impl UpstreamFrames {
    /// From the first byte on, in both directions.
    pub fn new() -> Self {
        Self {
            theirs: Frames::of_server(),
            ours: Frames::of_client(),
            control: Bucket::new(CONTROL_RATE, CONTROL_BURST, CONTROL_EARNED_MAX),
            blocks: Bucket::new(0, 0, BLOCKS_EARNED_MAX),
            block: None,
        }
    }

    /// Looks at bytes that just left: what we send may be answered.
    pub fn wrote(&mut self, bytes: &[u8]) {
        let Self { ours, control, blocks, .. } = self;
        let fed = ours.feed(bytes, |seen| {
            match seen {
                Seen::Head(head) if head.kind == FrameKind::Data => control.earn(ANSWERS_PER_DATA_FRAME),
                Seen::Head(head) if head.kind == FrameKind::Headers => {
                    control.earn(EXTRAS_PER_STREAM);
                    blocks.earn(BLOCKS_PER_STREAM);
                }
                Seen::Head(_) | Seen::Code(_) => {}
            }
            ControlFlow::<()>::Continue(())
        });
        // Nothing above breaks: every byte that left was looked at.
        debug_assert!(fed.is_ok());
    }

    /// Looks at bytes that were just read; `ended` hears of each stream that the upstream ended, which is not the same
    /// as one that it reset.
    pub fn read(&mut self, bytes: &[u8], now_ms: u64, mut ended: impl FnMut(u32)) -> Result<Heard, Refused> {
        let mut found = Heard::default();
        let mut frames = self.theirs.clone();
        let fed = frames.feed(bytes, |seen| match seen {
            Seen::Head(head) => {
                found.settings |= head.kind == FrameKind::Settings;
                found.goaway |= head.kind == FrameKind::GoAway;
                if head.ends_stream() {
                    ended(head.stream);
                }
                found.answer |= matches!(head.kind, FrameKind::Data | FrameKind::Headers);
                self.judge(head, now_ms).map_or(ControlFlow::Continue(()), ControlFlow::Break)
            }
            Seen::Code(_) => ControlFlow::Continue(()),
        });
        self.theirs = frames;
        fed.map(|()| found).map_err(|(keep, violation)| Refused { keep, violation })
    }

    fn judge(&mut self, head: FrameHead, now_ms: u64) -> Option<Violation> {
        match head.kind {
            FrameKind::Headers => self.begin_block(head, now_ms),
            FrameKind::Continuation => self.go_on(head),
            // It was told that we take none.
            FrameKind::PushPromise => Some(Violation::Push),
            FrameKind::Data if head.length > 0 || head.ends_stream() => None,
            _ => (!self.control.take(now_ms)).then_some(Violation::Control),
        }
    }

    fn begin_block(&mut self, head: FrameHead, now_ms: u64) -> Option<Violation> {
        self.block = (!head.ends_block()).then_some((0, head.length));
        if head.length > BLOCK_BYTES_MAX {
            return Some(Violation::HeaderBlock);
        }
        (!self.blocks.take(now_ms)).then_some(Violation::Heads)
    }

    fn go_on(&mut self, head: FrameHead) -> Option<Violation> {
        let (frames, bytes) = self.block.unwrap_or_default();
        let (frames, bytes) = (frames.saturating_add(1), bytes.saturating_add(head.length));
        self.block = (!head.ends_block()).then_some((frames, bytes));
        if frames > CONTINUATIONS_MAX {
            return Some(Violation::Continuations);
        }
        (bytes > BLOCK_BYTES_MAX).then_some(Violation::HeaderBlock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, stream: u32, length: usize) -> Vec<u8> {
        let mut bytes = u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend_from_slice(&[kind, flags]);
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.resize(9 + length, 0);
        bytes
    }

    fn asked(streams: u32) -> UpstreamFrames {
        let mut frames = UpstreamFrames::new();
        frames.wrote(super::super::PREFACE);
        (0..streams).for_each(|n| frames.wrote(&frame(1, 5, 2 * n + 1, 10)));
        frames
    }

    fn verdict(frames: &mut UpstreamFrames, bytes: &[u8]) -> Option<Violation> {
        frames.read(bytes, 0, |_| {}).err().map(|refused| refused.violation)
    }

    #[test]
    fn t18_heads_an_upstream_was_not_asked_for_are_too_many() {
        assert_eq!(verdict(&mut asked(0), &frame(1, 4, 1, 10)), Some(Violation::Heads));
        assert_eq!(verdict(&mut asked(1), &frame(1, 4, 1, 10).repeat(7)), None);
        assert_eq!(verdict(&mut asked(1), &frame(1, 4, 1, 10).repeat(8)), Some(Violation::Heads));
    }

    #[test]
    fn t49_a_header_block_of_an_upstream_has_five_continuations_and_64_kib() {
        let begun = frame(1, 0, 1, 10);
        let go_on = |count| [begun.clone(), frame(9, 0, 1, 10).repeat(count)].concat();
        assert_eq!(verdict(&mut asked(1), &go_on(5)), None);
        assert_eq!(verdict(&mut asked(1), &go_on(6)), Some(Violation::Continuations));
        let long = [begun, frame(9, 0, 1, 16_384).repeat(4)].concat();
        assert_eq!(verdict(&mut asked(1), &long), Some(Violation::HeaderBlock));
    }

    #[test]
    fn t53_frames_of_an_upstream_that_bring_nothing_have_a_rate() {
        for kind in [0, 2, 3, 4, 6, 7, 8, 0x42] {
            let flood = frame(kind, 0, 0, 0);
            assert_eq!(verdict(&mut asked(0), &flood.repeat(200)), None, "{kind}");
            assert_eq!(verdict(&mut asked(0), &flood.repeat(201)), Some(Violation::Control), "{kind}");
        }
        let mut frames = asked(0);
        (0..100).for_each(|_| frames.wrote(&frame(0, 0, 1, 100)));
        assert_eq!(verdict(&mut frames, &frame(8, 0, 1, 4).repeat(490)), None, "content is answered");
        assert_eq!(verdict(&mut asked(1), &frame(5, 4, 1, 10)), Some(Violation::Push));
    }

    #[test]
    fn what_was_heard_is_told() {
        let heard = |bytes: &[u8]| asked(1).read(bytes, 0, |_| {}).unwrap();
        assert_eq!(heard(&frame(4, 0, 0, 6)), Heard { settings: true, ..Heard::default() });
        assert_eq!(heard(&frame(7, 0, 0, 8)), Heard { goaway: true, ..Heard::default() });
        assert_eq!(heard(&frame(1, 4, 1, 8)), Heard { answer: true, ..Heard::default() });
        assert_eq!(heard(&frame(6, 1, 0, 8)), Heard::default());
        let mut ended = Vec::new();
        let frames = [frame(1, 4, 1, 2), frame(0, 1, 1, 2), frame(3, 1, 3, 4), frame(1, 5, 5, 2)].concat();
        asked(9).read(&frames, 0, |stream| ended.push(stream)).unwrap();
        assert_eq!(ended, [1, 5]);
    }

    proptest! {
        #[test]
        fn t53_any_bytes_of_an_upstream_are_watched_alike_however_they_are_cut(
            bytes in proptest::collection::vec(any::<u8>(), 0..400), at in any::<prop::sample::Index>()
        ) {
            let (mut whole, mut cut) = (asked(2), asked(2));
            let (first, rest) = bytes.split_at(at.index(bytes.len() + 1));
            let expected = verdict(&mut whole, &bytes);
            let first = verdict(&mut cut, first);
            prop_assert_eq!(first.or_else(|| verdict(&mut cut, rest)), expected);
        }
    }
}
