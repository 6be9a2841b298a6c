// SPDX-License-Identifier: Apache-2.0
//! Loading a configuration for a command, and telling what was found in it.

use crate::outcome::{Exit, Failure};
use crate::wire_up;
use portcullis_authorize::Compiled;
use portcullis_config::{Environment, Loaded, Refused, Sources, render, render_all};
use portcullis_decision::SystemClock;
use portcullis_decision::finding::{Finding, Severity};
use std::path::Path;

/// Loads a configuration; what refuses it is told on stderr and ends the command with exit 3.
pub(crate) fn load(path: &Path) -> Result<Loaded, Failure> {
    read(path).map_err(|refused| refusal(&refused.findings, &refused.sources))
}

/// Loads a configuration, or answers what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<Loaded, Refused> {
    let clock = SystemClock::new();
    let variable = |name: &str| std::env::var(name).ok();
    let environment = Environment { variable: &variable, clock: &clock };
    portcullis_config::load(path, &environment)
}

/// Compiles the rules and weighs everything found; what refuses the whole ends the command with exit 3, the rest is
/// told on stderr.
pub(crate) fn settle(loaded: &Loaded) -> Result<Vec<Compiled>, Failure> {
    let (compiled, found) = wire_up::compile(loaded);
    let findings = loaded.settle(found);
    if findings.iter().any(|f| f.severity == Severity::Refuse) {
        return Err(refusal(&findings, &loaded.sources));
    }
    for finding in findings.iter().filter(|f| f.severity >= Severity::Medium) {
        crate::log::tell(&render(finding, &loaded.sources));
    }
    Ok(compiled)
}

/// Prints what refuses and answers the failure that ends the command.
fn refusal(findings: &[Finding], sources: &Sources) -> Failure {
    eprint!("{}", render_all(findings, sources));
    Failure::new(Exit::Configuration, "the configuration cannot be used")
        .help("correct it and run `portcullis check`; `portcullis rule NUMBER` explains a rule")
}
