// SPDX-License-Identifier: Apache-2.0
//! Reading the keywords of one schema object, 3.0 and 3.1 into one form (JSON Schema 2020-12).
//!
//! What 3.0 says differently: `nullable`, boolean `exclusiveMinimum`/`exclusiveMaximum`, siblings of `$ref` (which
//! it ignores), no `if`, `const`, `prefixItems` or `unevaluated*`. Annotations (`example`, `discriminator`, `xml`,
//! `title`, …) decide nothing and are left out.

use super::assertion;
use super::build::{Builder, Dialect};
use super::{ArrayPart, Branches, Kinds, ObjectPart, Rest, Shape, ShapeId};
use crate::document::{Cursor, Mark, Node, Raw};
use std::sync::Arc;

/// Formats that are checked, in requests; every other format is an annotation, as 2020-12 has it.
const FORMATS: [&str; 8] = ["date", "date-time", "uuid", "ipv4", "ipv6", "email", "int32", "int64"];
/// Keywords whose meaning depends on the path by which a schema was reached: not supported.
const DYNAMIC: [&str; 2] = ["$dynamicRef", "$recursiveRef"];

impl Shape {
    /// A schema that says nothing.
    pub(super) fn blank() -> Self {
        Self {
            mark: Mark::default(),
            never: false,
            name: None,
            read_only: false,
            write_only: false,
            or_null: false,
            unit: false,
            kinds: Kinds::default(),
            format: None,
            assertions: None,
            reference: None,
            object: None,
            array: None,
            branches: None,
        }
    }
}

impl<'a> Builder<'a> {
    /// Reads one schema object; an error says why it cannot be enforced.
    pub(super) fn schema(&mut self, cursor: Cursor<'a>) -> Result<Shape, String> {
        let mut shape = Shape::blank();
        if let Some(reference) = cursor.node.get("$ref") {
            let reference = reference.text().ok_or("`$ref` is a string")?;
            shape.reference = Some(self.target(cursor, reference)?);
            if self.dialect == Dialect::V30 {
                return Ok(shape);
            }
        }
        if let Some(keyword) = DYNAMIC.iter().find(|k| cursor.node.get(k).is_some()) {
            return Err(format!("`{keyword}` is not supported"));
        }
        shape.read_only = cursor.node.says("readOnly");
        shape.write_only = cursor.node.says("writeOnly");
        shape.kinds = kinds(cursor.node)?;
        shape.format = format(cursor.node, shape.kinds);
        shape.object = self.object(cursor)?.map(Box::new);
        shape.array = self.array(cursor)?.map(Box::new);
        shape.branches = self.branches(cursor)?.map(Box::new);
        let nullable = self.dialect == Dialect::V30 && cursor.node.says("nullable");
        if nullable && (shape.kinds.is_empty() || shape.branches.is_some()) {
            shape.or_null = true;
        } else if nullable {
            shape.kinds = shape.kinds.with(Kinds::NULL);
        }
        if let Some(pattern) = cursor.node.get("pattern") {
            self.pattern(pattern.text().ok_or("`pattern` is a string")?)?;
        }
        shape.assertions = assertion::read(cursor.node, nullable)?;
        Ok(shape)
    }

    fn object(&mut self, cursor: Cursor<'a>) -> Result<Option<ObjectPart>, String> {
        let mut part = ObjectPart::default();
        let mut any = false;
        for (name, schema) in members(cursor, "properties")? {
            part.properties.push((name.into(), self.child(schema)));
            any = true;
        }
        part.properties.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (pattern, schema) in members(cursor, "patternProperties")? {
            let compiled = self.pattern(pattern)?;
            part.patterns.push((compiled, self.child(schema)));
            any = true;
        }
        for (name, schema) in members(cursor, "dependentSchemas")? {
            part.dependent.push((name.into(), self.unit(schema)));
            any = true;
        }
        part.required = names(cursor.node, "required")?;
        part.additional = self.rest(cursor, "additionalProperties");
        part.unevaluated = self.rest(cursor, "unevaluatedProperties");
        part.property_names = cursor.get("propertyNames").map(|c| self.child(c));
        any |= !part.required.is_empty() || part.property_names.is_some();
        any |= part.additional != Rest::Absent || part.unevaluated != Rest::Absent;
        Ok(any.then_some(part))
    }

    fn array(&mut self, cursor: Cursor<'a>) -> Result<Option<ArrayPart>, String> {
        let mut part = ArrayPart { items: self.rest(cursor, "items"), ..ArrayPart::default() };
        // Before 2020-12 `items` was a list of what is `prefixItems` now.
        let listed = cursor.get("prefixItems").or_else(|| cursor.get("items").filter(|c| c.node.list().is_some()));
        if let Some(prefix) = listed {
            if prefix.node.list().is_none() {
                return Err("`prefixItems` is a list of schemas".to_owned());
            }
            part.prefix = prefix.elements().map(|c| self.child(c)).collect();
            if cursor.node.get("prefixItems").is_none() {
                part.items = self.rest(cursor, "additionalItems");
            }
        }
        part.contains = cursor.get("contains").map(|c| self.child(c));
        part.unevaluated = self.rest(cursor, "unevaluatedItems");
        let said = part.items != Rest::Absent || part.unevaluated != Rest::Absent;
        Ok((said || part.contains.is_some() || !part.prefix.is_empty()).then_some(part))
    }

    fn branches(&mut self, cursor: Cursor<'a>) -> Result<Option<Branches>, String> {
        let mut part = Branches::default();
        for schema in elements(cursor, "allOf")? {
            part.all_of.push(self.child(schema));
        }
        for schema in elements(cursor, "anyOf")? {
            part.any_of.push(self.unit(schema));
        }
        for schema in elements(cursor, "oneOf")? {
            part.one_of.push(self.unit(schema));
        }
        part.not = cursor.get("not").map(|c| self.child(c));
        part.condition = cursor.get("if").map(|c| self.unit(c));
        if part.condition.is_some() {
            part.then = cursor.get("then").map(|c| self.unit(c));
            part.otherwise = cursor.get("else").map(|c| self.unit(c));
        }
        let lists = [&part.all_of, &part.any_of, &part.one_of];
        let said = lists.iter().any(|l| !l.is_empty()) || part.not.is_some() || part.condition.is_some();
        Ok(said.then_some(part))
    }

    fn rest(&mut self, cursor: Cursor<'a>, keyword: &str) -> Rest {
        let Some(rest) = cursor.get(keyword) else { return Rest::Absent };
        match &rest.node.value {
            Raw::Bool(false) => Rest::Closed,
            Raw::Bool(true) => Rest::Open,
            Raw::Map(members) if members.is_empty() => Rest::Open,
            Raw::List(_) => Rest::Absent,
            Raw::Map(_) | Raw::Null | Raw::Number(_) | Raw::Text(_) => Rest::Schema(self.child(rest)),
        }
    }
}

impl Shape {
    /// Schemas that apply to the same value.
    pub(crate) fn in_place(&self) -> impl Iterator<Item = ShapeId> + '_ {
        let branches = self.branches.as_deref().into_iter().flat_map(|b| {
            let lists = b.all_of.iter().chain(&b.any_of).chain(&b.one_of);
            lists.chain(&b.not).chain(&b.condition).chain(&b.then).chain(&b.otherwise).copied()
        });
        let dependent = self.object.as_deref().into_iter().flat_map(|o| o.dependent.iter().map(|(_, id)| *id));
        self.reference.into_iter().chain(branches).chain(dependent)
    }

    /// Schemas that apply to parts of the value.
    pub(crate) fn inner(&self) -> impl Iterator<Item = ShapeId> + '_ {
        let object = self.object.as_deref().into_iter().flat_map(|o| {
            let named = o.properties.iter().map(|(_, id)| *id).chain(o.patterns.iter().map(|(_, id)| *id));
            named.chain(o.additional.schema()).chain(o.unevaluated.schema()).chain(o.property_names)
        });
        let array = self.array.as_deref().into_iter().flat_map(|a| {
            let listed = a.prefix.iter().copied().chain(a.items.schema());
            listed.chain(a.unevaluated.schema()).chain(a.contains)
        });
        object.chain(array)
    }
}

fn kinds(node: &Node) -> Result<Kinds, String> {
    let named = |node: &Node| {
        let name = node.text().ok_or("`type` is a string or a list of strings")?;
        Kinds::named(name).ok_or_else(|| format!("`{name}` is not a type"))
    };
    match node.get("type") {
        None => Ok(Kinds::default()),
        Some(Node { value: Raw::List(types), .. }) => {
            types.iter().try_fold(Kinds::default(), |kinds, t| Ok(kinds.with(named(t)?)))
        }
        Some(one) => named(one),
    }
}

fn format(node: &Node, kinds: Kinds) -> Option<&'static str> {
    let name = node.get("format")?.text()?;
    let format = FORMATS.iter().find(|f| **f == name).copied()?;
    let numeric = format.starts_with("int");
    let applies =
        kinds.is_empty() || kinds.has(if numeric { Kinds::INTEGER.with(Kinds::NUMBER) } else { Kinds::STRING });
    applies.then_some(format)
}

fn members<'a>(cursor: Cursor<'a>, keyword: &str) -> Result<Vec<(&'a str, Cursor<'a>)>, String> {
    match cursor.get(keyword) {
        None => Ok(Vec::new()),
        Some(c) if c.node.map().is_some() => Ok(c.members().collect()),
        Some(_) => Err(format!("`{keyword}` is an object of schemas")),
    }
}

fn elements<'a>(cursor: Cursor<'a>, keyword: &str) -> Result<Vec<Cursor<'a>>, String> {
    match cursor.get(keyword) {
        None => Ok(Vec::new()),
        Some(c) if c.node.list().is_some_and(|l| !l.is_empty()) => Ok(c.elements().collect()),
        Some(_) => Err(format!("`{keyword}` is a list of at least one schema")),
    }
}

/// A list of names.
pub(super) fn names(node: &Node, keyword: &str) -> Result<Vec<Arc<str>>, String> {
    let fault = || format!("`{keyword}` is a list of property names");
    let Some(list) = node.get(keyword) else { return Ok(Vec::new()) };
    let mut names: Vec<Arc<str>> = Vec::new();
    for name in list.list().ok_or_else(fault)? {
        let name = name.text().ok_or_else(fault)?;
        if !names.iter().any(|n| **n == *name) {
            names.push(name.into());
        }
    }
    Ok(names)
}
