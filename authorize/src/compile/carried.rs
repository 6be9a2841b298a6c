// SPDX-License-Identifier: Apache-2.0
//! Which ids an operation carries, and where.

use super::Compiler;
use super::spot::declares;
use crate::declared::{CarryPlace, IdPlace, OperationDeclaration};
use crate::model::{Carrier, KindIndex};
use crate::pointer::Pointer;
use portcullis_contract::{Location, Operation};
use std::sync::Arc;

impl Compiler<'_> {
    /// The ids an operation carries: found by parameter name or template, or declared with `carries`.
    pub(super) fn ids_of(&mut self, operation: &Operation) -> Vec<(KindIndex, Carrier)> {
        let declaration = self.declaration(operation);
        if declaration.is_some_and(|d| d.touches_none) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (index, object) in self.declared.objects.iter().enumerate() {
            let carrier = match &object.id {
                IdPlace::Parameter(name) => by_name(operation, name),
                IdPlace::Template(template) => by_template(operation, template),
            };
            found.extend(carrier.map(|carrier| (KindIndex(index), carrier)));
        }
        if let Some(declaration) = declaration {
            self.declared_ids(operation, declaration, &mut found);
        }
        found
    }

    fn declared_ids(
        &mut self,
        operation: &Operation,
        declaration: &OperationDeclaration,
        found: &mut Vec<(KindIndex, Carrier)>,
    ) {
        for (name, place) in &declaration.carries {
            let Some(kind) = self.kind_named(name) else {
                self.refuse_declaration(
                    operation,
                    declaration,
                    format!("`carries` names `{name}`, which is no object"),
                );
                continue;
            };
            let carrier = match place {
                CarryPlace::Query(name) if has(operation, name, Location::Query) => Carrier::Query(Arc::clone(name)),
                CarryPlace::Header(name) if has(operation, name, Location::Header) => Carrier::Header(Arc::clone(name)),
                CarryPlace::Body(pointer) if self.body_declares(operation, pointer) => Carrier::Body(pointer.clone()),
                CarryPlace::Query(_) | CarryPlace::Header(_) | CarryPlace::Body(_) => {
                    let message = format!("`carries: {{ {name}: \"{place}\" }}` matches nothing in the document");
                    self.refuse_declaration(operation, declaration, message);
                    continue;
                }
            };
            if !found.contains(&(kind, carrier.clone())) {
                found.push((kind, carrier));
            }
        }
    }

    fn refuse_declaration(&mut self, operation: &Operation, declaration: &OperationDeclaration, message: String) {
        self.refuse(None, Some(declaration.place.clone()), self.path_of(operation), message);
    }

    /// Objects that answers show where no schema tells.
    pub(super) fn returns_of(&mut self, operation: &Operation) -> Vec<(KindIndex, Pointer)> {
        let Some(declaration) = self.declaration(operation) else { return Vec::new() };
        let mut returns = Vec::new();
        for (name, place) in &declaration.returns {
            if let Some(kind) = self.kind_named(name) {
                returns.push((kind, place.clone()));
            } else {
                let message = format!("`returns` names `{name}`, which is no object");
                self.refuse_declaration(operation, declaration, message);
            }
        }
        returns
    }

    fn body_declares(&self, operation: &Operation, place: &Pointer) -> bool {
        let shapes = self.contract.shapes();
        let mut media = operation.body.iter().flat_map(|body| &body.media).filter_map(|media| media.shape);
        media.any(|shape| declares(shapes, &shapes.enter(shape), place))
    }
}

fn by_name(operation: &Operation, name: &Arc<str>) -> Option<Carrier> {
    if operation.path_parameters.contains(name) {
        return Some(Carrier::Path(Arc::clone(name)));
    }
    has(operation, name, Location::Query).then(|| Carrier::Query(Arc::clone(name)))
}

fn has(operation: &Operation, name: &str, location: Location) -> bool {
    let same = |known: &str| match location {
        Location::Header => known.eq_ignore_ascii_case(name),
        _ => known == name,
    };
    operation.parameters.iter().any(|parameter| parameter.location == location && same(&parameter.name))
}

/// `/orders/{id}`: the parameter at that place in every operation whose path begins so.
pub(super) fn by_template(operation: &Operation, template: &str) -> Option<Carrier> {
    let mut segments = operation.template.split('/');
    let mut name = None;
    for wanted in template.split('/') {
        let segment = segments.next()?;
        match (parameter(wanted), parameter(segment)) {
            (Some(_), Some(own)) => name = Some(own),
            (None, None) if wanted == segment => {}
            _ => return None,
        }
    }
    name.map(|name| Carrier::Path(name.into()))
}

/// The last parameter of a template.
pub(super) fn parameter_of(template: &str) -> Option<Arc<str>> {
    template.split('/').filter_map(parameter).next_back().map(Arc::from)
}

/// The parameter a whole segment is.
pub(super) fn parameter(segment: &str) -> Option<&str> {
    segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
}

/// Whether a path ends with this parameter: the operation is about the object itself, not about something below it.
pub(super) fn is_own_resource(operation: &Operation, carrier: &Carrier) -> bool {
    match carrier {
        Carrier::Path(name) => {
            let last = operation.template.trim_end_matches('/').rsplit('/').next();
            last.and_then(parameter).is_some_and(|last| *last == **name)
        }
        Carrier::Query(_) | Carrier::Header(_) | Carrier::Body(_) => {
            !operation.template.split('/').any(|segment| parameter(segment).is_some())
        }
    }
}
