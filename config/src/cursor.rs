// SPDX-License-Identifier: Apache-2.0
//! Reads a judged tree: each value once, by its word, with its place at hand for complaints.
//!
//! INVARIANT: every scalar of an accepted file was read by somebody. A word that the table accepts and nobody reads
//! would be a control that silently does not hold; [`Cursor::refuse_unread`] turns it into a refusal.

use std::fmt::Display;
use std::sync::Arc;

use portcullis_decision::finding::{Place, Severity};

use crate::sink::{Pending, Sink};
use crate::tree::{Node, ScalarKind, Spot, Value};
use crate::values::{Url, ValueError, url};
use crate::words::judge::{clean, join};

/// A value, or the place where it would have stood.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    node: Option<&'a Node>,
    spot: Spot,
    at: String,
    sink: &'a Sink,
}

impl<'a> Cursor<'a> {
    pub(crate) fn root(node: &'a Node, sink: &'a Sink) -> Self {
        Self { node: Some(node), spot: node.spot, at: String::new(), sink }
    }

    /// The value of a word; absent where this is no mapping or has no such word.
    pub(crate) fn word(&self, word: &str) -> Cursor<'a> {
        let entry = self.node.and_then(|node| node.entry(word));
        Cursor {
            node: entry.map(|entry| &entry.value),
            spot: entry.map_or(self.spot, |entry| entry.spot),
            at: join(&self.at, word),
            sink: self.sink,
        }
    }

    /// The names of a mapping and their values.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Cursor<'a>)> {
        let Some(Value::Map(entries)) = self.node.map(|node| &node.value) else { return Vec::new() };
        entries
            .iter()
            .map(|entry| {
                let at = join(&self.at, &clean(&entry.key));
                (entry.key.as_str(), Cursor { node: Some(&entry.value), spot: entry.spot, at, sink: self.sink })
            })
            .collect()
    }

    /// The items of a list; a single value stands for a list of one.
    pub(crate) fn items(&self) -> Vec<Cursor<'a>> {
        let Some(node) = self.node else { return Vec::new() };
        let one = |node: &'a Node| Cursor { node: Some(node), spot: node.spot, at: self.at.clone(), sink: self.sink };
        match &node.value {
            Value::List(items) => items.iter().map(one).collect(),
            _ => vec![one(node)],
        }
    }

    pub(crate) fn is_present(&self) -> bool {
        self.node.is_some()
    }

    pub(crate) fn is_map(&self) -> bool {
        self.node.is_some_and(|node| matches!(node.value, Value::Map(_)))
    }

    pub(crate) fn at(&self) -> &str {
        &self.at
    }

    pub(crate) fn sink(&self) -> &'a Sink {
        self.sink
    }

    /// Where the value stands, else where it would.
    pub(crate) fn spot(&self) -> Spot {
        match self.node.map(|node| (&node.value, node.spot)) {
            Some((Value::Scalar { .. }, spot)) => spot,
            _ => self.spot,
        }
    }

    /// Where the key stands.
    pub(crate) fn key_place(&self) -> Place {
        self.spot.place(self.sink.file())
    }

    pub(crate) fn place(&self) -> Place {
        self.spot().place(self.sink.file())
    }

    pub(crate) fn shown(&self) -> String {
        self.node.map_or_else(|| "nothing".to_owned(), Node::shown)
    }

    pub(crate) fn refuse(&self, message: impl Into<String>) -> Pending<'a> {
        self.sink.refuse(self.spot(), &self.at, message.into())
    }

    /// A finding that does not refuse.
    pub(crate) fn report(&self, severity: Severity, message: impl Into<String>) -> Pending<'a> {
        self.sink.report(self.spot(), &self.at, message.into(), severity)
    }

    /// A scalar's text; what is blank or no scalar was reported by the table.
    pub(crate) fn text(&self) -> Option<&'a str> {
        let node = self.node?;
        match &node.value {
            Value::Scalar { kind: ScalarKind::Null, .. } => None,
            Value::Scalar { text, .. } => {
                self.sink.mark(node.spot);
                Some(text.as_str()).filter(|text| !text.trim().is_empty())
            }
            _ => None,
        }
    }

    /// A scalar, made into a value; a failure is reported with what the reader says is expected.
    pub(crate) fn parse<T, E: Display>(&self, read: impl FnOnce(&'a str) -> Result<T, E>) -> Option<T> {
        let text = self.text()?;
        match read(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(format!("{} cannot be used here", self.shown())).help(error.to_string());
                None
            }
        }
    }

    /// A web address. One with a password is not shown.
    pub(crate) fn url(&self) -> Option<Url> {
        match url(self.text()?) {
            Err(ValueError::UrlUser) => {
                self.refuse("this address holds a user name or a password")
                    .help("remove it from the address, and replace it: it has been seen")
                    .rule("PC0401");
                None
            }
            _ => self.parse(url),
        }
    }

    pub(crate) fn flag(&self) -> Option<bool> {
        let node = self.node?;
        let text = self.text()?;
        match (&node.value, &node.variable, text) {
            (Value::Scalar { kind: ScalarKind::Flag(flag), .. }, ..) => Some(*flag),
            (_, Some(_), "true") => Some(true),
            (_, Some(_), "false") => Some(false),
            (_, Some(_), _) => {
                self.refuse(format!("expected `true` or `false`, found {}", self.shown()));
                None
            }
            _ => None,
        }
    }

    /// A whole number from 1 to `max`.
    pub(crate) fn count(&self, max: u32) -> Option<u32> {
        let node = self.node?;
        let text = self.text()?;
        let number = match (&node.value, &node.variable) {
            (Value::Scalar { kind: ScalarKind::Integer(number), .. }, _) => Some(*number),
            (_, Some(_)) => text.parse().ok(),
            _ => return None,
        };
        let fault = match number.map(u32::try_from) {
            Some(Ok(0)) => "zero would mean no limit, and there is no way to say that".to_owned(),
            Some(Ok(number)) if number <= max => return Some(number),
            _ => format!("a whole number from 1 to {max}"),
        };
        self.refuse(format!("{} cannot be used here", self.shown())).help(fault);
        None
    }

    /// Reports every scalar below that nobody read.
    pub(crate) fn refuse_unread(&self) {
        let Some(node) = self.node else { return };
        match &node.value {
            Value::Scalar { kind: ScalarKind::Null, .. } => {}
            Value::Scalar { .. } => {
                if !self.sink.was_read(node.spot) {
                    self.refuse(format!("`{}` has no effect here", self.at))
                        .help("remove it: nothing would obey it in this place");
                }
            }
            Value::List(_) => self.items().iter().for_each(Cursor::refuse_unread),
            Value::Map(_) => self.entries().iter().for_each(|(_, entry)| entry.refuse_unread()),
        }
    }

    /// A text that outlives the tree.
    pub(crate) fn shared(&self) -> Option<Arc<str>> {
        self.text().map(Arc::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse;

    #[test]
    fn what_nobody_read_is_refused_where_it_stands() {
        let file: Arc<str> = "f.yaml".into();
        let root = parse(&file, "a: 1\nb: { c: x, d: [y, z] }\ne: ~\n").expect("valid");
        let sink = Sink::new(file);
        let cursor = Cursor::root(&root, &sink);
        assert_eq!(cursor.word("a").count(5), Some(1));
        assert_eq!(cursor.word("b").word("d").items().first().and_then(Cursor::text), Some("y"));
        cursor.refuse_unread();
        let places: Vec<String> = sink.into_findings().iter().map(ToString::to_string).collect();
        assert_eq!(places, ["f.yaml:2:9: `b.c` has no effect here", "f.yaml:2:19: `b.d` has no effect here"]);
    }
}
