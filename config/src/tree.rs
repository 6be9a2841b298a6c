// SPDX-License-Identifier: Apache-2.0
//! YAML 1.2 (core schema) as a tree that remembers the line and column of every key and value.
//!
//! Built from parser events with an explicit stack, so that no text can exhaust the call stack. Merge keys and
//! application tags do not exist here; anchors do, within [`ALIASES_MAX`] and [`NODES_MAX`].

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use portcullis_decision::finding::{Finding, Place, Severity};
use serde_saphyr::granit_parser::{Event, Parser, Span};

use crate::text::CONFIGURATION_BYTES_MAX;

mod scalar;

pub(crate) use scalar::plain_kind;
use scalar::{collection_tag, scalar_kind};

/// How deep collections may be nested.
pub const DEPTH_MAX: usize = 32;
/// How many nodes a tree may have, those repeated by aliases counted again.
pub const NODES_MAX: usize = 50_000;
/// How many aliases a file may use.
pub const ALIASES_MAX: usize = 64;

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Spot {
    /// Line.
    pub line: u32,
    /// Column in characters.
    pub column: u32,
}

impl Spot {
    /// The place of this spot in a file.
    pub(crate) fn place(self, file: &Arc<str>) -> Place {
        Place { file: file.clone(), line: self.line, column: self.column }
    }
}

/// What the core schema makes of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// An integer that fits.
    Integer(i64),
    /// Any other number.
    Float,
    /// Everything else, and everything quoted.
    Text,
}

/// A node's content.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A scalar, as written (after unescaping), and what it is.
    Scalar {
        /// The text.
        text: String,
        /// Its meaning.
        kind: ScalarKind,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file, keys unique.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub spot: Spot,
    /// The value.
    pub value: Node,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The content.
    pub value: Value,
    /// Where it begins.
    pub spot: Spot,
    /// The environment variable it was taken from; its value is never shown.
    pub variable: Option<Arc<str>>,
}

impl Node {
    /// How messages name this value: in backticks, never the value of an environment variable, never long.
    pub(crate) fn shown(&self) -> String {
        const SHOWN_CHARS_MAX: usize = 60;
        if let Some(variable) = &self.variable {
            return format!("`${{{variable}}}`");
        }
        match &self.value {
            Value::Scalar { text, kind: ScalarKind::Null } if text.is_empty() => "nothing".to_owned(),
            Value::Scalar { text, .. } => {
                let clean: String = text.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
                let more = if text.chars().nth(SHOWN_CHARS_MAX).is_some() { "…" } else { "" };
                format!("`{clean}{more}`")
            }
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The value of a key, where this is a mapping that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    fn size(&self) -> usize {
        // INVARIANT: depth ≤ DEPTH_MAX, so this recursion is bounded.
        1 + match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(items) => items.iter().map(Node::size).sum(),
            Value::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }

    fn depth(&self) -> usize {
        match &self.value {
            Value::Scalar { .. } => 0,
            Value::List(items) => 1 + items.iter().map(Node::depth).max().unwrap_or(0),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
        }
    }
}

/// Why a text is no tree.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
enum TreeError {
    #[error("not YAML: {0}")]
    Syntax(String),
    #[error("the key `{0}` is already at line {1}")]
    Duplicate(String, u32),
    #[error("a key is a plain word here, not a list, a mapping or an alias")]
    Key,
    #[error("collections are nested deeper than {DEPTH_MAX}")]
    Depth,
    #[error("more than {NODES_MAX} values")]
    Nodes,
    #[error("more than {ALIASES_MAX} aliases")]
    Aliases,
    #[error("the alias stands inside the value it names")]
    Cycle,
    #[error("the tag `{0}` means nothing here")]
    Tag(String),
    #[error("a second document; the configuration is one")]
    Documents,
    #[error("the file is empty")]
    Empty,
    #[error("the file is larger than {CONFIGURATION_BYTES_MAX} bytes")]
    Size,
}

/// Reads a text; on errors, all duplicate keys and the first syntax error.
pub(crate) fn parse(file: &Arc<str>, text: &str) -> Result<Node, Vec<Finding>> {
    let mut builder = Builder::default();
    let outcome = builder.run(text);
    let mut errors = builder.errors;
    let root = match outcome {
        Ok(root) => Some(root),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    match root {
        Some(root) if errors.is_empty() => Ok(root),
        _ => Err(errors.into_iter().map(|(error, spot)| finding(file, &error, spot)).collect()),
    }
}

fn finding(file: &Arc<str>, error: &TreeError, spot: Spot) -> Finding {
    let help = match error {
        TreeError::Duplicate(..) => "remove one of the two",
        TreeError::Aliases | TreeError::Cycle => "write the value out",
        TreeError::Tag(_) => "remove the tag; quote a value to make it text",
        TreeError::Empty => "the smallest useful file is in the README",
        TreeError::Syntax(_) => "check the indentation and the quotes of this line and the one above",
        _ => "see `portcullis schema` for the shape of the file",
    };
    Finding {
        rule: None,
        severity: Severity::Refuse,
        place: Some(spot.place(file)),
        at: String::new(),
        message: error.to_string(),
        help: Some(help.to_owned()),
    }
}

/// A collection that is not finished yet.
struct Open {
    anchor: usize,
    spot: Spot,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, lines: HashMap<String, u32>, key: Option<(String, Spot)>, skip: bool },
}

#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
    aliases: usize,
    errors: Vec<(TreeError, Spot)>,
}

type Step<T> = Result<T, (TreeError, Spot)>;

const START: Spot = Spot { line: 1, column: 1 };

fn spot_of(span: &Span) -> Spot {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Spot { line: number(span.start.line()).max(1), column: number(span.start.col()).saturating_add(1) }
}

impl Builder {
    fn run(&mut self, text: &str) -> Step<Node> {
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > CONFIGURATION_BYTES_MAX {
            return Err((TreeError::Size, START));
        }
        let mut documents = 0_usize;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let mark = error.marker();
                let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let spot = Spot { line: number(mark.line()).max(1), column: number(mark.col()).saturating_add(1) };
                (TreeError::Syntax(error.info()), spot)
            })?;
            let spot = spot_of(&span);
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
                if documents > 1 {
                    return Err((TreeError::Documents, spot));
                }
            }
            self.event(event, spot)?;
        }
        match self.root.take() {
            Some(Node { value: Value::Scalar { kind: ScalarKind::Null, .. }, .. }) | None => {
                Err((TreeError::Empty, START))
            }
            Some(root) => Ok(root),
        }
    }

    fn event(&mut self, event: Event<'_>, spot: Spot) -> Step<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar_kind(&text, style, tag.as_deref()).map_err(|error| (error, spot))?;
                let value = Value::Scalar { text: text.into_owned(), kind };
                self.place(Node { value, spot, variable: None }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "seq").map_err(|error| (error, spot))?;
                self.open(Open { anchor, spot, content: Content::List(Vec::new()) })
            }
            Event::MappingStart(_, anchor, tag) => {
                collection_tag(tag.as_deref(), "map").map_err(|error| (error, spot))?;
                let content = Content::Map { entries: Vec::new(), lines: HashMap::new(), key: None, skip: false };
                self.open(Open { anchor, spot, content })
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(done) = self.stack.pop() else { return Ok(()) };
                let value = match done.content {
                    Content::List(items) => Value::List(items),
                    Content::Map { entries, .. } => Value::Map(entries),
                };
                self.place(Node { value, spot: done.spot, variable: None }, done.anchor)
            }
            Event::Alias(anchor) => self.alias(anchor, spot),
            Event::UnresolvedAlias(name) => {
                Err((TreeError::Syntax(format!("the alias `{name}` names no anchor")), spot))
            }
            // Stream and document marks, comments.
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Step<()> {
        if let Some(Open { content: Content::Map { key: None, .. }, .. }) = self.stack.last() {
            return Err((TreeError::Key, open.spot));
        }
        if self.stack.len() >= DEPTH_MAX {
            return Err((TreeError::Depth, open.spot));
        }
        self.stack.push(open);
        Ok(())
    }

    fn alias(&mut self, anchor: usize, spot: Spot) -> Step<()> {
        self.aliases += 1;
        if self.aliases > ALIASES_MAX {
            return Err((TreeError::Aliases, spot));
        }
        if let Some(Open { content: Content::Map { key: None, .. }, .. }) = self.stack.last() {
            return Err((TreeError::Key, spot));
        }
        // An anchor is known once its value is complete, so an alias inside it finds nothing.
        let Some(node) = self.anchors.get(&anchor) else { return Err((TreeError::Cycle, spot)) };
        if self.stack.len() + node.depth() > DEPTH_MAX {
            return Err((TreeError::Depth, spot));
        }
        self.nodes = self.nodes.saturating_add(node.size());
        if self.nodes > NODES_MAX {
            return Err((TreeError::Nodes, spot));
        }
        // The place of a repeated value is where it is used: that is where it can be wrong.
        let copy = Node { spot, ..node.clone() };
        self.place(copy, 0)
    }

    /// Puts a finished node where it belongs: the root, the next item, a key, or the value of the last key.
    fn place(&mut self, node: Node, anchor: usize) -> Step<()> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > NODES_MAX {
            return Err((TreeError::Nodes, node.spot));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, lines, key, skip }) => match key.take() {
                None => {
                    let Value::Scalar { text, .. } = node.value else { return Err((TreeError::Key, node.spot)) };
                    *skip = if let Some(line) = lines.get(&text) {
                        self.errors.push((TreeError::Duplicate(text.clone(), *line), node.spot));
                        true
                    } else {
                        lines.insert(text.clone(), node.spot.line);
                        false
                    };
                    *key = Some((text, node.spot));
                }
                Some((key, spot)) => {
                    if !std::mem::take(skip) {
                        entries.push(Entry { key, spot, value: node });
                    }
                }
            },
        }
        Ok(())
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests;
