// SPDX-License-Identifier: Apache-2.0
//! From schema objects to shapes: each schema object once, whoever refers to it.

use super::fault::{self, Fault};
use super::{Shape, ShapeId, Shapes};
use crate::document::{Cursor, Library, Raw};
use crate::load::UnknownRequest;
use crate::pattern::NamePattern;
use std::collections::HashMap;
use std::sync::Arc;

/// A document may have at most this many schema objects (T75).
const SHAPES_MAX: usize = 1_000_000;

/// Which specification a schema is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `OpenAPI` 3.0: a subset of draft 5 with changes.
    V30,
    /// `OpenAPI` 3.1: JSON Schema 2020-12.
    V31,
}

/// Collects the shapes of a document. Nothing here recurses: schemas wait in a queue.
pub(crate) struct Builder<'a> {
    pub(super) library: &'a Library,
    pub(super) dialect: Dialect,
    arena: Vec<Shape>,
    known: HashMap<usize, ShapeId>,
    pending: Vec<(ShapeId, Cursor<'a>)>,
    faults: Vec<Fault>,
    patterns: HashMap<Box<str>, Result<NamePattern, String>>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(library: &'a Library, dialect: Dialect) -> Self {
        Self {
            library,
            dialect,
            arena: Vec::new(),
            known: HashMap::new(),
            pending: Vec::new(),
            faults: Vec::new(),
            patterns: HashMap::new(),
        }
    }

    /// The shape of a schema that something else than a schema uses.
    pub(crate) fn root(&mut self, cursor: Cursor<'a>) -> ShapeId {
        self.unit(cursor)
    }

    /// Reads every schema that was asked for, and what those refer to.
    pub(crate) fn finish(mut self, unknown_request: UnknownRequest) -> (Shapes, Vec<Option<Arc<Fault>>>) {
        while let Some((id, cursor)) = self.pending.pop() {
            if self.arena.len() > SHAPES_MAX {
                self.faults.push(self.fault(id, cursor, format!("the document has more than {SHAPES_MAX} schemas")));
                self.pending.clear();
                break;
            }
            self.fill(id, cursor);
        }
        let mut faults = self.faults;
        faults.extend(fault::compositions(&self.arena));
        let shapes = Shapes::new(self.arena, unknown_request);
        faults.extend(crate::validator::unemittable(&shapes));
        let tainted = fault::spread(&shapes, faults);
        (shapes, tainted)
    }

    /// A schema inside another.
    pub(super) fn child(&mut self, cursor: Cursor<'a>) -> ShapeId {
        if let Some(id) = self.known.get(&cursor.node.address()) {
            return *id;
        }
        let id = ShapeId::new(u32::try_from(self.arena.len()).unwrap_or(u32::MAX));
        self.known.insert(cursor.node.address(), id);
        self.arena.push(Shape::blank());
        self.pending.push((id, cursor));
        id
    }

    /// A schema that gets a validator of its own, shared by all who use it.
    pub(super) fn unit(&mut self, cursor: Cursor<'a>) -> ShapeId {
        let id = self.child(cursor);
        if let Some(shape) = self.arena.get_mut(id.index()) {
            shape.unit = true;
        }
        id
    }

    /// The target of a `$ref` in a schema.
    pub(super) fn target(&mut self, from: Cursor<'a>, reference: &str) -> Result<ShapeId, String> {
        let target = self.library.follow(from, reference)?;
        let id = self.unit(target);
        if let Some(name) = component_name(reference)
            && let Some(shape) = self.arena.get_mut(id.index())
        {
            shape.name.get_or_insert(name);
        }
        Ok(id)
    }

    /// A pattern, compiled once however often it stands in the document.
    pub(super) fn pattern(&mut self, text: &str) -> Result<NamePattern, String> {
        if let Some(known) = self.patterns.get(text) {
            return known.clone();
        }
        let made = NamePattern::new(text);
        self.patterns.insert(text.into(), made.clone());
        made
    }

    fn fill(&mut self, id: ShapeId, cursor: Cursor<'a>) {
        let read = match &cursor.node.value {
            Raw::Bool(true) => Ok(Shape::blank()),
            Raw::Bool(false) => Ok(Shape { never: true, ..Shape::blank() }),
            Raw::Map(_) => self.schema(cursor),
            Raw::Null | Raw::Number(_) | Raw::Text(_) | Raw::List(_) => Err("a schema is an object".to_owned()),
        };
        let mut shape = read.unwrap_or_else(|message| {
            self.faults.push(self.fault(id, cursor, message));
            // Never served; should it be asked all the same, it refuses everything.
            Shape { never: true, ..Shape::blank() }
        });
        shape.mark = self.library.mark(cursor);
        if let Some(slot) = self.arena.get_mut(id.index()) {
            shape.unit = slot.unit;
            shape.name = slot.name.take();
            *slot = shape;
        }
    }

    fn fault(&self, id: ShapeId, cursor: Cursor<'a>, message: String) -> Fault {
        Fault { shape: id, mark: self.library.mark(cursor), message }
    }
}

/// `Order` of `#/components/schemas/Order` and of `schemas/Order.yaml`.
fn component_name(reference: &str) -> Option<Arc<str>> {
    let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let name = if fragment.is_empty() {
        let file = path.rsplit('/').next().unwrap_or(path);
        file.split('.').next().unwrap_or(file)
    } else {
        let tail = fragment.strip_prefix("/components/schemas/").or_else(|| fragment.strip_prefix("/$defs/"));
        tail.or_else(|| fragment.strip_prefix("/definitions/"))?
    };
    let plain = !name.is_empty() && !name.contains('/');
    plain.then(|| name.replace("~1", "/").replace("~0", "~").into())
}
