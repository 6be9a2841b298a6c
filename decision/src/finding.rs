// SPDX-License-Identifier: Apache-2.0
//! Findings: what is wrong, or doubtful, in a document or a configuration, and where.

use std::fmt;
use std::sync::Arc;

/// A place in a text file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as the operator named it.
    pub file: Arc<str>,
    /// Line, from 1; 0 where unknown.
    pub line: u32,
    /// Column in characters, from 1; 0 where unknown.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Should be looked at.
    Low,
    /// Weakens a control.
    Medium,
    /// A hole, or something that is not served because it cannot be enforced.
    High,
    /// The configuration is not used at all.
    Refuse,
}

impl Severity {
    /// The word used in output and in `--fail-on`.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Refuse => "refuse",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Rule number such as `PC0202`; `None` for plain syntax and reference errors.
    pub rule: Option<&'static str>,
    /// Its weight.
    pub severity: Severity,
    /// Where.
    pub place: Option<Place>,
    /// What the finding is about: an operation id or a configuration path such as `apis.orders.objects.Order`.
    pub at: String,
    /// What is wrong: lower case, no period, input in backticks.
    pub message: String,
    /// What to type next.
    pub help: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(rule) = self.rule {
            write!(f, "{rule} ")?;
        }
        write!(f, "{}", self.message)
    }
}
