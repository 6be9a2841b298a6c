// SPDX-License-Identifier: Apache-2.0
//! Documents as raw values with places, whatever the format; and references between them.

use portcullis_decision::finding::{Finding, Place, Severity};
use serde_json::Number;
use std::sync::Arc;

mod extension;
mod json;
mod library;
mod lines;
mod yaml;

pub(crate) use extension::refused as refused_extensions;
pub(crate) use library::{Cursor, Library};
pub(crate) use lines::Lines;

/// Documents may be at most this deep.
pub(crate) const DEPTH_MAX: usize = 128;
/// Documents may have at most this many values.
pub(crate) const NODES_MAX: usize = 4_000_000;
/// Documents may be at most this long.
pub(crate) const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Maps above this size are searched through an index.
const LINEAR_MAX: usize = 12;

/// A resolved place: which file of the library, line and column from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) file: u16,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// One value of a document and the byte where it begins.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: u32,
    pub(crate) value: Raw,
}

/// A raw value.
#[derive(Debug)]
pub(crate) enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Node>),
    Map(Members),
}

/// The members of a map, in the document's order, without duplicates.
#[derive(Debug, Default)]
pub(crate) struct Members {
    entries: Vec<(Box<str>, Node)>,
    /// Indices sorted by key, for large maps.
    sorted: Vec<u32>,
}

impl Members {
    /// Refuses a duplicate key by giving its index.
    fn new(entries: Vec<(Box<str>, Node)>) -> Result<Self, usize> {
        let mut sorted: Vec<u32> = (0..u32::try_from(entries.len()).unwrap_or(u32::MAX)).collect();
        let key = |i: &u32| entries.get(to_usize(*i)).map_or("", |(k, _)| &**k);
        sorted.sort_by(|a, b| key(a).cmp(key(b)));
        let twice = sorted.array_windows().find(|[a, b]| key(a) == key(b));
        if let Some([_, second]) = twice {
            return Err(to_usize(*second));
        }
        if entries.len() <= LINEAR_MAX {
            sorted = Vec::new();
        }
        Ok(Self { entries, sorted })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        if self.sorted.is_empty() {
            return self.entries.iter().find(|(k, _)| **k == *name).map(|(_, n)| n);
        }
        let key = |i: &u32| self.entries.get(to_usize(*i)).map_or("", |(k, _)| &**k);
        let at = self.sorted.binary_search_by(|i| key(i).cmp(name)).ok()?;
        self.entries.get(to_usize(*self.sorted.get(at)?)).map(|(_, n)| n)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.entries.iter().map(|(k, n)| (&**k, n))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Node {
    pub(crate) fn map(&self) -> Option<&Members> {
        if let Raw::Map(members) = &self.value { Some(members) } else { None }
    }

    pub(crate) fn list(&self) -> Option<&[Node]> {
        if let Raw::List(items) = &self.value { Some(items) } else { None }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Raw::Text(text) = &self.value { Some(text) } else { None }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        if let Raw::Bool(value) = &self.value { Some(*value) } else { None }
    }

    pub(crate) fn number(&self) -> Option<&Number> {
        if let Raw::Number(value) = &self.value { Some(value) } else { None }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Node> {
        self.map()?.get(name)
    }

    /// Whether a boolean member is present and true.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.get(name).and_then(Node::bool) == Some(true)
    }

    /// What stands at a JSON pointer (RFC 6901).
    pub(crate) fn pointer(&self, pointer: &str) -> Option<&Node> {
        let mut node = self;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            node = match &node.value {
                Raw::Map(members) => members.get(&token)?,
                Raw::List(items) => items.get(token.parse::<usize>().ok()?)?,
                Raw::Null | Raw::Bool(_) | Raw::Number(_) | Raw::Text(_) => return None,
            };
        }
        Some(node)
    }

    /// Identity of the value while its library lives.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// The value as JSON.
    pub(crate) fn to_value(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(*value),
            Raw::Number(value) => Value::Number(value.clone()),
            Raw::Text(text) => Value::String(text.to_string()),
            Raw::List(items) => items.iter().map(Node::to_value).collect(),
            Raw::Map(members) => Value::Object(members.iter().map(|(k, n)| (k.to_owned(), n.to_value())).collect()),
        }
    }
}

/// Parses a document of either format.
pub(crate) fn parse(name: &Arc<str>, text: &str) -> Result<(Node, Lines), Box<Finding>> {
    if text.len() > BYTES_MAX {
        let message = format!("the document is longer than {BYTES_MAX} bytes");
        return Err(Box::new(refusal(Place { file: Arc::clone(name), line: 0, column: 0 }, message)));
    }
    let lines = Lines::new(text);
    let fault = match json::parse(text) {
        Ok(node) => return Ok((node, lines)),
        Err(fault) => fault,
    };
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    // JSON in a YAML file may still be YAML's flow style.
    let fault = if extension.as_deref() == Some("json") || (looks_like_json && extension.as_deref() != Some("yaml")) {
        fault
    } else {
        match yaml::parse(text) {
            Ok(node) => return Ok((node, lines)),
            Err(fault) => fault,
        }
    };
    let (line, column) = lines.locate(text, fault.at);
    Err(Box::new(refusal(Place { file: Arc::clone(name), line, column }, fault.message)))
}

/// Why a text is not a document.
#[derive(Debug)]
struct SyntaxFault {
    at: u32,
    message: String,
}

/// A finding that refuses the document.
pub(crate) fn refusal(place: Place, message: String) -> Finding {
    let at = place.file.to_string();
    Finding { rule: None, severity: Severity::Refuse, place: Some(place), at, message, help: None }
}

fn to_usize(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
