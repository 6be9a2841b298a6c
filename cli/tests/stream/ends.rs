// SPDX-License-Identifier: Apache-2.0
//! How a WebSocket ends when nobody says goodbye: the token, the process, one side or the other (T128).

use crate::gate::signal;
use crate::raw::{End, field, masked, plain, switching};
use crate::scene::Scene;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// An origin that echoes, and tells the code it was closed with.
fn echo() -> (SocketAddr, Receiver<Option<u16>>) {
    let (telling, told) = sync_channel(16);
    let origin = switching(move |mut end| {
        loop {
            match end.frame() {
                Some((0x88, code)) => break telling.send(Some(u16::from_be_bytes([code[0], code[1]]))).unwrap(),
                Some((first, payload)) => drop(end.send(plain(first, &payload))),
                None => break telling.send(None).unwrap(),
            }
        }
    });
    (origin, told)
}

fn soon(told: &Receiver<Option<u16>>) -> Option<u16> {
    told.recv_timeout(Duration::from_secs(10)).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is promised is a time")]
fn t128_a_websocket_ends_with_the_token_while_it_moves_and_while_it_does_not() {
    let (origin, told) = echo();
    let scene = Scene::before(origin);
    let token = scene.token_for(2);
    let began = std::time::Instant::now();
    let mut still = End::shaking(scene.gate.public, "/chat", Some(&token));
    let head = still.head();
    let mut busy = End::shaking(scene.gate.public, "/chat", Some(&token));
    let busy_head = busy.head();
    let code = loop {
        // It may be cut just now.
        let _ = busy.try_send(masked(0x81, b"again"));
        match busy.frame() {
            Some((0x81, payload)) => assert_eq!(payload, b"again"),
            Some((0x88, code)) => break Some(u16::from_be_bytes([code[0], code[1]])),
            _ => break None,
        }
    };
    assert_eq!((code, still.close_code()), (Some(1008), Some(1008)));
    let took = began.elapsed();
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(5), "{took:?}");
    assert_eq!((soon(&told), soon(&told)), (Some(1008), Some(1008)), "and the origin is told");
    for head in [head, busy_head] {
        let (decision, reason, facts) = scene.end(field(&head, "request-id").unwrap());
        assert_eq!((decision.as_str(), reason.as_str()), ("aborted", Some("identity.expired")));
        assert_eq!(facts["ended"], "the token ended");
    }
    let mut late = End::shaking(scene.gate.public, "/chat", Some(&token));
    assert!(late.head().starts_with("HTTP/1.1 401"), "the same token opens none");
}

#[test]
fn t128_whoever_needs_no_token_is_not_timed() {
    let (origin, _told) = echo();
    let scene = Scene::before(origin);
    let mut client = End::shaking(scene.gate.public, "/open", None);
    assert!(client.head().starts_with("HTTP/1.1 101"));
    std::thread::sleep(Duration::from_secs(2));
    client.send(masked(0x81, b"still"));
    assert_eq!(client.frame(), Some((0x81, b"still".to_vec())));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is promised is a time")]
fn f07_drain_says_goodbye_to_both_sides_and_does_not_wait() {
    let (origin, told) = echo();
    let scene = Scene::before(origin);
    let mut client = End::shaking(scene.gate.public, "/chat", Some(&scene.token()));
    let head = client.head();
    client.send(masked(0x81, b"x"));
    assert_eq!(client.frame(), Some((0x81, b"x".to_vec())));
    let began = std::time::Instant::now();
    signal(scene.gate.pid(), "TERM");
    assert_eq!((client.close_code(), soon(&told)), (Some(1001), Some(1001)));
    while std::fs::read_to_string(format!("/proc/{}/stat", scene.gate.pid())).is_ok_and(|stat| !stat.contains(" Z ")) {
        assert!(began.elapsed() < Duration::from_secs(8), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (decision, reason, _) = scene.end(field(&head, "request-id").unwrap());
    assert_eq!((decision.as_str(), reason.as_str()), ("aborted", Some("gate.draining")));
}

#[test]
fn whoever_leaves_without_a_word_is_spoken_for() {
    let (origin, told) = echo();
    let scene = Scene::before(origin);
    let mut client = End::shaking(scene.gate.public, "/chat", Some(&scene.token()));
    let head = client.head();
    drop(client);
    assert_eq!(soon(&told), Some(1001));
    let (decision, reason, facts) = scene.end(field(&head, "request-id").unwrap());
    assert_eq!((decision.as_str(), reason.as_str()), ("aborted", Some("client.aborted")));
    assert_eq!(facts["ended"], "the client left");

    let scene = Scene::before(switching(|mut end| drop(end.frame())));
    let mut client = End::shaking(scene.gate.public, "/chat", Some(&scene.token()));
    let head = client.head();
    client.send(masked(0x81, b"x"));
    assert_eq!(client.close_code(), Some(1001));
    assert!(client.rest().unwrap().is_empty(), "and the connection ends in order");
    let (decision, reason, _) = scene.end(field(&head, "request-id").unwrap());
    assert_eq!((decision.as_str(), reason.as_str()), ("aborted", Some("upstream.invalid_response")));
}

#[test]
fn half_of_a_frame_is_not_followed_by_a_goodbye() {
    let scene = Scene::before(switching(|mut end| {
        // Ten bytes are promised and three come.
        end.send([0x81, 10, b'a', b'b', b'c']);
    }));
    let mut client = End::shaking(scene.gate.public, "/chat", Some(&scene.token()));
    client.head();
    assert_eq!(client.rest().unwrap(), [0x81, 10, b'a', b'b', b'c'], "nothing that would be read as payload");
}
