// SPDX-License-Identifier: Apache-2.0
//! Object level authorization before the call (API1, API3): every id a request carries is judged before anything is
//! forwarded, the object is loaded where its answer could not show the owner, and only writable properties pass.

mod ids;
mod load;
mod writes;

pub use load::{LOOKUP_BYTES_MAX, LookupAnswer, LookupFault, LookupRequest, OwnerLookup};

use crate::declared::Action;
use crate::evidence;
use crate::function;
use crate::model::{Carried, How, KindIndex, LookUpPlan, Model, ObjectKind, OperationPlan};
use crate::owner::{self, Ownership};
use crate::property::{self, Found};
use http::HeaderValue;
use load::Loaded;
use portcullis_contract::{Parameters, ShapeId};
use portcullis_decision::caller::Caller;
use portcullis_decision::receipt::{Receipt, stage};
use portcullis_decision::{Denial, Facts, Reason, Trail, Violation};
use portcullis_wire::json::Document;
use std::borrow::Cow;
use std::sync::Arc;

/// What the object stage is asked.
#[derive(Clone, Copy)]
pub struct ObjectQuestion<'q> {
    /// Who asks.
    pub caller: &'q Caller,
    /// The checked parameters.
    pub parameters: &'q Parameters,
    /// The parsed body and the schema it satisfied, where the operation has a JSON body.
    pub body: Option<(&'q Document, ShapeId)>,
    /// The client's own `If-Match`.
    pub if_match: Option<&'q HeaderValue>,
}

/// What is known of the objects once the stage has allowed the request.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The `If-Match` to forward; it takes the place of the client's, `None` included.
    pub if_match: Option<HeaderValue>,
    /// The client's `If-Match` names another version than the one that was just read: the answer is 412 and
    /// nothing is forwarded. Said only to those whose ownership held.
    pub precondition_failed: bool,
    pub(crate) ids: Vec<KnownId>,
}

/// One id that was judged.
#[derive(Clone, Debug)]
pub(crate) struct KnownId {
    pub(crate) kind: KindIndex,
    pub(crate) id: Box<str>,
    pub(crate) standing: Standing,
    /// The caller was seen to own it.
    pub(crate) owned: bool,
}

/// How far an id has been judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its rule held before the call.
    Settled,
    /// The answer will show the owner.
    Pending,
}

impl Known {
    /// Whether every id's rule held before the call.
    pub fn is_settled(&self) -> bool {
        self.ids.iter().all(|id| id.standing == Standing::Settled)
    }
}

/// An id as a request carries it.
pub(crate) struct Asked<'q> {
    pub(crate) carried: &'q Carried,
    pub(crate) id: Cow<'q, str>,
}

/// An object whose rule held, for the properties that depend on it.
pub(crate) struct Target<'q> {
    pub(crate) kind: KindIndex,
    pub(crate) id: Cow<'q, str>,
    pub(crate) ownership: Ownership,
    pub(crate) loaded: Option<Loaded>,
    lookup: Option<&'q LookUpPlan>,
    action: Action,
}

/// The stage at work on one request.
pub(crate) struct ObjectStage<'q> {
    pub(crate) model: &'q Model,
    pub(crate) plan: &'q OperationPlan,
    pub(crate) question: ObjectQuestion<'q>,
    pub(crate) lookups: &'q dyn OwnerLookup,
}

impl<'q> ObjectStage<'q> {
    pub(crate) async fn judge(&self, trail: &mut Trail) -> Result<(Known, Receipt<stage::Object>), Denial> {
        self.judge_creation(trail)?;
        let found = self.judge_properties(trail)?;
        let asked = match ids::asked(self.plan, &self.question) {
            Ok(asked) => asked,
            Err(fault) => return Err(refuse_ids(fault, trail)),
        };
        let needs_object = !found.pending.is_empty();
        let mut known = Known { if_match: self.question.if_match.cloned(), ..Known::default() };
        let mut targets = Vec::new();
        for asked in asked {
            let kind = asked.carried.kind;
            let id = Box::from(&*asked.id);
            match self.judge_id(asked, needs_object, trail).await? {
                Some(target) => {
                    let owned = target.ownership == Ownership::Own;
                    known.ids.push(KnownId { kind, id, standing: Standing::Settled, owned });
                    targets.push(target);
                }
                None => known.ids.push(KnownId { kind, id, standing: Standing::Pending, owned: false }),
            }
        }
        let refused = writes::refused(self, &found.pending, &targets);
        if !refused.is_empty() {
            let facts = self.body_facts(refused.len());
            return Err(trail.deny::<stage::Object>(Reason::PropertyNotWritable, facts).with_violations(refused));
        }
        self.bind_version(&targets, &mut known);
        let facts = self.allowed_facts(&known, &targets);
        Ok((known, trail.allow(facts)))
    }

    /// Who may make objects of the types this operation makes.
    fn judge_creation(&self, trail: &mut Trail) -> Result<(), Denial> {
        for kind in self.plan.created.iter().filter_map(|kind| self.model.kind(*kind)) {
            evidence::note(trail, kind, None, None);
            if !kind.rules.create.holds(self.question.caller, &self.standing_of_new(kind)) {
                // No object exists yet, so this is a matter of who calls, not of what is touched.
                return Err(function::refuse::<stage::Object>(&kind.rules.create, self.question.caller, trail));
            }
        }
        Ok(())
    }

    /// What a caller makes is his own, if he is one who may own.
    pub(crate) fn standing_of_new(&self, kind: &ObjectKind) -> Ownership {
        match owner::own_name(self.question.caller, kind) {
            Some(_) => Ownership::Own,
            None => Ownership::Unknown,
        }
    }

    fn judge_properties(&self, trail: &mut Trail) -> Result<Found<'q>, Denial> {
        let Some((body, shape)) = self.question.body else {
            return Ok(Found::default());
        };
        let found = property::walk(self.model, self.plan, body, shape, Some(self.question.caller));
        let not_writable = found.faults.iter().find(|fault| fault.reason == Reason::PropertyNotWritable);
        let Some(first) = not_writable.or(found.faults.first()) else {
            return Ok(found);
        };
        let facts = self.body_facts(found.faults.len());
        let denial = trail.deny::<stage::Object>(first.reason, facts);
        Err(denial.with_violations(found.faults.into_iter().map(|fault| fault.violation).collect()))
    }

    /// Judges one id: a target once its rule held, `None` where the answer has to show the owner.
    async fn judge_id(
        &self,
        asked: Asked<'q>,
        needs_object: bool,
        trail: &mut Trail,
    ) -> Result<Option<Target<'q>>, Denial> {
        let carried = asked.carried;
        let Some(kind) = self.model.kind(carried.kind) else {
            // INVARIANT: kinds are indices into the model; a broken one closes.
            return Err(trail.deny::<stage::Object>(Reason::GateInternal, Facts::none()));
        };
        let rule = kind.rules.of(carried.action);
        let own = owner::own_name(self.question.caller, kind);
        evidence::note(trail, kind, Some(&asked.id), None);
        let by_words = rule.holds_without_object(self.question.caller);
        if !by_words && (!rule.needs_object() || own.is_none()) {
            // No object could make this rule hold, so none is loaded: the refusal cannot tell whether it exists.
            let facts = evidence::facts(kind, &Ownership::Unknown, own.as_deref()).with("rule", Arc::clone(&rule.text));
            return Err(evidence::deny::<stage::Object>(trail, kind, Reason::ObjectNotOwner, facts));
        }
        if carried.how == How::Answer && !by_words {
            return Ok(None);
        }
        let for_properties = needs_object && is_write(carried.action);
        let wanted = for_properties || (carried.how == How::LookUp && !by_words);
        let load = carried.lookup.as_ref().filter(|_| wanted);
        let loaded = match load {
            Some(plan) => Some(load::load(self, &asked, plan, trail).await?),
            None => None,
        };
        let ownership = match (&carried.how, loaded.as_ref().and_then(Loaded::object)) {
            (How::IdIsOwner, _) => owner::of_id(&asked.id, own.as_deref()),
            (_, Some(object)) => owner::of_object(object, kind, own.as_deref()),
            (_, None) => Ownership::Unknown,
        };
        evidence::note(trail, kind, Some(&asked.id), ownership.stranger().or(own_of(&ownership, own.as_deref())));
        if !rule.holds(self.question.caller, &ownership) {
            let mut facts = evidence::facts(kind, &ownership, own.as_deref()).with("rule", Arc::clone(&rule.text));
            if let Some(lookup) = load {
                facts = facts.with("lookup", Arc::clone(&lookup.name));
            }
            return Err(evidence::deny::<stage::Object>(trail, kind, evidence::reason_of(&ownership), facts));
        }
        let (kind, action) = (carried.kind, carried.action);
        Ok(Some(Target { kind, id: asked.id, ownership, loaded, lookup: load, action }))
    }

    /// Ties a write to the version whose owner was read, so that ownership cannot change in between.
    fn bind_version(&self, targets: &[Target<'_>], known: &mut Known) {
        let [target] = targets else { return };
        let same = target.lookup.is_some_and(|lookup| lookup.same_resource) && is_write(target.action);
        let tag = target.loaded.as_ref().and_then(Loaded::strong_etag).filter(|_| same);
        let Some(tag) = tag else { return };
        if self.question.if_match.is_some_and(|own| !load::names_tag(own, tag)) {
            known.precondition_failed = true;
            return;
        }
        known.if_match = Some(tag.clone());
    }

    fn body_facts(&self, count: usize) -> Facts {
        let kinds = self.plan.touched.iter().filter_map(|kind| self.model.kind(*kind));
        let facts = Facts::none().with("properties", count);
        kinds.take(1).fold(facts, |facts, kind| facts.with("object", Arc::clone(&kind.name)))
    }

    fn allowed_facts(&self, known: &Known, targets: &[Target<'_>]) -> Facts {
        let Some(first) = known.ids.first() else {
            return match self.plan.created.first().and_then(|kind| self.model.kind(*kind)) {
                Some(kind) => Facts::none()
                    .with("object", Arc::clone(&kind.name))
                    .with("rule", Arc::clone(&kind.rules.create.text)),
                None => Facts::none(),
            };
        };
        let mut facts = Facts::none();
        if let Some(kind) = self.model.kind(first.kind) {
            facts = facts.with("object", Arc::clone(&kind.name));
        }
        facts = facts.with("ids", known.ids.len());
        match targets.first() {
            None => facts.with("owner", "judged in the answer"),
            Some(Target { lookup: Some(lookup), .. }) => facts.with("lookup", Arc::clone(&lookup.name)),
            Some(_) => facts,
        }
    }
}

fn own_of<'o>(ownership: &Ownership, own: Option<&'o str>) -> Option<&'o str> {
    if *ownership == Ownership::Own { own } else { None }
}

fn is_write(action: Action) -> bool {
    matches!(action, Action::Update | Action::Delete | Action::Create)
}

fn refuse_ids(fault: ids::IdsFault, trail: &mut Trail) -> Denial {
    let facts = Facts::none().with("ids", fault.detail);
    let violation = Violation { pointer: fault.pointer, detail: fault.detail.to_owned() };
    trail.deny::<stage::Object>(fault.reason, facts).with_violations(vec![violation])
}
