// SPDX-License-Identifier: Apache-2.0
//! The keyword by which one unit hands a value to another.

use super::{Closedness, Direction, Engine, Form, Slot};
use crate::shape::ShapeId;
use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::{Map, Value};
use std::sync::{Arc, Weak};

/// Its name. It cannot come from a document: validators are made of known keywords only.
pub(super) const KEYWORD: &str = "portcullis-unit";

/// The keyword's value for a unit.
pub(super) fn reference(shape: ShapeId, closedness: Closedness) -> Value {
    let kept = u64::from(closedness == Closedness::Kept);
    let index = u64::try_from(shape.index()).unwrap_or(u64::MAX);
    Value::from(index.saturating_mul(2).saturating_add(kept))
}

fn parse(code: u64) -> Option<(ShapeId, Closedness)> {
    let closedness = if code % 2 == 1 { Closedness::Kept } else { Closedness::Left };
    Some((ShapeId::new(u32::try_from(code / 2).ok()?), closedness))
}

/// Which unit an error speaks of, where it comes from this keyword.
pub(super) fn named_by(kind: &jsonschema::error::ValidationErrorKind) -> Option<(ShapeId, Closedness)> {
    match kind {
        jsonschema::error::ValidationErrorKind::Custom { keyword, message } if keyword == KEYWORD => {
            parse(message.parse().ok()?)
        }
        _ => None,
    }
}

/// Makes the keyword known to a validator. It holds the engine weakly: the engine owns the validators.
pub(super) fn install<'o, R, F: Form>(
    options: ValidationOptions<'o, R, F>,
    engine: &Arc<Engine>,
    direction: Direction,
) -> ValidationOptions<'o, R, F> {
    let engine = Arc::downgrade(engine);
    options.with_keyword(KEYWORD, move |_: &Map<String, Value>, value: &Value, _: Location| {
        make(&engine, direction, value)
    })
}

#[expect(clippy::unnecessary_wraps, reason = "the validator library asks for a fallible factory")]
fn make<'a, F: Form>(
    engine: &Weak<Engine>,
    direction: Direction,
    value: &Value,
) -> Result<Box<dyn for<'i> Keyword<'i, F>>, ValidationError<'a>> {
    let code = value.as_u64().unwrap_or(u64::MAX);
    Ok(Box::new(Unit { engine: Weak::clone(engine), direction, code }))
}

struct Unit {
    engine: Weak<Engine>,
    direction: Direction,
    code: u64,
}

impl<'i, F: Form> Keyword<'i, F> for Unit {
    fn validate(&self, instance: F::Node<'i>) -> Result<(), ValidationError<'i>> {
        if self.accepts::<F>(instance) { Ok(()) } else { Err(ValidationError::custom(self.code.to_string())) }
    }

    fn is_valid(&self, instance: F::Node<'i>) -> bool {
        self.accepts::<F>(instance)
    }
}

impl Unit {
    /// Without an engine or a unit there is no verdict, and so no.
    fn accepts<F: Form>(&self, value: F::Node<'_>) -> bool {
        let (Some(engine), Some((shape, closedness))) = (self.engine.upgrade(), parse(self.code)) else { return false };
        engine.accepts::<F>(Slot { shape, direction: self.direction, closedness }, value)
    }
}
