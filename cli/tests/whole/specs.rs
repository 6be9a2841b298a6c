// SPDX-License-Identifier: Apache-2.0
//! Other people's documents, whole and unchanged: each one loads. They stand beside the repository, not in it.

use crate::gate::{BINARY, Gate};
use crate::token::Mint;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Largest resident set with the largest document, in KiB.
const RSS_KIB_MAX: u64 = 150 * 1024;

fn specs() -> Option<PathBuf> {
    let shared = std::env::var_os("PORTCULLIS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let specs = shared.join("specs");
    specs.is_dir().then_some(specs)
}

fn documents(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            documents(&path, found);
        } else if path.extension().is_some_and(|e| e == "json" || e == "yaml") {
            found.push(path);
        }
    }
}

#[test]
fn check_loads_every_shared_document() {
    let Some(specs) = specs() else { return println!("not run: check_loads_every_shared_document") };
    let mut found = Vec::new();
    documents(&specs, &mut found);
    assert!(found.len() >= 50, "only {} documents", found.len());
    for document in found {
        let output =
            Command::new(BINARY).args(["check", "--format", "json", "--openapi"]).arg(&document).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{}: {e}: {}", document.display(), String::from_utf8_lossy(&output.stderr)));
        assert_eq!(report["usable"], true, "{}: {report}", document.display());
        assert!([Some(0), Some(4)].contains(&output.status.code()), "{}: {:?}", document.display(), output.status);
        for finding in report["findings"].as_array().unwrap() {
            assert!(finding["place"]["line"].as_u64().unwrap_or(0) > 0, "{}: {finding}", document.display());
        }
    }
}

#[test]
fn the_largest_shared_document_is_served_within_150_mib() {
    let Some(specs) = specs() else { return println!("not run: the_largest_shared_document_is_served_within_150_mib") };
    let directory = tempfile::tempdir().unwrap();
    let document = specs.join("github-3.0.json").canonicalize().unwrap();
    std::fs::copy(document, directory.path().join("github.json")).unwrap();
    std::fs::write(directory.path().join("keys.json"), Mint::new().key_set()).unwrap();
    let config = r#"
version: 1
listen: { public: { address: "127.0.0.1:0" }, admin: { address: "127.0.0.1:0" } }
apis: { github: { openapi: ./github.json, upstream: "http://127.0.0.1:9" } }
identity: { issuer: "https://id.example.com", audience: "https://notes.example.com", jwks: { file: ./keys.json } }
"#;
    std::fs::write(directory.path().join("portcullis.yaml"), config).unwrap();
    let gate = Gate::configured(directory.path());
    let answer = gate.send(&crate::client::Request::get("/repos/a/b"));
    assert_eq!(answer.status, 401, "{answer:?}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).unwrap();
    let rss: u64 = status
        .lines()
        .find_map(|l| l.strip_prefix("VmRSS:"))
        .and_then(|v| v.trim().trim_end_matches(" kB").trim().parse().ok())
        .unwrap();
    println!("VmRSS {rss} KiB");
    assert!(rss <= RSS_KIB_MAX, "{rss} KiB");
}
