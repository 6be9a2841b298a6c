// SPDX-License-Identifier: Apache-2.0
//! One operation: what it touches, what it does to it, which rules apply, and whether that can be enforced.

use super::Compiler;
use super::carried::is_own_resource;
use super::finding::{OWNER_UNKNOWN, PUBLIC_OBJECT};
use super::spot::{Spot, outermost};
use super::unjudged::Answers;
use crate::declared::{Action, ForeignItems, OperationDeclaration};
use crate::model::{Carried, Carrier, KindIndex, KindSet, Needs, OperationPlan, PropertyTable, ScopeAlternatives};
use crate::pointer::Pointer;
use crate::word::{Rule, Word};
use http::Method;
use portcullis_contract::{Operation, OperationIndex};
use std::collections::HashMap;
use std::sync::Arc;

/// What was found about an operation before anything is decided.
pub(super) struct Touched {
    pub(super) action: Action,
    pub(super) ids: Vec<(KindIndex, Carrier)>,
    pub(super) body: Vec<Spot>,
    pub(super) answers: Vec<Spot>,
    pub(super) returns: Vec<(KindIndex, Pointer)>,
    pub(super) created: KindSet,
}

impl Compiler<'_> {
    /// Decides everything about one operation.
    pub(super) fn operation(
        &mut self,
        operation: &Operation,
        properties: &HashMap<Arc<str>, PropertyTable>,
    ) -> OperationPlan {
        let declaration = self.declaration(operation);
        let exempt = declaration.is_some_and(|d| d.touches_none);
        let judged_as = self.judged_as(operation);
        let touched = self.touched(operation, judged_as, declaration);
        let mut served = operation.is_served();
        let mut carried = Vec::with_capacity(touched.ids.len());
        for (kind, at) in &touched.ids {
            let lookup = self.lookup(operation, *kind, at);
            let how = self.how((operation, judged_as), (*kind, at), touched.action, lookup.as_ref());
            let Some(how) = how else {
                self.no_way(operation, *kind, touched.action);
                served = false;
                continue;
            };
            carried.push(Carried { kind: *kind, at: at.clone(), action: touched.action, how, lookup });
        }
        let kinds = kinds_of(&touched);
        let public = declaration.is_some_and(|d| d.public);
        served &= self.answers_can_be_judged(operation, &touched);
        served &= !public || self.may_be_public(operation, &touched, &kinds);
        served &= exempt || self.is_plain(operation, &touched);
        let implied = implied(operation, &touched);
        served &= self.bodies_can_be_judged(operation, &touched, &implied, properties);
        let read_rules = self.read_rules(judged_as, &kinds, properties);
        let answers = Answers { judged_as, kinds: &kinds, carried: &carried, public, rules: &read_rules };
        served &= self.answers_can_leave(operation, &answers);
        let mut plan = OperationPlan {
            index: operation.index,
            served,
            public,
            exempt,
            scopes: scopes(operation),
            allow: self.allow(operation, declaration),
            action: touched.action,
            carried,
            created: touched.created,
            touched: kinds,
            implied,
            returns: touched.returns,
            foreign_items: declaration.map_or(ForeignItems::Drop, |d| d.foreign_items),
            judged_as,
            read_rules,
            needs: Needs::default(),
        };
        plan.needs = self.needs(operation, &plan);
        plan
    }

    fn touched(
        &mut self,
        operation: &Operation,
        judged_as: OperationIndex,
        declaration: Option<&OperationDeclaration>,
    ) -> Touched {
        let ids = self.ids_of(operation);
        let action = declaration.and_then(|d| d.action).unwrap_or_else(|| action_of(&operation.method, &ids));
        if declaration.is_some_and(|d| d.touches_none) {
            let (body, answers, returns) = (Vec::new(), Vec::new(), Vec::new());
            return Touched { action, ids, body, answers, returns, created: KindSet::new() };
        }
        let body = self.spots.in_body(operation);
        let judged = self.contract.operation(judged_as).unwrap_or(operation);
        let answers = self.spots.in_answers(judged);
        let returns = self.returns_of(operation);
        let created = created(operation, action, &ids, (&body, &answers));
        Touched { action, ids, body, answers, returns, created }
    }

    /// The operation whose answers are judged: the GET beside a HEAD.
    fn judged_as(&self, operation: &Operation) -> OperationIndex {
        if operation.method != Method::HEAD {
            return operation.index;
        }
        let get = |other: &&Operation| other.method == Method::GET && other.template == operation.template;
        self.contract.operations.iter().find(get).map_or(operation.index, |get| get.index)
    }

    fn no_way(&mut self, operation: &Operation, kind: KindIndex, action: Action) {
        let Some(kind) = self.kind(kind) else { return };
        let message = format!(
            "`{}` would {action} a `{}` whose owner cannot be known: {}",
            operation.id,
            kind.name,
            kind.rules.of(action).text
        );
        let help = "declare a GET that returns the object and name it with `lookup`, or use a rule that needs no owner";
        self.leave_out(OWNER_UNKNOWN, operation, message, help);
    }

    /// Objects in success answers whose owner the schema does not show and that no id was judged for.
    fn answers_can_be_judged(&mut self, operation: &Operation, touched: &Touched) -> bool {
        let mut unseen = Vec::new();
        for spot in &touched.answers {
            let Some(kind) = self.kind(spot.kind) else { continue };
            let shapes = self.contract.shapes();
            let seen = kind.owner_place().is_some_and(|place| super::spot::declares(shapes, &spot.set, place));
            if seen || !kind.rules.read.needs_object() {
                continue;
            }
            let is_outermost = outermost(&touched.answers, spot.kind).is_some_and(|o| o.pattern == spot.pattern);
            let asked = touched.ids.iter().any(|(kind, _)| *kind == spot.kind);
            let judged_before = asked && (is_outermost || spot.shows_key(shapes, kind));
            let made = is_outermost && touched.created.contains(&spot.kind);
            if !(judged_before || made) {
                unseen.push(format!(
                    "the answer of `{}` holds a `{}` at `{}` without its owner",
                    operation.id, kind.name, spot.pattern
                ));
            }
        }
        unseen.dedup();
        let fine = unseen.is_empty();
        for message in unseen {
            let help = "return the owner, leave the schema out of the object's `schemas`, or say `touches: none`";
            self.leave_out(OWNER_UNKNOWN, operation, message, help);
        }
        fine
    }

    /// A public operation may only touch what a rule opens to the public.
    fn may_be_public(&mut self, operation: &Operation, touched: &Touched, kinds: &KindSet) -> bool {
        let mut closed = Vec::new();
        for index in kinds {
            let Some(kind) = self.kind(*index) else { continue };
            let asked = touched.ids.iter().any(|(kind, _)| kind == index);
            let action = match (asked, touched.created.contains(index)) {
                (true, _) => touched.action,
                (false, true) => Action::Create,
                (false, false) => Action::Read,
            };
            if !kind.rules.of(action).is_public() {
                closed.push(format!("`{}` is public, but {} of `{}` is not", operation.id, action, kind.name));
            }
        }
        let fine = closed.is_empty();
        for message in closed {
            self.leave_out(PUBLIC_OBJECT, operation, message, "add `public` to the rule, or remove `public: true`");
        }
        fine
    }

    fn allow(&mut self, operation: &Operation, declaration: Option<&OperationDeclaration>) -> Option<Rule> {
        let list = declaration?.allow.as_ref()?;
        if let Some(word) = list.words.iter().find(|word| word.needs_object()) {
            let message = format!("`allow` says who may call at all: `{word}` needs an object");
            self.refuse(None, Some(list.place.clone()), self.path_of(operation), message);
        }
        let words: Vec<Word> = list.words.iter().filter(|word| !word.needs_object()).cloned().collect();
        Some(Rule::written("allow", &words, &list.place))
    }
}

/// config.md §4: the action by method.
fn action_of(method: &Method, ids: &[(KindIndex, Carrier)]) -> Action {
    match *method {
        Method::DELETE => Action::Delete,
        Method::POST if ids.is_empty() => Action::Create,
        Method::PUT | Method::PATCH | Method::POST => Action::Update,
        _ => Action::Read,
    }
}

/// The types an operation makes: those whose representation stands outermost in its body or answer, without an id.
fn created(
    operation: &Operation,
    action: Action,
    ids: &[(KindIndex, Carrier)],
    (body, answers): (&[Spot], &[Spot]),
) -> KindSet {
    let below = operation.method == Method::POST || operation.method == Method::PUT;
    let makes = action == Action::Create || (action == Action::Update && below && !ids.is_empty());
    let mut created = KindSet::new();
    if !makes {
        return created;
    }
    let free = |spot: &&Spot| !ids.iter().any(|(kind, _)| *kind == spot.kind);
    let in_body = shallowest(body.iter().filter(free));
    let in_answer = shallowest(answers.iter().filter(free).filter(|spot| spot.is_fixed()));
    for kind in in_body.into_iter().chain(in_answer) {
        if !created.contains(&kind) {
            created.push(kind);
        }
    }
    created
}

fn shallowest<'s>(spots: impl Iterator<Item = &'s Spot> + Clone) -> Vec<KindIndex> {
    let depth = spots.clone().map(Spot::depth).min();
    spots.filter(|spot| Some(spot.depth()) == depth).map(|spot| spot.kind).collect()
}

/// What the body of an operation stands for where its schema is of no type: the object it changes or makes.
fn implied(operation: &Operation, touched: &Touched) -> KindSet {
    let changed = touched.ids.iter().filter(|(_, at)| {
        touched.action != Action::Read && matches!(at, Carrier::Path(_)) && is_own_resource(operation, at)
    });
    let mut kinds: KindSet = changed.map(|(kind, _)| *kind).collect();
    kinds.extend(touched.created.iter().copied());
    if touched.ids.is_empty() && touched.action == Action::Update {
        kinds.extend(shallowest(touched.answers.iter().filter(|spot| spot.is_fixed())));
    }
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn kinds_of(touched: &Touched) -> KindSet {
    let mut kinds = KindSet::new();
    let ids = touched.ids.iter().map(|(kind, _)| *kind);
    let made = touched.created.iter().copied();
    let shown = touched.answers.iter().chain(&touched.body).map(|spot| spot.kind);
    for kind in ids.chain(made).chain(shown).chain(touched.returns.iter().map(|(kind, _)| *kind)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// `security` as scopes alone; an alternative without schemes asks for an identity and nothing more.
fn scopes(operation: &Operation) -> ScopeAlternatives {
    let members = |needs: &Vec<portcullis_contract::SchemeNeed>| {
        let mut scopes: Vec<Arc<str>> = needs.iter().flat_map(|need| need.scopes.iter().cloned()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    };
    operation.security.alternatives.iter().map(members).collect()
}
