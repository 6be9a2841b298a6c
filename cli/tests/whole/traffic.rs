// SPDX-License-Identifier: Apache-2.0
//! Real clients (curl, Python's httpx, node's fetch) to real upstreams (Python, node), over the demo's document and
//! one written for this test, in another dialect and format.

use crate::gate::Gate;
use crate::token::Mint;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct Upstream {
    child: Child,
    port: u16,
}

impl Upstream {
    fn start(program: &str, script: &str) -> Self {
        let mut child = Command::new(program)
            .arg(scripts().join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/whole/traffic")
}

/// A Python that has httpx: the one `cargo xtask test` prepared, or the machine's own.
fn python() -> String {
    std::env::var("PORTCULLIS_TEST_PYTHON").unwrap_or_else(|_| {
        let prepared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-python/bin/python3");
        if prepared.exists() { prepared.display().to_string() } else { "python3".to_owned() }
    })
}

fn through(program: &str, script: &str, url: &str, cases: &[Value]) -> Vec<Value> {
    let mut child =
        Command::new(program).arg(scripts().join(script)).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let given = json!({"url": url, "cases": cases}).to_string();
    child.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script} failed; `cargo xtask test` installs what it imports");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn curl(url: &str, cases: &[Value]) -> Vec<Value> {
    cases.iter().map(|case| one_curl(url, case)).collect()
}

fn one_curl(url: &str, case: &Value) -> Value {
    let mut command = Command::new("curl");
    command.args(["-sS", "-X", case["method"].as_str().unwrap(), "-w", "\n%{http_code} %header{request-id}"]);
    for (name, value) in case["headers"].as_object().unwrap() {
        command.arg("-H").arg(format!("{name}: {}", value.as_str().unwrap()));
    }
    if case["body"].is_string() {
        command.args(["--data-binary", "@-"]);
    }
    command.arg(format!("{url}{}", case["path"].as_str().unwrap()));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(case["body"].as_str().unwrap_or_default().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (body, last) = text.rsplit_once('\n').unwrap();
    let (status, id) = last.split_once(' ').unwrap_or((last, ""));
    json!({"status": status.parse::<u16>().unwrap(), "body": body, "id": id})
}

/// What each client sends to the notes API, and the status it must get.
fn notes_cases(alice: &str, bob: &str) -> (Vec<Value>, Vec<u16>) {
    let bearer = |token: &str| format!("Bearer {token}");
    let plain = |token: &str| json!({"authorization": bearer(token)});
    let typed = |token: &str, kind: &str| json!({"authorization": bearer(token), "content-type": kind});
    let big = "x".repeat(200_000);
    let table = [
        (json!({"method": "GET", "path": "/v1/notes/1", "headers": plain(alice)}), 200),
        (json!({"method": "GET", "path": "/v1/notes/1", "headers": plain(bob)}), 404),
        (json!({"method": "GET", "path": "/v1/notes/99", "headers": plain(bob)}), 404),
        (json!({"method": "GET", "path": "/v1/notes/1", "headers": {}}), 401),
        (json!({"method": "GET", "path": "/v1/notes/zero", "headers": plain(alice)}), 400),
        (json!({"method": "GET", "path": "/v1/notes?tag=a,b&tag=c", "headers": plain(alice)}), 200),
        (json!({"method": "GET", "path": "/v1/notes?admin=1", "headers": plain(alice)}), 400),
        (json!({"method": "GET", "path": "/notes/1", "headers": plain(alice)}), 404),
        (
            json!({"method": "POST", "path": "/v1/notes", "headers": typed(alice, "application/json"), "body": "{\"text\":\"new\",\"mood\":null}"}),
            201,
        ),
        (
            json!({"method": "POST", "path": "/v1/notes", "headers": typed(alice, "application/json"), "body": "{\"text\":\"new\",\"author\":\"bob\"}"}),
            400,
        ),
        (
            json!({"method": "POST", "path": "/v1/notes", "headers": typed(alice, "application/json"), "body": "{\"text\":\"a\",\"text\":\"b\"}"}),
            400,
        ),
        (json!({"method": "POST", "path": "/v1/notes", "headers": typed(alice, "text/plain"), "body": "{}"}), 415),
        (
            json!({"method": "PUT", "path": "/v1/notes/2", "headers": typed(alice, "application/json"), "body": "{\"text\":\"mine now\"}"}),
            404,
        ),
        (
            json!({"method": "PUT", "path": "/v1/notes/1", "headers": typed(alice, "application/json"), "body": "{\"text\":\"changed\"}"}),
            200,
        ),
        (json!({"method": "DELETE", "path": "/v1/notes/2", "headers": plain(alice)}), 404),
        (json!({"method": "PATCH", "path": "/v1/notes/1", "headers": plain(alice)}), 405),
        (json!({"method": "GET", "path": "/v1/exports/2026-11.csv", "headers": plain(bob)}), 200),
        (json!({"method": "GET", "path": "/v1/exports/2026-13.csv", "headers": plain(bob)}), 400),
        (
            json!({"method": "POST", "path": "/v1/uploads", "headers": typed(bob, "application/octet-stream"), "body": big}),
            200,
        ),
    ];
    table.into_iter().unzip()
}

fn notes_gate(directory: &Path, upstream: &Upstream, mint: &Mint) -> Gate {
    let config =
        include_str!("traffic/portcullis.yaml").replace("{UPSTREAM}", &format!("http://127.0.0.1:{}", upstream.port));
    std::fs::write(directory.join("portcullis.yaml"), config).unwrap();
    std::fs::write(directory.join("notes.openapi.json"), include_str!("traffic/notes.openapi.json")).unwrap();
    std::fs::write(directory.join("keys.json"), mint.key_set()).unwrap();
    Gate::configured(directory)
}

#[test]
fn three_clients_and_two_upstreams_agree() {
    for (program, script) in [(python(), "notes.py"), ("node".to_owned(), "notes.mjs")] {
        for client in ["curl", "httpx", "fetch"] {
            let upstream = Upstream::start(&program, script);
            let directory = tempfile::tempdir().unwrap();
            let mint = Mint::new();
            let gate = notes_gate(directory.path(), &upstream, &mint);
            let url = format!("http://{}", gate.public);
            let (alice, bob) =
                (mint.token("alice", "notes.read notes.write"), mint.token("bob", "notes.read notes.write"));
            let (cases, wanted) = notes_cases(&alice, &bob);
            let answers = match client {
                "curl" => curl(&url, &cases),
                "httpx" => through(&python(), "ask.py", &url, &cases),
                _ => through("node", "ask.mjs", &url, &cases),
            };
            for ((case, answer), status) in cases.iter().zip(&answers).zip(wanted) {
                assert_eq!(answer["status"], status, "{client} to {script}: {case} got {answer}");
                assert!(!answer["body"].as_str().unwrap().contains("stack trace"), "{client}: {answer}");
            }
            let list: Value = serde_json::from_str(answers[5]["body"].as_str().unwrap()).unwrap();
            assert!(list.as_array().unwrap().iter().all(|n| n["author"] == "alice"), "{list}");
            assert_eq!(
                answers[18]["body"],
                json!({"bytes": 200_000}).to_string().replace(':', if script.ends_with("py") { ": " } else { ":" })
            );
        }
    }
}

#[test]
fn the_demo_answers_three_clients_alike() {
    let gate = Gate::demo();
    let url = format!("http://{}", gate.public);
    let headers = |user: &str| json!({"authorization": format!("Bearer {}", gate.token(user))});
    let cases = [
        json!({"method": "GET", "path": "/orders/ord-1", "headers": headers("alice")}),
        json!({"method": "GET", "path": "/orders/ord-1", "headers": headers("bob")}),
        json!({"method": "GET", "path": "/orders/ord-1", "headers": {}}),
        json!({"method": "GET", "path": "/catalog", "headers": {}}),
    ];
    for answers in
        [curl(&url, &cases), through(&python(), "ask.py", &url, &cases), through("node", "ask.mjs", &url, &cases)]
    {
        let statuses: Vec<u64> = answers.iter().map(|a| a["status"].as_u64().unwrap()).collect();
        assert_eq!(statuses, [200, 404, 401, 200]);
    }
}
