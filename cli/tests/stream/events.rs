// SPDX-License-Identifier: Apache-2.0
//! Server-sent events: each one at once, until the caller's token ends or the process does (T128).

use crate::gate::signal;
use crate::raw::{End, field, origin};
use crate::scene::Scene;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

/// An origin that sends an event whenever it is told to.
fn told() -> (SocketAddr, SyncSender<&'static str>) {
    let (tell, told) = sync_channel::<&'static str>(1);
    let told = Mutex::new(told);
    let address = origin(move |mut end| {
        end.head();
        end.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
        while let Ok(event) = told.lock().unwrap().recv() {
            let event = format!("data: {event}\n\n");
            if end.try_send(format!("{:x}\r\n{event}\r\n", event.len())).is_err() {
                return;
            }
        }
    });
    (address, tell)
}

fn listen(scene: &Scene, token: &str) -> (End, String) {
    let mut client = End::to(scene.gate.public);
    client.send(format!("GET /events HTTP/1.1\r\nHost: a.example\r\nAuthorization: Bearer {token}\r\n\r\n"));
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    (client, head)
}

fn event(client: &mut End) -> String {
    let mut chunk = [0; 64];
    let mut text = String::new();
    while !text.ends_with("\n\n\r\n") {
        let read = client.stream.read(&mut chunk).unwrap();
        assert!(read > 0, "it ends after {text:?}");
        text.push_str(std::str::from_utf8(&chunk[..read]).unwrap());
    }
    text
}

#[test]
fn each_event_arrives_before_the_next_is_made() {
    let (address, tell) = told();
    let scene = Scene::before(address);
    let (mut client, _) = listen(&scene, &scene.token());
    for word in ["one", "two", "three"] {
        tell.send(word).unwrap();
        assert!(event(&mut client).contains(&format!("data: {word}\n\n")), "{word}");
    }
}

#[test]
fn t128_events_end_with_the_token_and_do_not_look_whole() {
    let (address, tell) = told();
    let scene = Scene::before(address);
    let (mut client, head) = listen(&scene, &scene.token_for(1));
    tell.send("one").unwrap();
    event(&mut client);
    match client.rest() {
        Ok(rest) => assert!(!rest.ends_with(b"0\r\n\r\n"), "a last chunk would make it whole"),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
    let explained = scene.explain(field(&head, "request-id").unwrap());
    assert_eq!((&explained["decision"], &explained["reason"]), (&"aborted".into(), &"identity.expired".into()));
    assert_eq!(explained["status"], 200);
}

#[test]
fn t128_over_http_2_the_stream_is_reset_and_the_connection_goes_on() {
    let (address, tell) = told();
    let scene = Scene::before(address);
    let url = format!("http://{}", scene.gate.public);
    let mut child = Command::new("curl")
        .args(["-sS", "-N", "--http2-prior-knowledge", "--max-time", "20", "-H"])
        .arg(format!("Authorization: Bearer {}", scene.token_for(1)))
        .arg(format!("{url}/events"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tell.send("one").unwrap();
    let mut first = [0; 11];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"data: one\n\n");
    let output = child.wait_with_output().unwrap();
    // 92: an error of one stream of HTTP/2.
    assert_eq!(output.status.code(), Some(92), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn f07_drain_ends_events_and_waits_for_no_listener() {
    let (address, tell) = told();
    let scene = Scene::before(address);
    let (mut client, head) = listen(&scene, &scene.token());
    tell.send("one").unwrap();
    event(&mut client);
    signal(scene.gate.pid(), "TERM");
    client.stream.get_ref().set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    if let Ok(rest) = client.rest() {
        assert!(!rest.ends_with(b"0\r\n\r\n"), "nobody said that it was all");
    }
    let explained = scene.explain(field(&head, "request-id").unwrap());
    assert_eq!((&explained["decision"], &explained["reason"]), (&"aborted".into(), &"gate.draining".into()));
}
