// SPDX-License-Identifier: Apache-2.0
//! Properties a schema does not declare, read exactly: a branch the value does not satisfy declares nothing.

use super::{Closedness, Collected, Engine, Slot, budget};
use crate::shape::{Candidate, Found, ShapeId, ShapeSet};
use jsonschema::json::SerdeJson;
use portcullis_decision::Violation;
use serde_json::Value;
use std::sync::Arc;

/// The walk of one value.
struct Walk<'a> {
    engine: &'a Arc<Engine>,
    slot: Slot,
    out: Collected,
}

/// Undeclared properties of a value.
pub(super) fn of(engine: &Arc<Engine>, slot: Slot, value: &Value, max: usize) -> Vec<Violation> {
    budget::open(budget::count(value));
    let mut walk =
        Walk { engine, slot, out: Collected { violations: Vec::new(), max: max.max(1), breaks_only: false } };
    walk.visit(&[Candidate { shape: slot.shape, certain: true }], value, "");
    if !budget::within() && walk.out.violations.is_empty() {
        walk.out.push(String::new(), "takes more steps to check than are allowed".to_owned());
    }
    walk.out.violations
}

impl Walk<'_> {
    /// INVARIANT: no deeper than the value, whose depth the reader has bounded.
    fn visit(&mut self, roots: &[Candidate], value: &Value, at: &str) {
        if roots.is_empty() || self.out.violations.len() >= self.out.max {
            return;
        }
        match value {
            Value::Object(members) => {
                let set = self.narrowed(roots, value);
                for (name, member) in members {
                    let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                    match self.engine.shapes.find(&set, name) {
                        Found::Declared(inner) => self.visit(&inner, member, &pointer),
                        Found::Open => {}
                        Found::Undeclared => self.out.push(pointer, "is not a declared property".to_owned()),
                    }
                }
            }
            Value::Array(items) => {
                let set = self.narrowed(roots, value);
                for (index, item) in items.iter().enumerate() {
                    let inner = self.engine.shapes.element_roots(&set, index);
                    self.visit(&inner, item, &format!("{at}/{index}"));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// Everything that applies to this very value.
    fn narrowed(&self, roots: &[Candidate], value: &Value) -> ShapeSet {
        let request = self.slot.direction == super::Direction::Request;
        let mut set = ShapeSet { request, ..ShapeSet::default() };
        let mut pending: Vec<Candidate> = roots.to_vec();
        while let Some(next) = pending.pop() {
            if set.candidates.iter().any(|c| c.shape == next.shape && (c.certain || !next.certain)) {
                continue;
            }
            set.push(next);
            let Some(shape) = self.engine.shapes.shape(next.shape) else { continue };
            let same = |shape: ShapeId| Candidate { shape, certain: next.certain };
            let perhaps = |shape: ShapeId| Candidate { shape, certain: false };
            pending.extend(shape.reference.map(same));
            if let Some(b) = shape.branches.as_deref() {
                pending.extend(b.all_of.iter().copied().map(same));
                for list in [&b.any_of, &b.one_of] {
                    pending.extend(list.iter().copied().filter(|id| self.applies(*id, value)).map(perhaps));
                }
                if let Some(condition) = b.condition {
                    let holds = self.applies(condition, value);
                    let outcome = if holds { b.then } else { b.otherwise };
                    pending.extend(outcome.into_iter().chain(holds.then_some(condition)).map(perhaps));
                }
            }
            if let (Some(object), Value::Object(members)) = (shape.object.as_deref(), value) {
                let triggered = object.dependent.iter().filter(|(name, _)| members.contains_key(&**name));
                pending.extend(triggered.map(|(_, id)| perhaps(*id)));
            }
        }
        set
    }

    fn applies(&self, shape: ShapeId, value: &Value) -> bool {
        self.engine
            .accepts::<SerdeJson>(Slot { shape, direction: self.slot.direction, closedness: Closedness::Kept }, value)
    }
}
