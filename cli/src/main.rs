// SPDX-License-Identifier: Apache-2.0
//! The binary `portcullis`: one file per subcommand, [`wire_up`] builds every object.
#![expect(clippy::print_stdout, reason = "results go to stdout; this crate is the only one that may speak there")]

mod arguments;
mod audit;
mod check;
mod completions;
mod demo;
mod explain;
mod keys;
mod log;
mod outcome;
mod reason;
mod report;
mod run;
mod schema;
mod version;
mod wire_up;

use arguments::{Arguments, AuditCommand, Command, KeysCommand};
use clap::Parser;
use outcome::Failure;
use std::process::ExitCode;

/// Many small allocations a request; measured beside the system's allocator in docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let wanted = !error.use_stderr();
            drop(error.print());
            return if wanted { ExitCode::SUCCESS } else { outcome::Exit::Usage.into() };
        }
    };
    match dispatch(arguments) {
        Ok(code) => code,
        Err(failure) => failure.tell(),
    }
}

fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let format = arguments.format;
    match arguments.command {
        Command::Run(options) => run::run(&options),
        Command::Check(options) => check::run(&options, format),
        Command::Explain(options) => explain::run(&options, format),
        Command::Audit { command: AuditCommand::Verify(options) } => audit::verify(&options, format),
        Command::Keys { command: KeysCommand::Audit(options) } => keys::audit(&options, format),
        Command::Schema => schema::run(),
        Command::Reason(options) => reason::run(&options, format),
        Command::Rule(options) => reason::rule(&options, format),
        Command::Version => Ok(version::run(format)),
        Command::Completions(options) => Ok(completions::run(&options)),
    }
}
