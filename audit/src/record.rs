// SPDX-License-Identifier: Apache-2.0
//! A record as the log keeps it: RFC 8785 canonical JSON, schema `portcullis/record/v1` (standards section 20).
//!
//! No token, key, cookie, body, query or rejected value has a place here. Text from outside is cut and escaped by
//! [`crate::text`], and an entry never exceeds what a 16-bit length can say (row TL-8).

use crate::canonical::{Key, Object, key};
use crate::text::push_decimal;
use crate::timestamp::millis;
use portcullis_decision::caller::Caller;
use portcullis_decision::record::{Alert, Evaluation, Record, Verdict};
use portcullis_decision::trail::{FactValue, Facts};
use std::io::Write as _;
use std::net::IpAddr;
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
    /// What the process says of itself.
    Of(Happening),
}

/// What happens to the process that decides, and belongs beside its decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Another configuration is in force from here on.
    Reloaded,
    /// A configuration was refused; the one before stays in force (F02).
    ConfigRejected,
    /// The wall clock was moved (F22).
    ClockMoved,
    /// The process ends and hands its sockets and this log to another (F06).
    HandedOver,
    /// The process was asked to end (F07).
    Stopping,
}

impl NoteKind {
    fn word(self) -> &'static str {
        match self {
            NoteKind::Started => "started",
            NoteKind::TornTail => "torn_tail",
            NoteKind::Resumed => "resumed",
            NoteKind::Oversized => "oversized",
            NoteKind::Of(Happening::Reloaded) => "reloaded",
            NoteKind::Of(Happening::ConfigRejected) => "config_rejected",
            NoteKind::Of(Happening::ClockMoved) => "clock_moved",
            NoteKind::Of(Happening::HandedOver) => "handed_over",
            NoteKind::Of(Happening::Stopping) => "stopping",
        }
    }
}

/// Appends a note of the log about itself. The position of its number is answered, see [`push_record`].
pub(crate) fn push_note(out: &mut Vec<u8>, kind: NoteKind, node: &str, at: Duration, facts: &Facts) -> usize {
    let start = out.len();
    let mut entry = Object::open(out);
    push_facts(&mut entry, facts, start);
    entry.word(key!("kind"), kind.word());
    entry.text(key!("node"), node);
    entry.word(key!("schema"), NOTE_SCHEMA);
    let seq = entry.later(key!("seq"));
    entry.number(key!("unix_ms"), millis(at));
    entry.close();
    seq.saturating_sub(start)
}

/// Appends a record without its number in the log, which is known only when its turn comes to be written: where its
/// digits belong is answered, counted from where the record begins. What a member would say in nearly every record is
/// said by leaving it out: no alerts, not replayed; of a stage: allowed, no facts, less than a microsecond.
pub(crate) fn push_record(out: &mut Vec<u8>, record: &Record, node: &str) -> usize {
    let start = out.len();
    let trail = &record.trail;
    let mut entry = Object::open(out);
    entry.quoted(key!("address"), |out| push_address(out, record.address));
    if !trail.alerts().is_empty() {
        entry.array(key!("alerts"), trail.alerts().iter(), |object, alert| push_alert(object, alert, start));
    }
    entry.word(key!("decision"), record.decision.word());
    entry.text(key!("method"), record.method.as_str());
    entry.text(key!("node"), node);
    if let Some(object) = trail.object() {
        entry.object(key!("object"), |out| {
            optional(out, key!("id"), object.id.as_deref());
            optional(out, key!("owner"), object.owner.as_deref());
            out.text(key!("type"), &object.kind);
        });
    }
    optional(&mut entry, key!("operation"), trail.operation().map(|o| &**o));
    if let Some(reason) = record.reason {
        entry.word(key!("reason"), reason.code());
    }
    if record.replayed {
        entry.is_true(key!("replayed"));
    }
    entry.quoted(key!("request"), |out| out.extend_from_slice(&record.request.to_ascii()));
    entry.text(key!("revision"), &record.revision);
    entry.word(key!("schema"), RECORD_SCHEMA);
    let seq = entry.later(key!("seq"));
    let stages = trail.evaluations().iter();
    entry.array(key!("stages"), stages, |object, evaluation| push_stage(object, evaluation, start));
    entry.number(key!("status"), u64::from(record.status));
    optional(&mut entry, key!("template"), record.template.as_deref());
    entry.number(key!("took_micros"), micros(record.took));
    optional(&mut entry, key!("trace"), record.trace.as_deref());
    entry.number(key!("unix_ms"), millis(record.at));
    push_upstream(&mut entry, record);
    push_caller(&mut entry, record);
    entry.close();
    seq.saturating_sub(start)
}

fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            push_decimal(out, u64::from(a));
            for part in [b, c, d] {
                out.push(b'.');
                push_decimal(out, u64::from(part));
            }
        }
        // Digits, colons and letters only; writing to a vector cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

fn push_alert(object: &mut Object<'_>, alert: &Alert, start: usize) {
    push_facts(object, &alert.facts, start);
    object.word(key!("reason"), alert.reason.code());
    object.word(key!("stage"), alert.stage.word());
}

fn push_stage(object: &mut Object<'_>, evaluation: &Evaluation, start: usize) {
    push_facts(object, &evaluation.facts, start);
    let took = micros(evaluation.took);
    if took > 0 {
        object.number(key!("micros"), took);
    }
    if let Some(reason) = evaluation.reason {
        object.word(key!("reason"), reason.code());
    }
    object.word(key!("stage"), evaluation.stage.word());
    if evaluation.verdict == Verdict::Deny {
        object.word(key!("verdict"), "deny");
    }
}

fn push_upstream(entry: &mut Object<'_>, record: &Record) {
    let Some(name) = &record.upstream.name else { return };
    entry.object(key!("upstream"), |out| {
        if let Some(took) = record.upstream.took {
            out.number(key!("micros"), micros(took));
        }
        out.text(key!("name"), name);
        if let Some(status) = record.upstream.status {
            out.number(key!("status"), u64::from(status));
        }
    });
}

fn push_caller(entry: &mut Object<'_>, record: &Record) {
    match record.caller() {
        None => {}
        Some(Caller::Anonymous(_)) => entry.object(key!("who"), |who| who.word(key!("kind"), "anonymous")),
        Some(Caller::Known(identity)) => entry.object(key!("who"), |who| {
            who.text(key!("alg"), identity.algorithm);
            optional(who, key!("client"), identity.client.as_deref());
            who.text(key!("issuer"), &identity.issuer);
            optional(who, key!("kid"), identity.key_id.as_deref());
            who.word(key!("kind"), identity.kind.word());
            optional(who, key!("plan"), identity.plan.as_deref());
            who.text(key!("subject"), &identity.subject);
            optional(who, key!("tenant"), identity.tenant.as_deref());
            if let Some(issued) = identity.issued_at {
                who.number(key!("token_age_s"), record.at.saturating_sub(issued).as_secs());
            }
        }),
    }
}

/// Writes the facts, if there are any, sorted by name, each name once (the last value wins), and how many were left out.
fn push_facts(object: &mut Object<'_>, facts: &Facts, start: usize) {
    let total = facts.iter().count();
    if total == 0 {
        return;
    }
    let omitted = if facts.iter().is_sorted_by(|a, b| a.0 < b.0) {
        total.saturating_sub(push_sorted(object, facts.iter(), start))
    } else {
        let mut kept: Vec<&(&'static str, FactValue)> = Vec::with_capacity(total);
        for fact in facts.iter() {
            match kept.iter_mut().find(|known| known.0 == fact.0) {
                Some(known) => *known = fact,
                None => kept.push(fact),
            }
        }
        kept.sort_unstable_by_key(|fact| fact.0);
        let total = kept.len();
        total.saturating_sub(push_sorted(object, kept.into_iter(), start))
    };
    if omitted > 0 {
        object.number(key!("facts_omitted"), u64::try_from(omitted).unwrap_or(u64::MAX));
    }
}

/// Writes as many of the facts as there is room for and answers with their number.
fn push_sorted<'f>(
    object: &mut Object<'_>,
    facts: impl Iterator<Item = &'f (&'static str, FactValue)>,
    start: usize,
) -> usize {
    let mut written = 0_usize;
    object.object(key!("facts"), |out| {
        for (name, value) in facts.take(FACTS_MAX) {
            if out.position().saturating_sub(start) >= FACTS_UNTIL_BYTES {
                break;
            }
            written = written.saturating_add(1);
            match value {
                FactValue::Word(word) => out.foreign_word(name, word),
                FactValue::Text(text) => out.foreign_text(name, text),
                FactValue::Shared(text) => out.foreign_text(name, text),
                FactValue::Number(number) => out.foreign_signed(name, *number),
            }
        }
    });
    written
}

#[inline]
fn optional(object: &mut Object<'_>, key: Key, value: Option<&str>) {
    if let Some(value) = value {
        object.text(key, value);
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
