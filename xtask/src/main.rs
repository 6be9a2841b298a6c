// SPDX-License-Identifier: Apache-2.0
//! Repository chores: `cargo xtask test | layers | lines | bench | fuzz | instructions | idle | load | smuggle | slow`.
#![expect(clippy::print_stdout, reason = "a command line tool speaks on stdout")]

mod bench;
mod fuzz;
mod idle;
mod instructions;
mod layers;
mod lines;
mod load;
mod smuggle;
mod test;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask <command>

  test     everything a change must pass: layers, lines, format, clippy, tests, doc tests
  layers   imports between crates go only the ways layers.toml allows
  lines    no file over 500 lines, no file name that says nothing
  bench    our binary beside nginx and HAProxy in one run (needs root for the Debian packages)
  fuzz     [TARGET] [--seconds N]: libFuzzer over a reader of bytes from outside, or over each of them (needs a C++ compiler)
  instructions  [--release] [--by-function] [--update] [--binary PATH] [--scenario plain,sec-hs256,all] [--requests N]:
           instructions of one request under callgrind, beside bench/instructions.toml
  idle     [--binary PATH]: memory of 2000 connections of each kind that wait for their next request, in a release build
  slow     ten thousand slow clients, and slowhttptest where it is installed (needs a hard limit of 20 200 open files for all of them)
  load     client --port P --rate R --connections C --secs S --request FILE: answers at a constant rate, as JSON
           upstream --port P --places N --work-us T --answer FILE: an upstream that does N things at once, each for T
  smuggle  --streams N --seed S [--release]: mutated requests through the gate to seven origins, and whether they agree
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("test") => test::run(),
        Some("layers") => layers::run(),
        Some("lines") => lines::run(),
        Some("bench") => bench::run(arguments.get(1..).unwrap_or_default()),
        Some("fuzz") => fuzz::run(arguments.get(1..).unwrap_or_default()),
        Some("instructions") => instructions::run(arguments.get(1..).unwrap_or_default()),
        Some("idle") => idle::run(arguments.get(1..).unwrap_or_default()),
        Some("slow") => smuggle::slow(),
        Some("load") => load::paced::run(arguments.get(1..).unwrap_or_default()),
        Some("smuggle") => smuggle::run(arguments.get(1..).unwrap_or_default()),
        _ => {
            print!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask stands in the repository")?.to_path_buf())
}

/// Runs a command in the repository's root, its output shown as it comes.
fn step(what: &str, command: &mut Command) -> Result<()> {
    println!("== {what}");
    let status = command.current_dir(root()?).status().with_context(|| format!("could not start {command:?}"))?;
    if !status.success() {
        bail!("{what} failed");
    }
    Ok(())
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
