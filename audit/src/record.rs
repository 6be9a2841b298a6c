// SPDX-License-Identifier: Apache-2.0
//! A record as the log keeps it: RFC 8785 canonical JSON, schema `portcullis/record/v1` (standards section 20).
//!
//! No token, key, cookie, body, query or rejected value has a place here. Text from outside is cut and escaped by
//! [`crate::text`], and an entry never exceeds what a 16-bit length can say (row TL-8).

use crate::canonical::Object;
use crate::timestamp::{millis, push_rfc3339};
use portcullis_decision::caller::Caller;
use portcullis_decision::record::{Alert, Evaluation, Record, Verdict};
use portcullis_decision::trail::{FactValue, Facts};
use std::time::Duration;

/// The schema of request records.
pub const RECORD_SCHEMA: &str = "portcullis/record/v1";
/// The schema of what the log says of itself.
pub const NOTE_SCHEMA: &str = "portcullis/note/v1";
/// The longest entry: `tlog-tiles` bundles prefix each with 16 bits of length.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Facts are left out (and counted) once an entry is this long, so that the rest always fits.
const FACTS_UNTIL_BYTES: usize = 40_000;
/// At most this many facts are kept of one evaluation.
const FACTS_MAX: usize = 16;

/// What the log says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoteKind {
    /// The writer started.
    Started,
    /// A torn tail was cut at start.
    TornTail,
    /// The disk was full and has room again.
    Resumed,
    /// A record was too long and only its digest is kept.
    Oversized,
}

impl NoteKind {
    fn word(self) -> &'static str {
        match self {
            NoteKind::Started => "started",
            NoteKind::TornTail => "torn_tail",
            NoteKind::Resumed => "resumed",
            NoteKind::Oversized => "oversized",
        }
    }
}

/// Where an entry stands in the log.
#[derive(Clone, Copy)]
pub(crate) struct Position<'a> {
    /// Its index.
    pub(crate) index: u64,
    /// The log's origin.
    pub(crate) node: &'a str,
}

/// Appends a note of the log about itself.
pub(crate) fn push_note(out: &mut Vec<u8>, kind: NoteKind, position: Position<'_>, at: Duration, facts: &Facts) {
    let start = out.len();
    let mut note = Object::open(out);
    note.quoted("at", |out| push_rfc3339(out, at));
    push_facts(&mut note, facts, start);
    note.word("kind", kind.word());
    note.text("node", position.node);
    note.word("schema", NOTE_SCHEMA);
    note.number("seq", position.index);
    note.number("unix_ms", millis(at));
    note.close();
}

/// Appends a record.
pub(crate) fn push_record(out: &mut Vec<u8>, record: &Record, position: Position<'_>) {
    let start = out.len();
    let trail = &record.trail;
    let mut entry = Object::open(out);
    push_address(&mut entry, record);
    entry.array("alerts", trail.alerts().iter(), |object, alert| push_alert(object, alert, start));
    entry.quoted("at", |out| push_rfc3339(out, record.at));
    entry.word("decision", record.decision.word());
    entry.text("method", record.method.as_str());
    entry.text("node", position.node);
    if let Some(object) = trail.object() {
        entry.object("object", |out| {
            optional(out, "id", object.id.as_deref());
            optional(out, "owner", object.owner.as_deref());
            out.text("type", &object.kind);
        });
    }
    optional(&mut entry, "operation", trail.operation().map(|o| &**o));
    if let Some(reason) = record.reason {
        entry.word("reason", reason.code());
    }
    entry.boolean("replayed", record.replayed);
    entry.quoted("request", |out| out.extend_from_slice(&record.request.to_ascii()));
    entry.text("revision", &record.revision);
    entry.word("schema", RECORD_SCHEMA);
    entry.number("seq", position.index);
    entry.array("stages", trail.evaluations().iter(), |object, evaluation| push_stage(object, evaluation, start));
    entry.number("status", u64::from(record.status));
    optional(&mut entry, "template", record.template.as_deref());
    entry.number("took_micros", micros(record.took));
    optional(&mut entry, "trace", record.trace.as_deref());
    entry.number("unix_ms", millis(record.at));
    push_upstream(&mut entry, record);
    push_caller(&mut entry, record);
    entry.close();
}

fn push_address(entry: &mut Object<'_>, record: &Record) {
    use std::io::Write as _;
    // Digits, dots, colons and letters only; writing to a vector cannot fail.
    entry.quoted("address", |out| drop(write!(out, "{}", record.address)));
}

fn push_alert(object: &mut Object<'_>, alert: &Alert, start: usize) {
    push_facts(object, &alert.facts, start);
    object.word("reason", alert.reason.code());
    object.word("stage", alert.stage.word());
}

fn push_stage(object: &mut Object<'_>, evaluation: &Evaluation, start: usize) {
    push_facts(object, &evaluation.facts, start);
    object.number("micros", micros(evaluation.took));
    if let Some(reason) = evaluation.reason {
        object.word("reason", reason.code());
    }
    object.word("stage", evaluation.stage.word());
    object.word(
        "verdict",
        match evaluation.verdict {
            Verdict::Allow => "allow",
            Verdict::Deny => "deny",
        },
    );
}

fn push_upstream(entry: &mut Object<'_>, record: &Record) {
    let Some(name) = &record.upstream.name else { return };
    entry.object("upstream", |out| {
        if let Some(took) = record.upstream.took {
            out.number("micros", micros(took));
        }
        out.text("name", name);
        if let Some(status) = record.upstream.status {
            out.number("status", u64::from(status));
        }
    });
}

fn push_caller(entry: &mut Object<'_>, record: &Record) {
    match record.caller() {
        None => {}
        Some(Caller::Anonymous(_)) => entry.object("who", |who| who.word("kind", "anonymous")),
        Some(Caller::Known(identity)) => entry.object("who", |who| {
            who.text("alg", identity.algorithm);
            optional(who, "client", identity.client.as_deref());
            who.text("issuer", &identity.issuer);
            optional(who, "kid", identity.key_id.as_deref());
            who.word("kind", identity.kind.word());
            optional(who, "plan", identity.plan.as_deref());
            who.text("subject", &identity.subject);
            optional(who, "tenant", identity.tenant.as_deref());
            if let Some(issued) = identity.issued_at {
                who.number("token_age_s", record.at.saturating_sub(issued).as_secs());
            }
        }),
    }
}

/// Writes the facts sorted by name, each name once (the last value wins), and how many were left out.
fn push_facts(object: &mut Object<'_>, facts: &Facts, start: usize) {
    let mut kept: Vec<&(&'static str, FactValue)> = Vec::new();
    let sorted = facts.iter().is_sorted_by(|a, b| a.0 < b.0);
    let total = facts.iter().count();
    if !sorted {
        for fact in facts.iter() {
            match kept.iter_mut().find(|known| known.0 == fact.0) {
                Some(known) => *known = fact,
                None => kept.push(fact),
            }
        }
        kept.sort_unstable_by_key(|fact| fact.0);
    }
    let total = if sorted { total } else { kept.len() };
    let mut written = 0_usize;
    object.foreign_object("facts", |out| {
        let mut write = |fact: &(&'static str, FactValue)| {
            if written < FACTS_MAX && out.position().saturating_sub(start) < FACTS_UNTIL_BYTES {
                written = written.saturating_add(1);
                push_fact(out, fact);
            }
        };
        if sorted {
            facts.iter().for_each(&mut write);
        } else {
            kept.into_iter().for_each(write);
        }
    });
    let omitted = total.saturating_sub(written);
    if omitted > 0 {
        object.number("facts_omitted", u64::try_from(omitted).unwrap_or(u64::MAX));
    }
}

fn push_fact(out: &mut Object<'_>, (name, value): &(&'static str, FactValue)) {
    match value {
        FactValue::Word(word) => out.text(name, word),
        FactValue::Text(text) => out.text(name, text),
        FactValue::Shared(text) => out.text(name, text),
        FactValue::Number(number) => out.signed(name, *number),
    }
}

fn optional(object: &mut Object<'_>, key: &'static str, value: Option<&str>) {
    if let Some(value) = value {
        object.text(key, value);
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
