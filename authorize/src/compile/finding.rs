// SPDX-License-Identifier: Apache-2.0
//! Writing findings, with their rule numbers (config.md §6).

use super::Compiler;
use portcullis_contract::Operation;
use portcullis_decision::finding::{Finding, Place, Severity};

/// An operation touches an object nobody owns.
pub(super) const NOBODY_OWNS: &str = "PC0201";
/// No way to know the owner.
pub(super) const OWNER_UNKNOWN: &str = "PC0202";
/// Seems to touch an object and says nothing.
pub(super) const SAYS_NOTHING: &str = "PC0203";
/// A public operation touches an object without a `public` rule.
pub(super) const PUBLIC_OBJECT: &str = "PC0204";
/// Several issuers and an object without `issuers`.
pub(super) const ISSUERS: &str = "PC0205";
/// Cannot be enforced.
pub(super) const UNENFORCEABLE: &str = "PC0502";

impl Compiler<'_> {
    /// The whole configuration is refused.
    pub(super) fn refuse(&mut self, rule: Option<&'static str>, place: Option<Place>, at: String, message: String) {
        let severity = Severity::Refuse;
        self.findings.push(Finding { rule, severity, place, at, message, help: None });
    }

    /// The operation is refused: it is not served, the rest is.
    pub(super) fn leave_out(&mut self, rule: &'static str, operation: &Operation, message: String, help: &str) {
        self.about(rule, Severity::High, operation, message, Some(help));
    }

    /// Something about an operation.
    pub(super) fn about(
        &mut self,
        rule: &'static str,
        severity: Severity,
        operation: &Operation,
        message: String,
        help: Option<&str>,
    ) {
        self.findings.push(Finding {
            rule: Some(rule),
            severity,
            place: Some(operation.place.clone()),
            at: self.path_of(operation),
            message,
            help: help.map(str::to_owned),
        });
    }

    /// The configuration path of an operation.
    pub(super) fn path_of(&self, operation: &Operation) -> String {
        format!("apis.{}.operations.{}", self.declared.api, operation.id)
    }

    /// The configuration path of a type.
    pub(super) fn path_of_kind(&self, name: &str) -> String {
        format!("apis.{}.objects.{name}", self.declared.api)
    }
}
