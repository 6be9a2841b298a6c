// SPDX-License-Identifier: Apache-2.0
//! Schemas as shapes: the same schema objects the validators are made from, kept in a form that can be walked
//! beside a value.
//!
//! Every schema object of the document is one [`Shape`] in an arena, so `$ref` cycles are plain indices.
//! A value is described by a [`ShapeSet`]: all shapes that apply to it, through `$ref`, `allOf`, `oneOf`,
//! `anyOf`, `if` and `dependentSchemas`. Shapes of a branch that may not apply are *uncertain*: where the branch
//! cannot be told, every candidate's rule must hold, so [`Shapes::marks`] and [`Shapes::names`] count them all.

use crate::document::Mark;
use crate::load::UnknownRequest;
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};

mod assertion;
mod build;
mod fault;
mod keyword;
mod occurrence;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use build::{Builder, Dialect};
pub(crate) use fault::Fault;
pub use occurrence::{Pattern, PatternSegment};
pub(crate) use walk::Found;

/// The bit of a [`ShapeId`] that says the value is part of a request.
const REQUEST_BIT: u32 = 1 << 31;

/// A schema of the document, and whether it is seen from a request (where `unknown_properties.request` decides
/// what is undeclared) or from an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShapeId(u32);

impl ShapeId {
    pub(crate) fn new(index: u32) -> Self {
        Self(index & !REQUEST_BIT)
    }

    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0 & !REQUEST_BIT).unwrap_or(usize::MAX)
    }

    pub(crate) fn bare(self) -> Self {
        Self(self.0 & !REQUEST_BIT)
    }

    pub(crate) fn in_request(self) -> Self {
        Self(self.0 | REQUEST_BIT)
    }

    pub(crate) fn is_request(self) -> bool {
        self.0 & REQUEST_BIT != 0
    }
}

/// One shape that describes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) shape: ShapeId,
    /// Reached without passing a branch: it applies whatever the value is.
    pub(crate) certain: bool,
}

/// All shapes that describe one value. An empty set describes a value of which nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShapeSet {
    pub(crate) candidates: SmallVec<[Candidate; 4]>,
    pub(crate) request: bool,
}

impl ShapeSet {
    /// Whether nothing is said of the value.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// The number of shapes.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// The shapes.
    pub fn iter(&self) -> impl Iterator<Item = ShapeId> + '_ {
        self.candidates.iter().map(|c| if self.request { c.shape.in_request() } else { c.shape })
    }

    pub(crate) fn push(&mut self, candidate: Candidate) {
        match self.candidates.iter_mut().find(|c| c.shape == candidate.shape) {
            Some(known) => known.certain |= candidate.certain,
            None => self.candidates.push(candidate),
        }
    }
}

/// What a schema says of a property name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// Declared by name, by pattern or as a typed additional property; its shapes.
    Declared(ShapeSet),
    /// Allowed without being described: opened explicitly, or the schema names no property at all.
    Open,
    /// Not a property of this value.
    Undeclared,
}

/// What `readOnly` and `writeOnly` say of a value. One candidate that says so is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Not to be sent in a request.
    pub read_only: bool,
    /// Not to be sent in an answer.
    pub write_only: bool,
}

/// What a schema says of properties it does not name (`additionalProperties`, `unevaluatedProperties`, `items`
/// after `prefixItems`, `unevaluatedItems`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing.
    #[default]
    Absent,
    /// `true` or `{}`.
    Open,
    /// `false`.
    Closed,
    /// A schema.
    Schema(ShapeId),
}

impl Rest {
    pub(crate) fn schema(self) -> Option<ShapeId> {
        match self {
            Rest::Schema(id) => Some(id),
            Rest::Absent | Rest::Open | Rest::Closed => None,
        }
    }
}

/// The keywords of objects.
#[derive(Debug, Default)]
pub(crate) struct ObjectPart {
    /// Sorted by name.
    pub(crate) properties: Vec<(Arc<str>, ShapeId)>,
    pub(crate) patterns: Vec<(crate::pattern::NamePattern, ShapeId)>,
    pub(crate) required: Vec<Arc<str>>,
    pub(crate) additional: Rest,
    pub(crate) unevaluated: Rest,
    pub(crate) property_names: Option<ShapeId>,
    pub(crate) dependent: Vec<(Arc<str>, ShapeId)>,
}

impl ObjectPart {
    /// The shape of a property that is declared by name.
    pub(crate) fn property(&self, name: &str) -> Option<ShapeId> {
        let at = self.properties.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        self.properties.get(at).map(|(_, id)| *id)
    }

    /// Whether the schema names properties, so that it is not free-form.
    pub(crate) fn names_properties(&self) -> bool {
        !self.properties.is_empty() || !self.patterns.is_empty()
    }
}

/// The keywords of arrays that hold schemas.
#[derive(Debug, Default)]
pub(crate) struct ArrayPart {
    pub(crate) prefix: Vec<ShapeId>,
    pub(crate) items: Rest,
    pub(crate) unevaluated: Rest,
    pub(crate) contains: Option<ShapeId>,
}

/// The keywords that apply further schemas to the same value.
#[derive(Debug, Default)]
pub(crate) struct Branches {
    pub(crate) all_of: Vec<ShapeId>,
    pub(crate) any_of: Vec<ShapeId>,
    pub(crate) one_of: Vec<ShapeId>,
    pub(crate) not: Option<ShapeId>,
    pub(crate) condition: Option<ShapeId>,
    pub(crate) then: Option<ShapeId>,
    pub(crate) otherwise: Option<ShapeId>,
}

/// One schema object.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a keyword of its own")]
pub(crate) struct Shape {
    /// File and byte offset of the schema object.
    pub(crate) mark: Mark,
    /// The schema `false`.
    pub(crate) never: bool,
    /// The name of the component schema this is.
    pub(crate) name: Option<Arc<str>>,
    pub(crate) read_only: bool,
    pub(crate) write_only: bool,
    /// `nullable` of 3.0 where `type` alone cannot say it: null, or all the rest.
    pub(crate) or_null: bool,
    /// Has a validator of its own, which others point to.
    pub(crate) unit: bool,
    /// Allowed types; empty: any.
    pub(crate) kinds: Kinds,
    /// A format that is checked in requests.
    pub(crate) format: Option<&'static str>,
    /// The plain assertions as the text of a JSON object.
    pub(crate) assertions: Option<Box<str>>,
    pub(crate) reference: Option<ShapeId>,
    pub(crate) object: Option<Box<ObjectPart>>,
    pub(crate) array: Option<Box<ArrayPart>>,
    pub(crate) branches: Option<Box<Branches>>,
}

/// A set of JSON types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(2);
    pub(crate) const INTEGER: Self = Self(4);
    pub(crate) const NUMBER: Self = Self(8);
    pub(crate) const STRING: Self = Self(16);
    pub(crate) const ARRAY: Self = Self(32);
    pub(crate) const OBJECT: Self = Self(64);
    /// Every type with its JSON Schema name.
    pub(crate) const NAMES: [(Self, &'static str); 7] = [
        (Self::NULL, "null"),
        (Self::BOOLEAN, "boolean"),
        (Self::INTEGER, "integer"),
        (Self::NUMBER, "number"),
        (Self::STRING, "string"),
        (Self::ARRAY, "array"),
        (Self::OBJECT, "object"),
    ];

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, n)| *n == name).map(|(k, _)| *k)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Types both sets allow; an empty set allows all.
    pub(crate) fn meet(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            // `integer` is part of `number`.
            _ => Self(self.widened() & other.widened() & !self.surplus(other)),
        }
    }

    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(k, _)| self.has(*k)).map(|(_, n)| n)
    }

    fn widened(self) -> u8 {
        if self.has(Self::NUMBER) { self.0 | Self::INTEGER.0 } else { self.0 }
    }

    /// `number` is dropped from a meeting unless both sides allow it.
    fn surplus(self, other: Self) -> u8 {
        if self.has(Self::NUMBER) && other.has(Self::NUMBER) { 0 } else { Self::NUMBER.0 }
    }
}

/// Every schema of a contract.
#[derive(Debug)]
pub struct Shapes {
    pub(crate) arena: Vec<Shape>,
    /// What each shape stands for through `$ref` and composition; filled on first use.
    pub(crate) flat: Vec<OnceLock<Box<[Candidate]>>>,
    pub(crate) unknown_request: UnknownRequest,
}

impl Shapes {
    pub(crate) fn new(arena: Vec<Shape>, unknown_request: UnknownRequest) -> Self {
        let flat = std::iter::repeat_with(OnceLock::new).take(arena.len()).collect();
        Self { arena, flat, unknown_request }
    }

    pub(crate) fn shape(&self, id: ShapeId) -> Option<&Shape> {
        self.arena.get(id.index())
    }

    /// The number of schemas.
    pub fn len(&self) -> usize {
        self.arena.len()
    }

    /// Whether the document has no schema.
    pub fn is_empty(&self) -> bool {
        self.arena.is_empty()
    }
}
