// SPDX-License-Identifier: Apache-2.0
//! Short files with names that say something.

use crate::root;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Above this a file has a second concern inside.
const LINES_MAX: usize = 500;
/// Names under which anything could stand.
const BANNED: [&str; 9] = ["util", "utils", "common", "helpers", "misc", "types", "manager", "core", "base"];

pub(crate) fn run() -> Result<()> {
    let mut wrong = Vec::new();
    let mut files = Vec::new();
    collect(&root()?, &mut files)?;
    for file in &files {
        let lines = std::fs::read_to_string(file)?.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines, at most {LINES_MAX}", file.display()));
        }
        let stem = file.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        if BANNED.contains(&stem.as_str()) {
            wrong.push(format!("{}: the name says nothing", file.display()));
        }
    }
    if wrong.is_empty() {
        println!("lines: ok, {} files", files.len());
        return Ok(());
    }
    bail!("{}", wrong.join("\n"))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
