// SPDX-License-Identifier: Apache-2.0
//! Properties that only the object can decide: its owner, its own id, and words such as `owner`.
//!
//! On create they may be absent or equal the caller's own; on update they are never writable unless a property rule
//! says who may, but a value equal to the present one passes (config.md §4).

use super::{ObjectStage, Target};
use crate::model::{KindIndex, ObjectKind};
use crate::owner::{self, Ownership};
use crate::pointer::{Pointer, Step};
use crate::property::{Pending, Question};
use portcullis_decision::Violation;
use portcullis_wire::json::{JsonKind, NodeRef};
use smallvec::SmallVec;

/// The properties that may not be written, in the order of the body's walk.
pub(super) fn refused(stage: &ObjectStage<'_>, pending: &[Pending<'_>], targets: &[Target<'_>]) -> Vec<Violation> {
    let not_writable = |p: &&Pending<'_>| !is_writable(stage, p, targets);
    let violation = |p: &Pending<'_>| Violation {
        pointer: p.pointer.clone(),
        detail: "this property cannot be written".to_owned(),
    };
    pending.iter().filter(not_writable).map(violation).collect()
}

/// Every type the property may belong to must agree.
fn is_writable(stage: &ObjectStage<'_>, pending: &Pending<'_>, targets: &[Target<'_>]) -> bool {
    if pending.kinds.is_empty() {
        // A component schema with rules of its own that is no type: nobody owns it.
        return rules_hold(stage, pending, &Ownership::Unknown);
    }
    pending.kinds.iter().all(|index| {
        let Some(kind) = stage.model.kind(*index) else { return false };
        let target = find_target(pending, *index, targets);
        let ownership = match target {
            Some(target) => target.ownership.clone(),
            None if is_new(stage, *index) => stage.standing_of_new(kind),
            None => Ownership::Unknown,
        };
        (!pending.rules.is_empty() && rules_hold(stage, pending, &ownership))
            || match pending.what {
                Question::Words => false,
                Question::Owner => owner_is_kept(stage, pending, kind, target),
                Question::Key => key_is_kept(stage, pending, kind, target),
            }
    })
}

fn rules_hold(stage: &ObjectStage<'_>, pending: &Pending<'_>, ownership: &Ownership) -> bool {
    let holds = |rule: &crate::word::Rule| rule.holds(stage.question.caller, ownership);
    pending.rules.iter().filter_map(|rule| rule.write.as_ref()).all(holds)
}

/// The object the body speaks of: only the outermost value does, and only where one id was asked for.
fn find_target<'t, 'q>(pending: &Pending<'_>, kind: KindIndex, targets: &'t [Target<'q>]) -> Option<&'t Target<'q>> {
    let mut same = targets.iter().filter(|target| target.kind == kind);
    let first = same.next().filter(|_| pending.outermost)?;
    if same.next().is_some() { None } else { Some(first) }
}

/// Whether the value is made by this request, or is the caller's own by the nature of the operation (`/me`).
fn is_new(stage: &ObjectStage<'_>, kind: KindIndex) -> bool {
    stage.plan.created.contains(&kind) || stage.plan.carried.is_empty()
}

fn owner_is_kept(
    stage: &ObjectStage<'_>,
    pending: &Pending<'_>,
    kind: &ObjectKind,
    target: Option<&Target<'_>>,
) -> bool {
    let Some(place) = &kind.owner else { return false };
    let Some(sent) = texts_below(pending.value, place) else { return false };
    if sent.is_empty() {
        return true;
    }
    match target {
        Some(target) => {
            let object = target.loaded.as_ref().and_then(super::Loaded::object);
            let present = object.and_then(|object| all_texts(place.values(object)));
            present.is_some_and(|present| present == sent)
        }
        None => owner::own_name(stage.question.caller, kind).is_some_and(|own| sent.iter().all(|text| **text == *own)),
    }
}

fn key_is_kept(stage: &ObjectStage<'_>, pending: &Pending<'_>, kind: &ObjectKind, target: Option<&Target<'_>>) -> bool {
    let Some(place) = &kind.key else { return false };
    let Some(sent) = texts_below(pending.value, place) else { return false };
    if sent.is_empty() {
        return true;
    }
    match target {
        Some(target) => sent.iter().all(|text| *text == *target.id),
        // An id somebody else chose could be that of an object which exists.
        None if kind.id_is_owner => {
            owner::own_name(stage.question.caller, kind).is_some_and(|own| sent.iter().all(|text| **text == *own))
        }
        None => false,
    }
}

/// The texts at a place whose first step has been taken. `None`: something there is no text, or the container that
/// holds it would be replaced by something else.
fn texts_below(value: NodeRef<'_>, place: &Pointer) -> Option<Vec<String>> {
    let mut here: SmallVec<[NodeRef<'_>; 1]> = SmallVec::from_iter([value]);
    for step in place.steps().iter().skip(1) {
        let mut next = SmallVec::new();
        for node in here {
            match (step, node.kind()) {
                (Step::Name(name), JsonKind::Object) => next.extend(node.get(name)),
                // An empty list of owners is not an absent one.
                (Step::Any, JsonKind::Array) if !node.is_empty() => next.extend(node.elements()),
                _ => return None,
            }
        }
        here = next;
    }
    all_texts(here)
}

fn all_texts(values: SmallVec<[NodeRef<'_>; 1]>) -> Option<Vec<String>> {
    values.into_iter().map(|value| value.canonical_text().map(std::borrow::Cow::into_owned)).collect()
}
