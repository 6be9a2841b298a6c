// SPDX-License-Identifier: Apache-2.0
//! T67: members that are equal after unescaping and NFC are one member with two values.
//!
//! Nearly every object has few plain keys, all different: their first eight bytes tell. Nothing hashes, so no choice
//! of keys makes it slow (T63).

use super::{Node, text};
use smallvec::SmallVec;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// Objects up to this many members are searched pair by pair; larger ones are sorted.
const PAIRWISE_MEMBERS_MAX: usize = 12;

/// A key of an open object.
#[derive(Clone, Copy)]
pub(super) struct KeyMark {
    /// Its first bytes, without the quote.
    pub(super) head: u64,
    /// Where it stands, with its quotes.
    pub(super) start: u32,
    pub(super) end: u32,
}

impl KeyMark {
    fn bytes(self, document: &str) -> &[u8] {
        document.as_bytes().get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Whether two of these keys are written alike. The order of the keys is lost.
pub(super) fn may_be_among(keys: &mut [KeyMark], document: &str) -> bool {
    let alike = |a: &KeyMark, b: &KeyMark| a.head == b.head && a.bytes(document) == b.bytes(document);
    if keys.len() <= PAIRWISE_MEMBERS_MAX {
        let mut rest: &[KeyMark] = keys;
        while let [first, others @ ..] = rest {
            if others.iter().any(|other| alike(first, other)) {
                return true;
            }
            rest = others;
        }
        return false;
    }
    keys.sort_unstable_by(|a, b| a.head.cmp(&b.head).then_with(|| a.bytes(document).cmp(b.bytes(document))));
    keys.windows(2).any(|pair| matches!(pair, [first, second] if alike(first, second)))
}

/// Where the key stands that another member of the object has, too.
pub(super) fn find(nodes: &[Node], object: usize, document: &str) -> Option<usize> {
    let node = nodes.get(object).filter(|node| node.children > 1)?;
    let mut keys: SmallVec<[(Cow<'_, str>, u32); PAIRWISE_MEMBERS_MAX]> = SmallVec::new();
    let mut index = object.saturating_add(1);
    while let Some(member) = nodes.get(index).filter(|_| index < node.next as usize) {
        let quoted = document.get(member.key_start as usize..member.key_end as usize).unwrap_or_default();
        keys.push((normal_form(text::unescape(quoted, member.key_escaped)), member.key_start));
        index = member.next as usize;
    }
    let duplicate = if keys.len() <= PAIRWISE_MEMBERS_MAX {
        keys.iter().enumerate().find_map(|(index, (key, offset))| {
            keys.iter().take(index).any(|(other, _)| other == key).then_some(*offset)
        })
    } else {
        keys.sort_unstable();
        keys.windows(2).find_map(|pair| match pair {
            [(first, _), (second, offset)] if first == second => Some(*offset),
            _ => None,
        })
    };
    duplicate.map(|offset| offset as usize)
}

fn normal_form(key: Cow<'_, str>) -> Cow<'_, str> {
    if key.is_ascii() || unicode_normalization::is_nfc(&key) { key } else { Cow::Owned(key.nfc().collect()) }
}
