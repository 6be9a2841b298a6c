// SPDX-License-Identifier: Apache-2.0
//! Where values of a component schema can stand inside a value of another.

use super::{ShapeId, ShapeSet, Shapes};
use std::fmt;
use std::sync::Arc;

/// Patterns are at most this deep.
const DEPTH_MAX: usize = 12;
/// At most this many patterns are told.
const PATTERNS_MAX: usize = 256;
/// At most this many places are looked at.
const VISITS_MAX: usize = 20_000;

/// One step of a [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PatternSegment {
    /// The member of this name.
    Name(Arc<str>),
    /// Every element of an array.
    AnyItem,
    /// Every member of an object, where the schema types them all alike (`additionalProperties`).
    AnyMember,
}

/// A JSON pointer with wildcards, such as `/data/*`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// The steps; none: the value itself.
    pub segments: Vec<PatternSegment>,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                PatternSegment::Name(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1"))?,
                PatternSegment::AnyItem | PatternSegment::AnyMember => f.write_str("/*")?,
            }
        }
        Ok(())
    }
}

/// The search of [`Shapes::occurrences`].
struct Search<'a> {
    shapes: &'a Shapes,
    names: &'a [Arc<str>],
    path: Vec<PatternSegment>,
    /// Schemas on the way here; one that comes again is a recursion and is not followed.
    ancestors: Vec<Vec<ShapeId>>,
    visits: usize,
    found: Vec<Pattern>,
}

impl Shapes {
    /// Where values of the named component schemas can stand in a value of `id`. A recursive schema is followed
    /// once, and a found value is not searched for further ones of the same names inside itself at the same place.
    pub fn occurrences(&self, id: ShapeId, schema_names: &[Arc<str>]) -> Vec<Pattern> {
        let mut search = Search {
            shapes: self,
            names: schema_names,
            path: Vec::new(),
            ancestors: Vec::new(),
            visits: 0,
            found: Vec::new(),
        };
        search.visit(&self.enter(id));
        search.found
    }
}

impl Search<'_> {
    fn visit(&mut self, set: &ShapeSet) {
        self.visits += 1;
        if set.is_empty() || self.visits > VISITS_MAX || self.found.len() >= PATTERNS_MAX {
            return;
        }
        if self.shapes.names(set).any(|n| self.names.contains(n)) {
            let pattern = Pattern { segments: self.path.clone() };
            if !self.found.contains(&pattern) {
                self.found.push(pattern);
            }
        }
        // References to one schema differ, what they lead to does not.
        let holds = |id: ShapeId| self.shapes.shape(id).is_some_and(|s| s.object.is_some() || s.array.is_some());
        let own: Vec<ShapeId> = set.candidates.iter().map(|c| c.shape).filter(|id| holds(*id)).collect();
        if self.path.len() >= DEPTH_MAX || self.ancestors.contains(&own) {
            return;
        }
        self.ancestors.push(own);
        self.descend(set);
        self.ancestors.pop();
    }

    fn descend(&mut self, set: &ShapeSet) {
        let mut names: Vec<&Arc<str>> = self.shapes.declared_names(set).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            if let super::Member::Declared(member) = self.shapes.member(set, name) {
                self.step(PatternSegment::Name(Arc::clone(name)), &member);
            }
        }
        let mut items = ShapeSet { request: set.request, ..ShapeSet::default() };
        let mut members = items.clone();
        for candidate in &set.candidates {
            let Some(shape) = self.shapes.shape(candidate.shape) else { continue };
            if let Some(array) = shape.array.as_deref() {
                for id in array.prefix.iter().copied().chain(array.items.schema()).chain(array.unevaluated.schema()) {
                    self.shapes.join(&mut items, id, candidate.certain);
                }
            }
            if let Some(object) = shape.object.as_deref() {
                let patterns = object.patterns.iter().map(|(_, id)| *id);
                for id in patterns.chain(object.additional.schema()).chain(object.unevaluated.schema()) {
                    self.shapes.join(&mut members, id, candidate.certain);
                }
            }
        }
        self.step(PatternSegment::AnyItem, &items);
        self.step(PatternSegment::AnyMember, &members);
    }

    fn step(&mut self, segment: PatternSegment, set: &ShapeSet) {
        self.path.push(segment);
        self.visit(set);
        self.path.pop();
    }
}
