// SPDX-License-Identifier: Apache-2.0
//! `security` of an operation (config.md §3).

use super::Loader;
use crate::document::{Cursor, Node};
use crate::security::{Declared, SchemeNeed, Security};
use crate::shape::Dialect;
use portcullis_decision::finding::Severity;
use std::sync::Arc;

impl<'a> Loader<'a> {
    /// The alternatives that hold for an operation: its own, else those of the root.
    pub(super) fn security(&mut self, operation: Cursor<'a>, id: &str) -> Security {
        let Some(declared) = operation.get("security").or_else(|| self.root.get("security")) else {
            let message = "no `security`: authentication is required, and no scope".to_owned();
            self.note(Severity::Info, Some(operation), id, message);
            return Security::default();
        };
        let mut alternatives = Vec::new();
        for alternative in declared.elements() {
            alternatives.push(alternative.members().map(|(scheme, scopes)| self.need(scheme, scopes, id)).collect());
        }
        let empty = alternatives.is_empty() || alternatives.iter().any(Vec::is_empty);
        if empty {
            let message = "the document asks for no credentials: authentication is required all the same, unless the \
                           configuration says `public: true`"
                .to_owned();
            self.note(Severity::Info, Some(declared), id, message);
        }
        Security { declared: if empty { Declared::Empty } else { Declared::Some }, alternatives }
    }

    fn need(&mut self, scheme: &str, scopes: Cursor<'a>, id: &str) -> SchemeNeed {
        let schemes = self.root.get("components").and_then(|c| c.get("securitySchemes"));
        let found = schemes.and_then(|s| s.get(scheme)).and_then(|s| self.library.resolve(s).ok());
        let kind = found.and_then(|s| s.node.get("type")).and_then(Node::text);
        // Elsewhere than here the list must be empty, and names no scopes.
        let listed = match (kind, self.dialect) {
            (Some("oauth2" | "openIdConnect"), _) | (Some("http"), Dialect::V31) => true,
            (Some(_), _) => false,
            (None, _) => {
                let message = format!("`security` names the scheme `{scheme}`, which the document does not declare");
                self.note(Severity::Medium, Some(scopes), id, message);
                true
            }
        };
        let scopes = scopes.node.list().unwrap_or_default().iter().filter_map(|s| s.text().map(Arc::from));
        SchemeNeed { scheme: scheme.into(), scopes: if listed { scopes.collect() } else { Vec::new() } }
    }
}
