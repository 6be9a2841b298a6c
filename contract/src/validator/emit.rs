// SPDX-License-Identifier: Apache-2.0
//! From shapes back to JSON Schema 2020-12: the text a validator is compiled from.

use super::{Closedness, Direction, Slot, unit};
use crate::shape::{ArrayPart, Branches, Fault, ObjectPart, Rest, Shape, ShapeId, Shapes};
use serde_json::{Map, Value, json};

/// A unit may hold at most this many schema objects (T75).
const NODES_MAX: usize = 100_000;
/// Schema objects inside one unit may be nested at most this deep.
const DEPTH_MAX: usize = 200;

/// The unit is too large or too deep to compile.
#[derive(Debug)]
pub(super) struct TooLarge;

/// What is passed down while a unit is written.
#[derive(Clone, Copy)]
struct Context {
    /// The schema whose composition the present one is part of: who says `readOnly` of a property.
    group: ShapeId,
    closedness: Closedness,
    /// Below `unevaluated*`, which sees only what is written here: units are written out.
    inline: bool,
    depth: usize,
}

struct Emit<'a> {
    shapes: &'a Shapes,
    direction: Direction,
    nodes: usize,
}

/// The schema of a unit.
pub(super) fn unit(shapes: &Shapes, shape: &Shape, slot: Slot) -> Result<Value, TooLarge> {
    let mut emit = Emit { shapes, direction: slot.direction, nodes: 0 };
    emit.schema(shape, Context { group: slot.shape, closedness: slot.closedness, inline: false, depth: 0 })
}

/// Schemas whose `unevaluated*` would have to be written out beyond every measure. All other units are as large as
/// the document wrote them.
pub(crate) fn unemittable(shapes: &Shapes) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, shape) in shapes.arena.iter().enumerate() {
        let object = shape.object.as_deref().map_or(Rest::Absent, |o| o.unevaluated);
        let array = shape.array.as_deref().map_or(Rest::Absent, |a| a.unevaluated);
        if matches!((object, array), (Rest::Absent | Rest::Open, Rest::Absent | Rest::Open)) {
            continue;
        }
        let id = ShapeId::new(u32::try_from(index).unwrap_or(u32::MAX));
        let slot = Slot { shape: id, direction: Direction::Request, closedness: Closedness::Kept };
        if unit(shapes, shape, slot).is_err() {
            let message = "a schema with `unevaluated…` is composed of too many schemas".to_owned();
            faults.push(Fault { shape: id, mark: shape.mark, message });
        }
    }
    faults
}

impl Emit<'_> {
    fn schema(&mut self, shape: &Shape, mut context: Context) -> Result<Value, TooLarge> {
        self.nodes += 1;
        if self.nodes > NODES_MAX || context.depth > DEPTH_MAX {
            return Err(TooLarge);
        }
        if shape.never {
            return Ok(Value::Bool(false));
        }
        context.depth += 1;
        let kept = context.closedness == Closedness::Kept;
        let unevaluated = |rest: Rest| matches!(rest, Rest::Schema(_)) || (kept && rest == Rest::Closed);
        context.inline |= shape.object.as_deref().is_some_and(|o| unevaluated(o.unevaluated));
        context.inline |=
            shape.array.as_deref().is_some_and(|a| a.unevaluated.schema().is_some() || a.unevaluated == Rest::Closed);
        let mut out = assertions(shape, self.direction);
        if let Some(object) = shape.object.as_deref() {
            self.object(object, context, &mut out)?;
        }
        if let Some(array) = shape.array.as_deref() {
            self.array(array, context, &mut out)?;
        }
        if let Some(branches) = shape.branches.as_deref() {
            self.branches(branches, context, &mut out)?;
        }
        if let Some(target) = shape.reference {
            self.reference(target, context, &mut out)?;
        }
        let schema = Value::Object(out);
        Ok(if shape.or_null { json!({ "if": { "not": { "type": "null" } }, "then": schema }) } else { schema })
    }

    /// A schema that applies to the same value.
    fn same(&mut self, id: ShapeId, context: Context) -> Result<Value, TooLarge> {
        let shape = self.shapes.shape(id).ok_or(TooLarge)?;
        if shape.unit && !context.inline {
            return Ok(json!({ unit::KEYWORD: unit::reference(id, context.closedness) }));
        }
        self.schema(shape, context)
    }

    /// A schema that applies to the same value, perhaps.
    fn branch(&mut self, id: ShapeId, context: Context) -> Result<Value, TooLarge> {
        self.same(id, Context { closedness: Closedness::Kept, ..context })
    }

    /// A schema that applies to a part of the value.
    fn part(&mut self, id: ShapeId, context: Context) -> Result<Value, TooLarge> {
        self.same(id, Context { group: id, inline: false, ..context })
    }

    fn parts<'k>(
        &mut self,
        members: impl Iterator<Item = (&'k str, ShapeId)>,
        context: Context,
    ) -> Result<Option<Value>, TooLarge> {
        let mut map = Map::new();
        for (name, id) in members {
            map.insert(name.to_owned(), self.part(id, context)?);
        }
        Ok((!map.is_empty()).then_some(Value::Object(map)))
    }

    fn object(&mut self, object: &ObjectPart, context: Context, out: &mut Map<String, Value>) -> Result<(), TooLarge> {
        let properties = self.parts(object.properties.iter().map(|(n, id)| (&**n, *id)), context)?;
        let patterns = self.parts(object.patterns.iter().map(|(p, id)| (p.text(), *id)), context)?;
        set(out, "properties", properties);
        set(out, "patternProperties", patterns);
        let required: Vec<Value> =
            object.required.iter().filter(|n| self.is_needed(context.group, n)).map(|n| Value::from(&**n)).collect();
        set(out, "required", (!required.is_empty()).then_some(Value::Array(required)));
        let additional = self.rest(object.additional, context, context.closedness == Closedness::Kept)?;
        set(out, "additionalProperties", additional);
        let unevaluated = self.rest(object.unevaluated, context, context.closedness == Closedness::Kept)?;
        set(out, "unevaluatedProperties", unevaluated);
        if let Some(id) = object.property_names {
            out.insert("propertyNames".to_owned(), self.part(id, context)?);
        }
        let mut dependent = Map::new();
        for (name, id) in &object.dependent {
            dependent.insert(name.to_string(), self.branch(*id, context)?);
        }
        set(out, "dependentSchemas", (!dependent.is_empty()).then_some(Value::Object(dependent)));
        Ok(())
    }

    fn array(&mut self, array: &ArrayPart, context: Context, out: &mut Map<String, Value>) -> Result<(), TooLarge> {
        let prefix = array.prefix.iter().map(|id| self.part(*id, context)).collect::<Result<Vec<_>, _>>()?;
        set(out, "prefixItems", (!prefix.is_empty()).then_some(Value::Array(prefix)));
        set(out, "items", self.rest(array.items, context, true)?);
        set(out, "unevaluatedItems", self.rest(array.unevaluated, context, true)?);
        if let Some(id) = array.contains {
            out.insert("contains".to_owned(), self.part(id, context)?);
        }
        Ok(())
    }

    fn branches(&mut self, b: &Branches, context: Context, out: &mut Map<String, Value>) -> Result<(), TooLarge> {
        let all = b.all_of.iter().map(|id| self.same(*id, context)).collect::<Result<Vec<_>, _>>()?;
        set(out, "allOf", (!all.is_empty()).then_some(Value::Array(all)));
        for (keyword, list) in [("anyOf", &b.any_of), ("oneOf", &b.one_of)] {
            let list = list.iter().map(|id| self.branch(*id, context)).collect::<Result<Vec<_>, _>>()?;
            set(out, keyword, (!list.is_empty()).then_some(Value::Array(list)));
        }
        for (keyword, id) in [("not", b.not), ("if", b.condition), ("then", b.then), ("else", b.otherwise)] {
            let schema = id.map(|id| self.branch(id, context)).transpose()?;
            set(out, keyword, schema);
        }
        Ok(())
    }

    fn reference(&mut self, target: ShapeId, context: Context, out: &mut Map<String, Value>) -> Result<(), TooLarge> {
        if context.inline {
            let schema = self.same(target, context)?;
            if let Value::Array(all) = out.entry("allOf").or_insert_with(|| json!([])) {
                all.push(schema);
            }
        } else {
            out.insert(unit::KEYWORD.to_owned(), unit::reference(target, context.closedness));
        }
        Ok(())
    }

    fn rest(&mut self, rest: Rest, context: Context, closed: bool) -> Result<Option<Value>, TooLarge> {
        match rest {
            Rest::Absent => Ok(None),
            // Says nothing, except to `unevaluated*` around it.
            Rest::Open => Ok(context.inline.then_some(Value::Bool(true))),
            Rest::Closed => Ok(closed.then_some(Value::Bool(false))),
            Rest::Schema(id) => self.part(id, context).map(Some),
        }
    }

    /// Whether a required property is required in this direction (config.md §4).
    fn is_needed(&self, group: ShapeId, name: &str) -> bool {
        let set = self.shapes.enter(group);
        let objects = set.candidates.iter().filter_map(|c| self.shapes.shape(c.shape)?.object.as_deref());
        let mut marks = objects.filter_map(|o| o.property(name)).map(|id| self.shapes.marks(&self.shapes.enter(id)));
        match self.direction {
            Direction::Request => !marks.any(|m| m.read_only),
            Direction::Response => !marks.any(|m| m.write_only),
        }
    }
}

/// The assertions of one schema object, its type and its format.
fn assertions(shape: &Shape, direction: Direction) -> Map<String, Value> {
    let text = shape.assertions.as_deref().unwrap_or("{}");
    let mut out: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
    let mut names: Vec<Value> = shape.kinds.names().map(Value::from).collect();
    let kind = if names.len() == 1 { names.pop() } else { (!names.is_empty()).then_some(Value::Array(names)) };
    set(&mut out, "type", kind);
    match (shape.format, direction) {
        (Some("int32"), Direction::Request) => bound(&mut out, i64::from(i32::MIN), i64::from(i32::MAX)),
        (Some("int64"), Direction::Request) => bound(&mut out, i64::MIN, i64::MAX),
        (Some(format), Direction::Request) => set(&mut out, "format", Some(Value::from(format))),
        _ => {}
    }
    out
}

/// The range of an integer format, beside the document's own bounds.
fn bound(out: &mut Map<String, Value>, minimum: i64, maximum: i64) {
    if let Value::Array(all) = out.entry("allOf").or_insert_with(|| json!([])) {
        all.push(json!({ "if": { "type": "number" }, "then": { "minimum": minimum, "maximum": maximum } }));
    }
}

fn set(out: &mut Map<String, Value>, keyword: &str, value: Option<Value>) {
    match (value, out.get_mut(keyword)) {
        (Some(Value::Array(more)), Some(Value::Array(list))) => list.extend(more),
        (Some(value), _) => {
            out.insert(keyword.to_owned(), value);
        }
        (None, _) => {}
    }
}
