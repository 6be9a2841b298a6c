// SPDX-License-Identifier: Apache-2.0
//! Looking at one value: borrowed, by its bytes.

use super::{Document, JsonKind, Node, NodeId, text};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// One value of a document.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    document: &'a Document,
    id: NodeId,
}

impl<'a> NodeRef<'a> {
    pub(super) fn new(document: &'a Document, id: NodeId) -> Self {
        Self { document, id }
    }

    /// INVARIANT: made only for ids inside the arena; the fallback keeps a broken promise from being a panic.
    fn node(self) -> &'a Node {
        static ABSENT: Node = Node {
            kind: JsonKind::Null,
            escaped: false,
            key_escaped: false,
            start: 0,
            end: 0,
            key_start: 0,
            key_end: 0,
            next: 0,
            children: 0,
        };
        self.document.nodes.get(self.id.index()).unwrap_or(&ABSENT)
    }

    /// The id of this value.
    pub fn id(self) -> NodeId {
        self.id
    }

    /// Whether this id names a value inside this one.
    pub fn holds(self, id: NodeId) -> bool {
        self.id < id && id.0 < self.node().next
    }

    /// Its kind.
    pub fn kind(self) -> JsonKind {
        self.node().kind
    }

    /// Where its bytes stand in the document, without the key.
    pub fn span(self) -> Range<u32> {
        let node = self.node();
        node.start..node.end
    }

    /// Its bytes as received.
    pub fn raw(self) -> &'a [u8] {
        self.lexeme().as_bytes()
    }

    /// Its bytes as text: the lexeme of a number or literal, a string with its quotes and escapes.
    pub fn lexeme(self) -> &'a str {
        let node = self.node();
        // INVARIANT: values start and end at ASCII bytes.
        self.document.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    /// The unescaped text of a string; `None` for other kinds.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let node = self.node();
        (node.kind == JsonKind::String).then(|| text::unescape(self.lexeme(), node.escaped))
    }

    /// The unescaped key of a member; `None` for the root and for elements.
    pub fn key(self) -> Option<Cow<'a, str>> {
        let node = self.node();
        let quoted = self.document.text.get(node.key_start as usize..node.key_end as usize)?;
        (!quoted.is_empty()).then(|| text::unescape(quoted, node.key_escaped))
    }

    /// The text that identifiers are compared by: a string that is not empty, unescaped, or the canonical decimal of
    /// an integer. `None` for all else: two absences are never equal.
    pub fn canonical_text(self) -> Option<Cow<'a, str>> {
        match self.kind() {
            JsonKind::String => self.text().filter(|text| !text.is_empty()),
            // JSON knows no plus sign and no leading zero, and `-0` is no integer here, so the lexeme is canonical.
            JsonKind::Integer => Some(Cow::Borrowed(self.lexeme())),
            JsonKind::Null | JsonKind::Bool | JsonKind::Float | JsonKind::Array | JsonKind::Object => None,
        }
    }

    /// The value of `true` or `false`.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == JsonKind::Bool).then(|| self.raw() == b"true")
    }

    /// The number; `None` for other kinds.
    pub fn number(self) -> Option<Number> {
        let lexeme = self.lexeme();
        match self.kind() {
            JsonKind::Integer => {
                let signed = lexeme.parse::<i64>().map(Number::from);
                signed.or_else(|_| lexeme.parse::<u64>().map(Number::from)).ok()
            }
            JsonKind::Float => lexeme.parse::<f64>().ok().and_then(Number::from_f64),
            JsonKind::Null | JsonKind::Bool | JsonKind::String | JsonKind::Array | JsonKind::Object => None,
        }
    }

    /// Number of members or elements; 0 for scalars.
    pub fn len(self) -> usize {
        self.node().children as usize
    }

    /// Whether there is no member and no element.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The members of an object in document order; none for other kinds.
    pub fn members(self) -> Members<'a> {
        Members(self.children_of(JsonKind::Object))
    }

    /// The elements of an array in document order; none for other kinds.
    pub fn elements(self) -> Elements<'a> {
        Elements(self.children_of(JsonKind::Array))
    }

    /// The values in an object or an array in document order, without their keys; none for scalars.
    pub fn values(self) -> Elements<'a> {
        Elements(self.children_of(self.kind()))
    }

    fn children_of(self, kind: JsonKind) -> Children<'a> {
        let node = self.node();
        let first = self.id.0.saturating_add(1);
        Children { document: self.document, at: first, end: if node.kind == kind { node.next } else { first } }
    }

    /// The member of this name, compared after unescaping.
    pub fn get(self, name: &str) -> Option<NodeRef<'a>> {
        self.children_of(JsonKind::Object).find(|member| {
            let node = member.node();
            if node.key_escaped {
                return member.key().is_some_and(|key| key == name);
            }
            // Between its quotes.
            let (start, end) = (node.key_start.saturating_add(1), node.key_end.saturating_sub(1));
            self.document.text.as_bytes().get(start as usize..end as usize) == Some(name.as_bytes())
        })
    }

    /// The value a JSON pointer leads to (RFC 6901).
    pub fn pointer(self, pointer: &str) -> Option<NodeRef<'a>> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |node, token| {
            match node.kind() {
                JsonKind::Object if token.contains('~') => node.get(&token.replace("~1", "/").replace("~0", "~")),
                JsonKind::Object => node.get(token),
                // RFC 6901 §4: no leading zero, no sign.
                JsonKind::Array if token == "0" || token.starts_with(|c: char| matches!(c, '1'..='9')) => {
                    node.elements().nth(token.parse().ok()?)
                }
                _ => None,
            }
        })
    }

    /// This value for schema validation.
    pub fn to_value(self) -> Value {
        self.document.value_of(self.id, &[])
    }

    pub(super) fn scalar(self) -> Value {
        match self.kind() {
            JsonKind::Bool => Value::Bool(self.raw() == b"true"),
            JsonKind::String => Value::String(self.text().unwrap_or_default().into_owned()),
            JsonKind::Integer | JsonKind::Float => self.number().map(Value::Number).unwrap_or_default(),
            JsonKind::Null | JsonKind::Array | JsonKind::Object => Value::Null,
        }
    }
}

impl fmt::Debug for NodeRef<'_> {
    /// Shows no content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeRef").field("id", &self.id).field("kind", &self.kind()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Children<'a> {
    document: &'a Document,
    at: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = NodeRef<'a>;

    fn next(&mut self) -> Option<NodeRef<'a>> {
        if self.at >= self.end {
            return None;
        }
        let node = NodeRef::new(self.document, NodeId(self.at));
        // A node ends behind itself; `max` keeps the walk going forward whatever happens.
        self.at = node.node().next.max(self.at.saturating_add(1));
        Some(node)
    }
}

/// The members of an object. Made by [`NodeRef::members`].
#[derive(Clone)]
pub struct Members<'a>(Children<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, NodeRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|member| (member.key().unwrap_or_default(), member))
    }
}

/// The elements of an array, or the values of an object. Made by [`NodeRef::elements`] and [`NodeRef::values`].
#[derive(Clone)]
pub struct Elements<'a>(Children<'a>);

impl<'a> Iterator for Elements<'a> {
    type Item = NodeRef<'a>;

    fn next(&mut self) -> Option<NodeRef<'a>> {
        self.0.next()
    }
}
