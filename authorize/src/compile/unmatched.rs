// SPDX-License-Identifier: Apache-2.0
//! A declaration that matches nothing is an error: it says something about an API that is not there.

use super::Compiler;
use crate::declared::{Action, IdPlace};
use crate::model::{KindIndex, OperationPlan};

impl Compiler<'_> {
    /// Ids, look-ups and rules that no operation uses.
    pub(super) fn unmatched(&mut self, plans: &[OperationPlan]) {
        for (position, object) in self.declared.objects.iter().enumerate() {
            let index = KindIndex(position);
            let at = self.path_of_kind(&object.name);
            let place = Some(object.place.clone());
            if !self.is_carried(index) {
                let message = match &object.id {
                    IdPlace::Parameter(name) => {
                        format!("`id: {name}` matches nothing: no operation has such a parameter")
                    }
                    IdPlace::Template(template) => format!("`id: {template}` matches nothing: no path begins so"),
                };
                self.refuse(None, place.clone(), at.clone(), message);
            }
            self.unknown_lookup(index);
            for action in Action::ALL {
                let Some(rule) = object.rules.of(action) else { continue };
                if !plans.iter().any(|plan| applies(plan, index, action)) {
                    let message =
                        format!("the rule `{action}` of `{}` matches nothing: no operation does that", object.name);
                    self.refuse(None, Some(rule.place.clone()), format!("{at}.rules.{action}"), message);
                }
            }
        }
    }

    fn is_carried(&mut self, index: KindIndex) -> bool {
        let operations = &self.contract.operations;
        let Some(object) = self.declared.objects.get(index.0) else { return false };
        // Declared ids of operations that say `touches: none` count as found: the declaration is no mistake.
        operations.iter().any(|operation| match &object.id {
            IdPlace::Parameter(name) => {
                operation.parameters.iter().any(|p| p.name == *name) || operation.path_parameters.contains(name)
            }
            IdPlace::Template(template) => super::carried::by_template(operation, template).is_some(),
        })
    }

    fn unknown_lookup(&mut self, index: KindIndex) {
        let Some(object) = self.declared.objects.get(index.0) else { return };
        let Some(name) = &object.lookup else { return };
        let found = self.contract.find(name).and_then(|found| self.contract.operation(found));
        let message = match found {
            None => format!("`lookup: {name}` names no operation of the document"),
            Some(operation) if operation.method != http::Method::GET => {
                format!("`lookup: {name}` is a {}: an object is loaded with GET", operation.method)
            }
            Some(_) => return,
        };
        self.refuse(None, Some(object.place.clone()), self.path_of_kind(&object.name), message);
    }
}

/// Whether a rule of this action is asked in an operation.
fn applies(plan: &OperationPlan, index: KindIndex, action: Action) -> bool {
    let touches = plan.touched.contains(&index);
    let carries = plan.carried.iter().any(|carried| carried.kind == index && carried.action == action);
    match action {
        // Whatever shows an object is a read of it.
        Action::Read => touches,
        Action::Create => plan.created.contains(&index) || carries,
        Action::Update | Action::Delete => {
            // Refused operations count too: their rule is no mistake.
            carries || (touches && plan.action == action)
        }
    }
}
