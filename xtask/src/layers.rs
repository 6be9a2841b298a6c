// SPDX-License-Identifier: Apache-2.0
//! Imports go down only: the edges of `layers.toml` and no other.

use crate::{cargo, root};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;

pub(crate) fn run() -> Result<()> {
    let allowed = allowed(&std::fs::read_to_string(root()?.join("layers.toml")).context("layers.toml")?)?;
    let mut wrong = Vec::new();
    for (from, to) in edges()? {
        match allowed.get(&from) {
            None => wrong.push(format!("`{from}` has no line in layers.toml")),
            Some(targets) if targets.iter().any(|t| t == "*" || *t == to) => {}
            Some(_) => wrong.push(format!("`{from}` imports `{to}`")),
        }
    }
    if wrong.is_empty() {
        println!("layers: ok");
        return Ok(());
    }
    wrong.dedup();
    bail!("{}\na new edge needs a page in docs/decisions/ and a word in layers.toml", wrong.join("\n"))
}

/// `name = ["a", "b"]`, one crate a line.
fn allowed(text: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let mut allowed = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let (name, list) = line.split_once('=').with_context(|| format!("layers.toml: `{line}`"))?;
        let list = list.trim().trim_start_matches('[').trim_end_matches(']');
        let targets = list.split(',').map(|t| t.trim().trim_matches('"').to_owned()).filter(|t| !t.is_empty());
        allowed.insert(name.trim().to_owned(), targets.collect());
    }
    Ok(allowed)
}

/// Edges between crates of ours, test-only ones left out.
fn edges() -> Result<Vec<(String, String)>> {
    let output = cargo().args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(root()?).output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let mut edges = Vec::new();
    for package in metadata.get("packages").and_then(Value::as_array).into_iter().flatten() {
        let Some(from) = package.get("name").and_then(ours) else { continue };
        for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
            if dependency.get("kind").and_then(Value::as_str) == Some("dev") {
                continue;
            }
            if let Some(to) = dependency.get("name").and_then(ours) {
                edges.push((from.clone(), to));
            }
        }
    }
    Ok(edges)
}

fn ours(name: &Value) -> Option<String> {
    name.as_str()?.strip_prefix("portcullis-").map(str::to_owned)
}
