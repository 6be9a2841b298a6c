// SPDX-License-Identifier: Apache-2.0
//! The smuggling oracle over as many streams as one has time for.

use crate::{cargo, step, test};
use anyhow::{Context, Result, bail};

/// `--streams N --seed S [--release]`: streams S:0 to S:N-1, each the same on every machine.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut streams, mut seed, mut release) = (10_000_000_u64, 1_u64, false);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64> {
            let text = words.next().with_context(|| format!("{word} needs a number"))?;
            text.parse().with_context(|| format!("{word} {text}"))
        };
        match word.as_str() {
            "--streams" => streams = number()?,
            "--seed" => seed = number()?,
            "--release" => release = true,
            other => bail!("`{other}` is not known: --streams N --seed N --release"),
        }
    }
    let python = test::python()?;
    test::nginx();
    let mut command = cargo();
    command.args(["test", "-p", "portcullis-cli", "--test", "edge"]);
    if release {
        command.arg("--release");
    }
    command
        .args(["--", "--exact", "smuggle::t24_requests_understood_upstream_are_those_the_trail_allowed", "--nocapture"])
        .env("PORTCULLIS_TEST_PYTHON", &python)
        .env("EDGE_STREAMS", streams.to_string())
        .env("EDGE_SEED", seed.to_string());
    step(&format!("{streams} streams of seed {seed}"), &mut command)
}

/// Slow and greedy clients: ten thousand of them, and those of `slowhttptest` where it is installed.
pub(crate) fn slow() -> Result<()> {
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$(ulimit -Hn)\" && exec cargo test -p portcullis-cli --test edge -- \"$@\"", "slow"])
        .args(["slow::", "--include-ignored", "--nocapture", "--test-threads", "1"])
        .env("EDGE_SLOW", "10000");
    step("10000 slow clients", &mut command)
}
