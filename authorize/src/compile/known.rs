// SPDX-License-Identifier: Apache-2.0
//! How the owner of an object becomes known (DESIGN.md §6): by its id, by the answer, by a look-up, or not at all.

use super::Compiler;
use super::carried::{is_own_resource, parameter, parameter_of};
use super::spot::{outermost, successes};
use crate::declared::{Action, IdPlace};
use crate::model::{Carrier, Fill, How, KindIndex, LookUpPlan};
use crate::pointer::Pointer;
use http::Method;
use http::header::ETAG;
use portcullis_contract::{Operation, OperationIndex, Responses};
use std::sync::Arc;

impl Compiler<'_> {
    /// How the owner becomes known; `None`: there is no way, and the operation is not served (PC0202).
    pub(super) fn how(
        &mut self,
        (operation, judged_as): (&Operation, OperationIndex),
        (index, carrier): (KindIndex, &Carrier),
        action: Action,
        lookup: Option<&LookUpPlan>,
    ) -> Option<How> {
        let kind = self.kind(index)?;
        let needs_object = kind.rules.of(action).needs_object();
        let id_is_owner = kind.id_is_owner;
        if !needs_object {
            return Some(How::NotNeeded);
        }
        if id_is_owner {
            return Some(How::IdIsOwner);
        }
        if action == Action::Read && is_own_resource(operation, carrier) && self.answer_shows(judged_as, index) {
            return Some(How::Answer);
        }
        lookup.map(|_| How::LookUp)
    }

    /// Whether every success answer holds the object, with its owner, at a known place.
    fn answer_shows(&mut self, operation: OperationIndex, kind: KindIndex) -> bool {
        let Some(operation) = self.contract.operation(operation) else { return false };
        let returned = self.declaration(operation).is_some_and(|declaration| {
            let here = |name: &Arc<str>| self.kind_named(name) == Some(kind);
            declaration.returns.iter().any(|(name, place)| here(name) && !place.is_many())
        });
        let responses = successes(operation);
        let mut media = responses.iter().flat_map(|response| &response.media);
        let all_have_bodies = !responses.is_empty() && responses.iter().all(|response| !response.media.is_empty());
        all_have_bodies
            && media.all(|media| {
                media.is_json && (returned || media.shape.is_some_and(|s| self.shown_in(s, kind).is_some()))
            })
    }

    /// The one fixed place in values of a schema where an object of this type stands with its owner.
    fn shown_in(&mut self, shape: portcullis_contract::ShapeId, index: KindIndex) -> Option<Pointer> {
        let spots = self.spots.of(shape);
        let kind = self.kind(index)?;
        let spot = outermost(&spots, index)?;
        if spot.shows_owner(self.contract.shapes(), kind) { spot.pointer() } else { None }
    }

    /// The operation that loads an object: the declared one, else the nearest enclosing `GET` with the same ids.
    pub(super) fn lookup(&mut self, operation: &Operation, index: KindIndex, carrier: &Carrier) -> Option<LookUpPlan> {
        let declared = self.declared.objects.get(index.0)?.lookup.clone();
        if let Some(name) = declared {
            let found = self.contract.find(&name).and_then(|found| self.contract.operation(found))?;
            return self.as_lookup(operation, found, (index, carrier));
        }
        let candidates = self.contract.operations.iter().filter(|candidate| {
            let encloses = match carrier {
                Carrier::Path(_) => encloses(&candidate.template, &operation.template),
                Carrier::Query(_) | Carrier::Header(_) | Carrier::Body(_) => true,
            };
            encloses && candidate.method == Method::GET && candidate.is_served()
        });
        let plans: Vec<(usize, LookUpPlan)> = candidates
            .filter_map(|candidate| {
                let plan = self.as_lookup(operation, candidate, (index, carrier))?;
                Some((candidate.template.len(), plan))
            })
            .collect();
        match carrier {
            // The nearest is the longest.
            Carrier::Path(_) => plans.into_iter().max_by_key(|(length, _)| *length).map(|(_, plan)| plan),
            // Nothing encloses an id in a body: the shortest way to the object is taken.
            Carrier::Query(_) | Carrier::Header(_) | Carrier::Body(_) => {
                plans.into_iter().min_by_key(|(length, _)| *length).map(|(_, plan)| plan)
            }
        }
    }

    /// An operation as a look-up: a `GET` of the object itself whose path can be filled and whose 200 shows the owner.
    fn as_lookup(
        &mut self,
        operation: &Operation,
        candidate: &Operation,
        (index, carrier): (KindIndex, &Carrier),
    ) -> Option<LookUpPlan> {
        let asks_more = candidate
            .parameters
            .iter()
            .any(|parameter| parameter.required && parameter.location != portcullis_contract::Location::Path);
        if candidate.method != Method::GET || asks_more || !candidate.is_served() {
            return None;
        }
        let id = self.id_parameter(candidate, index, carrier)?;
        let mut path = Vec::with_capacity(candidate.path_parameters.len());
        for name in &candidate.path_parameters {
            let fill = if **name == *id {
                Fill::Id
            } else if operation.path_parameters.contains(name) {
                Fill::Same(Arc::clone(name))
            } else {
                return None;
            };
            path.push((Arc::clone(name), fill));
        }
        let declared = responses_for_200(&candidate.responses)?;
        let shape = declared.media.iter().find(|media| media.is_json)?.shape?;
        let returned = self.returned_place(candidate, index);
        let place = returned.or_else(|| self.shown_in(shape, index))?;
        Some(LookUpPlan {
            operation: candidate.index,
            name: Arc::clone(&candidate.id),
            path,
            place,
            same_resource: candidate.template == operation.template && is_own_resource(operation, carrier),
            etag_declared: declared.headers.contains(&ETAG),
        })
    }

    fn returned_place(&self, candidate: &Operation, index: KindIndex) -> Option<Pointer> {
        let returns = &self.declaration(candidate)?.returns;
        let here = |(name, place): &&(Arc<str>, Pointer)| self.kind_named(name) == Some(index) && !place.is_many();
        returns.iter().find(here).map(|(_, place)| place.clone())
    }

    /// The path parameter of a `GET` of the object itself that takes the id.
    fn id_parameter(&self, candidate: &Operation, index: KindIndex, carrier: &Carrier) -> Option<Arc<str>> {
        let last = candidate.template.trim_end_matches('/').rsplit('/').next().and_then(parameter)?;
        let same = match (&self.declared.objects.get(index.0)?.id, carrier) {
            (_, Carrier::Path(name)) if **name == *last => true,
            (IdPlace::Parameter(name), _) => **name == *last,
            (IdPlace::Template(template), _) => {
                parameter_of(template).is_some() && template_matches(template, &candidate.template)
            }
        };
        // Declared by name, the look-up ends with the id; a `lookup` that is named may call it otherwise.
        let named = self.declared.objects.get(index.0)?.lookup.is_some() && candidate.path_parameters.len() == 1;
        if same || named { Some(last.into()) } else { None }
    }
}

fn responses_for_200(responses: &Responses) -> Option<&portcullis_contract::Response> {
    responses.for_status(200).filter(|response| response.status != portcullis_contract::StatusKey::Default)
}

/// Whether a template is a beginning of another, segment by segment.
fn encloses(outer: &str, inner: &str) -> bool {
    let mut segments = inner.trim_end_matches('/').split('/');
    outer.trim_end_matches('/').split('/').all(|segment| segments.next() == Some(segment))
}

/// Whether two templates are the same but for the names of their parameters.
fn template_matches(left: &str, right: &str) -> bool {
    let mut others = right.trim_end_matches('/').split('/');
    let same = left.trim_end_matches('/').split('/').all(|segment| {
        others.next().is_some_and(|other| match (parameter(segment), parameter(other)) {
            (Some(_), Some(_)) => true,
            (None, None) => segment == other,
            _ => false,
        })
    });
    same && others.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::{encloses, template_matches};

    #[test]
    fn an_enclosing_template_is_a_beginning_by_whole_segments() {
        assert!(encloses("/orders/{id}", "/orders/{id}"));
        assert!(encloses("/orders/{id}", "/orders/{id}/pdf"));
        assert!(!encloses("/orders/{id}", "/orders/{id}x"));
        assert!(!encloses("/orders/{id}/pdf", "/orders/{id}"));
    }

    #[test]
    fn templates_match_whatever_their_parameters_are_called() {
        assert!(template_matches("/orders/{id}", "/orders/{orderId}"));
        assert!(!template_matches("/orders/{id}", "/orders/mine"));
        assert!(!template_matches("/orders/{id}", "/orders/{id}/pdf"));
    }
}
