// SPDX-License-Identifier: Apache-2.0
//! Our binary beside its peers, in one run.

use crate::{cargo, root, step};
use anyhow::{Result, bail};
use std::process::Command;

pub(crate) fn run(arguments: &[String]) -> Result<()> {
    step("release build", cargo().args(["build", "--release", "--package", "portcullis-cli"]))?;
    let script = root()?.join("bench/run.sh");
    if !script.is_file() {
        bail!("{} is missing", script.display());
    }
    step("bench", Command::new(script).args(arguments))
}
