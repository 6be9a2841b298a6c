// SPDX-License-Identifier: Apache-2.0
//! Reading the declared parameters of a request. What the query holds beyond them is a violation; undeclared
//! headers and cookies are ignored here (what may go upstream is the pipeline's concern).

use super::convert::Expected;
use super::{Argument, Location, Parameter, Parameters};
use crate::operation::Operation;
use crate::route::Captures;
use crate::shape::Kinds;
use http::HeaderMap;
use portcullis_decision::Violation;
use portcullis_decision::denial::VIOLATIONS_MAX;
use portcullis_wire::Head;
use smallvec::SmallVec;
use std::sync::Arc;

/// A name of the client is shown only where it looks like a parameter's name: a longer one may be a secret in the
/// wrong place.
const NAME_CHARS_MAX: usize = 32;

/// What [`Operation::observe_parameters`] read.
#[derive(Clone, Debug, Default)]
pub struct ObservedParameters {
    /// Those that hold.
    pub parameters: Parameters,
    /// What is wrong with those that were left out.
    pub observed: Vec<Violation>,
}

impl Operation {
    /// The parameters of a request to this operation, typed and checked.
    pub fn read_parameters(&self, head: &Head, captures: &Captures) -> Result<Parameters, Vec<Violation>> {
        self.read((head.query.pairs(), &head.headers, captures), None).map(|observed| observed.parameters)
    }

    /// The parameters of a request whose schemas are only observed: those `may_break` names may be missing or break
    /// their schema, and are then left out and reported. Undeclared and repeated ones, and those that are JSON
    /// texts, are violations as ever.
    pub fn observe_parameters(
        &self,
        head: &Head,
        captures: &Captures,
        may_break: &dyn Fn(&Parameter) -> bool,
    ) -> Result<ObservedParameters, Vec<Violation>> {
        self.read((head.query.pairs(), &head.headers, captures), Some(may_break))
    }

    /// [`Operation::read_parameters`] from its three sources.
    pub(crate) fn read(
        &self,
        (query, headers, captures): (&[(String, String)], &HeaderMap, &Captures),
        may_break: Option<&dyn Fn(&Parameter) -> bool>,
    ) -> Result<ObservedParameters, Vec<Violation>> {
        let mut parameters = Parameters::default();
        let mut observed = Vec::new();
        let mut violations = Vec::new();
        let breaks = |parameter: &Parameter| may_break.is_some_and(|may_break| may_break(parameter));
        for parameter in &self.parameters {
            match parameter.sent(query, headers, captures) {
                Ok(Some(argument)) => {
                    parameters.arguments.push((parameter.location, Arc::clone(&parameter.name), argument));
                }
                Ok(None) if parameter.required => {
                    let into = if breaks(parameter) { &mut observed } else { &mut violations };
                    into.extend(parameter.expected("is required").violations);
                }
                Ok(None) => {}
                Err(fault) => {
                    let into = if fault.readable && breaks(parameter) { &mut observed } else { &mut violations };
                    into.extend(fault.violations);
                }
            }
        }
        for (name, value) in captures.iter() {
            // A parameter of the template that the document does not describe is text.
            if parameters.path(name).is_none() && !self.describes(Location::Path, name) {
                let texts = SmallVec::from_iter([Box::from(value)]);
                let argument = Argument { value: value.into(), texts };
                parameters.arguments.push((Location::Path, name.into(), argument));
            }
        }
        for (name, _) in query {
            if violations.len() < VIOLATIONS_MAX && !self.describes(Location::Query, name) {
                let pointer = if may_be_shown(name) { format!("/query/{name}") } else { "/query".to_owned() };
                let violation = Violation { pointer, detail: "is not a declared parameter".to_owned() };
                if !violations.contains(&violation) {
                    violations.push(violation);
                }
            }
        }
        violations.truncate(VIOLATIONS_MAX);
        if violations.is_empty() { Ok(ObservedParameters { parameters, observed }) } else { Err(violations) }
    }

    fn describes(&self, location: Location, name: &str) -> bool {
        self.parameters.iter().any(|p| p.location == location && *p.name == *name)
    }
}

impl Parameter {
    fn sent(
        &self,
        query: &[(String, String)],
        headers: &HeaderMap,
        captures: &Captures,
    ) -> Result<Option<Argument>, Expected> {
        let mut texts: SmallVec<[&str; 4]> = SmallVec::new();
        match self.location {
            Location::Path => texts.extend(captures.get(&self.name)),
            Location::Query => texts.extend(query.iter().filter(|(n, _)| **n == *self.name).map(|(_, v)| v.as_str())),
            Location::Header => {
                for line in headers.get_all(&*self.name) {
                    let text = line.to_str().map_err(|_| self.expected("must be visible ASCII"))?;
                    texts.push(text.trim_matches([' ', '\t']));
                }
                // Lines of a list are one list, and spaces around its commas mean nothing (RFC 9110 §5.6.1).
                if !texts.is_empty() && self.kinds.has(Kinds::ARRAY) {
                    let elements = texts.iter().flat_map(|line| line.split(','));
                    let clean: Vec<&str> = elements.map(|t| t.trim_matches([' ', '\t'])).collect();
                    return self.argument(&[clean.join(",").as_str()]).map(Some);
                }
            }
            Location::Cookie => {
                for line in headers.get_all(http::header::COOKIE) {
                    let line = line.to_str().map_err(|_| self.expected("must be visible ASCII"))?;
                    let pairs = line.split(';').filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='));
                    texts.extend(pairs.filter(|(n, _)| **n == *self.name).map(|(_, v)| v));
                }
            }
        }
        if texts.is_empty() { Ok(None) } else { self.argument(&texts).map(Some) }
    }
}

/// Whether a name is short and plain enough to stand in a problem and a record.
fn may_be_shown(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'[' | b']');
    name.len() <= NAME_CHARS_MAX && name.bytes().all(plain)
}
