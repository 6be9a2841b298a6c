// SPDX-License-Identifier: Apache-2.0
//! What was decided per operation, for people: `portcullis check` prints it.

use crate::declared::Action;
use crate::model::{Carried, How, Model, OperationPlan};
use http::Method;
use portcullis_contract::Operation;
use std::fmt;
use std::sync::Arc;

/// What was decided about one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// `operationId`.
    pub operation: Arc<str>,
    /// Its method.
    pub method: Method,
    /// Its template.
    pub template: Arc<str>,
    /// Whether it is served.
    pub served: bool,
    /// Whether it may be called without credentials.
    pub public: bool,
    /// Scopes: alternatives, of which all members are needed.
    pub scopes: Vec<Vec<Arc<str>>>,
    /// The rule of `allow`, where there is one.
    pub allow: Option<Arc<str>>,
    /// The objects it touches.
    pub objects: Vec<DescribedObject>,
}

/// One object an operation touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedObject {
    /// The type.
    pub object: Arc<str>,
    /// Where its id stands; `None`: only the answer (or the new object in the body) is of this type.
    pub id: Option<String>,
    /// What is done to it.
    pub action: Action,
    /// The rule that applies, with its place.
    pub rule: Arc<str>,
    /// How the owner becomes known.
    pub known: KnownBy,
    /// A change whose look-up declares no `ETag`, or is of another resource: between look-up and change the owner
    /// may change unseen (DESIGN.md §6).
    pub interval: bool,
}

/// How an owner becomes known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// No word of the rule needs it.
    NotNeeded,
    /// The id names it.
    Id,
    /// The answer shows it.
    Answer,
    /// This operation loads the object first.
    LookUp(Arc<str>),
    /// The caller makes it, so it is his.
    Made,
}

impl fmt::Display for KnownBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNeeded => f.write_str("not needed"),
            Self::Id => f.write_str("the id"),
            Self::Answer => f.write_str("the answer"),
            Self::LookUp(operation) => write!(f, "look-up {operation}"),
            Self::Made => f.write_str("made by the caller"),
        }
    }
}

/// Every operation.
pub(crate) fn all(model: &Model) -> Vec<Described> {
    let operations = model.contract.operations.iter().zip(&model.plans);
    operations.map(|(operation, plan)| one(model, operation, plan)).collect()
}

fn one(model: &Model, operation: &Operation, plan: &OperationPlan) -> Described {
    let mut objects: Vec<DescribedObject> = plan.carried.iter().filter_map(|c| carried(model, c)).collect();
    for index in &plan.touched {
        let Some(kind) = model.kind(*index).filter(|_| !plan.carried.iter().any(|c| c.kind == *index)) else {
            continue;
        };
        let made = plan.created.contains(index);
        let action = if made {
            Action::Create
        } else if plan.carried.is_empty() {
            plan.action
        } else {
            Action::Read
        };
        let rule = kind.rules.of(action);
        let known = match (made, rule.needs_object()) {
            (true, _) => KnownBy::Made,
            (false, true) => KnownBy::Answer,
            (false, false) => KnownBy::NotNeeded,
        };
        let (object, rule) = (Arc::clone(&kind.name), Arc::clone(&rule.text));
        objects.push(DescribedObject { object, id: None, action, rule, known, interval: false });
    }
    Described {
        operation: Arc::clone(&operation.id),
        method: operation.method.clone(),
        template: Arc::clone(&operation.template),
        served: plan.served,
        public: plan.public,
        scopes: plan.scopes.clone(),
        allow: plan.allow.as_ref().map(|rule| Arc::clone(&rule.text)),
        objects,
    }
}

fn carried(model: &Model, carried: &Carried) -> Option<DescribedObject> {
    let kind = model.kind(carried.kind)?;
    let known = match (&carried.how, &carried.lookup) {
        (How::NotNeeded, _) => KnownBy::NotNeeded,
        (How::IdIsOwner, _) => KnownBy::Id,
        (How::Answer, _) => KnownBy::Answer,
        (How::LookUp, Some(plan)) => KnownBy::LookUp(Arc::clone(&plan.name)),
        (How::LookUp, None) => return None,
    };
    let bound = carried.lookup.as_ref().is_some_and(|plan| plan.same_resource && plan.etag_declared);
    let writes = matches!(carried.action, Action::Update | Action::Delete);
    Some(DescribedObject {
        object: Arc::clone(&kind.name),
        id: Some(carried.at.to_string()),
        action: carried.action,
        rule: Arc::clone(&kind.rules.of(carried.action).text),
        interval: writes && carried.how == How::LookUp && !bound,
        known,
    })
}
