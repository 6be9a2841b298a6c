// SPDX-License-Identifier: Apache-2.0
//! The admin listener over real sockets.

use super::*;
use crate::metrics::Metric;
use crate::readiness::{Ready, Source};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn start(sources: Vec<Source>) -> SocketAddr {
    show(Shown { sources, metrics: Vec::new() })
}

fn show(shown: Shown) -> SocketAddr {
    let console = Console::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = console.address();
    drop(tokio::runtime::Handle::current().spawn(console.serve(Arc::new(shown), std::future::pending())));
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
    let address = start(vec![Source::new("drain", || Ready::No("draining".into()))]);
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
    ]);
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
    let address = start(Vec::new());
    for (line, status) in [
        ("GET /", "404 "),
        ("GET /metrics/x", "404 "),
        ("POST /metrics", "405 "),
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
    let address = start(Vec::new());
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
        let refused = Console::bind(address.parse().unwrap());
        assert!(matches!(refused, Err(ConsoleError::NotLoopback(_))), "{address}");
    }
}

#[tokio::test]
async fn stalled_connections_give_their_places_back() {
    let console = Console::bind("127.0.0.1:0".parse().unwrap()).unwrap().with_age_max(Duration::from_millis(300));
    let address = console.address();
    drop(tokio::runtime::Handle::current().spawn(console.serve(Arc::default(), std::future::pending())));
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

#[tokio::test]
async fn metrics_are_openmetrics_text() {
    let address = show(Shown {
        sources: Vec::new(),
        metrics: vec![
            Metric::counter("portcullis_config_reloads", "Configurations put in force.", || 7),
            Metric::info("portcullis_config", "In force.", "revision", || "a\"b\\c\nd".to_owned()),
        ],
    });
    let answer = ask(address, "GET /metrics", "host: localhost\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    assert_eq!(
        body,
        "# TYPE portcullis_config_reloads counter\n# HELP portcullis_config_reloads Configurations put in force.\n\
         portcullis_config_reloads_total 7\n# TYPE portcullis_config info\n# HELP portcullis_config In force.\n\
         portcullis_config_info{revision=\"a\\\"b\\\\c\\nd\"} 1\n# EOF\n"
    );
}
