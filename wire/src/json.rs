// SPDX-License-Identifier: Apache-2.0
//! A strict JSON reader that keeps the bytes (RFC 8259, RFC 7493, T67–T70).
//!
//! The document is an arena of nodes in document order, each with the span of its bytes; nothing is copied and
//! nothing is re-formatted. Reading uses an explicit stack, so depth costs no call stack.
//!
//! Stricter than RFC 8259, because two readers could differ:
//! - members that are equal after unescaping and Unicode NFC are refused (T67);
//! - integers must fit `i64` or `u64`, numbers have at most 64 characters, and a number that a double can only
//!   hold as infinity, or as zero when it is not zero, is refused (T68);
//! - `-0` is read as the negative zero of a double: it is a number, but no integer and equal to no identifier;
//! - a byte order mark, a lone surrogate and U+0000, escaped or not, are refused (T70).

mod duplicate;
mod edit;
mod node;
mod number;
mod reader;
mod text;

use bytes::Bytes;
use portcullis_decision::Reason;
use std::fmt;
use std::sync::Arc;

pub use node::{Elements, Members, NodeRef};

/// The longest number (T68).
pub const NUMBER_CHARS_MAX: usize = 64;

/// The maxima of one document (T69).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Arrays and objects inside each other.
    pub depth_max: usize,
    /// Values of every kind, the root included.
    pub nodes_max: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { depth_max: 32, nodes_max: 100_000 }
    }
}

/// Why a document was refused. It holds no byte of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail} at byte {offset}")]
pub struct JsonFault {
    /// `request.json`, `payload.too_deep` or `payload.too_large`; who reads an answer maps it to its own reason.
    pub reason: Reason,
    /// Where, in bytes from the start.
    pub offset: usize,
    /// What was wrong.
    pub detail: &'static str,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// An integer that fits `i64` or `u64`.
    Integer,
    /// Any other number, `-0` included.
    Float,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Names a value of one document. Ids ascend in document order. They mean nothing in another document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// The root of every document.
    pub const ROOT: Self = Self(0);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// One value. Children follow their container; `next` is the first node behind the subtree.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
struct Node {
    kind: JsonKind,
    /// The string holds an escape.
    escaped: bool,
    /// The key holds an escape.
    key_escaped: bool,
    start: u32,
    end: u32,
    /// The key with its quotes; empty for the root and for elements.
    key_start: u32,
    key_end: u32,
    next: u32,
    /// Members or elements.
    children: u32,
}

/// The text of a document, shared with its [`Bytes`]: whoever slices it needs not ask again whether it is UTF-8.
struct Text(Arc<String>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A document that was read strictly, with its bytes.
pub struct Document {
    text: Arc<String>,
    /// The same allocation.
    bytes: Bytes,
    nodes: Vec<Node>,
}

impl Document {
    /// Reads one document. The bytes are kept as they are; they are copied where others share them.
    pub fn parse(bytes: Bytes, limits: &JsonLimits) -> Result<Self, JsonFault> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(JsonFault { reason: Reason::PayloadTooLarge, offset: 0, detail: "document is too long" });
        }
        let text = String::from_utf8(bytes.into()).map_err(|error| JsonFault {
            reason: Reason::RequestJson,
            offset: error.utf8_error().valid_up_to(),
            detail: "document is not utf-8",
        })?;
        let nodes = reader::read(&text, limits)?;
        let text = Arc::new(text);
        Ok(Self { bytes: Bytes::from_owner(Text(Arc::clone(&text))), text, nodes })
    }

    /// The bytes as received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The outermost value.
    pub fn root(&self) -> NodeRef<'_> {
        NodeRef::new(self, NodeId::ROOT)
    }

    /// The value of this id; `None` when the id is of another, larger document.
    pub fn node(&self, id: NodeId) -> Option<NodeRef<'_>> {
        self.nodes.get(id.index()).map(|_| NodeRef::new(self, id))
    }

    /// Number of values.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The members of the widest object.
    pub fn members_max(&self) -> usize {
        let objects = self.nodes.iter().filter(|node| node.kind == JsonKind::Object);
        objects.map(|node| node.children as usize).max().unwrap_or_default()
    }

    /// The whole document as a value, for schema validation.
    pub fn to_value(&self) -> serde_json::Value {
        self.root().to_value()
    }
}

impl fmt::Debug for Document {
    /// Shows no content: bodies reach no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Document");
        shown.field("bytes", &self.bytes.len()).field("nodes", &self.nodes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
