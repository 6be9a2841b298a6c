// SPDX-License-Identifier: Apache-2.0
//! Path items and operations.

use super::{Loader, Unenforceable, next_index};
use crate::document::{Cursor, Node};
use crate::operation::{Operation, Served};
use crate::route::Template;
use http::Method;
use portcullis_decision::finding::Severity;
use std::sync::Arc;

/// Methods a path item may have. HEAD and OPTIONS exist only where they are declared.
const METHODS: [(&str, Method); 8] = [
    ("get", Method::GET),
    ("put", Method::PUT),
    ("post", Method::POST),
    ("delete", Method::DELETE),
    ("options", Method::OPTIONS),
    ("head", Method::HEAD),
    ("patch", Method::PATCH),
    ("trace", Method::TRACE),
];

impl<'a> Loader<'a> {
    /// The operations of one path.
    pub(super) fn path_item(&mut self, template: &str, item: Cursor<'a>) {
        let parsed = Template::parse(template);
        for (word, method) in METHODS {
            let Some(cursor) = item.get(word) else { continue };
            let operation = match self.library.resolve(cursor) {
                Ok(target) => self.operation(template, &parsed, method, (item, target)),
                Err(message) => {
                    self.note(Severity::High, Some(cursor), template, message);
                    continue;
                }
            };
            self.operations.push(operation);
            self.templates.push(parsed.clone());
        }
    }

    fn operation(
        &mut self,
        template: &str,
        parsed: &Result<Template, String>,
        method: Method,
        (item, cursor): (Cursor<'a>, Cursor<'a>),
    ) -> Operation {
        let id = self.operation_id(template, &method, cursor);
        let place = self.library.place(cursor);
        let mut unenforceable: Option<Unenforceable> = None;
        let mut fault = |found: Result<(), Unenforceable>| {
            if let Err(found) = found {
                unenforceable.get_or_insert(found);
            }
        };
        let names = match parsed {
            Ok(parsed) => parsed.names.clone(),
            Err(message) => {
                fault(Err(Unenforceable { place: place.clone(), message: message.clone() }));
                Vec::new()
            }
        };
        if method == Method::TRACE {
            // RFC 9110 §9.3.8: it echoes credentials to whoever asks.
            fault(Err(Unenforceable { place: place.clone(), message: "TRACE is never forwarded".to_owned() }));
        }
        let mut parameters = Vec::new();
        fault(self.parameters(item, cursor, (&id, &names), &mut parameters));
        let mut body = None;
        fault(self.request_body(cursor).map(|found| body = found));
        let mut responses = crate::media::Responses::default();
        fault(self.responses(cursor, &mut responses));
        let security = self.security(cursor, &id);
        let served = unenforceable.map_or(Served::Yes, |u| {
            let finding = u.finding(&id);
            self.findings.push(finding.clone());
            Served::No(Box::new(finding))
        });
        Operation {
            id,
            index: next_index(&self.operations),
            method,
            template: template.into(),
            place,
            deprecated: super::says(cursor.node, "deprecated"),
            security,
            path_parameters: names,
            parameters,
            body,
            responses,
            served,
        }
    }

    /// `operationId`, or method and path where the document has none, or has it twice.
    fn operation_id(&mut self, template: &str, method: &Method, cursor: Cursor<'a>) -> Arc<str> {
        let own: Arc<str> = format!("{method} {template}").into();
        match cursor.node.get("operationId").and_then(Node::text).filter(|id| !id.trim().is_empty()) {
            None => {
                let message = format!("an operation without `operationId` is called `{own}`");
                self.note(Severity::Info, Some(cursor), &own, message);
                own
            }
            Some(id) if !self.ids.insert(id.into()) => {
                let message = format!("`operationId` `{id}` stands twice; the second operation is called `{own}`");
                self.note(Severity::Medium, Some(cursor), &own, message);
                own
            }
            Some(id) => id.into(),
        }
    }
}
