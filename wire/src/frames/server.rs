// SPDX-License-Identifier: Apache-2.0
//! What we send: content, which a client may answer, and resets that a client provoked (T48).

use super::client::Violation;
use super::{FrameKind, Frames, Seen};
use std::ops::ControlFlow;

/// Streams one client may make us reset, in the life of a connection.
const PROVOKED_MAX: u32 = 64;
/// Error codes of resets that are ours, not the client's doing (RFC 9113 §7): an answer that came before the
/// request's end, an upstream that broke off, work that was given up.
const OURS: [u32; 3] = [0x0, 0x2, 0x8];

/// What just left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// DATA frames that began.
    pub data_frames: u32,
}

/// Watches what is sent to one client.
#[derive(Clone, Debug)]
pub struct ServerFrames {
    frames: Frames,
    provoked: u32,
}

impl Default for ServerFrames {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerFrames {
    /// From the first byte on.
    pub fn new() -> Self {
        Self { frames: Frames::of_server(), provoked: 0 }
    }

    /// Looks at bytes that just left. An error: the client made us reset too many streams.
    pub fn write(&mut self, bytes: &[u8]) -> Result<Passed, Violation> {
        let mut passed = Passed::default();
        let provoked = &mut self.provoked;
        let fed = self.frames.feed(bytes, |seen| {
            match seen {
                Seen::Head(head) if head.kind == FrameKind::Data => {
                    passed.data_frames = passed.data_frames.saturating_add(1);
                }
                Seen::Code(code) if !OURS.contains(&code) => {
                    *provoked = provoked.saturating_add(1);
                }
                Seen::Head(_) | Seen::Code(_) => {}
            }
            ControlFlow::<Violation>::Continue(())
        });
        // Nothing above breaks: every byte that left was looked at.
        debug_assert!(fed.is_ok());
        if self.provoked > PROVOKED_MAX { Err(Violation::ProvokedResets) } else { Ok(passed) }
    }
}
