// SPDX-License-Identifier: Apache-2.0
//! Who gets a WebSocket, and what reaches the origin of it (RFC 6455 §4, T15, T128).

use crate::raw::{ACCEPT, End, HANDSHAKE, KEY, SWITCHES, field, handshake, masked, origin, plain};
use crate::scene::Scene;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What would be served if it were read as a request.
const SMUGGLED: &str = "GET /plain HTTP/1.1\r\nHost: a.example\r\n\r\n";

#[test]
fn t15_only_one_whole_handshake_opens_a_websocket() {
    let touched: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&touched);
    let scene = Scene::before(origin(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    }));
    let token = scene.token();
    let with = |fields: &str| handshake("/chat", Some(&token), fields);
    let changed = |from: &str, to: &str| with(&HANDSHAKE.replace(from, to));
    let cases = [
        (changed("Version: 13", "Version: 8"), "400"),
        (changed("Version: 13", "Version: 13, 8"), "400"),
        (changed("Sec-WebSocket-Version: 13\r\n", ""), "400"),
        (changed(KEY, "short"), "400"),
        (changed(KEY, "dGhlIHNhbXBsZSBub25jZR=="), "400"),
        (with(&format!("{HANDSHAKE}Sec-WebSocket-Key: {KEY}\r\n")), "400"),
        (with(&format!("{HANDSHAKE}Sec-WebSocket-Protocol: a, a\r\n")), "400"),
        (with(&format!("{HANDSHAKE}Content-Length: 3\r\n")), "400"),
        (with(&format!("{HANDSHAKE}Transfer-Encoding: chunked\r\n")), "400"),
        (with(&format!("{HANDSHAKE}Connection: Sec-WebSocket-Key\r\n")), "400"),
        (with(HANDSHAKE).replace("GET", "POST"), "400"),
        (with(HANDSHAKE).replace("/chat", "/nowhere"), "404"),
        (handshake("/chat", None, HANDSHAKE), "401"),
        (handshake("/chat", Some("a.b.c"), HANDSHAKE), "401"),
        (handshake(&format!("/chat?access_token={token}"), None, HANDSHAKE), "400"),
        (handshake("/chat", None, &format!("{HANDSHAKE}Sec-WebSocket-Protocol: bearer, {token}\r\n")), "401"),
    ];
    for (request, status) in cases {
        let mut client = End::to(scene.gate.public);
        client.send(format!("{request}{SMUGGLED}"));
        let head = client.head();
        assert_eq!(head.split(' ').nth(1), Some(status), "{request}\n{head}");
        assert_eq!(field(&head, "connection"), Some("close"), "{request}");
        if request.contains("Version: 8") {
            assert_eq!(field(&head, "sec-websocket-version"), Some("13"));
        }
        let rest = String::from_utf8(client.rest().unwrap()).unwrap();
        assert!(!rest.contains("HTTP/1.1"), "what follows is not read: {request}\n{rest}");
    }
    assert_eq!(touched.load(Ordering::SeqCst), 0, "no origin heard of any of it");
}

#[test]
fn t15_other_upgrades_are_as_if_they_were_not_asked_for() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let record = Arc::clone(&seen);
    let scene = Scene::before(origin(move |mut end| {
        record.lock().unwrap().push(end.head());
        end.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    }));
    let token = scene.token();
    let h2c = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    for (path, fields) in [
        ("/chat", h2c),
        ("/chat", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"),
        ("/chat", "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n"),
        ("/chat", "Upgrade: websocket\r\n"),
        ("/plain", HANDSHAKE),
    ] {
        let mut client = End::to(scene.gate.public);
        client.send(handshake(path, Some(&token), &format!("Connection: close\r\n{fields}")));
        assert!(client.head().starts_with("HTTP/1.1 200"), "{path} {fields}");
        assert!(client.rest().unwrap().ends_with(b"ok"));
        let head = seen.lock().unwrap().pop().unwrap();
        assert!(field(&head, "upgrade").is_none() && field(&head, "http2-settings").is_none(), "{head}");
    }
}

#[test]
fn rfc_6455_the_origin_gets_our_handshake_and_frames_follow_its_answer() {
    let seen: Arc<Mutex<String>> = Arc::default();
    let record = Arc::clone(&seen);
    let scene = Scene::before(origin(move |mut end| {
        *record.lock().unwrap() = end.head();
        end.stream.get_ref().set_read_timeout(Some(Duration::from_millis(400))).unwrap();
        assert!(end.frame().is_none(), "nothing comes before the 101");
        end.stream.get_ref().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // The first frame stands in one piece with the head, as it does with many servers.
        end.send(
            [
                SWITCHES.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: v2\r\nSet-Cookie: s=1\r\n\r\n").as_bytes(),
                &plain(0x81, b"first"),
            ]
            .concat(),
        );
        while let Some((first, payload)) = end.frame() {
            end.send(plain(first, &payload));
        }
    }));
    let token = scene.token();
    let fields = format!(
        "{HANDSHAKE}Sec-WebSocket-Protocol: v1,v2\r\nSec-WebSocket-Extensions: permessage-deflate\r\nCookie: session=1\r\nOrigin: https://app.example\r\nX-Note: kept\r\n"
    );
    let mut client = End::to(scene.gate.public);
    client.send(handshake("/chat", Some(&token), &fields));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    client.send(masked(0x82, b"second"));
    assert_eq!(field(&head, "sec-websocket-accept"), Some(ACCEPT));
    assert_eq!(field(&head, "sec-websocket-protocol"), Some("v2"));
    assert!(field(&head, "set-cookie").is_none() && field(&head, "sec-websocket-extensions").is_none(), "{head}");
    assert_eq!(client.frame(), Some((0x81, b"first".to_vec())));
    assert_eq!(client.frame(), Some((0x82, b"second".to_vec())));
    client.send(masked(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(client.close_code(), Some(1000));
    let head_up = seen.lock().unwrap().clone();
    assert_eq!(field(&head_up, "sec-websocket-protocol"), Some("v1, v2"), "{head_up}");
    assert_eq!((field(&head_up, "origin"), field(&head_up, "x-note")), (Some("https://app.example"), Some("kept")));
    for gone in ["authorization", "cookie", "sec-websocket-extensions"] {
        assert!(field(&head_up, gone).is_none(), "{gone}: {head_up}");
    }
    let (decision, reason, facts) = scene.end(field(&head, "request-id").unwrap());
    assert_eq!((decision.as_str(), reason.is_null(), facts["ended"].as_str()), ("allow", true, Some("closed")));
    assert_eq!(
        (facts["code"].as_u64(), facts["messages_up"].as_u64(), facts["messages_down"].as_u64()),
        (Some(1000), Some(1), Some(2))
    );
    // Header and mask are six bytes up, the header two down.
    assert_eq!((facts["bytes_up"].as_u64(), facts["bytes_down"].as_u64()), (Some(6 + 6 + 8), Some(2 + 5 + 2 + 6 + 4)));
}

#[test]
fn t15_bytes_before_the_101_close_both_sides() {
    let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
    let record = Arc::clone(&heard);
    let scene = Scene::before(origin(move |mut end| {
        end.head();
        std::thread::sleep(Duration::from_millis(200));
        end.send(SWITCHES);
        record.lock().unwrap().extend(end.rest().unwrap_or_default());
    }));
    for early in [masked(0x82, b"early"), SMUGGLED.as_bytes().to_vec()] {
        let mut client = End::to(scene.gate.public);
        client.send([handshake("/chat", Some(&scene.token()), HANDSHAKE).as_bytes(), &early].concat());
        assert!(client.rest().unwrap_or_default().is_empty(), "no 101, and no answer to what came early");
    }
    assert!(heard.lock().unwrap().is_empty(), "none of it went up");
}

#[test]
fn t15_an_answer_that_does_not_prove_itself_is_a_502_and_nothing_passes() {
    let answers: Arc<Mutex<String>> = Arc::default();
    let says = Arc::clone(&answers);
    let scene = Scene::before(origin(move |mut end| {
        end.head();
        let answer = says.lock().unwrap().clone();
        let _ = end.try_send([answer.as_bytes(), &plain(0x81, b"secret")].concat());
        let _ = end.frame();
    }));
    let token = scene.token();
    for bad in [
        SWITCHES.replace(ACCEPT, "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        SWITCHES.replace("Upgrade: websocket", "Upgrade: h2c"),
        SWITCHES.replace("Connection: Upgrade\r\n", ""),
        SWITCHES.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
        SWITCHES.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"),
        SWITCHES.replace("\r\n\r\n", "\r\nContent-Length: 8\r\n\r\n"),
        SWITCHES.replace("HTTP/1.1", "HTTP/1.0"),
        "garbage\r\n\r\n".to_owned(),
    ] {
        answers.lock().unwrap().clone_from(&bad);
        let mut client = End::shaking(scene.gate.public, "/chat", Some(&token));
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 502"), "{bad}\n{head}");
        let rest = String::from_utf8(client.rest().unwrap()).unwrap();
        assert!(rest.contains("upstream.invalid_response") || rest.contains("\"status\":502"), "{rest}");
        assert!(!rest.contains("secret"), "{bad}");
    }
}

#[test]
fn an_origin_that_will_not_is_passed_on_and_the_connection_closes() {
    let scene = Scene::before(origin(|mut end| {
        end.head();
        end.send("HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnot\r\n0\r\n\r\n");
    }));
    let mut client = End::to(scene.gate.public);
    client.send(handshake("/chat", Some(&scene.token()), HANDSHAKE) + SMUGGLED);
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 403"), "{head}");
    assert_eq!((field(&head, "connection"), field(&head, "content-type")), (Some("close"), Some("text/plain")));
    assert_eq!(client.rest().unwrap(), b"3\r\nnot\r\n0\r\n\r\n", "and what followed was not read");
}
