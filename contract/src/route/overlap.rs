// SPDX-License-Identifier: Apache-2.0
//! Templates of which neither is more specific, although one path can match both: `/{a}/x` and `/b/{c}`. The route
//! table decides from the left; the document should not leave it to that.

use super::Table;
use std::sync::Arc;

/// At most this many pairs are reported.
const OVERLAPS_MAX: usize = 50;
/// At most this many pairs of branches are looked at.
const VISITS_MAX: usize = 200_000;

/// Two branches that one path can reach.
struct Pair {
    left: usize,
    right: usize,
    /// Whether the left one was stronger somewhere, and the right one.
    stronger: (bool, bool),
}

/// Pairs of templates that overlap without an order, the one that wins first.
pub(crate) fn overlaps(table: &Table) -> Vec<(Arc<str>, Arc<str>)> {
    let mut found = Vec::new();
    let mut pending = vec![Pair { left: 0, right: 0, stronger: (false, false) }];
    let mut visits = 0;
    while let Some(pair) = pending.pop() {
        visits += 1;
        if visits > VISITS_MAX || found.len() >= OVERLAPS_MAX {
            break;
        }
        let (Some(left), Some(right)) = (table.branches.get(pair.left), table.branches.get(pair.right)) else {
            continue;
        };
        let leaf = |index: Option<usize>| index.and_then(|i| table.leaves.get(i)).map(|l| &l.template);
        if let (Some(a), Some(b), (true, true)) = (leaf(left.leaf), leaf(right.leaf), pair.stronger) {
            found.push((Arc::clone(a), Arc::clone(b)));
        }
        for (text, next) in &left.literals {
            if let Some(other) = right.literals.get(text) {
                pending.push(Pair { left: *next, right: *other, ..pair });
            }
            // The first difference is where the left one wins: the other order is the same pair mirrored.
            if let (Some(other), false) = (right.parameter, text.is_empty()) {
                pending.push(Pair { left: *next, right: other, stronger: (true, pair.stronger.1) });
            }
        }
        if let (Some(a), Some(b)) = (left.parameter, right.parameter) {
            pending.push(Pair { left: a, right: b, ..pair });
        }
        if let (Some(a), true) = (left.parameter, pair.stronger.0) {
            let literals = right.literals.iter().filter(|(text, _)| !text.is_empty());
            pending.extend(literals.map(|(_, b)| Pair { left: a, right: *b, stronger: (true, true) }));
        }
    }
    found
}
