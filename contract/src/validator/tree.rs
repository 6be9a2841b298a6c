// SPDX-License-Identifier: Apache-2.0
//! Documents as the validator library sees them: the nodes that were read, in place. Nothing is built or copied but
//! strings with escapes.
//!
//! A member is found by going through its object, so only documents without wide objects are seen so.

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node, NodeIdentity, Object, cmp};
use portcullis_wire::json::{Document, Elements, JsonKind, Members, NodeId, NodeRef};
use serde_json::{Number, Value};
use std::borrow::Cow;

/// Objects of a document seen so have at most this many members (T75: a look-up goes through all of them).
pub(super) const MEMBERS_MAX: usize = 64;

/// The representation.
pub(super) struct Tree;

/// A value of a document, or the name of a member.
#[derive(Clone, Copy)]
pub(super) enum TreeNode<'a> {
    Value(Part<'a>),
    Name(&'a str),
}

/// A value of a document of which some values are left out.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    node: NodeRef<'a>,
    /// The values left out, ascending.
    without: &'a [NodeId],
}

/// The whole document; `without` ascends and does not hold the root.
pub(super) fn root<'a>(document: &'a Document, without: &'a [NodeId]) -> TreeNode<'a> {
    TreeNode::Value(Part { node: document.root(), without })
}

impl<'a> Part<'a> {
    fn keeps(self, node: NodeRef<'_>) -> bool {
        self.without.is_empty() || self.without.binary_search(&node.id()).is_err()
    }

    fn len(self) -> usize {
        if self.without.is_empty() {
            return self.node.len();
        }
        self.node.values().filter(|node| self.keeps(*node)).count()
    }

    /// A value inside; where nothing inside that is left out, it is whole.
    fn inner(self, node: NodeRef<'a>) -> TreeNode<'a> {
        let first = self.without.partition_point(|left_out| *left_out <= node.id());
        let without = self.without.get(first..).unwrap_or_default();
        let is_whole = without.first().is_none_or(|left_out| !node.holds(*left_out));
        TreeNode::Value(Self { node, without: if is_whole { &[] } else { without } })
    }

    fn to_value(self) -> Value {
        match self.node.kind() {
            // INVARIANT: no deeper than the document, whose depth the reader has bounded.
            JsonKind::Object => {
                self.members().map(|(name, node)| (name.into_owned(), node.to_value().into_owned())).collect()
            }
            JsonKind::Array => self.elements().map(|node| node.to_value().into_owned()).collect(),
            _ => self.node.to_value(),
        }
    }
}

impl Json for Tree {
    type Node<'a> = TreeNode<'a>;
    type PreparedKey = Box<str>;
    type StringBuffer = ();

    const KEYS_PER_LOOKUP: usize = 2;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> Box<str> {
        key.into()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(TreeNode<'_>) -> T) -> T {
        f(TreeNode::Name(string))
    }
}

impl<'a> TreeNode<'a> {
    fn kind(self) -> JsonKind {
        match self {
            Self::Value(part) => part.node.kind(),
            Self::Name(_) => JsonKind::String,
        }
    }

    fn part(self, kind: JsonKind) -> Option<Part<'a>> {
        match self {
            Self::Value(part) if part.node.kind() == kind => Some(part),
            Self::Value(_) | Self::Name(_) => None,
        }
    }
}

impl<'a> Node<'a, Tree> for TreeNode<'a> {
    type Object = Part<'a>;
    type Array = Part<'a>;
    type Number = Number;

    fn as_object(&self) -> Option<Part<'a>> {
        self.part(JsonKind::Object)
    }

    fn as_array(&self) -> Option<Part<'a>> {
        self.part(JsonKind::Array)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Value(part) => part.node.text(),
            Self::Name(name) => Some(Cow::Borrowed(name)),
        }
    }

    fn as_number(&self) -> Option<Number> {
        match self {
            Self::Value(part) => part.node.number(),
            Self::Name(_) => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Value(part) => part.node.as_bool(),
            Self::Name(_) => None,
        }
    }

    fn is_null(&self) -> bool {
        self.kind() == JsonKind::Null
    }

    fn is_number(&self) -> bool {
        matches!(self.kind(), JsonKind::Integer | JsonKind::Float)
    }

    fn is_string(&self) -> bool {
        self.kind() == JsonKind::String
    }

    fn json_type(&self) -> JsonType {
        match self.kind() {
            JsonKind::Null => JsonType::Null,
            JsonKind::Bool => JsonType::Boolean,
            JsonKind::Integer | JsonKind::Float => JsonType::Number,
            JsonKind::String => JsonType::String,
            JsonKind::Array => JsonType::Array,
            JsonKind::Object => JsonType::Object,
        }
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        let text = self.as_string()?;
        // A character has one to four bytes: nearly always that tells.
        let most = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let least = most.div_ceil(4);
        if most < min || least > max {
            return Some(false);
        }
        if min <= least && most <= max {
            return Some(true);
        }
        Some((min..=max).contains(&u64::try_from(text.chars().count()).unwrap_or(u64::MAX)))
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match expected {
            Value::Null => self.is_null(),
            Value::Bool(truth) => self.as_boolean() == Some(*truth),
            Value::Number(number) => self.as_number().is_some_and(|own| cmp::equal_numbers(&own, number)),
            Value::String(text) => self.as_string().is_some_and(|own| own == text.as_str()),
            Value::Array(_) | Value::Object(_) => cmp::equal(&self.to_value(), expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Owned(match self {
            Self::Value(part) => part.to_value(),
            Self::Name(name) => Value::from(*name),
        })
    }

    fn identity(&self) -> Option<NodeIdentity> {
        let address = match self {
            // Every value has a byte of its own that it begins with.
            Self::Value(part) => part.node.raw().as_ptr(),
            Self::Name(name) => name.as_ptr(),
        };
        Some(NodeIdentity::tagged(address.addr(), u32::from(matches!(self, Self::Name(_)))))
    }
}

impl<'a> Object<'a, Tree> for Part<'a> {
    type Node = TreeNode<'a>;
    type MemberName = Cow<'a, str>;
    type MembersIter = TreeMembers<'a>;

    fn len(&self) -> usize {
        Part::len(*self)
    }

    fn get(&self, key: &Box<str>) -> Option<TreeNode<'a>> {
        self.node.get(key).filter(|node| self.keeps(*node)).map(|node| self.inner(node))
    }

    fn members(&self) -> TreeMembers<'a> {
        TreeMembers { members: self.node.members(), of: *self }
    }
}

impl<'a> Array<'a, Tree> for Part<'a> {
    type Node = TreeNode<'a>;
    type ElementsIter = TreeElements<'a>;

    fn len(&self) -> usize {
        Part::len(*self)
    }

    fn elements(&self) -> TreeElements<'a> {
        TreeElements { elements: self.node.elements(), of: *self }
    }
}

/// The members that are not left out.
pub(super) struct TreeMembers<'a> {
    members: Members<'a>,
    of: Part<'a>,
}

impl<'a> Iterator for TreeMembers<'a> {
    type Item = (Cow<'a, str>, TreeNode<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, node) = self.members.find(|(_, node)| self.of.keeps(*node))?;
        Some((name, self.of.inner(node)))
    }
}

/// The elements that are not left out.
pub(super) struct TreeElements<'a> {
    elements: Elements<'a>,
    of: Part<'a>,
}

impl<'a> Iterator for TreeElements<'a> {
    type Item = TreeNode<'a>;

    fn next(&mut self) -> Option<TreeNode<'a>> {
        let node = self.elements.find(|node| self.of.keeps(*node))?;
        Some(self.of.inner(node))
    }
}
