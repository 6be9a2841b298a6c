// SPDX-License-Identifier: Apache-2.0
//! The Merkle tree of RFC 6962 section 2.1 (row TL-1), kept as the roots of its perfect subtrees, so that appending and
//! the root need no more than 64 hashes whatever the size.

use crate::layout::TILE_WIDTH;
use aws_lc_rs::digest::{Context, SHA256, digest};

/// A SHA-256 value.
pub type Hash = [u8; 32];

const LEAF_PREFIX: u8 = 0x00;
const NODE_PREFIX: u8 = 0x01;

/// The hash of an entry: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[LEAF_PREFIX]);
    context.update(entry);
    to_hash(context.finish().as_ref())
}

/// The hash of an entry that already has its 0x00 in front: the writer lays its frames out that way and saves a copy.
pub(crate) fn prefixed_leaf_hash(prefixed: &[u8]) -> Hash {
    to_hash(digest(&SHA256, prefixed).as_ref())
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [NODE_PREFIX; 65];
    let sides = left.iter().chain(right);
    for (to, from) in input.iter_mut().skip(1).zip(sides) {
        *to = *from;
    }
    to_hash(digest(&SHA256, &input).as_ref())
}

/// The root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    to_hash(digest(&SHA256, b"").as_ref())
}

fn to_hash(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    // SHA-256 has 32 bytes by definition, so the lengths are equal.
    hash.copy_from_slice(bytes);
    hash
}

/// The root of a perfect subtree over a power of two of hashes of one level.
pub(crate) fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut level: Vec<Hash> = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node_hash(left, right),
                [one] => *one,
                _ => empty_root(),
            })
            .collect();
    }
    level.first().copied().unwrap_or_else(empty_root)
}

/// A growing tree: its size and the roots of its perfect subtrees, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` leaves from the roots of its perfect subtrees; `None` when their number does not fit the size.
    pub(crate) fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u32::try_from(peaks.len()).ok()? == size.count_ones()).then_some(Self { size, peaks })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// One more leaf. Answers with the root over the last [`TILE_WIDTH`] leaves when it completes as many.
    pub fn append(&mut self, leaf: Hash) -> Option<Hash> {
        let mut hash = leaf;
        let mut bundle = None;
        let (mut rest, mut width) = (self.size, 1);
        while rest & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
            rest >>= 1;
            width <<= 1;
            if width == TILE_WIDTH {
                bundle = Some(hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
        bundle
    }

    /// The root of the tree as it is.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }

    /// Takes over another tree without giving up the memory of this one.
    pub(crate) fn copy_from(&mut self, other: &Frontier) {
        self.size = other.size;
        self.peaks.clone_from(&other.peaks);
    }
}

/// The inclusion proof of leaf `index` in a tree of `size` leaves, from the leaf upward (RFC 6962 section 2.1.1).
/// `node(level, index)` answers with the root of a perfect subtree of 2^level leaves.
pub fn inclusion_proof(index: u64, size: u64, node: &mut dyn FnMut(u32, u64) -> Option<Hash>) -> Option<Vec<Hash>> {
    if index >= size {
        return None;
    }
    let mut proof = Vec::new();
    let (mut from, mut to) = (0, size);
    while to.saturating_sub(from) > 1 {
        let split = from.saturating_add(left_width(to.saturating_sub(from)));
        if index < split {
            proof.push(range_root(split, to, node)?);
            to = split;
        } else {
            proof.push(range_root(from, split, node)?);
            from = split;
        }
    }
    proof.reverse();
    Some(proof)
}

/// The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2); `None` when the proof has the wrong length.
pub fn root_from_inclusion(index: u64, size: u64, leaf: Hash, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut at, mut last) = (index, size.saturating_sub(1));
    let mut hash = leaf;
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// The largest power of two below `width`.
fn left_width(width: u64) -> u64 {
    width.saturating_sub(1).checked_ilog2().map_or(1, |bits| 1 << bits)
}

/// The root over leaves `from..to`, where `from` is a multiple of every power of two used on the way.
fn range_root(from: u64, to: u64, node: &mut dyn FnMut(u32, u64) -> Option<Hash>) -> Option<Hash> {
    let width = to.saturating_sub(from);
    if width.is_power_of_two() {
        let level = width.trailing_zeros();
        return node(level, from >> level);
    }
    let split = from.saturating_add(left_width(width));
    let left = range_root(from, split, node)?;
    let right = range_root(split, to, node)?;
    Some(node_hash(&left, &right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::hex;
    use proptest::prelude::*;

    /// The definition of RFC 6962 section 2.1, written down a second time.
    fn reference_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [one] => *one,
            more => {
                let k = more.len().next_power_of_two() / 2;
                node_hash(&reference_root(&more[..k]), &reference_root(&more[k..]))
            }
        }
    }

    #[test]
    fn tl_1_known_answers_of_the_certificate_transparency_reference_tree() {
        let inputs: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Frontier::new();
        assert_eq!(hex(&tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (input, root) in inputs.iter().zip(roots) {
            tree.append(leaf_hash(input));
            assert_eq!(hex(&tree.root()), root);
        }
    }

    proptest! {
        #[test]
        fn tl_1_frontier_and_proofs_agree_with_the_definition(size in 1usize..600, pick: prop::sample::Index) {
            let leaves: Vec<Hash> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let mut tree = Frontier::new();
            for leaf in &leaves {
                tree.append(*leaf);
            }
            let root = reference_root(&leaves);
            prop_assert_eq!(tree.root(), root);
            let (index, total) = (pick.index(size), size as u64);
            let mut node = |level: u32, at: u64| {
                let from = usize::try_from(at << level).unwrap();
                leaves.get(from..from + (1 << level)).map(perfect_root)
            };
            let proof = inclusion_proof(index as u64, total, &mut node).unwrap();
            prop_assert_eq!(root_from_inclusion(index as u64, total, leaves[index], &proof), Some(root));
            let other = leaf_hash(b"something else");
            prop_assert_ne!(root_from_inclusion(index as u64, total, other, &proof), Some(root));
        }
    }
}
