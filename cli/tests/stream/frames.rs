// SPDX-License-Identifier: Apache-2.0
//! Hostile frames of either side (RFC 6455 §5, T128).

use crate::raw::{End, field, masked, plain, switching};
use crate::scene::Scene;
use std::io::{Read, Write};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

const MIB: usize = 1024 * 1024;

#[test]
fn t128_hostile_frames_of_a_client_never_pass_and_end_it() {
    let (telling, told) = sync_channel(64);
    let scene = Scene::before(switching(move |mut end| {
        let mut frames = Vec::new();
        while let Some((first, payload)) = end.frame() {
            frames.push((first, payload.len()));
            if first == 0x88 {
                frames.push((0, usize::from(u16::from_be_bytes([payload[0], payload[1]]))));
                break;
            }
        }
        telling.send(frames).unwrap();
    }));
    let token = scene.token();
    let too_large_in_pieces = [masked(0x02, &vec![7; MIB]), masked(0x80, b"x")].concat();
    for (name, bad, code, reason) in [
        ("unmasked", plain(0x81, b"x"), 1002, "wire.framing"),
        ("reserved bit", masked(0xc1, b"x"), 1002, "wire.framing"),
        ("unknown opcode", masked(0x83, b"x"), 1002, "wire.framing"),
        ("long ping", masked(0x89, &[0; 126]), 1002, "wire.framing"),
        ("ping in pieces", masked(0x09, b""), 1002, "wire.framing"),
        ("continuation of nothing", masked(0x80, b"x"), 1002, "wire.framing"),
        ("two messages in one", [masked(0x01, b"a"), masked(0x81, b"b")].concat(), 1002, "wire.framing"),
        ("a code nobody sends", masked(0x88, &1006_u16.to_be_bytes()), 1002, "wire.framing"),
        ("a length that wraps", [&[0x82, 0xff][..], &[0xff; 8], &[0; 4]].concat(), 1002, "wire.framing"),
        ("a message too large", masked(0x82, &vec![7; MIB + 1]), 1009, "payload.too_large"),
        ("the same in pieces", too_large_in_pieces, 1009, "payload.too_large"),
        ("too many pieces", [masked(0x01, b""), masked(0x00, b"").repeat(1024)].concat(), 1008, "payload.too_large"),
        ("pings without end", masked(0x89, b"").repeat(120), 1008, "wire.framing"),
    ] {
        let mut client = End::shaking(scene.gate.public, "/chat", Some(&token));
        let head = client.head();
        client.send(masked(0x81, b"good"));
        // It may be cut while it is still being sent.
        let _ = client.try_send(&bad);
        assert_eq!(client.close_code(), Some(code), "{name}");
        let frames = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(frames.first(), Some(&(0x81, 4)), "{name}: what was good had passed");
        assert!(frames.len() <= 103 || name == "too many pieces", "{name}: {} frames", frames.len());
        let last = frames.last().unwrap();
        assert!(*last == (0, 1001) || name == "the same in pieces", "{name}: told that its client is gone: {last:?}");
        let (decision, found, facts) = scene.end(field(&head, "request-id").unwrap());
        assert_eq!((decision.as_str(), found.as_str()), ("aborted", Some(reason)), "{name}: {facts}");
    }
}

#[test]
fn t128_hostile_frames_of_an_origin_never_reach_the_client() {
    let (give, take) = sync_channel::<Vec<u8>>(1);
    let (telling, told) = sync_channel(1);
    let take = std::sync::Mutex::new(take);
    let scene = Scene::before(switching(move |mut end| {
        let _ = end.try_send(take.lock().unwrap().recv().unwrap());
        telling.send(end.close_code()).unwrap();
    }));
    let token = scene.token();
    for (name, bad, code, reason) in [
        ("masked", masked(0x81, b"x"), 1002, "upstream.invalid_response"),
        ("compressed though nobody agreed", plain(0xc1, b"x"), 1002, "upstream.invalid_response"),
        ("half a code", plain(0x88, &[3]), 1002, "upstream.invalid_response"),
        ("a message too large", plain(0x82, &vec![7; MIB + 1]), 1009, "response.too_large"),
        ("another answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(), 1002, "upstream.invalid_response"),
    ] {
        give.send([plain(0x81, b"good"), bad].concat()).unwrap();
        let mut client = End::shaking(scene.gate.public, "/chat", Some(&token));
        let head = client.head();
        assert_eq!(client.frame(), Some((0x81, b"good".to_vec())), "{name}");
        assert_eq!(client.frame(), Some((0x88, 1001_u16.to_be_bytes().to_vec())), "{name}");
        assert_eq!(told.recv_timeout(Duration::from_secs(10)).unwrap(), Some(code), "{name}");
        let (decision, found, facts) = scene.end(field(&head, "request-id").unwrap());
        assert_eq!((decision.as_str(), found.as_str()), ("aborted", Some(reason)), "{name}: {facts}");
    }
}

#[test]
fn frames_pass_byte_for_byte_however_they_are_cut() {
    let scene = Scene::before(switching(|mut end| {
        while let Some((first, payload)) = end.frame() {
            end.send(plain(first, &payload));
        }
    }));
    let mut client = End::shaking(scene.gate.public, "/chat", Some(&scene.token()));
    assert!(client.head().starts_with("HTTP/1.1 101"));
    let frames = [
        masked(0x81, "grüße".as_bytes()),
        masked(0x01, &[b'a'; 300]),
        masked(0x89, b"p"),
        masked(0x80, &vec![b'b'; 70_000]),
    ];
    for byte in frames[..3].concat() {
        client.send([byte]);
    }
    client.send(&frames[3]);
    assert_eq!(client.frame(), Some((0x81, "grüße".as_bytes().to_vec())));
    assert_eq!(client.frame(), Some((0x01, vec![b'a'; 300])));
    assert_eq!(client.frame(), Some((0x89, b"p".to_vec())));
    assert_eq!(client.frame(), Some((0x80, vec![b'b'; 70_000])));
}

#[test]
fn a_flood_one_way_does_not_keep_the_other_way_waiting() {
    let scene = Scene::before(switching(|mut end| {
        let mut writing = end.stream.get_ref().try_clone().unwrap();
        std::thread::spawn(move || {
            for n in 0..20_u8 {
                writing.write_all(&plain(0x82, &[n])).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let mut thrown = vec![0; 1 << 20];
        while end.stream.get_mut().read(&mut thrown).is_ok_and(|read| read > 0) {}
    }));
    let mut client = End::shaking(scene.gate.public, "/chat", Some(&scene.token()));
    assert!(client.head().starts_with("HTTP/1.1 101"));
    let mut flooding = client.stream.get_ref().try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        let message = masked(0x82, &vec![7; 4096]);
        while flooding.write_all(&message).is_ok() {}
    });
    client.stream.get_ref().set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    for n in 0..20_u8 {
        assert_eq!(client.frame(), Some((0x82, vec![n])), "while the other way is full");
    }
    client.stream.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
    flood.join().unwrap();
}

#[test]
fn t128_an_origin_that_takes_nothing_holds_the_client_back_and_nothing_piles_up() {
    let scene = Scene::before(switching(|end| {
        std::thread::sleep(Duration::from_secs(4));
        drop(end);
    }));
    let mut client = End::shaking(scene.gate.public, "/chat", Some(&scene.token()));
    client.head();
    let before = scene.rss_kib();
    client.stream.get_ref().set_write_timeout(Some(Duration::from_millis(700))).unwrap();
    let message = masked(0x82, &vec![7; MIB]);
    let taken = (0..64).take_while(|_| client.try_send(&message).is_ok()).count();
    assert!(taken < 32, "{taken} MiB were taken that nobody read");
    let grown = scene.rss_kib().saturating_sub(before);
    assert!(grown < 4 * 1024, "{grown} KiB more");
}
