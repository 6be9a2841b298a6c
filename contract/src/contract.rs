// SPDX-License-Identifier: Apache-2.0
//! A loaded document.

use crate::operation::{Operation, OperationIndex};
use crate::route::{Captures, Found, RouteMatch, Table, Template};
use crate::shape::Shapes;
use http::Method;
use portcullis_decision::finding::{Finding, Severity};
use portcullis_wire::CanonicalPath;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

/// Everything a document promises.
#[derive(Debug)]
pub struct Contract {
    /// The document's title.
    pub title: String,
    /// The document's own version.
    pub version: String,
    /// Every operation, also those that are not served; indexed by [`OperationIndex`].
    pub operations: Vec<Operation>,
    /// What is doubtful in the document.
    pub findings: Vec<Finding>,
    pub(crate) shapes: Arc<Shapes>,
    pub(crate) table: Table,
    /// Paths taken away by the operator, with their methods.
    pub(crate) hidden: Table,
    pub(crate) hidden_methods: HashMap<Arc<str>, Vec<Method>>,
    pub(crate) by_id: HashMap<Arc<str>, OperationIndex>,
}

impl Contract {
    /// The operation of a request. The path is below the API's base path.
    pub fn route(&self, method: &Method, path: &CanonicalPath) -> RouteMatch {
        let segments: SmallVec<[&str; 16]> = path.segments().collect();
        let found = self.table.find(&segments);
        let mut taken: &[Method] = &[];
        for hidden in self.hidden.find_all(&segments) {
            let same = found.as_ref().is_some_and(|f| f.leaf.template == hidden.template);
            // A path that was taken away wins over every template, but not over text it only covers by parameters.
            let stronger = found.as_ref().is_some_and(|f| f.leaf.literal && !hidden.literal);
            if same {
                taken = self.hidden_methods.get(&hidden.template).map_or(&[], Vec::as_slice);
            } else if !stronger {
                return RouteMatch::Unknown;
            }
        }
        let Some(Found { leaf, values }) = found else { return RouteMatch::Unknown };
        if taken.contains(method) {
            return RouteMatch::Unknown;
        }
        match leaf.entries.iter().find(|e| e.method == *method) {
            Some(entry) if entry.served => {
                RouteMatch::Operation(entry.operation, Captures::named(&entry.names, &values))
            }
            Some(_) => RouteMatch::Unknown,
            None => leaf.allow(taken).map_or(RouteMatch::Unknown, RouteMatch::Method),
        }
    }

    /// An operation by its index. Every index of this contract has one.
    pub fn operation(&self, index: OperationIndex) -> Option<&Operation> {
        self.operations.get(index.to_usize())
    }

    /// Finds an operation by its `operationId`, or by method and template: `GET /orders/{orderId}`.
    pub fn find(&self, name: &str) -> Option<OperationIndex> {
        if let Some(index) = self.by_id.get(name) {
            return Some(*index);
        }
        let (method, template) = name.split_once(' ')?;
        let named = |o: &&Operation| o.method.as_str().eq_ignore_ascii_case(method) && *o.template == *template.trim();
        self.operations.iter().find(named).map(|o| o.index)
    }

    /// The schemas, to be walked beside values.
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// Takes an operation away (`exposed: false`): its path wins over every template and is not found, also where
    /// the document lacks it. A template that can match nothing becomes a finding.
    pub fn hide(&mut self, method: &Method, template: &str) {
        let parsed = match Template::parse(template) {
            Ok(parsed) => parsed,
            Err(message) => {
                self.findings.push(Finding {
                    rule: None,
                    severity: Severity::Medium,
                    place: None,
                    at: format!("{method} {template}"),
                    message: format!("`{template}` takes nothing away: {message}"),
                    help: None,
                });
                return;
            }
        };
        // Where the document declares the same path with other parameter names, its spelling is used.
        let known = self.table.insert(&parsed).map(|leaf| Arc::clone(&leaf.template));
        let Some(leaf) = self.hidden.insert(&parsed) else { return };
        leaf.template = known.unwrap_or_else(|| Arc::clone(&parsed.text));
        self.hidden_methods.entry(Arc::clone(&leaf.template)).or_default().push(method.clone());
    }
}
