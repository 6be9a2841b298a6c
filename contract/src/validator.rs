// SPDX-License-Identifier: Apache-2.0
//! Validators: schemas compiled once, on first use, and shared by everything that refers to them.
//!
//! Each `$ref` target, branch and root is a *unit*. A unit is compiled when a value is first checked against it;
//! where it refers to another unit, a keyword of our own ([`unit`]) hands the value on, so nothing is compiled
//! twice and a recursive schema is no special case. Load time has already checked that every schema compiles:
//! patterns are linear, references lead somewhere, keywords have their types.
//!
//! Closedness is not judged here: `additionalProperties: false` and `unevaluatedProperties: false` are left out
//! and belong to [`Shapes`](crate::Shapes), so that an undeclared property is told apart from a broken value.
//! They stay where they decide which branch applies: below `oneOf`, `anyOf`, `not`, `if`, `then`, `else` and
//! `dependentSchemas`.
//!
//! Each check has a budget of steps and of depth, so that a hostile document cannot make a value expensive (T75).

use crate::shape::{Shape, ShapeId, Shapes};
use jsonschema::json::{Json, SerdeJson};
use portcullis_decision::Violation;
use portcullis_wire::json::{Document, NodeId};
use serde_json::Value;
use smallvec::SmallVec;
use std::sync::{Arc, OnceLock};

mod budget;
mod detail;
mod emit;
#[cfg(test)]
mod tests;
mod tree;
mod undeclared;
mod unit;

pub(crate) use emit::unemittable;

/// In which direction a value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Direction {
    /// `readOnly` properties are not required; formats are checked.
    Request,
    /// `writeOnly` properties are not required.
    Response,
}

/// Whether explicit closedness is part of a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Closedness {
    /// Left to the shapes.
    Left,
    /// Kept, because it decides a branch.
    Kept,
}

/// Which compiled form of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) shape: ShapeId,
    pub(crate) direction: Direction,
    pub(crate) closedness: Closedness,
}

/// The detail of a schema that did not compile. Load time leaves none; should one come, it refuses every value.
const UNCHECKABLE: &str = "cannot be checked";
/// Compiled forms per unit.
const FORMS: usize = 4;

type Compiled<F> = OnceLock<Option<Box<jsonschema::Validator<F>>>>;

/// What validators are compiled for: values that were built, which tell what is wrong, and documents in place.
trait Form: Json {
    fn compiled(engine: &Engine) -> &[Compiled<Self>];
}

impl Form for SerdeJson {
    fn compiled(engine: &Engine) -> &[Compiled<Self>] {
        &engine.for_values
    }
}

impl Form for tree::Tree {
    fn compiled(engine: &Engine) -> &[Compiled<Self>] {
        &engine.for_documents
    }
}

/// All validators of a contract.
pub(crate) struct Engine {
    pub(crate) shapes: Arc<Shapes>,
    /// The place of each unit's forms among those compiled, by shape.
    places: Vec<u32>,
    for_values: Vec<Compiled<SerdeJson>>,
    for_documents: Vec<Compiled<tree::Tree>>,
    patterns: jsonschema::PatternCache,
}

impl Engine {
    pub(crate) fn new(shapes: Arc<Shapes>) -> Arc<Self> {
        let mut count: u32 = 0;
        let mut places = Vec::with_capacity(shapes.len());
        for shape in &shapes.arena {
            places.push(count);
            count = count.saturating_add(u32::from(shape.unit));
        }
        let forms = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(FORMS);
        Arc::new(Self {
            shapes,
            places,
            for_values: std::iter::repeat_with(OnceLock::new).take(forms).collect(),
            for_documents: std::iter::repeat_with(OnceLock::new).take(forms).collect(),
            patterns: jsonschema::PatternCache::default(),
        })
    }

    /// The compiled form; `None` when it cannot be made, which refuses every value.
    fn compiled<F: Form>(self: &Arc<Self>, slot: Slot) -> Option<&jsonschema::Validator<F>> {
        let shape = self.shapes.shape(slot.shape).filter(|s| s.unit)?;
        let place = usize::try_from(*self.places.get(slot.shape.index())?).ok()?;
        let form = match (slot.direction, slot.closedness) {
            (Direction::Request, Closedness::Left) => 0,
            (Direction::Request, Closedness::Kept) => 1,
            (Direction::Response, Closedness::Left) => 2,
            (Direction::Response, Closedness::Kept) => 3,
        };
        let cell = F::compiled(self).get(place.checked_mul(FORMS)?.checked_add(form)?)?;
        cell.get_or_init(|| self.compile(shape, slot).map(Box::new)).as_deref()
    }

    fn compile<F: Form>(self: &Arc<Self>, shape: &Shape, slot: Slot) -> Option<jsonschema::Validator<F>> {
        let schema = emit::unit(&self.shapes, shape, slot).ok()?;
        let options = jsonschema::options_for::<F>()
            .with_draft(jsonschema::Draft::Draft202012)
            .offline()
            .should_validate_formats(slot.direction == Direction::Request)
            .with_pattern_options(crate::pattern::options())
            .with_pattern_cache(self.patterns.clone());
        unit::install(options, self, slot.direction).build(&schema).ok()
    }

    /// Whether a value satisfies a unit, within the budget of the check that is running.
    fn accepts<F: Form>(self: &Arc<Self>, slot: Slot, value: F::Node<'_>) -> bool {
        let Some(_step) = budget::step() else { return false };
        self.compiled::<F>(slot).is_some_and(|v| v.is_valid(value))
    }

    /// Appends what is wrong with a value; gives the number of errors met, said before or not.
    fn collect(self: &Arc<Self>, slot: Slot, value: &Value, at: &str, out: &mut Collected) -> usize {
        let Some(_step) = budget::step() else { return 0 };
        let Some(validator) = self.compiled::<SerdeJson>(slot) else {
            out.push(at.to_owned(), UNCHECKABLE.to_owned());
            return 1;
        };
        let mut met = 0;
        for error in validator.iter_errors(value) {
            if out.violations.len() >= out.max {
                return met;
            }
            met += 1;
            let path = error.instance_path().as_str();
            let pointer = format!("{at}{path}");
            match unit::named_by(error.kind()) {
                Some((shape, closedness)) => {
                    let part = value.pointer(path).unwrap_or(value);
                    let inner = Slot { shape, closedness, direction: slot.direction };
                    if self.collect(inner, part, &pointer, out) == 0 && out.violations.len() < out.max {
                        out.push(pointer, "does not fit its schema".to_owned());
                    }
                }
                None if out.breaks_only && !detail::breaks_structure(error.kind(), error.instance()) => {}
                None => out.push(pointer, detail::of(error.kind())),
            }
        }
        met
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("units", &(self.for_values.len() / FORMS)).finish_non_exhaustive()
    }
}

/// Violations found so far.
struct Collected {
    violations: Vec<Violation>,
    max: usize,
    /// Leaves out violations that break no structure.
    breaks_only: bool,
}

impl Collected {
    fn push(&mut self, pointer: String, detail: String) {
        let violation = Violation { pointer, detail };
        if self.violations.len() < self.max && !self.violations.contains(&violation) {
            self.violations.push(violation);
        }
    }
}

/// The check of one JSON value against a schema of the document.
#[derive(Clone, Debug)]
pub struct Validator {
    engine: Arc<Engine>,
    slot: Slot,
}

impl Validator {
    pub(crate) fn new(engine: &Arc<Engine>, shape: ShapeId, direction: Direction) -> Self {
        let slot = Slot { shape: shape.bare(), direction, closedness: Closedness::Left };
        Self { engine: Arc::clone(engine), slot }
    }

    /// Whether the value satisfies the schema (undeclared properties aside).
    pub fn is_valid(&self, value: &Value) -> bool {
        budget::open(budget::count(value));
        let valid = self.engine.accepts::<SerdeJson>(self.slot, value);
        // A check that ran out of budget has no verdict, whatever `not` made of it.
        budget::within() && valid
    }

    /// Whether the document, with these values left out, satisfies the schema (undeclared properties aside): the
    /// verdict of [`Validator::is_valid`] on its value, which is built only where the document has a wide object.
    pub fn accepts(&self, document: &Document, without: &[NodeId]) -> bool {
        if document.members_max() > tree::MEMBERS_MAX || without.contains(&NodeId::ROOT) {
            return self.is_valid(&document.to_value_without(without));
        }
        let mut sorted: SmallVec<[NodeId; 8]> = SmallVec::from_slice(without);
        sorted.sort_unstable();
        budget::open(u64::try_from(document.node_count()).unwrap_or(u64::MAX));
        let valid = self.engine.accepts::<tree::Tree>(self.slot, tree::root(document, &sorted));
        budget::within() && valid
    }

    /// What is wrong with the value, at most `max` (at least one) violations; none: it satisfies the schema.
    /// Details say what is expected and never hold what was sent. Undeclared properties are not reported here.
    pub fn violations(&self, value: &Value, max: usize) -> Vec<Violation> {
        if self.is_valid(value) {
            return Vec::new();
        }
        let mut out = self.collected(value, max, false);
        if out.violations.is_empty() {
            out.push(String::new(), "does not fit its schema".to_owned());
        }
        out.violations
    }

    /// Those violations of [`Validator::violations`] that break the structure: an object, array or scalar where the
    /// schema describes another of the three, a composition that does not hold, a check that ran out of budget.
    /// Whoever walks the value beside its schema relies on there being none. What else may be wrong is what a text,
    /// a number or a count is like, and what is missing.
    pub fn structural_violations(&self, value: &Value, max: usize) -> Vec<Violation> {
        if self.is_valid(value) { Vec::new() } else { self.collected(value, max, true).violations }
    }

    fn collected(&self, value: &Value, max: usize, breaks_only: bool) -> Collected {
        budget::open(budget::count(value));
        let mut out = Collected { violations: Vec::new(), max: max.max(1), breaks_only };
        self.engine.collect(self.slot, value, "", &mut out);
        if !budget::within() {
            out.violations.clear();
            out.push(String::new(), "takes more steps to check than are allowed".to_owned());
        }
        out
    }

    /// Properties of the value that its schema does not declare, at most `max`; the exact reading of
    /// `unknown_properties.request`: of a `oneOf` or `anyOf` only branches the value satisfies declare anything.
    pub fn undeclared(&self, value: &Value, max: usize) -> Vec<Violation> {
        undeclared::of(&self.engine, self.slot, value, max)
    }
}
