// SPDX-License-Identifier: Apache-2.0
//! What `check` and `run` tell of controls that were weakened, and of answers nobody could have.

use crate::client::Request;
use crate::gate::{Gate, command};
use serde_json::Value;
use std::path::Path;

/// The demo's configuration and document, changed.
fn write(directory: &Path, from: &str, to: &str) {
    let config = include_str!("../../demo/portcullis.yaml")
        .replace("{LISTEN}", "\"127.0.0.1:0\"")
        .replace("{ADMIN}", "\"127.0.0.1:0\"")
        .replace("{UPSTREAM}", "\"http://127.0.0.1:9\"")
        .replace("{ISSUER}", "\"http://127.0.0.1:9\"");
    assert!(config.contains(from), "the demo's configuration has no `{from}`");
    std::fs::write(directory.join("openapi.yaml"), include_str!("../../demo/openapi.yaml")).unwrap();
    std::fs::write(directory.join("portcullis.yaml"), config.replacen(from, to, 1)).unwrap();
}

fn check(directory: &Path, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let arguments = [&["check", "-c", "portcullis.yaml", "--format", "json"], more].concat();
    let output = command(directory, &arguments);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), report["findings"].as_array().unwrap().clone())
}

fn has_rule(findings: &[Value], rule: &str) -> bool {
    findings.iter().any(|finding| finding["rule"] == rule)
}

#[test]
fn a_level_leaves_out_the_rules_above_it() {
    let directory = tempfile::tempdir().unwrap();
    let from = "      audience: https://orders.example.com\n";
    write(directory.path(), from, &format!("{from}      algorithms: [RS256]\n"));
    assert!(has_rule(&check(directory.path(), &[]).1, "PC0105"), "l2 is the default");
    assert!(has_rule(&check(directory.path(), &["--level", "l2"]).1, "PC0105"));
    assert!(has_rule(&check(directory.path(), &["--level", "l3"]).1, "PC0105"));
    let (code, findings) = check(directory.path(), &["--level", "l1", "--fail-on", "medium"]);
    assert_eq!((code, has_rule(&findings, "PC0105")), (Some(0), false), "{findings:?}");
    assert_eq!(command(directory.path(), &["check", "--level", "l4"]).status.code(), Some(2));
}

#[test]
fn what_refuses_is_told_at_every_level() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "      audience: https://orders.example.com\n", "");
    let (code, findings) = check(directory.path(), &["--level", "l1"]);
    assert_eq!((code, has_rule(&findings, "PC0101")), (Some(3), true), "{findings:?}");
}

#[test]
fn a_schema_that_is_only_observed_is_a_finding_of_check_and_run() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "    upstream: shop\n", "    upstream: shop\n    validate: { request: observe }\n");
    let (code, findings) = check(directory.path(), &[]);
    let observed = findings.iter().find(|f| f["at"] == "apis.orders.validate.request").unwrap();
    assert_eq!((code, observed["severity"].as_str()), (Some(0), Some("medium")), "{findings:?}");
    assert!(observed["place"]["line"].as_u64().unwrap() > 1);
    assert_eq!(check(directory.path(), &["--fail-on", "medium"]).0, Some(4));
    let gate = Gate::configured(directory.path());
    assert_eq!(gate.send(&Request::get("/orders/ord-1")).status, 401);
}

#[test]
fn an_unread_extension_of_a_document_refuses_it() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "version: 1", "version: 1");
    let document =
        include_str!("../../demo/openapi.yaml").replacen("paths:", "x-portcullis: { public: true }\npaths:", 1);
    std::fs::write(directory.path().join("openapi.yaml"), document).unwrap();
    for verb in ["check", "run"] {
        let output = command(directory.path(), &[verb, "-c", "portcullis.yaml"]);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(3), "{verb}: {text}");
        assert!(
            text.contains("`x-portcullis` is not supported yet") && text.contains("openapi.yaml:"),
            "{verb}: {text}"
        );
    }
    let alone = command(directory.path(), &["check", "--openapi", "openapi.yaml"]);
    assert_eq!(alone.status.code(), Some(3));
}
