// SPDX-License-Identifier: Apache-2.0
//! Frames of one direction (RFC 6455 §5), judged before they pass. The header of a frame, and a whole control frame, is
//! held until it was judged; payload passes as it comes and is never held. However the bytes are cut, the same bytes
//! pass and the same breach is found.

/// Longest payload of a control frame (§5.5).
const CONTROL_BYTES_MAX: u64 = 125;
/// Longest close frame we write: header, mask, code.
pub const CLOSE_BYTES_MAX: usize = 8;

/// Who sends in this direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Masks every frame (§5.3).
    Client,
    /// Masks none.
    Server,
}

/// What one direction may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Payload of one message, over all its frames.
    pub message_bytes_max: u64,
    /// Frames of one message.
    pub fragments_max: u32,
}

/// What ended the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// A reserved bit is set, and no extension was agreed on.
    #[error("a reserved bit is set")]
    Reserved,
    /// No opcode of RFC 6455.
    #[error("an unknown opcode")]
    Opcode,
    /// Masked where it must not be, or not where it must.
    #[error("masked by the wrong side")]
    Mask,
    /// A control frame in pieces, or longer than 125 bytes.
    #[error("a control frame in pieces or too long")]
    Control,
    /// A length that is not written in the shortest way, or has its highest bit set.
    #[error("a length that is not minimal")]
    Length,
    /// A new message inside another, or a continuation of none.
    #[error("fragments out of order")]
    Order,
    /// A close code that may not be sent, or half of one.
    #[error("an impossible close code")]
    Code,
    /// A frame after the close frame.
    #[error("a frame after the close frame")]
    AfterClose,
    /// More payload than a message may have.
    #[error("a message is too large")]
    TooLarge,
    /// More frames than a message may have.
    #[error("a message in too many pieces")]
    TooManyFragments,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of a message; whether it ends it.
    Data {
        /// The last of its message.
        last: bool,
    },
    /// A ping or a pong.
    Control,
    /// The end of this direction.
    Close(Option<Close>),
}

/// Why an endpoint closes (§7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close(pub u16);

/// What to do with the bytes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many of them may pass; and what begins there, where it is a frame.
    Pass(usize, Option<Kind>),
    /// More are needed before any of them may pass.
    NeedMore,
}

/// Reads one direction.
#[derive(Clone, Copy, Debug)]
pub struct FrameReader {
    side: Side,
    bounds: Bounds,
    /// Payload of the current frame still to come.
    left: u64,
    /// Payload of the current message so far, what is to come of its frame included.
    message_bytes: u64,
    fragments: u32,
    in_message: bool,
    closed: bool,
}

/// A header that was read.
struct Header {
    bytes: usize,
    opcode: Opcode,
    last: bool,
    length: u64,
    mask: Option<[u8; 4]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    Message,
    Close,
    PingPong,
}

impl FrameReader {
    /// Before the first frame.
    pub fn new(side: Side, bounds: Bounds) -> Self {
        Self { side, bounds, left: 0, message_bytes: 0, fragments: 0, in_message: false, closed: false }
    }

    /// Judges the bytes at hand, which begin where the last step ended.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Step, Breach> {
        if self.left > 0 {
            let there = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.left = self.left.saturating_sub(there as u64);
            return Ok(if there == 0 { Step::NeedMore } else { Step::Pass(there, None) });
        }
        let Some(header) = self.header(bytes)? else { return Ok(Step::NeedMore) };
        match header.opcode {
            Opcode::Continuation | Opcode::Message => Ok(self.data(&header)),
            Opcode::Close | Opcode::PingPong => {
                // At most 125 bytes: it passes whole or not at all.
                let end = header.bytes.saturating_add(usize::try_from(header.length).unwrap_or(usize::MAX));
                let Some(payload) = bytes.get(header.bytes..end) else { return Ok(Step::NeedMore) };
                if header.opcode == Opcode::PingPong {
                    return Ok(Step::Pass(end, Some(Kind::Control)));
                }
                let code = close_code(payload, header.mask)?;
                self.closed = true;
                Ok(Step::Pass(end, Some(Kind::Close(code))))
            }
        }
    }

    /// Whether what passed so far ends with a frame: only there another may be put in.
    pub fn is_between_frames(&self) -> bool {
        self.left == 0
    }

    /// Whether the close frame of this direction has passed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn data(&mut self, header: &Header) -> Step {
        self.in_message = !header.last;
        if header.last {
            (self.message_bytes, self.fragments) = (0, 0);
        } else {
            self.message_bytes = self.message_bytes.saturating_add(header.length);
            self.fragments = self.fragments.saturating_add(1);
        }
        self.left = header.length;
        Step::Pass(header.bytes, Some(Kind::Data { last: header.last }))
    }

    /// Judges a header byte by byte, so that what is wrong is found by the same byte however they are cut.
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Breach> {
        let Some(first) = bytes.first() else { return Ok(None) };
        if self.closed {
            return Err(Breach::AfterClose);
        }
        let (opcode, last) = self.first_byte(*first)?;
        let Some(second) = bytes.get(1) else { return Ok(None) };
        let masked = second & 0x80 != 0;
        if masked != (self.side == Side::Client) {
            return Err(Breach::Mask);
        }
        let short = u64::from(second & 0x7f);
        if matches!(opcode, Opcode::Close | Opcode::PingPong) && short > CONTROL_BYTES_MAX {
            return Err(Breach::Control);
        }
        let rest = bytes.get(2..).unwrap_or_default();
        let (length, length_bytes) = match short {
            126 => match rest.first_chunk::<2>() {
                None => return Ok(None),
                Some(long) => (u64::from(u16::from_be_bytes(*long)), 2),
            },
            127 => match rest.first_chunk::<8>() {
                None => return Ok(None),
                Some(long) => (u64::from_be_bytes(*long), 8),
            },
            length => (length, 0_usize),
        };
        let is_minimal = match length_bytes {
            2 => length > CONTROL_BYTES_MAX,
            8 => length > u64::from(u16::MAX) && length >> 63 == 0,
            _ => true,
        };
        if !is_minimal {
            return Err(Breach::Length);
        }
        if matches!(opcode, Opcode::Continuation | Opcode::Message) {
            if self.message_bytes.saturating_add(length) > self.bounds.message_bytes_max {
                return Err(Breach::TooLarge);
            }
            if self.fragments >= self.bounds.fragments_max {
                return Err(Breach::TooManyFragments);
            }
        }
        let mask = match rest.get(length_bytes..).unwrap_or_default().first_chunk::<4>() {
            _ if !masked => None,
            None => return Ok(None),
            Some(mask) => Some(*mask),
        };
        let header_bytes = length_bytes.saturating_add(if masked { 6 } else { 2 });
        Ok(Some(Header { bytes: header_bytes, opcode, last, length, mask }))
    }

    fn first_byte(&self, byte: u8) -> Result<(Opcode, bool), Breach> {
        if byte & 0x70 != 0 {
            return Err(Breach::Reserved);
        }
        let last = byte & 0x80 != 0;
        let opcode = match byte & 0x0f {
            0 if !self.in_message => return Err(Breach::Order),
            0 => Opcode::Continuation,
            1 | 2 if self.in_message => return Err(Breach::Order),
            1 | 2 => Opcode::Message,
            8 => Opcode::Close,
            9 | 10 => Opcode::PingPong,
            _ => return Err(Breach::Opcode),
        };
        if matches!(opcode, Opcode::Close | Opcode::PingPong) && !last {
            return Err(Breach::Control);
        }
        Ok((opcode, last))
    }
}

/// The code of a close frame; none where it has no payload.
fn close_code(payload: &[u8], mask: Option<[u8; 4]>) -> Result<Option<Close>, Breach> {
    let [m0, m1, ..] = mask.unwrap_or_default();
    match payload {
        [] => Ok(None),
        [_] => Err(Breach::Code),
        [high, low, ..] => {
            let code = u16::from_be_bytes([high ^ m0, low ^ m1]);
            // §7.4: 1004 to 1006 and 1015 are never sent; 1016 to 2999 mean nothing yet.
            let is_sent = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
            if is_sent { Ok(Some(Close(code))) } else { Err(Breach::Code) }
        }
    }
}

/// A close frame of ours, towards the other side of `to`'s connection; a client's is masked with `mask`.
pub fn close_frame(from: Side, code: u16, mask: [u8; 4]) -> ([u8; CLOSE_BYTES_MAX], usize) {
    let [high, low] = code.to_be_bytes();
    let [m0, m1, m2, m3] = mask;
    match from {
        Side::Server => ([0x88, 2, high, low, 0, 0, 0, 0], 4),
        Side::Client => ([0x88, 0x82, m0, m1, m2, m3, high ^ m0, low ^ m1], 8),
    }
}
