// SPDX-License-Identifier: Apache-2.0
//! What an idle connection costs: 2000 of each kind at a release build, beside 2000 that are there already.

use crate::{cargo, root, step, test};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// `[--binary PATH]`: a build that is there; without it one is made.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let binary = match arguments {
        [] => {
            step("release build", cargo().args(["build", "--release", "--package", "portcullis-cli"]))?;
            root()?.join("target/release/portcullis")
        }
        [word, path] if word == "--binary" => PathBuf::from(path),
        _ => bail!("usage: cargo xtask idle [--binary PATH]"),
    };
    let binary = binary.canonicalize().with_context(|| format!("{}", binary.display()))?;
    let python = test::python()?;
    let mut command = cargo();
    command
        .args(["test", "-p", "portcullis-cli", "--test", "stream"])
        .args(["--", "--exact", "idle::pf_6_figures", "--ignored", "--nocapture"])
        .env("PORTCULLIS_TEST_BINARY", &binary)
        .env("PORTCULLIS_TEST_PYTHON", &python);
    step("idle connections", &mut command)
}
