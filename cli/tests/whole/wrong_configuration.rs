// SPDX-License-Identifier: Apache-2.0
//! A wrong configuration never starts and never half-starts: exit 3, the place, and what to type next.

use crate::gate::command;
use std::path::Path;

fn write(directory: &Path, change: impl Fn(String) -> String) {
    let config = include_str!("../../demo/portcullis.yaml")
        .replace("{LISTEN}", "\"127.0.0.1:0\"")
        .replace("{ADMIN}", "\"127.0.0.1:0\"")
        .replace("{UPSTREAM}", "\"http://127.0.0.1:9\"")
        .replace("{ISSUER}", "\"http://127.0.0.1:9\"");
    std::fs::write(directory.join("openapi.yaml"), include_str!("../../demo/openapi.yaml")).unwrap();
    std::fs::write(directory.join("portcullis.yaml"), change(config)).unwrap();
}

/// What is changed, and what both `run` and `check` must say.
const WRONG: [(&str, &str, &str, &[&str]); 11] = [
    ("an unknown word", "audience:", "audiense:", &["audiense", "did you mean", "audience"]),
    (
        "a word for later",
        "plans:\n",
        "telemetry: { otlp: https://otel.example.com }\nplans:\n",
        &["not supported yet", "telemetry"],
    ),
    ("a wrong rate", "600/min", "600/fortnight", &["600/fortnight"]),
    ("a zero that would mean no limit", "rate: 600/min", "rate: 0/min", &["0/min"]),
    ("a missing document", "./openapi.yaml", "./missing.yaml", &["missing.yaml"]),
    ("an upstream nobody declared", "upstream: shop", "upstream: shopp", &["shopp", "shop"]),
    ("an operation the document lacks", "getStatistics:", "getStatistic:", &["getStatistic"]),
    ("an object rule of unknown words", "update: [owner]", "update: [ower]", &["ower"]),
    ("no audience", "      audience: https://orders.example.com\n", "", &["PC0101"]),
    ("a public address without TLS", "\"127.0.0.1:0\" }\n  admin", "\"0.0.0.0:0\" }\n  admin", &["PC0404"]),
    ("broken YAML", "version: 1", "version: [1", &["portcullis.yaml:"]),
];

#[test]
fn each_kind_of_wrong_configuration_exits_3_and_says_where() {
    for (what, from, to, said) in WRONG {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), |config| {
            assert!(config.contains(from), "{what}: the demo's configuration has no `{from}`");
            config.replacen(from, to, 1)
        });
        for verb in ["run", "check"] {
            let output = command(directory.path(), &[verb, "-c", "portcullis.yaml"]);
            let text =
                format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(3), "{verb}, {what}: {text}");
            for word in said {
                assert!(text.contains(word), "{verb}, {what}: `{word}` is not in:\n{text}");
            }
            assert!(text.contains("portcullis.yaml:"), "{verb}, {what}: no place in:\n{text}");
            assert!(!text.contains("listening public="), "{verb}, {what}: it started");
            assert!(!directory.path().join("data").exists(), "{verb}, {what}: it wrote something");
        }
    }
}

#[test]
fn the_demos_configuration_checks_clean_and_the_schema_is_json() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), |config| config);
    let output = command(directory.path(), &["check", "-c", "portcullis.yaml", "--format", "json"]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["schema"], "portcullis/check/v1");
    let schema = command(directory.path(), &["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert!(schema["properties"]["listen"].is_object());
}

#[test]
fn a_missing_configuration_exits_3_and_says_what_to_type() {
    let directory = tempfile::tempdir().unwrap();
    let output = command(directory.path(), &["run"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("portcullis.yaml") && text.contains("--demo"), "{text}");
}

#[test]
fn a_wrong_command_line_exits_2() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [&["serve"][..], &["explain"], &["reason", "object.nobody"], &["run", "--openapi", "x.yaml"]] {
        assert_eq!(command(directory.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}
