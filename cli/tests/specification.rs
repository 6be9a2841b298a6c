// SPDX-License-Identifier: Apache-2.0
//! The promises of SPECIFICATION.md name tests that exist, the documents link to files that exist, and the example
//! configuration can be used as it stands.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Fewer rows would mean that promises were dropped.
const ROWS_MIN: usize = 100;
/// The word of a promise without a test.
const PENDING: &str = "*pending*";
/// As a test's name: the doc tests of a file that must not compile.
const COMPILE_FAIL: &str = "compile_fail";
/// Documents beside `docs/` whose links are checked.
const DOCUMENTS: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "SPECIFICATION.md"];

type Outcome = Result<(), Box<dyn Error>>;

/// One line of a table.
struct Row {
    section: String,
    id: String,
    promise: String,
    proof: String,
    line: usize,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every row of every table; what is no row of three cells is a fault.
fn rows(text: &str) -> Result<Vec<Row>, String> {
    let mut section = String::new();
    let mut rows = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        if let Some(title) = content.strip_prefix("## ") {
            title.trim().clone_into(&mut section);
        }
        let Some(inner) = content.strip_prefix('|').and_then(|rest| rest.trim_end().strip_suffix('|')) else {
            continue;
        };
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        let [id, promise, proof] = cells.as_slice() else {
            return Err(format!("line {line} has {} cells, not three", cells.len()));
        };
        let is_rule = id.chars().all(|c| c == '-');
        if is_rule || *id == "id" {
            continue;
        }
        let (id, promise, proof) = ((*id).to_owned(), (*promise).to_owned(), (*proof).to_owned());
        rows.push(Row { section: section.clone(), id, promise, proof, line });
    }
    Ok(rows)
}

/// The names in backticks.
fn named(proof: &str) -> impl Iterator<Item = &str> {
    proof.split('`').skip(1).step_by(2)
}

/// Why a name is no test of the tree, or nothing.
fn fault_of(name: &str) -> Option<String> {
    let Some((file, function)) = name.rsplit_once("::") else {
        return Some(format!("`{name}` is not `path/to/file.rs::test`"));
    };
    let Ok(text) = fs::read_to_string(root().join(file)) else {
        return Some(format!("there is no file `{file}`"));
    };
    let found = if function == COMPILE_FAIL { text.contains("```compile_fail") } else { has_test(&text, function) };
    if found { None } else { Some(format!("`{file}` has no test `{function}`")) }
}

/// Whether a file has a test of this name that is not ignored.
fn has_test(text: &str, function: &str) -> bool {
    let head = format!("fn {function}(");
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    lines.iter().enumerate().any(|(at, line)| {
        let starts = line.starts_with(&head) || line.strip_prefix("async ").is_some_and(|rest| rest.starts_with(&head));
        let attributes =
            || lines.iter().take(at).rev().take_while(|above| above.starts_with('#') || above.starts_with("//"));
        starts
            && attributes().any(|a| a.starts_with("#[test]") || a.starts_with("#[tokio::test"))
            && !attributes().any(|a| a.starts_with("#[ignore"))
    })
}

/// Markdown files below a directory.
fn documents(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            documents(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    Ok(())
}

/// Targets of `[text](target)` outside of code blocks.
fn links(text: &str) -> Vec<String> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        found.extend(targets.map(str::to_owned));
    }
    found
}

#[test]
fn every_promise_names_a_test_that_exists_or_is_pending() -> Outcome {
    let rows = rows(&fs::read_to_string(root().join("SPECIFICATION.md"))?)?;
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    let (mut proven, mut pending) = (0_usize, 0_usize);
    for row in &rows {
        let Row { section, id, promise, proof, line } = row;
        if !seen.insert((section, id)) {
            faults.push(format!("line {line}: `{id}` stands twice in `{section}`"));
        }
        if id.is_empty() || promise.is_empty() || section.is_empty() {
            faults.push(format!("line {line}: a row has a section, an id and a promise"));
        }
        if proof == PENDING {
            pending = pending.saturating_add(1);
            continue;
        }
        proven = proven.saturating_add(1);
        if named(proof).next().is_none() {
            faults.push(format!("line {line}: `{id}` names no test and does not say {PENDING}"));
        }
        faults.extend(named(proof).filter_map(fault_of).map(|fault| format!("line {line}: `{id}`: {fault}")));
    }
    println!("{} promises: {proven} with a test, {pending} pending", rows.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(rows.len() >= ROWS_MIN, "only {} promises", rows.len());
    Ok(())
}

#[test]
fn what_is_no_test_proves_nothing() {
    let text = "#[test]\nfn good() {}\n#[test]\n#[ignore = \"slow\"]\nfn lazy() {}\nfn helper() {}\n\
                #[tokio::test]\nasync fn waits() {}\n// fn comment(\n";
    assert!(has_test(text, "good") && has_test(text, "waits"));
    assert!(
        !has_test(text, "lazy") && !has_test(text, "helper") && !has_test(text, "goo") && !has_test(text, "comment")
    );
    assert!(rows("## a\n| id | promise | test |\n|---|---|---|\n| x | y |\n").is_err());
    assert!(fault_of("cli/tests/specification.rs::nowhere").is_some());
    assert!(fault_of("cli/tests/specification.rs::what_is_no_test_proves_nothing").is_none());
}

#[test]
fn every_relative_link_of_the_documents_leads_to_a_file() -> Outcome {
    let mut files: Vec<PathBuf> = DOCUMENTS.iter().map(|name| root().join(name)).collect();
    documents(&root().join("docs"), &mut files)?;
    let (mut checked, mut faults) = (0_usize, Vec::new());
    for file in &files {
        let directory = file.parent().unwrap_or(Path::new("."));
        for target in links(&fs::read_to_string(file)?) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            checked = checked.saturating_add(1);
            if !directory.join(path).exists() {
                faults.push(format!("{}: `{target}` leads nowhere", file.display()));
            }
        }
    }
    println!("{checked} links in {} documents", files.len());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(checked > 0, "no link was found");
    Ok(())
}

#[test]
fn the_example_configuration_can_be_used_as_it_stands() -> Outcome {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["check", "-c", "portcullis.example.yaml"])
        .current_dir(root())
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("10 operations checked"), "{said}");
    Ok(())
}
