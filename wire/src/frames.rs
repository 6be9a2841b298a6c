// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 frames as their bytes pass, in both directions (RFC 9113 §4.1), and what a peer may do with them.
//!
//! Only the nine bytes of a frame's head are read, wherever the transport cuts them; payloads are counted, never
//! kept. So the rules hold before a header block is decompressed or a buffer grows, and they cost a few instructions
//! a frame. Nothing here reads a clock: the caller says what time it is.

mod client;
mod count;
mod server;
mod upstream;

pub use client::{ClientFrames, FrameRules, Refused, Violation};
pub use server::{Passed, ServerFrames};
pub use upstream::{Heard, UpstreamFrames};

use std::ops::ControlFlow;

/// What a client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The head of a frame.
const HEAD_BYTES: usize = 9;
/// The error code of a `RST_STREAM` (RFC 9113 §6.4).
const CODE_BYTES: u32 = 4;

/// What a frame is (RFC 9113 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Content of a stream.
    Data,
    /// Begins a header block.
    Headers,
    /// Deprecated advice.
    Priority,
    /// Ends a stream at once.
    Reset,
    /// Parameters of the connection, or their acknowledgement.
    Settings,
    /// Never sent by a client.
    PushPromise,
    /// A question whether the other side lives, or its answer.
    Ping,
    /// Announces the end of the connection.
    GoAway,
    /// Lets more content come.
    WindowUpdate,
    /// Goes on with a header block.
    Continuation,
    /// An extension (RFC 9113 §5.5).
    Unknown,
}

impl FrameKind {
    fn of(byte: u8) -> Self {
        match byte {
            0x0 => Self::Data,
            0x1 => Self::Headers,
            0x2 => Self::Priority,
            0x3 => Self::Reset,
            0x4 => Self::Settings,
            0x5 => Self::PushPromise,
            0x6 => Self::Ping,
            0x7 => Self::GoAway,
            0x8 => Self::WindowUpdate,
            0x9 => Self::Continuation,
            _ => Self::Unknown,
        }
    }
}

/// The head of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// Bytes that follow.
    pub length: u32,
    /// What it is.
    pub kind: FrameKind,
    /// As sent; what a bit means depends on the kind.
    pub flags: u8,
    /// The stream; 0 is the connection.
    pub stream: u32,
}

impl FrameHead {
    fn parse(head: [u8; HEAD_BYTES]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        Self {
            length: u32::from_be_bytes([0, l0, l1, l2]),
            kind: FrameKind::of(kind),
            flags,
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        }
    }

    /// Whether the sender has no more for this stream.
    pub fn ends_stream(self) -> bool {
        matches!(self.kind, FrameKind::Data | FrameKind::Headers) && self.flags & 0x1 != 0
    }

    /// Whether the header block ends here.
    pub fn ends_block(self) -> bool {
        matches!(self.kind, FrameKind::Headers | FrameKind::Continuation | FrameKind::PushPromise)
            && self.flags & 0x4 != 0
    }
}

/// Something that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A frame's head was read.
    Head(FrameHead),
    /// The error code of a `RST_STREAM` was read.
    Code(u32),
}

/// Finds frames in a stream of bytes, however it is cut.
#[derive(Clone, Debug)]
pub(crate) struct Frames {
    /// Bytes of the preface that have not come.
    preface_left: u8,
    head: [u8; HEAD_BYTES],
    /// Bytes of `head` that are there.
    have: u8,
    /// The frame whose payload is passing, and how much of it has not come.
    payload: Option<(FrameHead, u32)>,
    code: u32,
}

impl Frames {
    /// What a client sends: the preface, then frames. What is no preface is the HTTP/2 parser's to refuse.
    pub(crate) fn of_client() -> Self {
        Self { preface_left: 24, ..Self::of_server() }
    }

    /// What a server sends.
    pub(crate) fn of_server() -> Self {
        Self { preface_left: 0, head: [0; HEAD_BYTES], have: 0, payload: None, code: 0 }
    }

    /// The frame that has begun and has not ended; `None` between frames and before the head is whole.
    pub(crate) fn passing(&self) -> Option<FrameHead> {
        self.payload.map(|(head, _)| head)
    }

    /// Whether the next byte begins a frame.
    pub(crate) fn is_between(&self) -> bool {
        self.preface_left == 0 && self.have == 0 && self.payload.is_none()
    }

    /// Looks at the next bytes. When `each` breaks, answers how many of `bytes` stand before the frame it broke at.
    pub(crate) fn feed<V>(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Seen) -> ControlFlow<V>,
    ) -> Result<(), (usize, V)> {
        let mut rest = bytes;
        let preface = rest.len().min(usize::from(self.preface_left));
        self.preface_left = self.preface_left.saturating_sub(u8::try_from(preface).unwrap_or(u8::MAX));
        rest = rest.get(preface..).unwrap_or_default();
        while !rest.is_empty() {
            if let Some((head, left)) = self.payload {
                rest = self.pay(head, left, rest, &mut each).map_err(|verdict| (0, verdict))?;
                continue;
            }
            let began = bytes.len().saturating_sub(rest.len()).saturating_sub(usize::from(self.have));
            let Some((head, after)) = self.head(rest) else { return Ok(()) };
            rest = after;
            self.payload = (head.length > 0).then_some((head, head.length));
            self.code = 0;
            if let ControlFlow::Break(verdict) = each(Seen::Head(head)) {
                return Err((began, verdict));
            }
        }
        Ok(())
    }

    /// The next head and what follows it; `None`: all of `bytes` belong to a head that is not whole.
    fn head<'a>(&mut self, bytes: &'a [u8]) -> Option<(FrameHead, &'a [u8])> {
        if self.have == 0
            && let Some((head, after)) = bytes.split_first_chunk()
        {
            return Some((FrameHead::parse(*head), after));
        }
        for (index, byte) in bytes.iter().enumerate() {
            if let Some(place) = self.head.get_mut(usize::from(self.have)) {
                *place = *byte;
            }
            self.have = self.have.saturating_add(1);
            if usize::from(self.have) == HEAD_BYTES {
                self.have = 0;
                return Some((FrameHead::parse(self.head), bytes.get(index.saturating_add(1)..).unwrap_or_default()));
            }
        }
        None
    }

    /// Lets payload pass; answers what follows it.
    fn pay<'a, V>(
        &mut self,
        head: FrameHead,
        left: u32,
        bytes: &'a [u8],
        each: &mut impl FnMut(Seen) -> ControlFlow<V>,
    ) -> Result<&'a [u8], V> {
        let passes = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (payload, rest) = bytes.split_at_checked(passes).unwrap_or((bytes, &[]));
        let still = left.saturating_sub(u32::try_from(passes).unwrap_or(u32::MAX));
        self.payload = (still > 0).then_some((head, still));
        if head.kind == FrameKind::Reset && head.length == CODE_BYTES {
            for byte in payload {
                self.code = self.code << 8 | u32::from(*byte);
            }
            if still == 0
                && let ControlFlow::Break(verdict) = each(Seen::Code(self.code))
            {
                return Err(verdict);
            }
        }
        Ok(rest)
    }
}

#[cfg(test)]
mod tests;
