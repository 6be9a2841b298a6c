// SPDX-License-Identifier: Apache-2.0
//! From byte offsets to lines and columns, also in documents that are one long line.

/// A checkpoint of the character count stands every this many bytes.
const BLOCK_BYTES: usize = 1024;

/// An index of a text's lines.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Byte offsets at which lines begin.
    starts: Vec<u32>,
    /// Bytes that continue a character, counted before each block.
    continuations: Vec<u32>,
}

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        let mut starts = vec![0];
        let mut continuations = Vec::with_capacity(text.len() / BLOCK_BYTES + 1);
        let mut count: u32 = 0;
        let mut offset: u32 = 0;
        for block in text.as_bytes().chunks(BLOCK_BYTES) {
            continuations.push(count);
            for byte in block {
                offset = offset.saturating_add(1);
                if *byte == b'\n' {
                    starts.push(offset);
                }
                count = count.saturating_add(u32::from(is_continuation(*byte)));
            }
        }
        Self { starts, continuations }
    }

    /// Line and column in characters, both from 1.
    pub(crate) fn locate(&self, text: &str, at: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|i| self.starts.get(i)).copied().unwrap_or(0);
        let characters = self.characters(text, at).saturating_sub(self.characters(text, start));
        (u32::try_from(line).unwrap_or(u32::MAX), characters.saturating_add(1))
    }

    /// Characters before a byte offset.
    fn characters(&self, text: &str, at: u32) -> u32 {
        let offset = usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
        let block = offset / BLOCK_BYTES;
        let before =
            self.continuations.get(block).copied().unwrap_or_else(|| self.continuations.last().copied().unwrap_or(0));
        let rest = text.as_bytes().get(block * BLOCK_BYTES..offset).unwrap_or_default();
        let within = rest.iter().filter(|b| is_continuation(**b)).count();
        let continuations = before.saturating_add(u32::try_from(within).unwrap_or(u32::MAX));
        u32::try_from(offset).unwrap_or(u32::MAX).saturating_sub(continuations)
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_counting(text in "[a-zé→\u{1F600}\n]{0,3000}", at: prop::sample::Index) {
            let boundaries: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let offset = boundaries[at.index(boundaries.len())];
            let before = text.get(..offset).unwrap();
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            let located = Lines::new(&text).locate(&text, u32::try_from(offset).unwrap());
            prop_assert_eq!(located, (u32::try_from(line).unwrap(), u32::try_from(column).unwrap()));
        }
    }
}
