// SPDX-License-Identifier: Apache-2.0
//! Where objects of declared types can stand in bodies and answers.

use crate::model::{KindIndex, ObjectKind};
use crate::pointer::{Pointer, Step};
use portcullis_contract::{
    Contract, Member, Operation, Pattern, PatternSegment, Response, ShapeId, ShapeSet, Shapes, StatusKey,
};
use std::collections::HashMap;
use std::sync::Arc;

/// A name no document declares: leads to the schema of additional properties.
const ANY_NAME: &str = "\u{0}";

/// One place where an object can stand.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    pub(super) kind: KindIndex,
    pub(super) pattern: Pattern,
    /// What the schema says there; empty where it cannot be told.
    pub(super) set: ShapeSet,
}

impl Spot {
    /// Whether exactly one value stands there.
    pub(super) fn is_fixed(&self) -> bool {
        self.pattern.segments.iter().all(|segment| matches!(segment, PatternSegment::Name(_)))
    }

    pub(super) fn depth(&self) -> usize {
        self.pattern.segments.len()
    }

    /// The place as a pointer, where it is one.
    pub(super) fn pointer(&self) -> Option<Pointer> {
        if self.is_fixed() { Pointer::parse(&self.pattern.to_string()).ok() } else { None }
    }

    /// Whether the schema shows the owner, and the own id where the type has one.
    pub(super) fn shows_owner(&self, shapes: &Shapes, kind: &ObjectKind) -> bool {
        let owner = kind.owner_place().is_some_and(|place| declares(shapes, &self.set, place));
        owner && kind.key.as_ref().is_none_or(|key| declares(shapes, &self.set, key))
    }

    /// Whether the schema shows the object's own id.
    pub(super) fn shows_key(&self, shapes: &Shapes, kind: &ObjectKind) -> bool {
        kind.key.as_ref().is_some_and(|key| declares(shapes, &self.set, key))
    }
}

/// Whether a schema declares a place inside its values.
pub(super) fn declares(shapes: &Shapes, set: &ShapeSet, place: &Pointer) -> bool {
    reach(
        shapes,
        set.clone(),
        place.steps().iter().map(|step| match step {
            Step::Name(name) => Some(name),
            Step::Any => None,
        }),
    )
    .is_some()
}

/// Follows a path of names, `None` for any element.
fn reach<'n>(shapes: &Shapes, from: ShapeSet, path: impl Iterator<Item = Option<&'n Arc<str>>>) -> Option<ShapeSet> {
    let mut set = from;
    for step in path {
        set = match step {
            Some(name) => match shapes.member(&set, name) {
                Member::Declared(next) => next,
                Member::Open | Member::Undeclared => return None,
            },
            None => any_element(shapes, &set),
        };
    }
    Some(set)
}

fn any_element(shapes: &Shapes, set: &ShapeSet) -> ShapeSet {
    // Behind every `prefixItems` stands what `items` says; where there is no `items`, the first element will do.
    let rest = shapes.element(set, usize::MAX);
    if rest.is_empty() { shapes.element(set, 0) } else { rest }
}

/// Every place of every type, by schema; each schema is searched once.
pub(super) struct Spots<'c> {
    shapes: &'c Shapes,
    schemas: Vec<Vec<Arc<str>>>,
    cache: HashMap<ShapeId, Arc<[Spot]>>,
}

impl<'c> Spots<'c> {
    pub(super) fn new(contract: &'c Contract) -> Self {
        Self { shapes: contract.shapes(), schemas: Vec::new(), cache: HashMap::new() }
    }

    pub(super) fn set_kinds(&mut self, kinds: &[ObjectKind]) {
        self.schemas = kinds.iter().map(|kind| kind.schemas.clone()).collect();
        self.cache.clear();
    }

    /// The places inside values of a schema.
    pub(super) fn of(&mut self, shape: ShapeId) -> Arc<[Spot]> {
        if let Some(known) = self.cache.get(&shape) {
            return Arc::clone(known);
        }
        let mut spots = Vec::new();
        let all: Vec<Arc<str>> = self.schemas.iter().flatten().cloned().collect();
        if !all.is_empty() && !self.shapes.occurrences(shape, &all).is_empty() {
            for (index, schemas) in self.schemas.iter().enumerate() {
                let patterns = self.shapes.occurrences(shape, schemas);
                spots.extend(patterns.into_iter().map(|pattern| self.spot(KindIndex(index), shape, pattern)));
            }
        }
        let spots: Arc<[Spot]> = spots.into();
        self.cache.insert(shape, Arc::clone(&spots));
        spots
    }

    fn spot(&self, kind: KindIndex, shape: ShapeId, pattern: Pattern) -> Spot {
        let set = set_at(self.shapes, shape, &pattern);
        Spot { kind, pattern, set }
    }

    /// The places in request bodies of an operation.
    pub(super) fn in_body(&mut self, operation: &Operation) -> Vec<Spot> {
        let shapes: Vec<ShapeId> = operation.body.iter().flat_map(|body| &body.media).filter_map(|m| m.shape).collect();
        self.of_all(&shapes)
    }

    /// The places in its success answers.
    pub(super) fn in_answers(&mut self, operation: &Operation) -> Vec<Spot> {
        let media = successes(operation).into_iter().flat_map(|response| &response.media);
        let shapes: Vec<ShapeId> = media.filter_map(|media| media.shape).collect();
        self.of_all(&shapes)
    }

    fn of_all(&mut self, shapes: &[ShapeId]) -> Vec<Spot> {
        shapes.iter().flat_map(|shape| self.of(*shape).to_vec()).collect()
    }
}

/// What a schema says at a place inside its values; empty where it cannot be told.
pub(super) fn set_at(shapes: &Shapes, shape: ShapeId, pattern: &Pattern) -> ShapeSet {
    let mut set = shapes.enter(shape);
    for segment in &pattern.segments {
        let member = match segment {
            PatternSegment::Name(name) => shapes.member(&set, name),
            PatternSegment::AnyMember => shapes.member(&set, ANY_NAME),
            PatternSegment::AnyItem => Member::Declared(any_element(shapes, &set)),
        };
        set = match member {
            Member::Declared(next) => next,
            Member::Open | Member::Undeclared => ShapeSet::default(),
        };
    }
    set
}

/// The declared success answers; where none is named, `default` is one. A connection that becomes something else is
/// one: it shows nothing that could be judged, so what it touches has to be known before.
pub(super) fn successes(operation: &Operation) -> Vec<&Response> {
    let named = |response: &&Response| match response.status {
        StatusKey::Exact(status) => status == 101 || (200..300).contains(&status),
        StatusKey::Range(hundreds) => hundreds == 2,
        StatusKey::Default => false,
    };
    let found: Vec<&Response> = operation.responses.iter().filter(named).collect();
    if found.is_empty() {
        return operation.responses.iter().filter(|r| r.status == StatusKey::Default).collect();
    }
    found
}

/// The one fixed place of a type that is nearest to the root, if exactly one is so near.
pub(super) fn outermost(spots: &[Spot], kind: KindIndex) -> Option<&Spot> {
    let fixed = || spots.iter().filter(|spot| spot.kind == kind && spot.is_fixed());
    let depth = fixed().map(Spot::depth).min()?;
    let mut nearest = fixed().filter(|spot| spot.depth() == depth);
    let first = nearest.next();
    if nearest.next().is_some() { None } else { first }
}
