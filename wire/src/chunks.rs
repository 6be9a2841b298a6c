// SPDX-License-Identifier: Apache-2.0
//! The chunked coding of a request body (RFC 9112 §7.1; T06, T10–T12, SM-12): one reading, or a fault.
//!
//! Extensions and trailers are judged, bounded and thrown away. However the bytes are cut, the result is the same,
//! and no byte is looked at twice.

use crate::fault::WireFault;
use crate::grammar;

/// Digits of a size; more do not fit 64 bits, leading zeros included.
const SIZE_DIGITS_MAX: u8 = 16;
/// Bytes of all extensions of one body together (T11).
const EXTENSION_BYTES_MAX: u16 = 256;
/// Trailer fields of one body (T12).
const TRAILER_FIELDS_MAX: u16 = 100;
/// Their bytes, line ends not counted.
const TRAILER_BYTES_MAX: u16 = 8 * 1024;

/// Where the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// In the digits of a size.
    Size,
    Extension,
    /// After the CR of a size line.
    SizeLf,
    Data,
    /// After the last byte of a chunk.
    DataCr,
    DataLf,
    /// At the start of a trailer line.
    Line,
    TrailerName,
    TrailerValue,
    TrailerLf,
    /// After the CR of the empty line.
    EndLf,
    End,
}

/// Reads the framing of one body.
#[derive(Clone, Debug)]
pub struct ChunkReader {
    at: At,
    /// Bytes of the chunk still to come, or the size read so far.
    left: u64,
    digits: u8,
    extension_bytes: u16,
    trailer_bytes: u16,
    trailer_fields: u16,
}

/// What was found after some framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Nothing more in these bytes; all of them were framing.
    NeedMore,
    /// So many bytes of content come next.
    Data(usize),
    /// The body is complete; what comes next is none of it.
    End,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// Bytes of framing that were read.
    pub framing: usize,
    /// What comes after them.
    pub piece: Piece,
}

impl Default for ChunkReader {
    fn default() -> Self {
        Self { at: At::Size, left: 0, digits: 0, extension_bytes: 0, trailer_bytes: 0, trailer_fields: 0 }
    }
}

impl ChunkReader {
    /// Before the first size.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the body is complete.
    pub fn is_end(&self) -> bool {
        self.at == At::End
    }

    /// Reads on at `bytes`, up to the next content. The caller takes the content it was told of, whole, and goes on
    /// after it. After a fault the reader is of no more use.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Pieces, WireFault> {
        for (framing, byte) in bytes.iter().copied().enumerate() {
            match self.at {
                At::Data => return Ok(self.data(framing, bytes.len())),
                At::End => return Ok(Pieces { framing, piece: Piece::End }),
                _ => self.framing_byte(byte)?,
            }
        }
        let piece = if self.is_end() { Piece::End } else { Piece::NeedMore };
        Ok(Pieces { framing: bytes.len(), piece })
    }

    fn data(&mut self, framing: usize, length: usize) -> Pieces {
        let there = length.saturating_sub(framing);
        let data = usize::try_from(self.left).map_or(there, |left| left.min(there));
        self.left = self.left.saturating_sub(data as u64);
        if self.left == 0 {
            self.at = At::DataCr;
        }
        Pieces { framing, piece: Piece::Data(data) }
    }

    fn framing_byte(&mut self, byte: u8) -> Result<(), WireFault> {
        self.at = match (self.at, byte) {
            (At::Size, b';') if self.digits > 0 => self.extension()?,
            (At::Size, b'\r') if self.digits > 0 => At::SizeLf,
            (At::Size, digit) => self.digit(digit)?,
            (At::Extension, b'\r') => At::SizeLf,
            (At::Extension, byte) if grammar::is_text_byte(byte) => self.extension()?,
            (At::SizeLf, b'\n') => self.sized(),
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size,
            (At::Line, b'\r') => At::EndLf,
            (At::Line, byte) if grammar::is_name_byte(byte) => self.trailer()?,
            (At::TrailerName, b':') => self.trailer_byte(At::TrailerValue)?,
            (At::TrailerName, byte) if grammar::is_name_byte(byte) => self.trailer_byte(At::TrailerName)?,
            (At::TrailerValue, b'\r') => At::TrailerLf,
            (At::TrailerValue, byte) if grammar::is_text_byte(byte) => self.trailer_byte(At::TrailerValue)?,
            (At::TrailerLf, b'\n') => At::Line,
            (At::EndLf, b'\n') => At::End,
            (at, _) => return Err(WireFault::framing(broken(at))),
        };
        Ok(())
    }

    fn digit(&mut self, byte: u8) -> Result<At, WireFault> {
        let digit = char::from(byte).to_digit(16).ok_or(WireFault::framing("a chunk size is no hexadecimal number"))?;
        if self.digits >= SIZE_DIGITS_MAX {
            return Err(WireFault::framing("a chunk size has too many digits"));
        }
        self.digits = self.digits.saturating_add(1);
        self.left = self.left << 4 | u64::from(digit);
        Ok(At::Size)
    }

    fn extension(&mut self) -> Result<At, WireFault> {
        self.extension_bytes = self.extension_bytes.saturating_add(1);
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(WireFault::framing("too many bytes of chunk extensions"));
        }
        Ok(At::Extension)
    }

    /// After a size line.
    fn sized(&mut self) -> At {
        self.digits = 0;
        if self.left == 0 { At::Line } else { At::Data }
    }

    fn trailer(&mut self) -> Result<At, WireFault> {
        self.trailer_fields = self.trailer_fields.saturating_add(1);
        if self.trailer_fields > TRAILER_FIELDS_MAX {
            return Err(WireFault::framing("too many trailer fields"));
        }
        self.trailer_byte(At::TrailerName)
    }

    fn trailer_byte(&mut self, at: At) -> Result<At, WireFault> {
        self.trailer_bytes = self.trailer_bytes.saturating_add(1);
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(WireFault::framing("too many bytes of trailers"));
        }
        Ok(at)
    }
}

fn broken(at: At) -> &'static str {
    match at {
        At::Size => "a chunk has no size",
        At::Extension => "a byte that may not stand in a chunk extension",
        At::SizeLf => "a chunk size line ends without crlf",
        At::Data | At::DataCr | At::DataLf => "a chunk ends without crlf",
        At::Line | At::TrailerName | At::TrailerValue => "a trailer is no field",
        At::TrailerLf | At::EndLf | At::End => "a trailer ends without crlf",
    }
}

#[cfg(test)]
mod tests;
