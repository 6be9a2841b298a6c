// SPDX-License-Identifier: Apache-2.0
//! libFuzzer over the targets of `fuzz/`. What it finds worth keeping goes to `fuzz/libfuzzer/grown`, what breaks a
//! promise to `fuzz/libfuzzer/artifacts`: from there it goes into `fuzz/corpus`, where the tests replay it.

use crate::{cargo, root, step};
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Coverage is counted by LLVM's own pass, which a stable compiler has; a sanitizer finds nothing where there is no
/// unsafe code.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1";
/// With a target named, build scripts are not built with those flags.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
const TARGETS: [&str; 9] = ["z1", "z2", "z3", "z4", "z5", "z6", "z7", "answers", "websocket"];

/// `[TARGET] [--seconds N]`: one target, or all of them one after the other.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (mut targets, mut seconds) = (Vec::new(), 60_u64);
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                let text = words.next().context("--seconds needs a number")?;
                seconds = text.parse().with_context(|| format!("--seconds {text}"))?;
            }
            target if TARGETS.contains(&target) => targets.push(target.to_owned()),
            other => bail!("`{other}` is not known: one of {TARGETS:?}, --seconds N"),
        }
    }
    if targets.is_empty() {
        targets.extend(TARGETS.map(str::to_owned));
    }
    let folder = root()?.join("fuzz/libfuzzer");
    let mut build = cargo();
    build.args(["build", "--release", "--target", PLATFORM]).current_dir(&folder).env("RUSTFLAGS", FLAGS);
    step("the fuzzer (needs a C++ compiler)", &mut build)?;
    for target in targets {
        let grown = folder.join("grown").join(&target);
        let artifacts = folder.join("artifacts").join(&target);
        std::fs::create_dir_all(&grown)?;
        std::fs::create_dir_all(&artifacts)?;
        let mut fuzzer = Command::new(folder.join("target").join(PLATFORM).join("release/target"));
        fuzzer
            .env("FUZZ_TARGET", &target)
            .arg(format!("-max_total_time={seconds}"))
            .arg("-max_len=4096")
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(&grown)
            .arg(root()?.join("fuzz/corpus").join(&target));
        step(&format!("{target} for {seconds} s"), &mut fuzzer)?;
    }
    Ok(())
}
