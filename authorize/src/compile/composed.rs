// SPDX-License-Identifier: Apache-2.0
//! Which bodies and answers are composed of several schemas, so that only the exact reading of `oneOf` and `anyOf`
//! tells which of their properties are declared for a value. Everything else is told by the shapes alone.

use super::Compiler;
use portcullis_contract::{Member, ShapeId, ShapeSet, Shapes};
use std::collections::HashSet;
use std::sync::Arc;

/// At most this many places in one schema are looked at; a larger one is read exactly.
const VISITS_MAX: usize = 4_000;

impl Compiler<'_> {
    /// The schemas of bodies and answers that are composed somewhere.
    pub(super) fn composed(&self) -> HashSet<ShapeId> {
        let shapes = self.contract.shapes();
        let mut plain: HashSet<Vec<ShapeId>> = HashSet::new();
        let operations = self.contract.operations.iter();
        let all = operations.flat_map(|operation| {
            let bodies = operation.body.iter().flat_map(|body| &body.media);
            let answers = operation.responses.iter().flat_map(|response| &response.media);
            bodies.chain(answers).filter_map(|media| media.shape)
        });
        all.filter(|shape| is_composed_somewhere(shapes, *shape, &mut plain)).collect()
    }
}

/// Sets that were seen to be plain, with everything below them, are not looked at twice.
fn is_composed_somewhere(shapes: &Shapes, shape: ShapeId, plain: &mut HashSet<Vec<ShapeId>>) -> bool {
    let mut seen: HashSet<Vec<ShapeId>> = HashSet::new();
    let mut stack = vec![shapes.enter(shape)];
    while let Some(set) = stack.pop() {
        let ids: Vec<ShapeId> = set.iter().collect();
        if set.is_empty() || plain.contains(&ids) || !seen.insert(ids) {
            continue;
        }
        if seen.len() > VISITS_MAX || is_composed(shapes, &set) {
            return true;
        }
        stack.extend(children(shapes, &set).into_iter().map(|(_, next)| next));
    }
    plain.extend(seen);
    false
}

/// Whether more than one schema of the set names properties.
fn is_composed(shapes: &Shapes, set: &ShapeSet) -> bool {
    let all = shapes.declared_names(set).count();
    if all == 0 {
        return false;
    }
    // A set that is one schema behind references holds that schema as a member whose own set is itself alone.
    !set.iter().any(|id| {
        let own = shapes.enter(id);
        own.len() == 1 && shapes.declared_names(&own).count() == all
    })
}

/// The described children of a value: its members, its elements (`*`), its additional members (`*`).
pub(super) fn children(shapes: &Shapes, set: &ShapeSet) -> Vec<(Arc<str>, ShapeSet)> {
    let any: Arc<str> = "*".into();
    let mut children = Vec::new();
    for name in shapes.declared_names(set) {
        if let Member::Declared(next) = shapes.member(set, name) {
            children.push((Arc::clone(name), next));
        }
    }
    children.push((Arc::clone(&any), shapes.element(set, 0)));
    children.push((Arc::clone(&any), shapes.element(set, usize::MAX)));
    if let Member::Declared(next) = shapes.member(set, "\u{0}") {
        children.push((any, next));
    }
    children
}
