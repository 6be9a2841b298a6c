// SPDX-License-Identifier: Apache-2.0
//! Reading entry bundles and what an entry says of itself.

use crate::record::{NOTE_SCHEMA, RECORD_SCHEMA};
use crate::text::push_decimal;
use memchr::memmem;
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

/// Whether an entry is one of this log at this index. Entries are canonical, so that the two members stand side by side
/// and nothing inside a text can look like them; whatever does not say so at first sight is read in full.
pub(crate) fn belongs(entry: &[u8], index: u64) -> bool {
    let mut members = Vec::with_capacity(64);
    members.extend_from_slice(br#","schema":""#);
    members.extend_from_slice(RECORD_SCHEMA.as_bytes());
    members.extend_from_slice(br#"","seq":"#);
    push_decimal(&mut members, index);
    members.push(b',');
    memmem::find(entry, &members).is_some() || read(entry, index).is_some()
}

/// Reads an entry; `None` when it is not an entry of this log at this index.
pub(crate) fn read(entry: &[u8], index: u64) -> Option<Said<'_>> {
    let said: Said<'_> = serde_json::from_slice(entry).ok()?;
    let known = said.schema == RECORD_SCHEMA || said.schema == NOTE_SCHEMA;
    (known && said.seq == index).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t112_an_entry_of_another_index_schema_or_place_does_not_belong() {
        let record = |seq: u64| format!(r#"{{"request":"r","schema":"{RECORD_SCHEMA}","seq":{seq},"unix_ms":1}}"#);
        assert!(belongs(record(7).as_bytes(), 7));
        assert!(!belongs(record(70).as_bytes(), 7) && !belongs(record(7).as_bytes(), 70));
        let note = format!(r#"{{"kind":"started","schema":"{NOTE_SCHEMA}","seq":7,"unix_ms":1}}"#);
        assert!(belongs(note.as_bytes(), 7) && !belongs(note.as_bytes(), 8));
        assert!(!belongs(br#"{"schema":"another/v1","seq":7,"unix_ms":1}"#, 7));
        // What a client sends stands inside a text, with its quotes escaped.
        let said = record(7).replace('"', "\\\"");
        let quoted = format!(r#"{{"address":"{said}","schema":"{RECORD_SCHEMA}","seq":8,"unix_ms":1}}"#);
        assert!(belongs(quoted.as_bytes(), 8) && !belongs(quoted.as_bytes(), 7));
    }
}
