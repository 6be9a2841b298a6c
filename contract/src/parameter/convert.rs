// SPDX-License-Identifier: Apache-2.0
//! From texts to typed values.

use super::{Argument, Form, Parameter, Separation};
use crate::shape::Kinds;
use bytes::Bytes;
use portcullis_decision::Violation;
use portcullis_wire::json::{Document, JsonLimits};
use serde_json::{Number, Value};
use smallvec::{SmallVec, smallvec};

/// An array in a parameter has at most this many elements.
const ELEMENTS_MAX: usize = 1_000;
/// A JSON text in a parameter is at most this deep.
const JSON_DEPTH_MAX: usize = 16;
/// A JSON text in a parameter has at most this many values.
const JSON_NODES_MAX: usize = 1_000;

/// What is expected instead of what was sent.
pub(super) struct Expected {
    pub(super) violations: Vec<Violation>,
    /// There is one text and one reading of it; only the schema is not satisfied.
    pub(super) readable: bool,
}

impl Parameter {
    /// The value of a parameter that was sent as these texts (at least one).
    pub(super) fn argument(&self, texts: &[&str]) -> Result<Argument, Expected> {
        let first = texts.first().copied().unwrap_or_default();
        let array = self.kinds.has(Kinds::ARRAY);
        if texts.len() > 1 && !(array && self.separation == Separation::Repeated) {
            return Err(self.expected("must be sent once"));
        }
        if self.form == Form::Json {
            return self.json(first);
        }
        if self.may_be_empty && first.is_empty() && texts.len() == 1 {
            return Ok(Argument { value: Value::from(""), texts: smallvec![Box::from("")] });
        }
        let mut fault: Option<Vec<Violation>> = None;
        for value in self.readings(texts) {
            match self.check(&value) {
                Ok(()) => return Ok(Argument { texts: self.kept(&value, texts), value }),
                // The first reading is the most specific one: its violations are the telling ones.
                Err(violations) => fault = fault.or(Some(violations)),
            }
        }
        let violations = fault.unwrap_or_else(|| self.expected(&self.expectation()).violations);
        Err(Expected { violations, readable: true })
    }

    /// The values the texts may mean, most specific first.
    fn readings(&self, texts: &[&str]) -> SmallVec<[Value; 3]> {
        let mut readings = SmallVec::new();
        if let ([one], true) = (texts, self.allows_scalars()) {
            scalars(one, self.kinds, &mut readings);
        }
        if self.kinds.has(Kinds::ARRAY) {
            let elements = self.elements(texts);
            if elements.len() <= ELEMENTS_MAX {
                let typed = elements.iter().map(|text| {
                    let mut readings: SmallVec<[Value; 3]> = SmallVec::new();
                    scalars(text, self.element_kinds, &mut readings);
                    readings.into_iter().next()
                });
                readings.extend(typed.collect::<Option<Vec<Value>>>().map(Value::Array));
            }
        }
        readings
    }

    fn allows_scalars(&self) -> bool {
        let scalars = Kinds::STRING.with(Kinds::INTEGER).with(Kinds::NUMBER).with(Kinds::BOOLEAN);
        self.kinds.is_empty() || self.kinds.has(scalars)
    }

    fn elements<'t>(&self, texts: &[&'t str]) -> Vec<&'t str> {
        match (self.separation, texts) {
            (Separation::Commas, [one]) => one.split(',').collect(),
            _ => texts.to_vec(),
        }
    }

    fn kept(&self, value: &Value, texts: &[&str]) -> SmallVec<[Box<str>; 1]> {
        let elements = if value.is_array() { self.elements(texts) } else { texts.to_vec() };
        elements.into_iter().map(Box::from).collect()
    }

    fn json(&self, text: &str) -> Result<Argument, Expected> {
        let limits = JsonLimits { depth_max: JSON_DEPTH_MAX, nodes_max: JSON_NODES_MAX };
        let document = Document::parse(Bytes::copy_from_slice(text.as_bytes()), &limits)
            .map_err(|_| self.expected("must be a JSON text"))?;
        let value = document.to_value();
        self.check(&value).map_err(|violations| Expected { violations, readable: false })?;
        Ok(Argument { value, texts: smallvec![Box::from(text)] })
    }

    fn check(&self, value: &Value) -> Result<(), Vec<Violation>> {
        let Some(validator) = &self.validator else { return Ok(()) };
        if validator.is_valid(value) {
            return Ok(());
        }
        let violations = validator.violations(value, portcullis_decision::denial::VIOLATIONS_MAX);
        let pointer = self.pointer();
        Err(violations.into_iter().map(|v| Violation { pointer: format!("{pointer}{}", v.pointer), ..v }).collect())
    }

    fn expectation(&self) -> String {
        let names: Vec<&str> = self.kinds.names().filter(|n| *n != "object" && *n != "null").collect();
        format!("must be of type {}", names.join(" or "))
    }

    pub(super) fn expected(&self, detail: &str) -> Expected {
        let violation = Violation { pointer: self.pointer(), detail: detail.to_owned() };
        Expected { violations: vec![violation], readable: false }
    }

    pub(super) fn pointer(&self) -> String {
        format!("/{}/{}", self.location.word(), self.name.replace('~', "~0").replace('/', "~1"))
    }
}

/// The values one text may mean under a set of types. Numbers are read in JSON's grammar only, so that an id has
/// one spelling: `7`, never `07`, `+7` or `-0`.
fn scalars(text: &str, kinds: Kinds, out: &mut SmallVec<[Value; 3]>) {
    if kinds.has(Kinds::INTEGER.with(Kinds::NUMBER)) {
        let number = integer(text).or_else(|| if kinds.has(Kinds::NUMBER) { decimal(text) } else { None });
        out.extend(number.map(Value::Number));
    }
    if kinds.has(Kinds::BOOLEAN) {
        match text {
            "true" => out.push(Value::Bool(true)),
            "false" => out.push(Value::Bool(false)),
            _ => {}
        }
    }
    if kinds.is_empty() || kinds.has(Kinds::STRING) {
        out.push(Value::from(text));
    }
    if kinds.is_empty() {
        // Nothing says a type: `enum: [1, 2]` still means numbers.
        out.extend(integer(text).or_else(|| decimal(text)).map(Value::Number));
    }
}

fn integer(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return None;
    }
    text.parse::<i64>().map(Number::from).ok().or_else(|| text.parse::<u64>().map(Number::from).ok())
}

fn decimal(text: &str) -> Option<Number> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    let whole_fits = digits(unsigned) && (unsigned == "0" || !unsigned.starts_with('0'));
    let exponent_fits = exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)));
    if !whole_fits || !fraction.is_none_or(digits) || !exponent_fits {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}
