// SPDX-License-Identifier: Apache-2.0
//! The plain assertions of a schema: those that hold no further schema. They are kept as compact JSON text until a
//! validator is made of them, which most schemas of a large document never need.

use super::keyword::names;
use crate::document::Node;
use serde_json::{Map, Number, Value};

/// An `enum` may list at most this many values (T75).
const ENUM_MAX: usize = 20_000;

/// Keywords with a count.
const COUNTS: [&str; 8] =
    ["maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties", "maxContains", "minContains"];

/// Reads the assertions; `nullable` adds null to an `enum`.
pub(super) fn read(node: &Node, nullable: bool) -> Result<Option<Box<str>>, String> {
    let mut out = Map::new();
    for keyword in COUNTS {
        if let Some(count) = node.get(keyword) {
            out.insert(keyword.to_owned(), Value::Number(count_of(count, keyword)?.into()));
        }
    }
    bounds(node, &mut out)?;
    if let Some(pattern) = node.get("pattern").and_then(Node::text) {
        out.insert("pattern".to_owned(), Value::from(pattern));
    }
    if node.says("uniqueItems") {
        out.insert("uniqueItems".to_owned(), Value::Bool(true));
    }
    if let Some(values) = node.get("enum") {
        let values = values.list().ok_or("`enum` is a list of values")?;
        if values.len() > ENUM_MAX {
            return Err(format!("an `enum` lists more than {ENUM_MAX} values"));
        }
        let mut values: Vec<Value> = values.iter().map(Node::to_value).collect();
        if nullable && !values.contains(&Value::Null) {
            values.push(Value::Null);
        }
        out.insert("enum".to_owned(), Value::Array(values));
    }
    if let Some(value) = node.get("const") {
        out.insert("const".to_owned(), value.to_value());
    }
    if let Some(dependent) = node.get("dependentRequired") {
        let members = dependent.map().ok_or("`dependentRequired` is an object of lists of names")?;
        let mut lists = Map::new();
        for (name, _) in members.iter() {
            let list = names(dependent, name)?.iter().map(|n| Value::from(&**n)).collect();
            lists.insert(name.to_owned(), list);
        }
        out.insert("dependentRequired".to_owned(), Value::Object(lists));
    }
    Ok((!out.is_empty()).then(|| Value::Object(out).to_string().into()))
}

/// `multipleOf` and the bounds of numbers; 3.0 has boolean exclusive bounds.
fn bounds(node: &Node, out: &mut Map<String, Value>) -> Result<(), String> {
    if let Some(step) = number(node, "multipleOf")? {
        if step.as_f64().is_none_or(|n| n <= 0.0) {
            return Err("`multipleOf` is a number above 0".to_owned());
        }
        out.insert("multipleOf".to_owned(), Value::Number(step));
    }
    for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
        let limit = number(node, bound)?;
        let flag = node.get(exclusive).and_then(Node::bool);
        let key = if flag == Some(true) { exclusive } else { bound };
        if let Some(limit) = limit {
            out.insert(key.to_owned(), Value::Number(limit));
        }
        if flag.is_none()
            && let Some(limit) = number(node, exclusive)?
        {
            out.insert(exclusive.to_owned(), Value::Number(limit));
        }
    }
    Ok(())
}

fn number(node: &Node, keyword: &str) -> Result<Option<Number>, String> {
    let Some(value) = node.get(keyword) else { return Ok(None) };
    value.number().cloned().map(Some).ok_or_else(|| format!("`{keyword}` is a number"))
}

fn count_of(node: &Node, keyword: &str) -> Result<u64, String> {
    let number = node.number().ok_or_else(|| format!("`{keyword}` is a count"))?;
    // `10.0` counts as 10 (JSON Schema 2020-12 §6.1.1); everything else is no count.
    let text = number.to_string();
    let whole = text.strip_suffix(".0").unwrap_or(&text);
    whole.parse().map_err(|_| format!("`{keyword}` is a count"))
}
