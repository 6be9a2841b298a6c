// SPDX-License-Identifier: Apache-2.0
//! The revision: which configuration a decision was made under.

use std::fmt::Write as _;

use aws_lc_rs::digest::{Context, SHA256};

use crate::text::Sources;
use crate::tree::{Node, ScalarKind, Value};

/// Hex digits of a revision.
pub const REVISION_CHARS: usize = 12;

/// 12 hex digits of SHA-256 over the tree after variables (so that comments, order of keys and formatting do not
/// matter), the documents and the key sets. Secrets are named in the tree, never part of it.
pub(crate) fn of(root: &Node, file: &str, sources: &Sources, side_files: &[(String, Vec<u8>)]) -> String {
    let mut context = Context::new(&SHA256);
    feed(root, &mut context);
    for (name, text) in sources.iter().filter(|(name, _)| ***name != *file) {
        part(&mut context, b'd', name.as_bytes());
        part(&mut context, b't', text.as_bytes());
    }
    for (name, bytes) in side_files {
        part(&mut context, b'k', name.as_bytes());
        part(&mut context, b't', bytes);
    }
    let mut hex = String::new();
    for byte in context.finish().as_ref().iter().take(REVISION_CHARS / 2) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Tag, length, bytes: no two sequences of parts are alike.
fn part(context: &mut Context, tag: u8, bytes: &[u8]) {
    context.update(&[tag]);
    context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(bytes);
}

fn feed(node: &Node, context: &mut Context) {
    match &node.value {
        Value::Scalar { text, kind } => {
            let tag = match kind {
                ScalarKind::Null => b'0',
                ScalarKind::Flag(_) => b'f',
                ScalarKind::Integer(_) => b'i',
                ScalarKind::Float => b'n',
                ScalarKind::Text => b's',
            };
            part(context, tag, text.as_bytes());
        }
        Value::List(items) => {
            part(context, b'[', &items.len().to_be_bytes());
            for item in items {
                feed(item, context);
            }
        }
        Value::Map(entries) => {
            part(context, b'{', &entries.len().to_be_bytes());
            let mut sorted: Vec<_> = entries.iter().collect();
            sorted.sort_by(|one, other| one.key.cmp(&other.key));
            for entry in sorted {
                part(context, b':', entry.key.as_bytes());
                feed(&entry.value, context);
            }
        }
    }
}
