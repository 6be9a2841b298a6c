// SPDX-License-Identifier: Apache-2.0
//! Everything a change must pass, on a machine that has the Rust toolchain, a C compiler, make, Python 3 and node.
//! What else a test needs is installed here, and said. Nothing is skipped silently.

use crate::{cargo, instructions, layers, lines, root, step};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Python packages the end-to-end tests use, installed in a virtual environment under `target/`.
const PYTHON_PACKAGES: [&str; 4] = ["httpx==0.28.1", "h11==0.16.0", "aiohttp==3.13.2", "grpcio==1.85.1"];

pub(crate) fn run() -> Result<()> {
    layers::run()?;
    lines::run()?;
    step("format", cargo().args(["fmt", "--all", "--check"]))?;
    step("clippy", cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    let python = python()?;
    present("node", "the traffic tests use node's fetch")?;
    curl()?;
    nginx();
    let mut tests = if quiet(Command::new("cargo-nextest").args(["nextest", "--version"])) {
        let mut nextest = cargo();
        nextest.args(["nextest", "run", "--workspace", "--no-fail-fast"]);
        nextest
    } else {
        println!("cargo-nextest is not installed: the same tests run under `cargo test`");
        let mut plain = cargo();
        plain.args(["test", "--workspace", "--all-targets", "--no-fail-fast"]);
        plain
    };
    step("tests", tests.env("PORTCULLIS_TEST_PYTHON", &python))?;
    step("doc tests (compile-fail proofs)", cargo().args(["test", "--workspace", "--doc"]))?;
    instructions::guard()?;
    name_what_did_not_run()
}

/// A virtual environment with what the tests import.
pub(crate) fn python() -> Result<PathBuf> {
    let environment = root()?.join("target/test-python");
    let python = environment.join("bin/python3");
    let wanted = PYTHON_PACKAGES.join(" ");
    let mark = environment.join("installed.txt");
    if std::fs::read_to_string(&mark).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    println!("installing for the tests, under target/test-python: {wanted}");
    present("python3", "the traffic tests use Python's httpx")?;
    step("python environment", Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
    step("python packages", Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PYTHON_PACKAGES))?;
    std::fs::write(mark, wanted)?;
    Ok(python)
}

fn curl() -> Result<()> {
    if quiet(Command::new("curl").arg("--version")) {
        return Ok(());
    }
    println!("installing curl (Debian package) for the traffic tests");
    step("package lists", Command::new("apt-get").args(["update", "-qq"]))?;
    step("curl", Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "curl"]))
}

/// One of the origins of the smuggling oracle; without it the others run, and the test says so.
pub(crate) fn nginx() {
    if quiet(Command::new("nginx").arg("-v")) {
        return;
    }
    println!("installing nginx (Debian package) for the smuggling oracle");
    let installed = step("package lists", Command::new("apt-get").args(["update", "-qq"])).and_then(|()| {
        step("nginx", Command::new("apt-get").args(["install", "-y", "-qq", "--no-install-recommends", "nginx-light"]))
    });
    if installed.is_err() {
        println!("nginx could not be installed: the oracle runs without that origin");
    }
}

fn present(program: &str, why: &str) -> Result<()> {
    if quiet(Command::new(program).arg("--version")) {
        return Ok(());
    }
    bail!("`{program}` is missing: {why}")
}

fn quiet(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Tests over other people's data run where that data stands beside the repository, and are named where it does not.
fn name_what_did_not_run() -> Result<()> {
    let data = std::env::var_os("PORTCULLIS_SHARED").map_or(root()?.join("../shared"), PathBuf::from);
    if data.is_dir() {
        println!("tests over {}: run", data.display());
        return Ok(());
    }
    let mut names = Vec::new();
    scan(&root()?, &mut names)?;
    println!("not run, because {} is not there: {} tests", data.display(), names.len());
    for name in names {
        println!("  {name}");
    }
    Ok(())
}

/// Every test that says `not run:` when its data is missing.
fn scan(directory: &Path, names: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() && file != "target" && file != "xtask" && !file.starts_with('.') {
            scan(&path, names)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path)?;
            for line in text.lines() {
                if let Some(rest) = line.split("not run: ").nth(1) {
                    let name = rest.split(['"', ' ', '(', ',']).next().unwrap_or_default();
                    names.push(format!("{}: {name}", path.display()));
                }
            }
        }
    }
    Ok(())
}
