// SPDX-License-Identifier: Apache-2.0
//! Large bodies pass in little memory, and whoever is slow holds the other side back. `PORTCULLIS_TEST_LARGE_MIB`
//! chooses how large; 64 unless it is set.

use crate::raw::{End, field, origin};
use crate::scene::Scene;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MIB: u64 = 1024 * 1024;
/// How much larger the process may become, whatever passes through.
const GROWN_KIB_MAX: u64 = 8 * 1024;

fn size() -> u64 {
    std::env::var("PORTCULLIS_TEST_LARGE_MIB").map_or(64, |mib| mib.parse().unwrap()) * MIB
}

/// Byte `n` of every body: a body that lost or doubled a piece is not what it was.
fn byte(n: u64) -> u8 {
    u8::try_from((n ^ (n >> 11)) & 0xff).unwrap()
}

fn piece(from: u64, length: u64) -> Vec<u8> {
    (from..from + length).map(byte).collect()
}

/// An origin whose file has this size, and which counts what it could send.
fn serving(size: u64, sent: &Arc<AtomicU64>) -> std::net::SocketAddr {
    let sent = Arc::clone(sent);
    origin(move |mut end| {
        end.head();
        end.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n"
        ));
        let mut at = 0;
        while at < size {
            let next = piece(at, (256 * 1024).min(size - at));
            if end.try_send(&next).is_err() {
                return;
            }
            at += next.len() as u64;
            sent.store(at, Ordering::SeqCst);
        }
    })
}

fn ask(scene: &Scene) -> End {
    let mut client = End::to(scene.gate.public);
    client.send(format!("GET /file HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer {}\r\n\r\n", scene.token()));
    assert!(client.head().starts_with("HTTP/1.1 200"));
    client
}

/// What the process takes once it has served: what is only made once is no part of a body. In KiB.
fn warm(scene: &Scene) -> u64 {
    for _ in 0..4 {
        let mut client = ask(scene);
        client.stream.read_exact(&mut [0; 4096]).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    scene.rss_kib()
}

#[test]
fn a_large_answer_passes_in_little_memory() {
    let size = size();
    let scene = Scene::before(serving(size, &Arc::default()));
    let before = warm(&scene);
    let mut client = ask(&scene);
    let (mut at, mut most) = (0, 0);
    let mut buffer = vec![0; 1 << 18];
    while at < size {
        let read = client.stream.read(&mut buffer).unwrap();
        assert!(read > 0, "it ends at {at}");
        let wrong = buffer[..read].iter().zip(at..).position(|(found, n)| *found != byte(n));
        assert_eq!(wrong, None, "behind {at}");
        at += read as u64;
        if at / (4 * MIB) != (at - read as u64) / (4 * MIB) {
            most = most.max(scene.rss_kib().saturating_sub(before));
        }
    }
    println!("{} MiB down: at most {most} KiB more", size / MIB);
    assert!(most < GROWN_KIB_MAX, "{most} KiB more");
}

#[test]
fn a_large_request_passes_in_little_memory() {
    let size = size();
    let received: Arc<AtomicU64> = Arc::default();
    let count = Arc::clone(&received);
    let scene = Scene::before(origin(move |mut end| {
        let head = end.head();
        assert_eq!(field(&head, "content-length"), Some(size.to_string().as_str()));
        let mut buffer = vec![0; 1 << 18];
        while count.load(Ordering::SeqCst) < size {
            let at = count.load(Ordering::SeqCst);
            let read = end.stream.read(&mut buffer).unwrap();
            assert!(read > 0 && buffer[..read].iter().zip(at..).all(|(found, n)| *found == byte(n)), "behind {at}");
            count.fetch_add(read as u64, Ordering::SeqCst);
        }
        end.send("HTTP/1.1 204 No Content\r\n\r\n");
    }));
    let before = scene.rss_kib();
    let mut client = End::to(scene.gate.public);
    client.send(format!(
        "PUT /file HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer {}\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n",
        scene.token()
    ));
    let (mut at, mut most) = (0, 0);
    while at < size {
        let next = piece(at, (256 * 1024).min(size - at));
        client.stream.get_mut().write_all(&next).unwrap();
        at += next.len() as u64;
        if at % (4 * MIB) == 0 {
            most = most.max(scene.rss_kib().saturating_sub(before));
        }
    }
    assert!(client.head().starts_with("HTTP/1.1 204"));
    assert_eq!(received.load(Ordering::SeqCst), size);
    println!("{} MiB up: at most {most} KiB more", size / MIB);
    assert!(most < GROWN_KIB_MAX, "{most} KiB more");
}

#[test]
fn t57_a_client_that_reads_nothing_holds_the_origin_back() {
    let sent: Arc<AtomicU64> = Arc::default();
    let scene = Scene::before(serving(256 * MIB, &sent));
    let before = scene.rss_kib();
    let client = ask(&scene);
    std::thread::sleep(Duration::from_secs(2));
    let first = sent.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(sent.load(Ordering::SeqCst), first, "it stands still");
    // What the kernel holds on two connections, and a little.
    assert!(first < 32 * MIB, "{first} bytes were sent that nobody read");
    assert!(scene.rss_kib().saturating_sub(before) < GROWN_KIB_MAX);
    drop(client);
}
