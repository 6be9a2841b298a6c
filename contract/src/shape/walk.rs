// SPDX-License-Identifier: Apache-2.0
//! Walking a schema beside a value.

use super::{Candidate, Marks, Member, Rest, ShapeId, ShapeSet, Shapes};
use crate::load::UnknownRequest;
use smallvec::SmallVec;
use std::sync::Arc;

/// At most this many shapes describe one value; what lies beyond counts as undeclared, which refuses.
const CANDIDATES_MAX: usize = 1024;

/// Schemas that describe a part of a value.
pub(crate) type Roots = SmallVec<[Candidate; 4]>;

/// [`Member`] before the found schemas are flattened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Declared(Roots),
    Open,
    Undeclared,
}

/// Whether a schema opens itself to names it does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// Nothing said.
    Unsaid,
    /// Explicitly open.
    Open,
}

impl Shapes {
    /// The shapes of a value that a schema describes.
    pub fn enter(&self, id: ShapeId) -> ShapeSet {
        let mut set = ShapeSet { request: id.is_request(), ..ShapeSet::default() };
        self.join(&mut set, id, true);
        set
    }

    /// What is said of the property `name` of a value.
    pub fn member(&self, set: &ShapeSet, name: &str) -> Member {
        match self.find(set, name) {
            Found::Declared(roots) => Member::Declared(self.join_all(&roots, set.request)),
            Found::Open => Member::Open,
            Found::Undeclared => Member::Undeclared,
        }
    }

    /// The shapes of an element of an array.
    pub fn element(&self, set: &ShapeSet, index: usize) -> ShapeSet {
        self.join_all(&self.element_roots(set, index), set.request)
    }

    /// [`Shapes::member`] before the found schemas are flattened.
    pub(crate) fn find(&self, set: &ShapeSet, name: &str) -> Found {
        let mut roots = Roots::new();
        let mut found = false;
        let mut opening = Opening::Unsaid;
        for candidate in &set.candidates {
            let Some(object) = self.shape(candidate.shape).and_then(|s| s.object.as_deref()) else { continue };
            let by_pattern = object.patterns.iter().filter(|(p, _)| p.matches(name)).map(|(_, id)| *id);
            let before = roots.len();
            let own = object.property(name).into_iter().chain(by_pattern);
            roots.extend(own.map(|shape| Candidate { shape, certain: candidate.certain }));
            if roots.len() > before {
                found = true;
                continue;
            }
            match object.additional {
                // A closed schema that certainly applies refuses what only its neighbours declare; an uncertain
                // one decides its branch in the validator.
                Rest::Closed if candidate.certain => return Found::Undeclared,
                Rest::Open => opening = Opening::Open,
                Rest::Schema(shape) if self.may_open(set) => {
                    roots.push(Candidate { shape, certain: candidate.certain });
                    found = true;
                }
                Rest::Closed | Rest::Absent | Rest::Schema(_) => {}
            }
        }
        if found { Found::Declared(roots) } else { self.unnamed(set, opening) }
    }

    /// [`Shapes::element`] before the found schemas are flattened.
    pub(crate) fn element_roots(&self, set: &ShapeSet, index: usize) -> Roots {
        let mut roots = Roots::new();
        for candidate in &set.candidates {
            let Some(array) = self.shape(candidate.shape).and_then(|s| s.array.as_deref()) else { continue };
            let own = array.prefix.get(index).copied().or_else(|| array.items.schema());
            let own = own.or_else(|| array.unevaluated.schema());
            roots.extend(own.map(|shape| Candidate { shape, certain: candidate.certain }));
        }
        roots
    }

    fn join_all(&self, roots: &Roots, request: bool) -> ShapeSet {
        let mut set = ShapeSet { request, ..ShapeSet::default() };
        for root in roots {
            self.join(&mut set, root.shape, root.certain);
        }
        set
    }

    /// Names of the component schemas a value may be of.
    pub fn names<'a>(&'a self, set: &'a ShapeSet) -> impl Iterator<Item = &'a Arc<str>> + 'a {
        set.candidates.iter().filter_map(|c| self.shape(c.shape)?.name.as_ref())
    }

    /// `readOnly` and `writeOnly` of a value.
    pub fn marks(&self, set: &ShapeSet) -> Marks {
        let mut marks = Marks::default();
        for shape in set.candidates.iter().filter_map(|c| self.shape(c.shape)) {
            marks.read_only |= shape.read_only;
            marks.write_only |= shape.write_only;
        }
        marks
    }

    /// Names of the properties a value may have; a name may come more than once.
    pub fn declared_names<'a>(&'a self, set: &'a ShapeSet) -> impl Iterator<Item = &'a Arc<str>> + 'a {
        let objects = set.candidates.iter().filter_map(|c| self.shape(c.shape)?.object.as_deref());
        objects.flat_map(|o| o.properties.iter().map(|(name, _)| name))
    }

    /// Adds everything `id` stands for to a set.
    pub(crate) fn join(&self, set: &mut ShapeSet, id: ShapeId, certain: bool) {
        let flat = self.flat(id);
        if set.candidates.is_empty() {
            // What one schema stands for has nothing twice and is not too much.
            set.candidates.extend_from_slice(flat);
            if !certain {
                set.candidates.iter_mut().for_each(|candidate| candidate.certain = false);
            }
            return;
        }
        for candidate in flat {
            if set.candidates.len() >= CANDIDATES_MAX {
                return;
            }
            set.push(Candidate { shape: candidate.shape, certain: candidate.certain && certain });
        }
    }

    /// Everything `id` stands for: itself, its target, and what it composes.
    pub(crate) fn flat(&self, id: ShapeId) -> &[Candidate] {
        let Some(slot) = self.flat.get(id.index()) else { return &[] };
        slot.get_or_init(|| self.flatten(id.bare()).candidates.into_vec().into_boxed_slice())
    }

    fn flatten(&self, id: ShapeId) -> ShapeSet {
        let mut set = ShapeSet::default();
        let mut pending = vec![Candidate { shape: id, certain: true }];
        while let Some(next) = pending.pop() {
            let known = set.candidates.iter().any(|c| c.shape == next.shape && (c.certain || !next.certain));
            if known || set.candidates.len() >= CANDIDATES_MAX {
                continue;
            }
            set.push(next);
            let Some(shape) = self.shape(next.shape) else { continue };
            let same = |shape| Candidate { shape, certain: next.certain };
            let perhaps = |shape| Candidate { shape, certain: false };
            pending.extend(shape.reference.map(same));
            if let Some(b) = shape.branches.as_deref() {
                pending.extend(b.all_of.iter().copied().map(same));
                let branches = b.any_of.iter().chain(&b.one_of).chain(&b.condition).chain(&b.then).chain(&b.otherwise);
                pending.extend(branches.copied().map(perhaps));
            }
            if let Some(object) = shape.object.as_deref() {
                pending.extend(object.dependent.iter().map(|(_, id)| perhaps(*id)));
            }
        }
        set
    }

    /// Whether explicitly opened schemas stay open: not under `closed_always`, unless nothing is named at all.
    fn may_open(&self, set: &ShapeSet) -> bool {
        !set.request || self.unknown_request != UnknownRequest::ClosedAlways || !self.names_anything(set)
    }

    fn names_anything(&self, set: &ShapeSet) -> bool {
        let mut objects = set.candidates.iter().filter_map(|c| self.shape(c.shape)?.object.as_deref());
        objects.any(super::ObjectPart::names_properties)
    }

    /// A name no candidate declares.
    fn unnamed(&self, set: &ShapeSet, mut opening: Opening) -> Found {
        let mut closed = false;
        let mut typed = false;
        let mut roots = Roots::new();
        for candidate in &set.candidates {
            let Some(object) = self.shape(candidate.shape).and_then(|s| s.object.as_deref()) else { continue };
            typed |= object.additional.schema().or(object.unevaluated.schema()).is_some();
            match object.unevaluated {
                Rest::Closed if candidate.certain => closed = true,
                Rest::Open => opening = Opening::Open,
                Rest::Schema(shape) if self.may_open(set) => {
                    roots.push(Candidate { shape, certain: candidate.certain });
                }
                Rest::Closed | Rest::Absent | Rest::Schema(_) => {}
            }
        }
        if closed {
            return Found::Undeclared;
        }
        if !roots.is_empty() {
            return Found::Declared(roots);
        }
        let free_form = !self.names_anything(set) && !typed;
        let document = set.request && self.unknown_request == UnknownRequest::Document;
        let opened = opening == Opening::Open && self.may_open(set);
        if free_form || document || opened { Found::Open } else { Found::Undeclared }
    }
}
