// SPDX-License-Identifier: Apache-2.0
//! The route table: a tree of path segments. Finding an operation costs the same whether the document has ten
//! operations or ten thousand: one hash look-up per segment, and a few comparisons where a segment mixes text and
//! parameters.
//!
//! Segments are compared byte by byte after decoding; nothing is case-folded. Text beats a mixed segment, which
//! beats a bare parameter; a dead end falls back to the next weaker choice. A path that names no declared method
//! is answered by the strongest template alone, so that `DELETE /users/me` never becomes `DELETE /users/{id}`.
//! Where a mixed segment can be split in two ways, it does not match: two readers would read two ids.

use crate::operation::OperationIndex;
use http::{HeaderValue, Method};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

mod overlap;
mod template;
#[cfg(test)]
mod tests;

pub(crate) use overlap::overlaps;
pub(crate) use template::{Mixed, Segment, Template};

/// What a request's path and method lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteMatch {
    /// A declared operation, with the path's parameters.
    Operation(OperationIndex, Captures),
    /// The path is declared, the method is not; the value for `Allow`.
    Method(HeaderValue),
    /// Not declared.
    Unknown,
}

/// Decoded path parameters, in the template's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures(SmallVec<[(Arc<str>, Box<str>); 1]>);

impl Captures {
    /// The value of a parameter. Never empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| **n == *name).map(|(_, value)| &**value)
    }

    /// All parameters.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (&**n, &**v))
    }

    pub(crate) fn named(names: &[Arc<str>], values: &[&str]) -> Self {
        Self(names.iter().zip(values).map(|(n, v)| (Arc::clone(n), Box::from(*v))).collect())
    }
}

/// One declared operation at a leaf.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) method: Method,
    pub(crate) operation: OperationIndex,
    /// Whether it can be reached; what is not served keeps its path to itself.
    pub(crate) served: bool,
    pub(crate) names: Vec<Arc<str>>,
}

/// The end of a template.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) template: Arc<str>,
    pub(crate) literal: bool,
    pub(crate) entries: Vec<Entry>,
}

impl Leaf {
    /// The value of `Allow`: methods that are served and not taken away.
    pub(crate) fn allow(&self, hidden: &[Method]) -> Option<HeaderValue> {
        let mut names: Vec<&str> = Vec::new();
        for entry in self.entries.iter().filter(|e| e.served && !hidden.contains(&e.method)) {
            names.push(entry.method.as_str());
        }
        names.sort_unstable();
        names.dedup();
        if names.is_empty() { None } else { HeaderValue::try_from(names.join(", ")).ok() }
    }
}

/// One node of the tree.
#[derive(Debug, Default)]
pub(crate) struct Branch {
    pub(crate) literals: HashMap<Box<str>, usize>,
    pub(crate) mixed: Vec<(Mixed, usize)>,
    pub(crate) parameter: Option<usize>,
    pub(crate) leaf: Option<usize>,
}

impl Branch {
    /// Where a mixed segment leads; `fresh`, if it is new here.
    fn mixed_or(&mut self, mixed: &Mixed, fresh: usize) -> usize {
        if let Some((_, next)) = self.mixed.iter().find(|(m, _)| m == mixed) {
            return *next;
        }
        self.mixed.push((mixed.clone(), fresh));
        // More text is more specific.
        self.mixed.sort_by_key(|(m, _)| std::cmp::Reverse(m.literal_bytes()));
        fresh
    }
}

/// The tree of all templates.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) branches: Vec<Branch>,
    pub(crate) leaves: Vec<Leaf>,
    depth_max: usize,
}

/// A path that a template matches.
pub(crate) struct Found<'t, 'p> {
    pub(crate) leaf: &'t Leaf,
    pub(crate) values: SmallVec<[&'p str; 8]>,
}

impl Table {
    /// The leaf of a template; templates that differ in parameter names only share one.
    pub(crate) fn insert(&mut self, template: &Template) -> Option<&mut Leaf> {
        if self.branches.is_empty() {
            self.branches.push(Branch::default());
        }
        let mut at = 0;
        for segment in &template.segments {
            let fresh = self.branches.len();
            let branch = self.branches.get_mut(at)?;
            at = match segment {
                Segment::Literal(text) => *branch.literals.entry(text.clone()).or_insert(fresh),
                Segment::Parameter => *branch.parameter.get_or_insert(fresh),
                Segment::Mixed(mixed) => branch.mixed_or(mixed, fresh),
            };
            if at == fresh {
                self.branches.push(Branch::default());
            }
        }
        self.depth_max = self.depth_max.max(template.segments.len());
        let branch = self.branches.get_mut(at)?;
        let index = *branch.leaf.get_or_insert(self.leaves.len());
        if index == self.leaves.len() {
            let literal = template.segments.iter().all(|s| matches!(s, Segment::Literal(_)));
            self.leaves.push(Leaf { template: Arc::clone(&template.text), literal, entries: Vec::new() });
        }
        self.leaves.get_mut(index)
    }

    /// The strongest template that matches the decoded segments of a path.
    pub(crate) fn find<'t, 'p>(&'t self, segments: &[&'p str]) -> Option<Found<'t, 'p>> {
        if segments.len() > self.depth_max {
            return None;
        }
        let mut values = SmallVec::new();
        let leaf = self.descend(0, segments, &mut values)?;
        Some(Found { leaf, values })
    }

    /// Every template that matches the decoded segments of a path.
    pub(crate) fn find_all(&self, segments: &[&str]) -> Vec<&Leaf> {
        let mut found = Vec::new();
        let mut pending = if self.branches.is_empty() { Vec::new() } else { vec![(0, segments)] };
        while let Some((at, segments)) = pending.pop() {
            let Some(branch) = self.branches.get(at) else { continue };
            let Some((segment, rest)) = segments.split_first() else {
                found.extend(branch.leaf.and_then(|l| self.leaves.get(l)));
                continue;
            };
            pending.extend(branch.literals.get(*segment).map(|next| (*next, rest)));
            if !segment.is_empty() {
                let mixed = branch.mixed.iter().filter(|(m, _)| m.split(segment).is_some());
                pending.extend(mixed.map(|(_, next)| (*next, rest)).chain(branch.parameter.map(|next| (next, rest))));
            }
        }
        found
    }

    /// INVARIANT: no deeper than the longest template.
    fn descend<'t, 'p>(
        &'t self,
        at: usize,
        segments: &[&'p str],
        values: &mut SmallVec<[&'p str; 8]>,
    ) -> Option<&'t Leaf> {
        let branch = self.branches.get(at)?;
        let Some((segment, rest)) = segments.split_first() else {
            return branch.leaf.and_then(|l| self.leaves.get(l));
        };
        if let Some(next) = branch.literals.get(*segment)
            && let Some(leaf) = self.descend(*next, rest, values)
        {
            return Some(leaf);
        }
        // A parameter is never empty.
        if segment.is_empty() {
            return None;
        }
        let before = values.len();
        for (mixed, next) in &branch.mixed {
            if let Some(parts) = mixed.split(segment) {
                values.extend(parts);
                if let Some(leaf) = self.descend(*next, rest, values) {
                    return Some(leaf);
                }
                values.truncate(before);
            }
        }
        let next = branch.parameter?;
        values.push(segment);
        let leaf = self.descend(next, rest, values);
        if leaf.is_none() {
            values.truncate(before);
        }
        leaf
    }
}
