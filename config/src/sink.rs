// SPDX-License-Identifier: Apache-2.0
//! Where findings are collected while a file is read: all of them, never only the first.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use portcullis_decision::finding::{Finding, Severity};

use crate::tree::Spot;

/// The most findings that are kept; a hostile file must not fill memory with complaints.
pub const FINDINGS_MAX: usize = 1_000;

/// The shortest value of an environment variable that is kept out of messages.
const HIDDEN_BYTES_MIN: usize = 4;

/// Collects findings of one file.
#[derive(Debug)]
pub(crate) struct Sink {
    file: Arc<str>,
    findings: RefCell<Vec<Finding>>,
    read: RefCell<HashSet<Spot>>,
    /// Values of environment variables, and how they may be named.
    hidden: RefCell<Vec<(String, String)>>,
}

impl Sink {
    pub(crate) fn new(file: Arc<str>) -> Self {
        Self { file, findings: RefCell::default(), read: RefCell::default(), hidden: RefCell::default() }
    }

    pub(crate) fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// Adds a refusal, to which a rule and help may be added.
    pub(crate) fn refuse(&self, spot: Spot, at: &str, message: String) -> Pending<'_> {
        self.report(spot, at, message, Severity::Refuse)
    }

    /// Adds a finding.
    pub(crate) fn report(&self, spot: Spot, at: &str, message: String, severity: Severity) -> Pending<'_> {
        let place = Some(spot.place(&self.file));
        let finding = Finding { rule: None, severity, place, at: at.to_owned(), message, help: None };
        Pending { sink: self, finding: Some(finding) }
    }

    /// Adds a finding made elsewhere.
    pub(crate) fn add(&self, finding: Finding) {
        let mut findings = self.findings.borrow_mut();
        if findings.len() < FINDINGS_MAX && !findings.contains(&finding) {
            findings.push(finding);
        }
    }

    /// Keeps the value of an environment variable out of every message.
    pub(crate) fn hide(&self, value: &str, variable: &str) {
        // Anything shorter would tear words apart, and is no secret.
        if value.len() >= HIDDEN_BYTES_MIN {
            self.hidden.borrow_mut().push((value.to_owned(), format!("${{{variable}}}")));
        }
    }

    /// Remembers that a scalar was read for its meaning.
    pub(crate) fn mark(&self, spot: Spot) {
        self.read.borrow_mut().insert(spot);
    }

    pub(crate) fn was_read(&self, spot: Spot) -> bool {
        self.read.borrow().contains(&spot)
    }

    pub(crate) fn refuses(&self) -> bool {
        self.findings.borrow().iter().any(|finding| finding.severity == Severity::Refuse)
    }

    /// All findings, by place.
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        let mut findings = self.findings.into_inner();
        for (value, name) in self.hidden.into_inner() {
            for finding in &mut findings {
                finding.message = finding.message.replace(&value, &name);
                finding.help = finding.help.take().map(|help| help.replace(&value, &name));
            }
        }
        findings.sort_by_key(|finding| finding.place.as_ref().map(|p| (p.file != self.file, p.line, p.column)));
        findings
    }
}

/// A finding that is added when this value goes.
pub(crate) struct Pending<'a> {
    sink: &'a Sink,
    finding: Option<Finding>,
}

impl Pending<'_> {
    fn with(mut self, change: impl FnOnce(&mut Finding)) -> Self {
        if let Some(finding) = &mut self.finding {
            change(finding);
        }
        self
    }

    pub(crate) fn rule_if(self, condition: bool, rule: &'static str) -> Self {
        self.with(|finding| finding.rule = if condition { Some(rule) } else { finding.rule })
    }

    pub(crate) fn rule(self, rule: &'static str) -> Self {
        self.rule_if(true, rule)
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        self.with(|finding| finding.help = Some(help.into()))
    }

    /// Adds it now, where a block needs `()`.
    pub(crate) fn done(self) {
        drop(self);
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(finding) = self.finding.take() {
            self.sink.add(finding);
        }
    }
}
