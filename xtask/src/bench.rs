// SPDX-License-Identifier: Apache-2.0
//! Our binary beside its peers, in one run.

use crate::{cargo, root, step};
use anyhow::{Context, Result};
use std::process::Command;

/// `--binary PATH` names a build that is there, without it one is made; every other argument goes to `bench/bench.py`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if !arguments.iter().any(|a| a == "--binary" || a.starts_with("--binary=") || a == "--help") {
        step("release build", cargo().args(["build", "--release", "--package", "portcullis-cli"]))?;
    }
    let root = root()?;
    let bench = root.join("bench");
    step("peers", &mut Command::new(bench.join("install-peers.sh")))?;
    let load_tool = std::env::current_exe().context("this program has no path")?;
    step("bench", Command::new("python3").arg(bench.join("bench.py")).arg("--load-tool").arg(load_tool).args(arguments))
}
