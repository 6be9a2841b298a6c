// SPDX-License-Identifier: Apache-2.0
//! An upstream that is broken, leaky or hostile.

use super::Stand;
use super::origin::{self, JSON, NOTE, answer};
use crate::client::Request;
use std::sync::{Arc, Mutex};

/// The next answer of the upstream; a plain one where there is none.
#[derive(Clone, Default)]
struct Script(Arc<Mutex<Option<Vec<u8>>>>);

fn scripted() -> (Stand, Script) {
    let script = Script::default();
    let inner = script.clone();
    (Stand::answering(move |seen| inner.0.lock().unwrap().take().unwrap_or_else(|| origin::notes(seen))), script)
}

impl Script {
    fn next(&self, bytes: Vec<u8>) {
        *self.0.lock().unwrap() = Some(bytes);
    }
}

/// The next caller gets an answer of its own, not what was left on a connection.
fn is_clean(stand: &Stand, what: &str) {
    for _ in 0..3 {
        let answer = stand.send(Request::get("/v1/exports/2026-11.csv"));
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"a,b\n".as_slice()), "after {what}");
    }
}

#[test]
fn t18_answers_with_two_readings_are_not_passed_on() {
    let (stand, script) = scripted();
    let length = NOTE.len();
    let note = String::from_utf8_lossy(NOTE);
    let chunk = format!("{length:x}\r\n{note}\r\n0\r\n\r\n");
    for (fields, body) in [
        (format!("Content-Length: {length}\r\nContent-Length: {length}\r\n"), &*note),
        (format!("Content-Length: {length}\r\nContent-Length: 3\r\n"), &*note),
        (format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"), &chunk),
        (format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"), &chunk),
        ("Content-Length: 0x5\r\n".to_owned(), &*note),
        ("Transfer-Encoding: gzip, chunked\r\n".to_owned(), &chunk),
        ("Transfer-Encoding: xchunked\r\n".to_owned(), &*note),
        (format!("Content-Length : 5\r\nContent-Length: {length}\r\n"), &*note),
        (format!("X-Fold: a\r\n b\r\nContent-Length: {length}\r\n"), &*note),
        ("X-Many: a\r\n".repeat(200), &*note),
    ] {
        script.next(format!("HTTP/1.1 200 OK\r\n{JSON}{fields}\r\n{body}").into());
        assert_eq!(stand.send(Request::get("/v1/notes/1")).status, 502, "{fields}");
        is_clean(&stand, &fields);
    }
    for interims in [6, 1000] {
        script.next([b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(interims), answer("200 OK", JSON, NOTE)].concat());
        assert_eq!(stand.send(Request::get("/v1/notes/1")).status, 502, "{interims} interim answers");
    }
    script.next(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n".to_vec());
    assert_eq!(stand.send(Request::get("/v1/notes/1")).status, 502);
}

#[test]
fn t18_what_follows_an_answer_is_nobodys_answer() {
    let (stand, script) = scripted();
    let extra = answer("200 OK", "Content-Type: text/plain\r\n", b"EVIL");
    for first in [answer("200 OK", JSON, NOTE), answer("404 Not Found", JSON, NOTE)] {
        for rest in [extra.as_slice(), b"GARBAGE"] {
            script.next([first.as_slice(), rest].concat());
            stand.send(Request::get("/v1/notes/1"));
            is_clean(&stand, "bytes after an answer");
        }
    }
}

#[test]
fn t78_what_is_not_the_callers_does_not_leave() {
    let (stand, script) = scripted();
    for (status, note) in [
        (404, r#"{"id":1,"author":"bob","text":"SECRET"}"#),
        (404, r#"{"id":2,"author":"alice","text":"SECRET"}"#),
        (404, r#"{"id":1,"author":["alice"],"text":"SECRET"}"#),
        (404, r#"{"id":1,"author":null,"text":"SECRET"}"#),
        (404, r#"{"id":1,"text":"SECRET"}"#),
        (404, r#"[{"id":1,"author":"alice","text":"SECRET"}]"#),
        (502, r#"{"id":1,"author":"bob","author":"alice","text":"SECRET"}"#),
        (502, r#"{"id":1,"author":"bob","auth\u006fr":"alice","text":"SECRET"}"#),
        (502, r#"{"id":1,"author":"alice","text":"SECRET"}{"id":1}"#),
    ] {
        script.next(answer("200 OK", JSON, note.as_bytes()));
        let answer = stand.send(Request::get("/v1/notes/1"));
        assert_eq!(answer.status, status, "{note}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("SECRET"), "{note}");
    }
    script.next(answer("200 OK", JSON, br#"{"id":1,"author":"alice","text":"t","ssn":"SECRET","Author":"SECRET"}"#));
    let answered = stand.send(Request::get("/v1/notes/1"));
    assert_eq!((answered.status, answered.body.as_slice()), (200, NOTE));
    script.next(answer(
        "200 OK",
        JSON,
        &[b"[".as_slice(), NOTE, br#",{"id":2,"author":"bob","text":"SECRET"}]"#].concat(),
    ));
    let list = stand.send(Request::get("/v1/notes"));
    assert_eq!(list.json().as_array().unwrap().len(), 1);
}

#[test]
fn t78_answers_the_gate_cannot_read_do_not_leave() {
    let (stand, script) = scripted();
    for (status, fields) in [
        ("200 OK", "Content-Type: text/html\r\n"),
        ("200 OK", "Content-Type: application/json, text/plain\r\n"),
        ("200 OK", "Content-Type: application/json\r\nContent-Type: text/plain\r\n"),
        ("200 OK", "Content-Type: application/json; charset=utf-16\r\n"),
        ("200 OK", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"),
        ("206 Partial Content", JSON),
        ("304 Not Modified", JSON),
        ("302 Found", "Location: http://127.0.0.1/admin\r\n"),
        ("500 Oops", JSON),
        ("299 Odd", JSON),
        ("600 Odd", JSON),
    ] {
        let body: &[u8] = if status.starts_with("304") { b"" } else { br#"{"id":1,"author":"bob","text":"SECRET"}"# };
        script.next(answer(status, fields, body));
        let answer = stand.send(Request::get("/v1/notes/1"));
        assert_eq!(answer.status, 502, "{status} {fields}");
        assert!(answer.header("location").is_none() && !String::from_utf8_lossy(&answer.body).contains("SECRET"));
    }
}

#[test]
fn t43_an_answer_does_not_lead_around_the_gate() {
    let (stand, script) = scripted();
    let upstream = stand.origin.address.to_string();
    let (host, port) = upstream.split_once(':').unwrap();
    let create = |fields: &str| {
        script.next(answer("201 Created", &format!("{JSON}{fields}"), NOTE));
        stand.send(Request::new("POST", "/v1/notes").json(r#"{"text":"x"}"#))
    };
    for name in ["Location", "Content-Location"] {
        for leading in [
            format!("HTTP://{upstream}/notes/9"),
            format!("Http://{upstream}/notes/9"),
            format!("http://{upstream}/notes/9"),
        ] {
            let answer = create(&format!("{name}: {leading}\r\n"));
            let given = answer.header(&name.to_ascii_lowercase());
            assert_eq!(given, Some("http://notes.example.com/v1/notes/9"), "{leading}");
        }
        for leading in [
            format!("//{upstream}/x"),
            format!("http://u:p@{upstream}/x"),
            format!("https://{upstream}/x"),
            format!("http://{host}/x"),
            format!("http://{upstream}@evil.example/"),
            format!("http:{upstream}/x"),
            "/\\evil.example".to_owned(),
            "\\\\evil.example".to_owned(),
            "http:/\\evil.example".to_owned(),
            "javascript:alert(1)".to_owned(),
            format!("http://{host}.:{port}/x"),
        ] {
            let answer = create(&format!("{name}: {leading}\r\n"));
            let given = answer.header(&name.to_ascii_lowercase());
            assert!(
                given.is_none_or(|text| !text.contains(host) || text.contains("@evil")),
                "{leading} became {given:?}"
            );
            assert!(given.is_none_or(|text| !text.contains('\\') && !text.starts_with("javascript")), "{given:?}");
        }
        let answer = create(&format!("{name}: https://files.example/x\r\n"));
        assert_eq!(answer.header(&name.to_ascii_lowercase()), Some("https://files.example/x"));
    }
    let answer = create(&format!(
        "Set-Cookie: a=b\r\nServer: s\r\nX-Powered-By: p\r\nX-AspNet-Version: 1\r\nX-AspNetMvc-Version: 2\r\nAlt-Svc: \
         h3=\":1\"\r\nConnection: X-Secret\r\nX-Secret: 1\r\nRequest-Id: fake\r\nIdempotency-Replayed: true\r\nLink: \
         <http://{upstream}/x>\r\nRefresh: 0;url=http://{upstream}/\r\nCache-Control: public\r\n"
    ));
    for name in [
        "set-cookie",
        "server",
        "x-powered-by",
        "x-aspnet-version",
        "x-aspnetmvc-version",
        "alt-svc",
        "x-secret",
        "idempotency-replayed",
        "link",
        "refresh",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    assert_ne!(answer.header("request-id"), Some("fake"));
}
