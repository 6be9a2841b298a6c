// SPDX-License-Identifier: Apache-2.0
//! Leaving values out: the bytes of everything else stay as they came, commas come right.

use super::{Document, JsonKind, Node, NodeId, NodeRef};
use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};
use std::ops::Range;

/// A container that is being walked over.
struct Walk {
    /// First node behind it.
    behind: u32,
    /// Where its last value so far ends in the bytes.
    sibling_end: Option<u32>,
    /// Whether a value before the present one stays.
    keeps: bool,
}

/// A container that is being built.
struct Build {
    behind: u32,
    key: Option<String>,
    value: Value,
}

impl Document {
    /// The document without these values (and their keys). Every other byte is unchanged, white space included,
    /// but for the commas between. Without its root a document is `null`. Ids of other documents mean nothing
    /// here and must not be given.
    pub fn without<'i>(&self, removed: impl IntoIterator<Item = &'i NodeId>) -> Bytes {
        let removed = sorted(removed);
        if removed.is_empty() {
            return self.bytes.clone();
        }
        if removed.first() == Some(&NodeId::ROOT) {
            return Bytes::from_static(b"null");
        }
        let mut out = BytesMut::with_capacity(self.bytes.len());
        let mut copied = 0_usize;
        for cut in self.cuts(&removed) {
            out.extend_from_slice(self.bytes.get(copied..cut.start as usize).unwrap_or_default());
            copied = cut.end as usize;
        }
        out.extend_from_slice(self.bytes.get(copied..).unwrap_or_default());
        out.freeze()
    }

    /// The value of [`Document::without`], for validation of what will be sent.
    pub fn to_value_without<'i>(&self, removed: impl IntoIterator<Item = &'i NodeId>) -> Value {
        self.value_of(NodeId::ROOT, &sorted(removed))
    }

    /// The byte ranges to leave out, ascending.
    ///
    /// A value behind one that stays goes with the comma before it; one with nothing left before it goes with the
    /// comma behind it, if there is one.
    fn cuts(&self, removed: &[NodeId]) -> Vec<Range<u32>> {
        let mut cuts = Vec::with_capacity(removed.len());
        let mut walks: Vec<Walk> = Vec::new();
        let mut pending = removed.iter().copied().peekable();
        let mut at = 0_u32;
        while let Some(node) = self.nodes.get(at as usize).copied() {
            while walks.last().is_some_and(|walk| walk.behind <= at) {
                walks.pop();
            }
            // Ids inside a value that is already gone.
            while pending.next_if(|id| id.0 < at).is_some() {}
            let Some(wanted) = pending.peek().copied() else { break };
            let gone = wanted.0 == at;
            if let Some(walk) = walks.last_mut() {
                if gone {
                    cuts.push(self.cut(node, walk));
                } else {
                    walk.keeps = true;
                }
                walk.sibling_end = Some(node.end);
            }
            if !gone && wanted.0 < node.next {
                walks.push(Walk { behind: node.next, sibling_end: None, keeps: false });
                at = at.saturating_add(1);
            } else {
                at = node.next.max(at.saturating_add(1));
            }
        }
        cuts
    }

    fn cut(&self, node: Node, walk: &Walk) -> Range<u32> {
        let next_start =
            (node.next < walk.behind).then(|| self.nodes.get(node.next as usize).map(item_start)).flatten();
        match walk.sibling_end {
            Some(end) if walk.keeps => end..node.end,
            _ => item_start(&node)..next_start.unwrap_or(node.end),
        }
    }

    /// Builds a value without recursion; `removed` is sorted.
    pub(super) fn value_of(&self, id: NodeId, removed: &[NodeId]) -> Value {
        let mut builds: Vec<Build> = Vec::new();
        let mut finished = Value::Null;
        let behind = self.nodes.get(id.index()).map_or(0, |node| node.next);
        let mut at = id.0;
        loop {
            while let Some(build) = builds.pop_if(|build| build.behind <= at) {
                attach(&mut builds, &mut finished, build.key, build.value);
            }
            let Some(node) = self.nodes.get(at as usize).filter(|_| at < behind) else { break };
            if removed.binary_search(&NodeId(at)).is_ok() {
                at = node.next.max(at.saturating_add(1));
                continue;
            }
            let reference = NodeRef::new(self, NodeId(at));
            // The key of the value that was asked for belongs to its parent.
            let key = reference.key().filter(|_| at != id.0).map(std::borrow::Cow::into_owned);
            let children = node.children as usize;
            match node.kind {
                JsonKind::Object => {
                    builds.push(Build { behind: node.next, key, value: Value::Object(Map::with_capacity(children)) });
                }
                JsonKind::Array => {
                    builds.push(Build { behind: node.next, key, value: Value::Array(Vec::with_capacity(children)) });
                }
                _ => attach(&mut builds, &mut finished, key, reference.scalar()),
            }
            at = at.saturating_add(1);
        }
        finished
    }
}

/// Puts a finished value into the innermost open container, or makes it the result.
fn attach(builds: &mut [Build], finished: &mut Value, key: Option<String>, value: Value) {
    match builds.last_mut().map(|build| &mut build.value) {
        Some(Value::Object(map)) => {
            map.insert(key.unwrap_or_default(), value);
        }
        Some(Value::Array(list)) => list.push(value),
        _ => *finished = value,
    }
}

/// Where a member starts with its key, or an element with its value.
fn item_start(node: &Node) -> u32 {
    if node.key_end > node.key_start { node.key_start } else { node.start }
}

fn sorted<'i>(removed: impl IntoIterator<Item = &'i NodeId>) -> Vec<NodeId> {
    let mut ids: Vec<NodeId> = removed.into_iter().copied().collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
