// SPDX-License-Identifier: Apache-2.0
//! Reading entry bundles and what an entry says of itself.

use crate::record::{NOTE_SCHEMA, RECORD_SCHEMA};
use serde::Deserialize;
use std::borrow::Cow;

/// An entry inside a bundle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'b> {
    /// Where its length stands in the file.
    pub(crate) offset: usize,
    /// Its bytes.
    pub(crate) bytes: &'b [u8],
}

/// The entries of a bundle, as far as their lengths fit; the offset after the last of them.
pub(crate) fn entries(bundle: &[u8]) -> (Vec<Entry<'_>>, usize) {
    let mut found = Vec::new();
    let mut offset = 0_usize;
    while let Some((length, rest)) = bundle.get(offset..).and_then(|rest| rest.split_first_chunk::<2>()) {
        let Some(bytes) = rest.get(..usize::from(u16::from_be_bytes(*length))) else { break };
        found.push(Entry { offset, bytes });
        offset = offset.saturating_add(2).saturating_add(bytes.len());
    }
    (found, offset)
}

/// What every entry says of itself.
#[derive(Debug, Deserialize)]
pub(crate) struct Said<'e> {
    schema: Cow<'e, str>,
    seq: u64,
    /// Wall time in milliseconds since the Unix epoch.
    pub(crate) unix_ms: u64,
    /// The request's id; notes have none.
    #[serde(borrow, default)]
    pub(crate) request: Option<Cow<'e, str>>,
}

/// Reads an entry; `None` when it is not an entry of this log at this index.
pub(crate) fn read(entry: &[u8], index: u64) -> Option<Said<'_>> {
    let said: Said<'_> = serde_json::from_slice(entry).ok()?;
    let known = said.schema == RECORD_SCHEMA || said.schema == NOTE_SCHEMA;
    (known && said.seq == index).then_some(said)
}
