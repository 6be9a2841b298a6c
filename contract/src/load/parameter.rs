// SPDX-License-Identifier: Apache-2.0
//! Declared parameters of an operation.

use super::{Loader, Unenforceable, body};
use crate::document::{Cursor, Node};
use crate::operation::Operation;
use crate::parameter::{Form, Location, Parameter, Separation};
use crate::shape::{Kinds, ShapeId, Shapes};
use crate::validator::{Direction, Engine, Validator};
use portcullis_decision::finding::Severity;
use std::collections::HashMap;
use std::sync::Arc;

/// Header parameters that the specification says to ignore: other parts of the document describe them.
const IGNORED_HEADERS: [&str; 3] = ["accept", "content-type", "authorization"];
/// An operation has at most this many parameters.
const PARAMETERS_MAX: usize = 200;

impl<'a> Loader<'a> {
    /// Reads the parameters of the path item and of the operation; those of the operation win.
    pub(super) fn parameters(
        &mut self,
        item: Cursor<'a>,
        operation: Cursor<'a>,
        (id, template): (&str, &[Arc<str>]),
        out: &mut Vec<Parameter>,
    ) -> Result<(), Unenforceable> {
        let mut places: HashMap<(Location, Arc<str>), usize> = HashMap::new();
        let shared = item.get("parameters").into_iter().flat_map(Cursor::elements);
        let own = operation.get("parameters").into_iter().flat_map(Cursor::elements);
        let mut fault = Ok(());
        for cursor in shared.chain(own) {
            let parameter = match self.resolved(cursor).and_then(|target| self.parameter(target)) {
                Ok(Some(parameter)) => parameter,
                Ok(None) => continue,
                Err(found) => {
                    fault = fault.and(Err(found));
                    continue;
                }
            };
            if parameter.location == Location::Path && !template.contains(&parameter.name) {
                let message = format!("the path parameter `{}` does not stand in the path", parameter.name);
                self.note(Severity::Low, Some(cursor), id, message);
                continue;
            }
            let key = (parameter.location, Arc::clone(&parameter.name));
            if let Some(slot) = places.get(&key).and_then(|at| out.get_mut(*at)) {
                *slot = parameter;
            } else {
                places.insert(key, out.len());
                out.push(parameter);
            }
            if out.len() > PARAMETERS_MAX {
                return Err(self.unenforceable(cursor, format!("more than {PARAMETERS_MAX} parameters")));
            }
        }
        for name in template {
            if !places.contains_key(&(Location::Path, Arc::clone(name))) {
                let message = format!("the path parameter `{name}` is not described; it is taken as any text");
                self.note(Severity::Low, Some(operation), id, message);
            }
        }
        fault
    }

    fn parameter(&mut self, cursor: Cursor<'a>) -> Result<Option<Parameter>, Unenforceable> {
        let text = |key: &str| cursor.node.get(key).and_then(Node::text);
        let (Some(name), Some(location)) = (text("name"), text("in").and_then(Location::named)) else {
            return Err(self.unenforceable(cursor, "a parameter without `name` or a known `in`".to_owned()));
        };
        let header = location == Location::Header;
        let name: Arc<str> = if header { name.to_ascii_lowercase().into() } else { name.into() };
        if header && IGNORED_HEADERS.contains(&&*name) {
            return Ok(None);
        }
        if header && http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(self.unenforceable(cursor, format!("`{name}` is not a header name")));
        }
        let mut parameter = Parameter {
            name,
            location,
            required: location == Location::Path || cursor.node.says("required"),
            shape: None,
            validator: None,
            form: Form::Typed,
            separation: self.separation(cursor, location)?,
            may_be_empty: location == Location::Query && cursor.node.says("allowEmptyValue"),
            kinds: Kinds::default(),
            element_kinds: Kinds::default(),
        };
        let mut schema = body::schema(cursor);
        if let Some((media, content)) = body::only_content(cursor) {
            if !crate::media::is_json(&media.to_ascii_lowercase()) {
                let message = format!("the parameter `{}` is written as `{media}`", parameter.name);
                return Err(self.unenforceable(cursor, message));
            }
            parameter.form = Form::Json;
            schema = body::schema(content);
        }
        parameter.shape = schema.map(|s| self.builder.root(s).in_request());
        Ok(Some(parameter))
    }

    /// The way arrays are written, where the style has a single reading.
    fn separation(&self, cursor: Cursor<'a>, location: Location) -> Result<Separation, Unenforceable> {
        let form = matches!(location, Location::Query | Location::Cookie);
        let default = if form { "form" } else { "simple" };
        let style = cursor.node.get("style").and_then(Node::text).unwrap_or(default);
        if style != default {
            let name = cursor.node.get("name").and_then(Node::text).unwrap_or_default();
            return Err(self.unenforceable(cursor, format!("the parameter `{name}` has the style `{style}`")));
        }
        let explode = cursor.node.get("explode").and_then(Node::bool).unwrap_or(form);
        Ok(if form && explode { Separation::Repeated } else { Separation::Commas })
    }
}

/// Decides, now that every schema is known, how each parameter is read.
pub(super) fn settle(operation: &mut Operation, shapes: &Shapes, engine: &Arc<Engine>) -> Result<(), Unenforceable> {
    for parameter in &mut operation.parameters {
        let Some(shape) = parameter.shape else { continue };
        parameter.validator = Some(Validator::new(engine, shape, Direction::Request));
        if parameter.form == Form::Json {
            continue;
        }
        parameter.kinds = kinds(shapes, shape);
        let set = shapes.enter(shape);
        let element = shapes.element(&set, 0);
        parameter.element_kinds = element.iter().fold(Kinds::default(), |k, id| k.meet(kinds(shapes, id)));
        let scalar = Kinds::STRING.with(Kinds::INTEGER).with(Kinds::NUMBER).with(Kinds::BOOLEAN);
        let only = |kind: Kinds| parameter.kinds.has(kind) && !parameter.kinds.has(scalar);
        let nested = Kinds::ARRAY.with(Kinds::OBJECT);
        let what = if only(Kinds::OBJECT) && !parameter.kinds.has(Kinds::ARRAY) {
            "an object"
        } else if only(Kinds::ARRAY) && parameter.element_kinds.has(nested) && !parameter.element_kinds.has(scalar) {
            "an array of arrays or objects"
        } else if only(Kinds::ARRAY)
            && parameter.location == Location::Cookie
            && parameter.separation == Separation::Repeated
        {
            "an exploded array in a cookie"
        } else {
            continue;
        };
        let message = format!("the parameter `{}` is {what}, which has no one reading", parameter.name);
        return Err(Unenforceable { place: operation.place.clone(), message });
    }
    Ok(())
}

/// The types a value of a schema may have, through composition; empty: any.
///
/// INVARIANT: asked only of schemas without a fault, whose composition is neither circular nor deep.
fn kinds(shapes: &Shapes, id: ShapeId) -> Kinds {
    let Some(shape) = shapes.shape(id) else { return Kinds::default() };
    let mut kinds = shape.kinds;
    if let Some(target) = shape.reference {
        kinds = kinds.meet(self::kinds(shapes, target));
    }
    if let Some(branches) = shape.branches.as_deref() {
        for part in &branches.all_of {
            kinds = kinds.meet(self::kinds(shapes, *part));
        }
        for list in [&branches.any_of, &branches.one_of] {
            let each: Vec<Kinds> = list.iter().map(|id| self::kinds(shapes, *id)).collect();
            if !each.is_empty() && each.iter().all(|k| !k.is_empty()) {
                kinds = kinds.meet(each.into_iter().fold(Kinds::default(), Kinds::with));
            }
        }
    }
    kinds
}
