// SPDX-License-Identifier: Apache-2.0
//! The declared types, checked against each other and against the schemas that represent them.

use super::Compiler;
use super::carried::parameter_of;
use super::finding::{ISSUERS, NOBODY_OWNS};
use super::spot::{Spot, declares};
use crate::declared::{Action, IdPlace, ObjectDeclaration};
use crate::model::{ObjectKind, RuleTable};
use crate::pointer::Pointer;
use crate::property::fold;
use crate::word::{Rule, Word};
use portcullis_decision::finding::{Finding, Severity};
use std::sync::Arc;

impl Compiler<'_> {
    /// Takes over the declared types. Those that contradict each other are told; the first one stays.
    pub(super) fn declare_kinds(&mut self) {
        for (position, object) in self.declared.objects.iter().enumerate() {
            self.same_id_name(object, position);
            let issuers = self.issuers_of(object);
            let kind = ObjectKind {
                name: Arc::clone(&object.name),
                schemas: schemas_of(object),
                owner: object.owner.clone(),
                id_is_owner: object.id_is_owner,
                key: object.key.clone(),
                subject: object.subject.clone(),
                issuers,
                deny_as: object.deny_as,
                rules: RuleTable {
                    read: rule(object, Action::Read),
                    create: rule(object, Action::Create),
                    update: rule(object, Action::Update),
                    delete: rule(object, Action::Delete),
                },
            };
            self.check_ownership(object, &kind);
            self.kinds.push(kind);
        }
        self.spots.set_kinds(&self.kinds);
    }

    fn same_id_name(&mut self, object: &ObjectDeclaration, position: usize) {
        let earlier = self.declared.objects.iter().take(position);
        let clash = earlier.into_iter().find(|other| other.name == object.name || other.id == object.id).cloned();
        let Some(other) = clash else { return };
        let id = match &object.id {
            IdPlace::Parameter(name) => name.to_string(),
            IdPlace::Template(template) => template.clone(),
        };
        let message = if other.name == object.name {
            format!("`{}` is declared twice, first at {}", object.name, other.place)
        } else {
            format!(
                "`{}` at {} and `{}` at {} have the same id `{id}`: name a template such as `/orders/{{id}}`",
                other.name, other.place, object.name, object.place
            )
        };
        self.refuse(None, Some(object.place.clone()), self.path_of_kind(&object.name), message);
    }

    fn issuers_of(&mut self, object: &ObjectDeclaration) -> Vec<Arc<str>> {
        let at = self.path_of_kind(&object.name);
        let owned = object.owner.is_some() || object.id_is_owner;
        if object.issuers.is_empty() {
            if owned && self.declared.issuers.len() > 1 {
                let names: Vec<&str> = self.declared.issuers.iter().map(|name| &**name).collect();
                let message = format!("there are several issuers ({}): say whose users may own", names.join(", "));
                self.refuse(Some(ISSUERS), Some(object.place.clone()), at, message);
                return Vec::new();
            }
            return self.declared.issuers.clone();
        }
        for issuer in object.issuers.iter().filter(|issuer| !self.declared.issuers.contains(issuer)) {
            let message = format!("there is no issuer `{issuer}`");
            self.refuse(None, Some(object.place.clone()), at.clone(), message);
        }
        object.issuers.clone()
    }

    /// A rule that asks for an owner needs one; a type nobody owns is told.
    fn check_ownership(&mut self, object: &ObjectDeclaration, kind: &ObjectKind) {
        if kind.owner.is_some() || kind.id_is_owner {
            return;
        }
        let at = self.path_of_kind(&object.name);
        let asking = Action::ALL.into_iter().filter(|action| kind.rules.of(*action).needs_object());
        let asking: Vec<&str> = asking.map(Action::word).collect();
        if asking.is_empty() {
            self.findings.push(Finding {
                rule: Some(NOBODY_OWNS),
                severity: Severity::Info,
                place: Some(object.place.clone()),
                at,
                message: format!("nobody owns a `{}`: its rules look at the caller alone", object.name),
                help: None,
            });
            return;
        }
        let list = asking.join(", ");
        let message =
            format!("the rules of {list} ask for an owner, but neither `owner` nor `id_is_owner` is declared");
        self.refuse(Some(NOBODY_OWNS), Some(object.place.clone()), at, message);
    }

    /// Finds where each type shows its own id: a property named like the parameter (config.md §4).
    pub(super) fn find_keys(&mut self) {
        let mut all: Vec<Spot> = Vec::new();
        for operation in &self.contract.operations {
            all.extend(self.spots.in_answers(operation));
            all.extend(self.spots.in_body(operation));
        }
        for index in self.indices() {
            let spots: Vec<&Spot> = all.iter().filter(|spot| spot.kind == index).collect();
            let found = match (self.kind(index), self.declared.objects.get(index.0)) {
                (Some(kind), Some(object)) if kind.key.is_none() => self.key_among(object, &spots),
                _ => None,
            };
            if let (Some(kind), Some(key)) = (self.kinds.get_mut(index.0), found) {
                kind.key = Some(key);
            }
            self.check_places(index.0, &spots);
        }
        self.places = all;
    }

    fn key_among(&self, object: &ObjectDeclaration, spots: &[&Spot]) -> Option<Pointer> {
        let parameter = match &object.id {
            IdPlace::Parameter(name) => Arc::clone(name),
            IdPlace::Template(template) => parameter_of(template)?,
        };
        let shapes = self.contract.shapes();
        let names: Vec<&Arc<str>> = spots.iter().flat_map(|spot| shapes.declared_names(&spot.set)).collect();
        let folded = fold(&parameter);
        let exact = names.iter().find(|name| ***name == parameter);
        let similar = || names.iter().find(|name| fold(name) == folded);
        // `orderId` says "the id of an Order", which the object itself calls `id`.
        let short = || names.iter().find(|name| &****name == "id" && folded == format!("{}id", fold(&object.name)));
        exact.or_else(similar).or_else(short).map(|name| Pointer::member(name))
    }

    /// What a declaration points at must exist in some schema of the type.
    fn check_places(&mut self, index: usize, spots: &[&Spot]) {
        let Some(object) = self.declared.objects.get(index) else { return };
        let shapes = self.contract.shapes();
        let at = self.path_of_kind(&object.name);
        let mut messages = Vec::new();
        for schema in &object.schemas {
            if !spots.iter().any(|spot| shapes.names(&spot.set).any(|name| name == schema)) {
                messages.push(format!("no operation shows or takes a schema `{schema}`"));
            }
        }
        let returned =
            self.declared.operations.values().any(|o| o.returns.iter().any(|(name, _)| *name == object.name));
        if !returned {
            for (what, place) in [("owner", &object.owner), ("key", &object.key)] {
                if let Some(place) = place
                    && !spots.iter().any(|spot| declares(shapes, &spot.set, place))
                {
                    messages
                        .push(format!("`{what}: {place}` matches nothing: no schema of `{}` declares it", object.name));
                }
            }
        }
        for message in messages {
            self.refuse(None, Some(object.place.clone()), at.clone(), message);
        }
    }
}

fn schemas_of(object: &ObjectDeclaration) -> Vec<Arc<str>> {
    if object.schemas.is_empty() { vec![Arc::clone(&object.name)] } else { object.schemas.clone() }
}

fn rule(object: &ObjectDeclaration, action: Action) -> Rule {
    match (object.rules.of(action), action) {
        (Some(written), _) => Rule::written(action.word(), &written.words, &written.place),
        (None, Action::Create) => Rule::default(action.word(), vec![Word::Authenticated]),
        (None, _) => Rule::default(action.word(), vec![Word::Owner]),
    }
}
