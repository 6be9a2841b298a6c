// SPDX-License-Identifier: Apache-2.0
//! Published documents of others: each loads, every schema compiles, and what is not served says why.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its input fails")]

use portcullis_contract::{Contract, LoadOptions, Served, Source, load};
use portcullis_decision::{Clock, SystemClock};
use std::path::{Path, PathBuf};

fn specs() -> Option<Vec<PathBuf>> {
    let shared = std::env::var_os("PORTCULLIS_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
    let mut found = Vec::new();
    let mut pending = vec![shared.join("specs")];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "json" || e == "yaml" || e == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Some(found)
}

fn open(path: &Path) -> Contract {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_string_lossy();
    let directory = path.parent().unwrap().to_path_buf();
    let files = move |file: &str| std::fs::read_to_string(directory.join(file)).map_err(|e| e.to_string());
    load(Source { name: (*name).into(), text }, &LoadOptions::default(), &files)
        .unwrap_or_else(|f| panic!("{name}: {f:#?}"))
}

#[test]
fn every_published_document_loads_and_every_schema_compiles() {
    let Some(paths) = specs() else {
        println!("not run: every_published_document_loads_and_every_schema_compiles");
        return;
    };
    assert!(paths.len() > 40);
    for path in paths {
        let contract = open(&path);
        let mut reasons: Vec<&str> = Vec::new();
        for operation in &contract.operations {
            match &operation.served {
                Served::Yes => {}
                Served::No(finding) => {
                    assert_eq!(finding.rule, Some("PC0502"));
                    assert!(finding.place.as_ref().is_some_and(|p| p.line > 0));
                    reasons.push(&finding.message);
                    continue;
                }
            }
            let bodies = operation.body.iter().flat_map(|b| &b.media);
            let answers = operation.responses.iter().flat_map(|r| &r.media);
            for validator in bodies.chain(answers).filter_map(|m| m.validator.as_ref()) {
                // A validator that did not compile refuses everything and says nothing else.
                for value in [serde_json::json!({}), serde_json::json!([{}]), serde_json::json!("x")] {
                    for violation in validator.violations(&value, 5) {
                        let vague = ["does not fit its schema", "cannot be checked"];
                        assert!(!vague.contains(&&*violation.detail), "{} {}", path.display(), operation.id);
                    }
                }
            }
        }
        println!("{}: {} operations, {} not served", path.display(), contract.operations.len(), reasons.len());
    }
}

#[test]
fn the_largest_documents_are_served_whole() {
    let Some(paths) = specs() else {
        println!("not run: the_largest_documents_are_served_whole");
        return;
    };
    for (name, operations, unserved) in [
        ("github-3.0.json", 1223, 0),
        ("kubernetes-3.0.json", 845, 0),
        ("netbox-3.0.json", 844, 0),
        ("adyen-checkout-3.1.json", 25, 0),
        ("scalar-galaxy-3.1.json", 9, 0),
        // 19 paths with a `#`, which no request has; one array of objects in a query.
        ("box-3.0.json", 260, 20),
    ] {
        let path = paths.iter().find(|p| p.ends_with(name)).unwrap();
        let contract = open(path);
        let not_served = contract.operations.iter().filter(|o| o.served != Served::Yes).count();
        assert_eq!((contract.operations.len(), not_served), (operations, unserved), "{name}");
    }
}

#[test]
fn looking_for_an_object_in_every_answer_of_the_largest_document_ends_soon() {
    let Some(paths) = specs() else {
        println!("not run: looking_for_an_object_in_every_answer_of_the_largest_document_ends_soon");
        return;
    };
    let contract = open(paths.iter().find(|p| p.ends_with("github-3.0.json")).unwrap());
    let clock = SystemClock::new();
    let (began, mut found) = (clock.monotonic(), 0);
    for operation in &contract.operations {
        for shape in operation.responses.iter().flat_map(|r| &r.media).filter_map(|m| m.shape) {
            found += contract.shapes().occurrences(shape, &["simple-user".into(), "repository".into()]).len();
        }
    }
    let took = clock.monotonic().saturating_sub(began);
    println!("{found} occurrences in {} ms", took.as_millis());
    // Counted independently, by a walk of the raw document.
    assert_eq!(found, 811);
    assert!(took.as_secs() < 20, "{} ms", took.as_millis());
}
