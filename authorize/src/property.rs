// SPDX-License-Identifier: Apache-2.0
//! Properties on the way in (API3, T74, p15): only declared and writable ones reach the origin.
//!
//! The body is walked beside its schema with an explicit stack. What can be told from the caller alone is told
//! here; what depends on the object itself is left [`Pending`] for the object stage.

use crate::model::{KindSet, Model, ObjectKind, OperationPlan, PropertyRule};
use crate::pointer::{POINTER_STEPS_MAX, push_token};
use crate::word::Rule;
use portcullis_contract::{Member, ShapeId, ShapeSet};
use portcullis_decision::caller::Caller;
use portcullis_decision::{Reason, Violation};
use portcullis_wire::json::{Document, JsonKind, NodeRef};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// At most this many faults are told of one body; the rest is not looked for.
const FAULTS_MAX: usize = 20;
/// A pointer holds names of the client's own, so it is shown at most this long.
const POINTER_CHARS_MAX: usize = 256;
/// Names that poison prototypes in readers written in JavaScript; never data (T74).
const POISON: [&str; 1] = ["__proto__"];

/// Something wrong with a property of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyFault {
    /// `property.not_writable` or `property.undeclared`.
    pub reason: Reason,
    /// Where, and what is expected there; never the value.
    pub violation: Violation,
}

/// What can only be decided with the object at hand.
#[derive(Debug)]
pub(crate) struct Pending<'d> {
    pub(crate) pointer: String,
    /// The value sent.
    pub(crate) value: NodeRef<'d>,
    pub(crate) what: Question,
    /// The property belongs to the object the request is about, not to one embedded in it.
    pub(crate) outermost: bool,
    /// Rules that must hold for a value that is not the object's own.
    pub(crate) rules: SmallVec<[Arc<PropertyRule>; 1]>,
    /// The type it belongs to, for its owner and key.
    pub(crate) kinds: KindSet,
}

/// Why a property waits for the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// It names the owner.
    Owner,
    /// It is the object's own id.
    Key,
    /// A word of its `write` rule needs the object.
    Words,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Found<'d> {
    pub(crate) faults: Vec<PropertyFault>,
    pub(crate) pending: Vec<Pending<'d>>,
}

/// What is known of one value during the walk.
struct Visit<'d> {
    node: NodeRef<'d>,
    /// `None`: inside something free-form.
    shape: Option<ShapeSet>,
    /// The container this stands in, by its place in `Walk::parents`.
    place: usize,
}

/// A container on the way to a value, kept so that pointers are only written when needed.
struct Parent<'d> {
    up: usize,
    token: Cow<'d, str>,
}

struct Walk<'m, 'd> {
    model: &'m Model,
    plan: &'m OperationPlan,
    caller: Option<&'m Caller>,
    parents: Vec<Parent<'d>>,
    found: Found<'d>,
}

/// The names one object knows, to tell another spelling of one (T74).
#[derive(Default)]
struct Spellings<'m> {
    folded: HashSet<String>,
    /// Protected names that the schema leaves open: judged as what they are.
    exact: HashSet<&'m str>,
}

impl Spellings<'_> {
    /// Whether a name that an open schema would let in is another spelling of a known one.
    fn is_another_of_one(&self, name: &str) -> bool {
        POISON.contains(&name) || (!self.exact.contains(name) && self.folded.contains(&fold(name)))
    }
}

/// Judges the properties of a body. Without a caller only what holds for everybody is told.
pub(crate) fn walk<'d>(
    model: &Model,
    plan: &OperationPlan,
    body: &'d Document,
    shape: ShapeId,
    caller: Option<&Caller>,
) -> Found<'d> {
    let root = Parent { up: 0, token: Cow::Borrowed("") };
    let mut walk = Walk { model, plan, caller, parents: vec![root], found: Found::default() };
    let shape_id = shape;
    let shape = Some(model.contract.shapes().enter(shape_id));
    let mut stack = vec![Visit { node: body.root(), shape, place: 0 }];
    while let Some(visit) = stack.pop() {
        if walk.found.faults.len() >= FAULTS_MAX {
            break;
        }
        match visit.node.kind() {
            JsonKind::Object => walk.object(&visit, &mut stack),
            JsonKind::Array => walk.array(&visit, &mut stack),
            _ => {}
        }
    }
    let mut found = walk.found;
    read_exactly(model, plan, body, shape_id, &mut found.faults);
    found.faults.truncate(FAULTS_MAX);
    found
}

/// Of a composed schema only the branches that a value satisfies declare anything.
fn read_exactly(model: &Model, plan: &OperationPlan, body: &Document, shape: ShapeId, faults: &mut Vec<PropertyFault>) {
    if !model.composed.contains(&shape) || faults.len() >= FAULTS_MAX {
        return;
    }
    let operation = model.contract.operation(plan.index);
    let mut media = operation.into_iter().filter_map(|o| o.body.as_ref()).flat_map(|body| &body.media);
    let validator = media.find(|media| media.shape == Some(shape)).and_then(|media| media.validator.as_ref());
    let violations = validator.map(|v| v.undeclared(&body.to_value(), FAULTS_MAX)).unwrap_or_default();
    for violation in violations {
        let pointer = shown(violation.pointer);
        if !faults.iter().any(|known| known.violation.pointer == pointer) {
            let detail = "no property of this name is known here".to_owned();
            let violation = Violation { pointer, detail };
            faults.push(PropertyFault { reason: Reason::PropertyUndeclared, violation });
        }
    }
}

impl<'m, 'd> Walk<'m, 'd> {
    fn array(&mut self, visit: &Visit<'d>, stack: &mut Vec<Visit<'d>>) {
        for (index, node) in visit.node.elements().enumerate() {
            if !is_container(node) {
                continue;
            }
            let shape = visit.shape.as_ref().map(|set| self.model.contract.shapes().element(set, index));
            let place = self.enter(visit.place, Cow::Owned(index.to_string()));
            stack.push(Visit { node, shape, place });
        }
    }

    fn object(&mut self, visit: &Visit<'d>, stack: &mut Vec<Visit<'d>>) {
        let shapes = self.model.contract.shapes();
        let Some(set) = &visit.shape else {
            return self.free_form(visit, stack);
        };
        let recognised = if self.plan.exempt { KindSet::new() } else { self.model.kinds_of(set) };
        let outermost = visit.place == 0;
        let kinds = if recognised.is_empty() && outermost { self.plan.implied.clone() } else { recognised };
        let mut spellings = None;
        for (name, node) in visit.node.members() {
            let member = shapes.member(set, &name);
            let shape = match member {
                Member::Declared(member) => {
                    if shapes.marks(&member).read_only {
                        self.fault(Reason::PropertyNotWritable, visit.place, &name, "this property cannot be written");
                        continue;
                    }
                    Some(member)
                }
                Member::Open
                    if spellings.get_or_insert_with(|| self.spellings(set, &kinds)).is_another_of_one(&name) =>
                {
                    self.fault(
                        Reason::PropertyUndeclared,
                        visit.place,
                        &name,
                        "no property of this name is known here",
                    );
                    continue;
                }
                Member::Open => None,
                Member::Undeclared => {
                    self.fault(
                        Reason::PropertyUndeclared,
                        visit.place,
                        &name,
                        "no property of this name is known here",
                    );
                    continue;
                }
            };
            self.protected(visit, set, &kinds, (&name, node));
            if is_container(node) {
                let place = self.enter(visit.place, name);
                stack.push(Visit { node, shape, place });
            }
        }
    }

    /// Inside something free-form only poisoned names are refused.
    fn free_form(&mut self, visit: &Visit<'d>, stack: &mut Vec<Visit<'d>>) {
        for (name, node) in visit.node.members() {
            if POISON.contains(&&*name) {
                self.fault(Reason::PropertyUndeclared, visit.place, &name, "no property of this name is known here");
            } else if is_container(node) {
                let place = self.enter(visit.place, name);
                stack.push(Visit { node, shape: None, place });
            }
        }
    }

    /// The names an object declares or protects.
    fn spellings(&self, set: &ShapeSet, kinds: &KindSet) -> Spellings<'m> {
        let mut spellings = Spellings::default();
        for name in self.model.contract.shapes().declared_names(set) {
            spellings.folded.insert(fold(name));
        }
        for kind in kinds.iter().filter_map(|kind| self.model.kind(*kind)) {
            let places = [kind.owner.as_ref(), kind.key.as_ref()];
            let heads = places.into_iter().flatten().filter_map(|place| place.head());
            for name in heads.chain(self.model.protected_names(kind)) {
                spellings.folded.insert(fold(name));
                spellings.exact.insert(name);
            }
        }
        spellings
    }

    /// Owner, key, and properties with rules of their own.
    fn protected(&mut self, visit: &Visit<'d>, set: &ShapeSet, kinds: &KindSet, member: (&str, NodeRef<'d>)) {
        let (name, node) = member;
        let mut rules: SmallVec<[Arc<PropertyRule>; 1]> = SmallVec::new();
        let schemas = self.model.contract.shapes().names(set);
        let by_schema = schemas.flat_map(|schema| self.model.rules_of_schema(schema, name));
        let of_kinds = kinds.iter().filter_map(|kind| self.model.kind(*kind));
        let by_kind = of_kinds.flat_map(|kind| self.model.rules_of_kind(kind, name));
        for rule in by_schema.chain(by_kind) {
            if rule.write.is_some() && !rules.iter().any(|known| Arc::ptr_eq(known, rule)) {
                rules.push(Arc::clone(rule));
            }
        }
        let is_key = |kind: &ObjectKind| kind.key.as_ref().is_some_and(|key| head_is(key.head(), name));
        let is_owner = |kind: &ObjectKind| {
            !kind.id_is_owner && kind.owner.as_ref().is_some_and(|owner| head_is(owner.head(), name))
        };
        let what = if self.any_kind(kinds, is_key) {
            Question::Key
        } else if self.any_kind(kinds, is_owner) {
            Question::Owner
        } else if rules.is_empty() {
            return;
        } else {
            Question::Words
        };
        if !rules.is_empty() && rules.iter().all(|rule| self.writes(rule)) {
            return;
        }
        let hopeless =
            |rule: &Arc<PropertyRule>| !self.writes(rule) && !rule.write.as_ref().is_some_and(Rule::needs_object);
        if what == Question::Words && rules.iter().any(hopeless) {
            self.fault(Reason::PropertyNotWritable, visit.place, name, "this property cannot be written");
            return;
        }
        let pointer = self.pointer(visit.place, name);
        let outermost = visit.place == 0;
        self.found.pending.push(Pending { pointer, value: node, what, outermost, rules, kinds: kinds.clone() });
    }

    fn any_kind(&self, kinds: &KindSet, test: impl Fn(&ObjectKind) -> bool) -> bool {
        kinds.iter().filter_map(|kind| self.model.kind(*kind)).any(test)
    }

    /// Whether a write rule holds whatever the object is. Without a caller nothing is known, so nothing is told.
    fn writes(&self, rule: &PropertyRule) -> bool {
        match (&rule.write, self.caller) {
            (None, _) | (Some(_), None) => true,
            (Some(write), Some(caller)) => write.holds_without_object(caller),
        }
    }

    fn enter(&mut self, up: usize, token: Cow<'d, str>) -> usize {
        self.parents.push(Parent { up, token });
        self.parents.len().saturating_sub(1)
    }

    fn fault(&mut self, reason: Reason, place: usize, name: &str, detail: &str) {
        let pointer = shown(self.pointer(place, name));
        self.found.faults.push(PropertyFault { reason, violation: Violation { pointer, detail: detail.to_owned() } });
    }

    fn pointer(&self, place: usize, name: &str) -> String {
        let mut tokens: Vec<&str> = vec![name];
        let mut at = place;
        // INVARIANT: a parent stands before its children, so this ends at the root.
        while at != 0 {
            let Some(parent) = self.parents.get(at) else { break };
            tokens.push(&parent.token);
            at = parent.up;
        }
        let mut pointer = String::with_capacity(tokens.len().min(POINTER_STEPS_MAX) * 12);
        for token in tokens.into_iter().rev() {
            push_token(&mut pointer, token);
        }
        pointer
    }
}

fn shown(pointer: String) -> String {
    match pointer.char_indices().nth(POINTER_CHARS_MAX) {
        Some((end, _)) => pointer.get(..end).unwrap_or_default().to_owned(),
        None => pointer,
    }
}

impl Model {
    /// The types a value may be of.
    pub(crate) fn kinds_of(&self, set: &ShapeSet) -> KindSet {
        let mut kinds = KindSet::new();
        if self.by_schema.is_empty() {
            return kinds;
        }
        for name in self.contract.shapes().names(set) {
            for kind in self.by_schema.get(name).into_iter().flatten() {
                if !kinds.contains(kind) {
                    kinds.push(*kind);
                }
            }
        }
        kinds
    }

    /// Names of properties of a type that have rules of their own.
    fn protected_names<'m>(&'m self, kind: &'m ObjectKind) -> impl Iterator<Item = &'m Arc<str>> {
        kind.schemas.iter().filter_map(|schema| self.properties.get(schema)).flat_map(|table| table.keys())
    }
}

fn head_is(head: Option<&Arc<str>>, name: &str) -> bool {
    head.is_some_and(|head| **head == *name)
}

fn is_container(node: NodeRef<'_>) -> bool {
    matches!(node.kind(), JsonKind::Object | JsonKind::Array)
}

/// `isAdmin`, `is_admin`, `IS-ADMIN` and `is.admin` are one name to some reader behind us.
pub(crate) fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn t74_spellings_of_one_name_fold_together() {
        for spelling in ["is_admin", "isAdmin", "ISADMIN", "Is-Admin", "is.admin", "is admin"] {
            assert_eq!(fold(spelling), "isadmin", "{spelling}");
        }
        assert_ne!(fold("administrator"), fold("admin"));
    }
}
