// SPDX-License-Identifier: Apache-2.0
//! Parameters: declared, typed by their schema, checked, and read from a request.
//!
//! Served are the default styles: `simple` in paths and headers, `form` in queries and cookies, scalars and arrays,
//! and JSON under `content`. Any other style has no one reading and makes the operation unserved (PC0502).

use crate::shape::{Kinds, ShapeId};
use crate::validator::Validator;
use serde_json::Value;
use smallvec::SmallVec;
use std::sync::Arc;

mod convert;
mod read;
#[cfg(test)]
mod tests;

pub use read::ObservedParameters;

/// Where a parameter travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// In the path template.
    Path,
    /// In the query.
    Query,
    /// In a header field.
    Header,
    /// In a cookie.
    Cookie,
}

impl Location {
    /// The word of the document.
    pub fn word(self) -> &'static str {
        match self {
            Location::Path => "path",
            Location::Query => "query",
            Location::Header => "header",
            Location::Cookie => "cookie",
        }
    }

    pub(crate) fn named(word: &str) -> Option<Self> {
        [Self::Path, Self::Query, Self::Header, Self::Cookie].into_iter().find(|l| l.word() == word)
    }
}

/// How the text of a parameter becomes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// By the types its schema allows.
    Typed,
    /// A JSON text (`content: application/json`).
    Json,
}

/// How an array is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separation {
    /// The name once for every element.
    Repeated,
    /// One text with commas.
    Commas,
}

/// A declared parameter.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its name; header names in lower case.
    pub name: Arc<str>,
    /// Where it travels.
    pub location: Location,
    /// Whether a request without it is refused.
    pub required: bool,
    /// Its schema.
    pub shape: Option<ShapeId>,
    pub(crate) validator: Option<Validator>,
    pub(crate) form: Form,
    pub(crate) separation: Separation,
    /// An empty text passes unchecked (`allowEmptyValue`, queries only).
    pub(crate) may_be_empty: bool,
    /// Types the schema allows; empty: any.
    pub(crate) kinds: Kinds,
    /// Types its elements may have, where it may be an array.
    pub(crate) element_kinds: Kinds,
}

/// The value of one parameter of one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    value: Value,
    texts: SmallVec<[Box<str>; 1]>,
}

impl Argument {
    /// The typed value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The decoded text of a scalar; integers are in canonical decimal form.
    pub fn text(&self) -> Option<&str> {
        match (&self.value, self.texts.as_slice()) {
            (Value::Array(_), _) => None,
            (_, [one]) => Some(one),
            _ => None,
        }
    }

    /// The decoded texts of all elements; one for a scalar.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|t| &**t)
    }
}

/// The parameters of one request: declared ones only, typed and checked.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    arguments: SmallVec<[(Location, Arc<str>, Argument); 1]>,
}

impl Parameters {
    /// A path parameter.
    pub fn path(&self, name: &str) -> Option<&Argument> {
        self.at(Location::Path, name)
    }

    /// A query parameter.
    pub fn query(&self, name: &str) -> Option<&Argument> {
        self.at(Location::Query, name)
    }

    /// A header, by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&Argument> {
        self.at(Location::Header, name)
    }

    /// A cookie.
    pub fn cookie(&self, name: &str) -> Option<&Argument> {
        self.at(Location::Cookie, name)
    }

    /// Every parameter that was sent.
    pub fn iter(&self) -> impl Iterator<Item = (Location, &str, &Argument)> {
        self.arguments.iter().map(|(l, n, a)| (*l, &**n, a))
    }

    /// The same parameters with one path or query parameter set to another text, for look-ups of one id out of many.
    /// The text is the id as it was carried; it is not checked again.
    #[must_use]
    pub fn with(&self, location: Location, name: &str, text: &str) -> Self {
        let mut parameters = self.clone();
        parameters.arguments.retain(|(l, n, _)| *l != location || **n != *name);
        let argument = Argument { value: Value::from(text), texts: SmallVec::from_iter([Box::from(text)]) };
        parameters.arguments.push((location, name.into(), argument));
        parameters
    }

    fn at(&self, location: Location, name: &str) -> Option<&Argument> {
        self.arguments.iter().find(|(l, n, _)| *l == location && **n == *name).map(|(_, _, a)| a)
    }
}
