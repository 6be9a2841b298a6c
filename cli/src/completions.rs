// SPDX-License-Identifier: Apache-2.0
//! `portcullis completions SHELL`.

use crate::arguments::{Arguments, CompletionsOptions};
use clap::CommandFactory;
use std::process::ExitCode;

pub(crate) fn run(options: &CompletionsOptions) -> ExitCode {
    clap_complete::generate(options.shell, &mut Arguments::command(), "portcullis", &mut std::io::stdout());
    ExitCode::SUCCESS
}
