// SPDX-License-Identifier: Apache-2.0
//! What the trail is told about objects: never more than it needs, never a body.

use crate::model::ObjectKind;
use crate::owner::Ownership;
use portcullis_decision::receipt::Stage;
use portcullis_decision::record::ObjectEvidence;
use portcullis_decision::{Denial, Facts, Reason, Trail};
use std::sync::Arc;

/// Texts from outside are cut to this many bytes (DESIGN.md §8).
pub(crate) const EVIDENCE_BYTES_MAX: usize = 128;

/// The beginning of a text, cut between characters.
pub(crate) fn cut(text: &str) -> &str {
    let end = text.floor_char_boundary(EVIDENCE_BYTES_MAX);
    text.get(..end).unwrap_or_default()
}

/// Notes the object a request is about. The first one stays, whatever comes after it.
pub(crate) fn note(trail: &mut Trail, kind: &ObjectKind, id: Option<&str>, owner: Option<&str>) {
    let known = trail.object();
    if known.is_some_and(|o| o.kind != kind.name || (o.id.is_some() && o.id.as_deref() != id.map(cut))) {
        return;
    }
    let id = id.map(cut).map(Box::from).or_else(|| known.and_then(|o| o.id.clone()));
    let owner = owner.map(cut).map(Box::from).or_else(|| known.and_then(|o| o.owner.clone()));
    trail.set_object(ObjectEvidence { kind: Arc::clone(&kind.name), id, owner });
}

/// Facts that every verdict about an object has.
pub(crate) fn facts(kind: &ObjectKind, ownership: &Ownership, own: Option<&str>) -> Facts {
    let mut facts = Facts::none().with("object", Arc::clone(&kind.name));
    if let Some(owner) = ownership.stranger() {
        facts = facts.with("owner", cut(owner).to_owned());
    }
    match own {
        Some(own) => facts.with("subject", cut(own).to_owned()),
        None => facts.with("subject", "owns nothing"),
    }
}

/// A refusal that looks as the type's `deny_as` says.
pub(crate) fn deny<S: Stage>(trail: &mut Trail, kind: &ObjectKind, reason: Reason, facts: Facts) -> Denial {
    let denial = trail.deny::<S>(reason, facts);
    match kind.shown(reason) {
        Some(status) => denial.shown_as(status),
        None => denial,
    }
}

/// Why an object is refused to somebody who stands to it so.
pub(crate) fn reason_of(ownership: &Ownership) -> Reason {
    match ownership {
        Ownership::Unknown => Reason::ObjectUnknownOwner,
        Ownership::Own | Ownership::Foreign(_) => Reason::ObjectNotOwner,
    }
}
