// SPDX-License-Identifier: Apache-2.0
//! The admin listener over real sockets.

use super::*;
use crate::readiness::Ready;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn start(sources: Vec<Source>) -> SocketAddr {
    let console = Console::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = console.address();
    drop(tokio::runtime::Handle::current().spawn(console.serve(sources, std::future::pending())));
    address
}

/// Sends a request with `Connection: close` and reads everything.
async fn ask(address: SocketAddr, line: &str, fields: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nconnection: close\r\n{fields}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn healthz_lives_whatever_readiness_says() {
    let address = start(vec![Source::new("drain", || Ready::No("draining".into()))]).await;
    let answer = ask(address, "GET /healthz", "host: localhost\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff") && answer.contains("cache-control: no-store"));
}

#[tokio::test]
async fn readyz_is_no_until_every_source_says_yes() {
    let keys = Arc::new(AtomicBool::new(false));
    let loaded = Arc::clone(&keys);
    let address = start(vec![
        Source::new("audit", || Ready::Yes),
        Source::new("keys", move || {
            if loaded.load(Ordering::SeqCst) { Ready::Yes } else { Ready::No("no key set of `default` yet".into()) }
        }),
    ])
    .await;
    let answer = ask(address, "GET /readyz", "host: 127.0.0.1\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains(r#"{"ready":false,"reasons":[{"source":"keys","reason":"no key set of `default` yet"}]}"#));
    keys.store(true, Ordering::SeqCst);
    let answer = ask(address, "GET /readyz", "host: 127.0.0.1\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"ready":true,"reasons":[]}"#), "{answer}");
    let answer = ask(address, "HEAD /readyz", "host: 127.0.0.1\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn everything_else_is_a_problem() {
    let address = start(Vec::new()).await;
    for (line, status) in [
        ("GET /", "404 "),
        ("GET /metrics", "404 "),
        ("GET /healthz/", "404 "),
        ("POST /healthz", "405 "),
        ("DELETE /readyz", "405 "),
    ] {
        let answer = ask(address, line, "host: localhost\r\n").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{line}: {answer}");
        assert_eq!(answer.contains("allow: GET, HEAD"), status == "405 ", "{line}: {answer}");
    }
}

#[tokio::test]
async fn t115_a_request_that_means_another_host_is_refused() {
    let address = start(Vec::new()).await;
    for (fields, status) in [
        ("host: evil.example\r\n", "421 "),
        ("host: localhost.evil.example\r\n", "421 "),
        ("", "400 "),
        ("host: localhost\r\nhost: evil.example\r\n", "400 "),
        ("host: localhost\r\norigin: https://evil.example\r\n", "403 "),
        ("host: localhost\r\norigin: null\r\n", "403 "),
        ("host: localhost\r\norigin: http://localhost:9443\r\n", "200 "),
    ] {
        let answer = ask(address, "GET /healthz", fields).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{fields}: {answer}");
    }
    let answer = ask(address, "GET http://evil.example/healthz", "host: localhost\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
}

#[tokio::test]
async fn t115_only_loopback_is_listened_on() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9443"] {
        let refused = Console::bind(address.parse().unwrap()).await;
        assert!(matches!(refused, Err(ConsoleError::NotLoopback(_))), "{address}");
    }
}

#[tokio::test]
async fn stalled_connections_give_their_places_back() {
    let console = Console::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().with_age_max(Duration::from_millis(300));
    let address = console.address();
    drop(tokio::runtime::Handle::current().spawn(console.serve(Vec::new(), std::future::pending())));
    let mut stalled = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"GET /healthz HT").await.unwrap();
        stalled.push(socket);
    }
    let answer =
        tokio::time::timeout(Duration::from_secs(5), ask(address, "GET /healthz", "host: localhost\r\n")).await;
    assert!(answer.unwrap().starts_with("HTTP/1.1 200 "));
}
