// SPDX-License-Identifier: Apache-2.0
//! The demo's orders: properties nobody may write, ids in other spellings, races, and what stands in the trail.

use super::records;
use crate::client::{Answer, Request};
use crate::gate::Gate;
use serde_json::Value;

fn order(gate: &Gate, body: &str) -> Answer {
    gate.send(&Request::new("POST", "/orders").bearer(&gate.token("alice")).json(body))
}

#[test]
fn t67_t70_t74_only_what_is_declared_is_written() {
    let gate = Gate::demo();
    for more in [
        r#""owner":"bob""#,
        r#""Owner":"bob""#,
        r#""own\u0065r":"bob""#,
        r#""status":"shipped""#,
        r#""id":"ord-1""#,
        r#""isAdmin":true"#,
        r#""__proto__":{"owner":"bob"}"#,
        r#""item":"b""#,
        r#""\u0069tem":"b""#,
        r#""ｏwner":"bob""#,
        r#""note":{"owner":"bob"}"#,
        r#""":1"#,
    ] {
        assert_eq!(order(&gate, &format!(r#"{{"item":"a","quantity":1,{more}}}"#)).status, 400, "{more}");
    }
    for body in [
        r#"[{"item":"a","quantity":1}]"#,
        r#"{"item":"a","quantity":1e400}"#,
        r#"{"item":"a","quantity":01}"#,
        r#"{"item":"a","quantity":1,}"#,
        r#"{"item":"a","quantity":1} x"#,
        r#"{"item":"a","quantity":1}{}"#,
        "\u{feff}{\"item\":\"a\",\"quantity\":1}",
        r#"{"item":"\ud800","quantity":1}"#,
        r#"{"item":"a\u0000","quantity":1}"#,
        r#"{"item":"a","quantity":NaN}"#,
        "null",
        "",
        &"[".repeat(100_000),
    ] {
        assert_eq!(order(&gate, body).status, 400, "{}", &body.chars().take(40).collect::<String>());
    }
    let mine = gate.send(&Request::get("/orders").bearer(&gate.token("alice")));
    assert_eq!(mine.json()["data"].as_array().unwrap().len(), 2);
}

#[test]
fn t74_a_refusal_does_not_send_names_back_at_length() {
    let gate = Gate::demo();
    let names: Vec<_> = (0..20).map(|n| format!("\"{}{n}\":1", "S3CRET".repeat(5000))).collect();
    let answer = order(&gate, &format!(r#"{{"item":"a","quantity":1,{}}}"#, names.join(",")));
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 16 * 1024, "{} bytes", answer.body.len());
    let records = records(&gate.demo_directory().join("data"));
    assert!(!Value::from(records).to_string().contains("S3CRET"));
}

#[test]
fn t29_an_id_in_another_spelling_is_another_id() {
    let gate = Gate::demo();
    let alice = gate.token("alice");
    for (id, status) in [
        ("ord-01", 404),
        ("ord-000000000001", 404),
        ("ORD-1", 400),
        ("ord-1%20", 400),
        ("ord-%d9%a1", 400),
        ("ord-%EF%BC%91", 400),
        ("ord-1.", 400),
        ("ord--1", 400),
        ("ord-1%00", 400),
        ("ord-0000000000001", 400),
    ] {
        for (method, below) in [("GET", ""), ("GET", "/receipt"), ("HEAD", ""), ("DELETE", "")] {
            let answer = gate.send(&Request::new(method, &format!("/orders/{id}{below}")).bearer(&alice));
            assert_eq!(answer.status, status, "{method} {id}{below}");
        }
    }
    assert_eq!(gate.send(&Request::get("/orders/ord-%31").bearer(&alice)).status, 200);
}

#[test]
fn t120_a_burst_gets_exactly_the_plan() {
    let gate = Gate::demo();
    let request = Request::get("/orders").bearer(&gate.token("carol"));
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..64).map(|_| scope.spawn(|| gate.send(&request).status)).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 59, "{statuses:?}");
}

#[test]
fn t122_parallel_repeats_are_one_order() {
    let gate = Gate::demo();
    let body = r#"{"item":"once","quantity":1}"#;
    let with = |user: &str, key: &str, body: &str| {
        Request::new("POST", "/orders").bearer(&gate.token(user)).header("Idempotency-Key", key).json(body)
    };
    let request = with("alice", "\"once\"", body);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..20).map(|_| scope.spawn(|| gate.send(&request))).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|a| [201, 409].contains(&a.status)));
    let repeat = gate.send(&request);
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
    assert!(answers.iter().filter(|a| a.status == 201).all(|a| a.json()["id"] == repeat.json()["id"]));
    assert_eq!(gate.send(&with("alice", "\"once\"", r#"{"item":"once","quantity":2}"#)).status, 422);
    let other = gate.send(&with("bob", "\"once\"", body));
    assert_eq!((other.status, other.header("idempotency-replayed")), (201, None));
    for key in ["once", "\"\"", "\"a\", \"b\"", &format!("\"{}\"", "k".repeat(300))] {
        assert_eq!(gate.send(&with("alice", key, body)).status, 400, "{key}");
    }
    let mine = gate.send(&Request::get("/orders").bearer(&gate.token("alice"))).json();
    assert_eq!(mine["data"].as_array().unwrap().iter().filter(|o| o["item"] == "once").count(), 1);
}

#[test]
fn t110_each_request_has_one_record_and_no_secret_in_it() {
    let gate = Gate::demo();
    let alice = gate.token("alice");
    let mut answers =
        vec![order(&gate, r#"{"item":"S3CRET","quantity":1}"#), order(&gate, r#"{"item":7,"note":"S3CRET"}"#)];
    for request in [
        Request::get("/orders/ord-1").bearer(&alice).header("Cookie", "session=S3CRET"),
        Request::get("/orders/ord-2").bearer(&alice).header("X-Other", "S3CRET"),
        Request::get("/orders/ord-1").bearer("S3CRET.S3CRET.S3CRET"),
        Request::get("/orders/S3CRET").bearer(&alice),
        Request::get("/orders?limit=S3CRET").bearer(&alice),
        Request::get("/orders?access_token=S3CRET").bearer(&alice),
        Request::new("POST", "/login").json(r#"{"username":"S3CRET","password":"S3CRET"}"#),
        Request::get("/S3CRET"),
    ] {
        answers.push(gate.send(&request));
    }
    let records = records(&gate.demo_directory().join("data"));
    let mut recorded: Vec<_> = records.iter().map(|r| r["request"].as_str().unwrap()).collect();
    recorded.sort_unstable();
    let mut answered: Vec<_> = answers.iter().map(Answer::id).collect();
    answered.sort_unstable();
    assert_eq!(recorded, answered);
    let text = Value::from(records.clone()).to_string();
    assert!(!text.contains("S3CRET"), "{text}");
    for part in alice.split('.') {
        assert!(!text.contains(part), "a part of the token");
    }
}

#[test]
fn t115_the_admin_listener_answers_its_own_name_only() {
    let gate = Gate::demo();
    let ask = |line: &str, fields: &str| {
        let bytes = format!("{line} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
        super::statuses(&crate::client::exchange(gate.admin, bytes.as_bytes()).unwrap())[0]
    };
    for host in ["127.0.0.1", "localhost:1", "[::1]"] {
        assert_eq!(ask("GET /healthz", &format!("Host: {host}\r\n")), 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "a@localhost", "2130706433", "0.0.0.0", ""] {
        assert_eq!(ask("GET /healthz", &format!("Host: {host}\r\n")), 421, "{host}");
    }
    assert_eq!(ask("GET /healthz", "Host: localhost\r\nHost: evil.example\r\n"), 400);
    assert_eq!(ask("GET /healthz", "Host: localhost\r\nOrigin: http://evil.example\r\n"), 403);
    assert_eq!(ask("POST /healthz", "Host: localhost\r\n"), 405);
    for path in ["//healthz", "/healthz/", "/%68ealthz"] {
        assert_eq!(ask(&format!("GET {path}"), "Host: localhost\r\n"), 404, "{path}");
    }
}
