// SPDX-License-Identifier: Apache-2.0
//! How a command ends: the exit codes of the command line contract, and errors that say what to type next.

use std::fmt::Display;
use std::process::ExitCode;

/// Exit codes (public contract).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Something of ours broke.
    Internal = 1,
    /// The command line is wrong, or what it names is not there.
    Usage = 2,
    /// The configuration cannot be used.
    Configuration = 3,
    /// Findings at or above `--fail-on`.
    Findings = 4,
    /// The audit trail is broken.
    Audit = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// A command that could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    help: Option<String>,
}

impl Failure {
    /// A failure with its exit code.
    pub(crate) fn new(exit: Exit, message: impl Display) -> Self {
        Self { exit, message: message.to_string(), help: None }
    }

    /// What to type next.
    pub(crate) fn help(mut self, help: impl Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// Prints the failure to stderr.
    pub(crate) fn tell(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("error: {}", self.message);
        }
        if let Some(help) = self.help {
            eprintln!("help: {help}");
        }
        self.exit.into()
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::new(Exit::Internal, format!("{error:#}"))
    }
}
