// SPDX-License-Identifier: Apache-2.0
//! The frames of a journal file, and finding out where a file stops being what was written (fault F10).
//!
//! A file begins with a magic text and the index of its first record. Each frame is: length of the entry (16 bits),
//! index (64 bits), the first six bytes of the entry's leaf hash, one zero byte, the entry; numbers big-endian. The leaf
//! hash is needed anyway, so the check costs nothing; the zero byte is the prefix of RFC 6962, so that entry and prefix
//! are hashed where they lie.

use crate::merkle::{Hash, prefixed_leaf_hash};
use crate::record::ENTRY_BYTES_MAX;
use std::ops::Range;

const MAGIC: &[u8; 8] = b"PCJRNL1\n";
/// Length of the head of a journal file.
pub(crate) const SEGMENT_HEAD_BYTES: usize = 16;
const FRAME_HEAD_BYTES: usize = 17;
const CHECK_BYTES: usize = 6;

/// The head of the journal file that begins with record `first`.
pub(crate) fn segment_head(first: u64) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend_from_slice(&first.to_be_bytes());
    head
}

/// The entry between [`begin`] and [`finish`] is too long for a frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Opens a frame at the end of `out`; the entry is appended next, then [`finish`] is called with the answer.
pub(crate) fn begin(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; FRAME_HEAD_BYTES]);
    start
}

/// Completes the frame that begins at `start` and answers with the leaf hash of its entry.
pub(crate) fn finish(out: &mut [u8], start: usize, index: u64) -> Result<Hash, TooLong> {
    let Some((head, entry)) = out.get_mut(start..).and_then(|f| f.split_at_mut_checked(FRAME_HEAD_BYTES)) else {
        return Err(TooLong);
    };
    let length = u16::try_from(entry.len()).map_err(|_| TooLong)?;
    let numbers = length.to_be_bytes().into_iter().chain(index.to_be_bytes());
    head.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
    let leaf = prefixed_leaf_hash(out.get(start.saturating_add(FRAME_HEAD_BYTES).saturating_sub(1)..).ok_or(TooLong)?);
    let check = out.get_mut(start.saturating_add(10)..).unwrap_or_default();
    check.iter_mut().zip(leaf.iter().take(CHECK_BYTES)).for_each(|(to, from)| *to = *from);
    Ok(leaf)
}

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where it begins in the file.
    pub(crate) offset: usize,
    /// Where its entry is.
    pub(crate) entry: Range<usize>,
    /// The leaf hash of the entry.
    pub(crate) leaf: Hash,
}

/// What follows the last good frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// Bytes that are no frame, and no good frame after them: a write that was cut off.
    Torn {
        /// Where they begin.
        offset: usize,
    },
    /// Bytes that are no frame, and a good frame after them: not something a cut-off write can leave.
    Damaged {
        /// Where they begin.
        offset: usize,
    },
}

/// The content of a journal file.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The good frames from the start on.
    pub(crate) frames: Vec<Frame>,
    /// What follows them.
    pub(crate) tail: Tail,
}

/// Reads the journal file that begins with record `first` and holds at most `records_max` of them.
pub(crate) fn scan(bytes: &[u8], first: u64, records_max: usize) -> Segment {
    let head = segment_head(first);
    if !bytes.starts_with(&head) {
        let partial = head.starts_with(bytes);
        let tail = if !partial && good_frame_after(bytes, 0, first) {
            Tail::Damaged { offset: 0 }
        } else {
            Tail::Torn { offset: 0 }
        };
        return Segment { frames: Vec::new(), tail };
    }
    let mut frames = Vec::new();
    let (mut offset, mut index) = (SEGMENT_HEAD_BYTES, first);
    while offset < bytes.len() {
        let frame = if frames.len() < records_max { read_frame(bytes, offset, index..=index) } else { None };
        let Some(frame) = frame else {
            let tail = if good_frame_after(bytes, offset.saturating_add(1), index) {
                Tail::Damaged { offset }
            } else {
                Tail::Torn { offset }
            };
            return Segment { frames, tail };
        };
        offset = frame.entry.end;
        index = index.saturating_add(1);
        frames.push(frame);
    }
    Segment { frames, tail: Tail::Clean }
}

/// The frames of 256 records from `first` on as an entry bundle, in place of what `bundle` holds. Hashes are not made again
/// here: they stand in the tile beside the bundle. `None` when these are not exactly such frames.
pub(crate) fn to_bundle(frames: &[u8], first: u64, bundle: &mut Vec<u8>) -> Option<()> {
    bundle.clear();
    let mut rest = frames;
    for index in first..first.checked_add(crate::layout::TILE_WIDTH)? {
        let (head, after) = rest.split_first_chunk::<FRAME_HEAD_BYTES>()?;
        let (length, head) = head.split_first_chunk::<2>()?;
        if head.first_chunk::<8>()? != &index.to_be_bytes() {
            return None;
        }
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        bundle.extend_from_slice(length);
        bundle.extend_from_slice(entry);
        rest = after;
    }
    rest.is_empty().then_some(())
}

/// Reads one frame if its index lies in `indices` and its entry is intact.
fn read_frame(bytes: &[u8], offset: usize, indices: std::ops::RangeInclusive<u64>) -> Option<Frame> {
    let rest = bytes.get(offset..)?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (index, rest) = rest.split_first_chunk::<8>()?;
    if !indices.contains(&u64::from_be_bytes(*index)) {
        return None;
    }
    let (check, prefixed) = rest.split_first_chunk::<CHECK_BYTES>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let prefixed = prefixed.get(..length.checked_add(1)?)?;
    if length == 0 || length > ENTRY_BYTES_MAX || prefixed.first() != Some(&0) {
        return None;
    }
    let leaf = prefixed_leaf_hash(prefixed);
    let from = offset.checked_add(FRAME_HEAD_BYTES)?;
    leaf.starts_with(check).then(|| Frame { offset, entry: from..from.saturating_add(length), leaf })
}

/// Whether an intact frame of a record at or after `index` begins anywhere from `offset` on. Six of the eight bytes of
/// the index are fixed in practice, so that hashing is rare.
fn good_frame_after(bytes: &[u8], offset: usize, index: u64) -> bool {
    let last = index.saturating_add(crate::layout::SEGMENT_RECORDS);
    (offset..bytes.len()).any(|at| read_frame(bytes, at, index..=last).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;
    use proptest::prelude::*;

    fn segment(first: u64, entries: &[Vec<u8>]) -> Vec<u8> {
        let mut out = segment_head(first);
        for (at, entry) in entries.iter().enumerate() {
            let start = begin(&mut out);
            out.extend_from_slice(entry);
            assert_eq!(finish(&mut out, start, first + at as u64).unwrap(), leaf_hash(entry));
        }
        out
    }

    fn entries() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 1..20)
    }

    proptest! {
        #[test]
        fn f10_a_cut_at_any_byte_leaves_the_longest_valid_prefix(entries in entries(), first in 0u64..1 << 40, cut: prop::sample::Index) {
            let bytes = segment(first, &entries);
            let cut = cut.index(bytes.len() + 1);
            let read = scan(&bytes[..cut], first, 256);
            let mut end = SEGMENT_HEAD_BYTES;
            let whole = entries.iter().take_while(|e| { end += e.len() + FRAME_HEAD_BYTES; end <= cut }).count();
            prop_assert_eq!(read.frames.len(), whole);
            let damaged = matches!(read.tail, Tail::Damaged { .. });
            prop_assert!(!damaged);
            for (frame, entry) in read.frames.iter().zip(&entries) {
                prop_assert_eq!(&bytes[frame.entry.clone()], entry.as_slice());
            }
        }

        #[test]
        fn f10_a_flipped_bit_is_never_read_over(entries in entries(), at: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = segment(512, &entries);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let read = scan(&bytes, 512, 256);
            prop_assert_ne!(read.tail, Tail::Clean);
            let (Tail::Torn { offset } | Tail::Damaged { offset }) = read.tail else { panic!("clean") };
            prop_assert!(offset <= at);
            let in_last = read.frames.len() + 1 == entries.len();
            prop_assert_eq!(matches!(read.tail, Tail::Torn { .. }), in_last && at >= SEGMENT_HEAD_BYTES);
        }
    }

    #[test]
    fn tl_8_an_entry_of_more_than_65535_bytes_has_no_frame() {
        let mut out = Vec::new();
        let start = begin(&mut out);
        out.extend_from_slice(&vec![b'x'; ENTRY_BYTES_MAX]);
        assert!(finish(&mut out, start, 0).is_ok());
        out.push(b'x');
        assert_eq!(finish(&mut out, start, 0), Err(TooLong));
    }
}
