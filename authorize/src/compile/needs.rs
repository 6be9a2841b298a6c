// SPDX-License-Identifier: Apache-2.0
//! What the host must prepare for an operation.

use super::Compiler;
use crate::declared::Action;
use crate::model::{Guard, How, KindSet, Needs, OperationPlan, PropertyRule, PropertyTable};
use http::{HeaderValue, Method};
use portcullis_contract::{Operation, OperationIndex};
use std::collections::HashMap;
use std::sync::Arc;

impl Compiler<'_> {
    pub(super) fn needs(&self, operation: &Operation, plan: &OperationPlan) -> Needs {
        let judged = self.contract.operation(plan.judged_as).unwrap_or(operation);
        let mut answers = judged.responses.iter().flat_map(|response| &response.media);
        let reads = !plan.touched.is_empty() || answers.any(|media| media.is_json && media.shape.is_some());
        let guard = if reads { Guard::Buffered } else { Guard::Pass };
        let bodies = operation.body.iter().flat_map(|body| &body.media);
        let before = |how: &How| matches!(how, How::NotNeeded | How::IdIsOwner | How::LookUp);
        let list = plan.carried.is_empty() && plan.action == Action::Read;
        Needs {
            request_body: bodies.into_iter().any(|media| media.is_json && media.shape.is_some()),
            guard,
            head_as_get: guard == Guard::Buffered && operation.method == Method::HEAD,
            narrow_accept: if guard == Guard::Buffered { accept(judged) } else { None },
            known_before: !list && plan.carried.iter().all(|carried| before(&carried.how)),
        }
    }

    /// The read rules of properties that an answer may hold.
    pub(super) fn read_rules(
        &self,
        judged_as: OperationIndex,
        kinds: &KindSet,
        properties: &HashMap<Arc<str>, PropertyTable>,
    ) -> Vec<Arc<PropertyRule>> {
        let reads = |table: &PropertyTable| table.values().flatten().any(|rule| rule.read.is_some());
        let restricted: Vec<Arc<str>> =
            properties.iter().filter(|(_, table)| reads(table)).map(|(schema, _)| Arc::clone(schema)).collect();
        if restricted.is_empty() {
            return Vec::new();
        }
        let shapes = self.contract.shapes();
        let operation = self.contract.operation(judged_as);
        let media = operation.into_iter().flat_map(|o| o.responses.iter()).flat_map(|response| &response.media);
        let answers: Vec<_> = media.filter_map(|media| media.shape).collect();
        let of_kind = |schema: &Arc<str>| {
            kinds.iter().filter_map(|kind| self.kind(*kind)).any(|kind| kind.schemas.contains(schema))
        };
        let shown = |schema: &Arc<str>| {
            let one = std::slice::from_ref(schema);
            answers.iter().any(|shape| !shapes.occurrences(*shape, one).is_empty())
        };
        let mut rules: Vec<Arc<PropertyRule>> = Vec::new();
        for schema in restricted.iter().filter(|schema| of_kind(schema) || shown(schema)) {
            for rule in properties.get(schema).into_iter().flat_map(HashMap::values).flatten() {
                if rule.read.is_some() && !rules.iter().any(|known| Arc::ptr_eq(known, rule)) {
                    rules.push(Arc::clone(rule));
                }
            }
        }
        rules
    }
}

/// The declared media types, success first: the origin is asked for nothing that could not be judged.
fn accept(operation: &Operation) -> Option<HeaderValue> {
    let mut names: Vec<&str> = Vec::new();
    let successes = super::spot::successes(operation);
    for media in successes.into_iter().chain(operation.responses.iter()).flat_map(|response| &response.media) {
        if !names.contains(&&*media.media_type) {
            names.push(&media.media_type);
        }
    }
    if names.is_empty() { None } else { HeaderValue::try_from(names.join(", ")).ok() }
}
