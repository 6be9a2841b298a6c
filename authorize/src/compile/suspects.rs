// SPDX-License-Identifier: Apache-2.0
//! Touching an object is never silent: what looks like an object and is not declared is told (PC0201) or, once
//! `objects:` is used, refused (PC0203).

use super::Compiler;
use super::composed::children;
use super::finding::{NOBODY_OWNS, SAYS_NOTHING};
use super::operation::Touched;
use super::spot::{declares, successes};
use crate::model::{Carrier, KindIndex};
use crate::pointer::Pointer;
use portcullis_contract::{Operation, ShapeId};
use portcullis_decision::finding::Severity;
use std::collections::HashSet;
use std::sync::Arc;

/// At most this many places in one answer are looked at.
const VISITS_MAX: usize = 20_000;
/// Places are at most this deep.
const DEPTH_MAX: usize = 12;

impl Compiler<'_> {
    /// Whether everything that looks like an object in this operation is declared as one.
    pub(super) fn is_plain(&mut self, operation: &Operation, touched: &Touched) -> bool {
        let is_id = |name: &Arc<str>| touched.ids.iter().any(|(_, at)| *at == Carrier::Path(Arc::clone(name)));
        let strangers: Vec<&Arc<str>> = operation.path_parameters.iter().filter(|name| !is_id(name)).collect();
        if self.declared.objects.is_empty() {
            if let Some(name) = strangers.first() {
                let message =
                    format!("`{}` takes an id `{name}`, and nothing says whose objects these are", operation.id);
                let help = Some("declare the object under `objects:`, or say `touches: none`");
                self.about(NOBODY_OWNS, Severity::High, operation, message, help);
            }
            return true;
        }
        let help = "declare the object, or say `touches: none`";
        let mut plain = true;
        for name in strangers {
            let message =
                format!("`{}` has a path parameter `{name}` that is the id of no declared object", operation.id);
            self.leave_out(SAYS_NOTHING, operation, message, help);
            plain = false;
        }
        for (pointer, kind) in self.owned_strangers(operation, touched) {
            let name = self.kind(kind).map(|kind| Arc::clone(&kind.name)).unwrap_or_default();
            let message = format!(
                "the answer of `{}` has the owner of a `{name}` at `{pointer}` in a schema of no object",
                operation.id
            );
            let help =
                "add the schema to the object's `schemas`, name the place with `returns`, or say `touches: none`";
            self.leave_out(SAYS_NOTHING, operation, message, help);
            plain = false;
        }
        plain
    }

    /// Places in answers that have a declared owner's property and are of no type.
    fn owned_strangers(&self, operation: &Operation, touched: &Touched) -> Vec<(String, KindIndex)> {
        let owners: Vec<(KindIndex, &Pointer)> = self
            .indices()
            .filter_map(|index| {
                let kind = self.kind(index).filter(|kind| !kind.id_is_owner)?;
                Some((index, kind.owner.as_ref()?))
            })
            .collect();
        if owners.is_empty() {
            return Vec::new();
        }
        let returned: HashSet<String> = touched.returns.iter().map(|(_, place)| place.to_string()).collect();
        let mut found = Vec::new();
        for shape in successes(operation).into_iter().flat_map(|r| &r.media).filter_map(|media| media.shape) {
            self.search(shape, &owners, &returned, &mut found);
        }
        found.dedup();
        found
    }

    fn search(
        &self,
        shape: ShapeId,
        owners: &[(KindIndex, &Pointer)],
        returned: &HashSet<String>,
        found: &mut Vec<(String, KindIndex)>,
    ) {
        let shapes = self.contract.shapes();
        let mut known: HashSet<(Inside, Vec<ShapeId>)> = HashSet::new();
        let mut stack = vec![(shapes.enter(shape), String::new(), 0_usize, Inside::Nothing)];
        let mut visits = 0_usize;
        while let Some((set, pointer, depth, inside)) = stack.pop() {
            visits = visits.saturating_add(1);
            if visits > VISITS_MAX || set.is_empty() || !known.insert((inside, set.iter().collect())) {
                continue;
            }
            let is_object = shapes.names(&set).any(|name| self.kinds.iter().any(|k| k.schemas.contains(name)));
            // An unnamed part of an object belongs to it.
            let is_part = inside == Inside::Object && shapes.names(&set).next().is_none();
            if !is_object && !is_part && !returned.contains(&pointer) {
                let owned = owners.iter().find(|(_, place)| declares(shapes, &set, place));
                found.extend(owned.map(|(kind, _)| (pointer.clone(), *kind)));
            }
            if depth >= DEPTH_MAX {
                continue;
            }
            let inside = if is_object || is_part { Inside::Object } else { Inside::Nothing };
            for (token, next) in children(shapes, &set) {
                let mut below = pointer.clone();
                crate::pointer::push_token(&mut below, &token);
                stack.push((next, below, depth.saturating_add(1), inside));
            }
        }
    }
}

/// What surrounds a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Inside {
    Object,
    Nothing,
}
