// SPDX-License-Identifier: Apache-2.0
//! Pooled connections the origin closes at the moment they are used (F29).

use super::*;

/// Answers the first request of a connection and closes when the second arrives, or right away.
fn closing_at_reuse(arrived: &Seen<String>) -> Scripted {
    let arrived = Arc::clone(arrived);
    origin(move |number, mut wire| {
        if let Some(request) = wire.request() {
            arrived.lock().push(request.line.trim_end().to_owned());
            wire.ok("ok");
        }
        if number.is_multiple_of(2)
            && let Some(request) = wire.request()
        {
            arrived.lock().push(request.line.trim_end().to_owned());
        }
    })
}

#[test]
fn f29_no_idempotent_request_is_lost_when_the_origin_closes_at_reuse() {
    let arrived = Seen::default();
    let origin = closing_at_reuse(&arrived);
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    for n in 0..100 {
        let method = ["GET", "PUT", "DELETE"][n % 3];
        client.send(format!("{method} /{n} HTTP/1.1\r\nhost: a\r\nx-buffer: 1\r\ncontent-length: 4\r\n\r\nbody"));
        assert_eq!(client.read().unwrap().body, b"ok", "{method} /{n}");
    }
}

#[test]
fn f29_no_post_is_doubled_when_the_origin_closes_at_reuse() {
    let arrived = Seen::default();
    let origin = closing_at_reuse(&arrived);
    let bench = bench(&origin, |_, _| {});
    let (mut client, mut answered) = (bench.client(), 0);
    for n in 0..100 {
        let kind = if n % 2 == 0 { "x-buffer: 1\r\n" } else { "" };
        client.send(format!("POST /{n} HTTP/1.1\r\nhost: a\r\n{kind}content-length: 4\r\n\r\nbody"));
        let answer = client.read().unwrap();
        match answer.status() {
            "200" => answered += 1,
            _ => assert_eq!(answer.body, b"upstream.unreachable"),
        }
    }
    for n in 0..100 {
        let line = format!("POST /base/{n} HTTP/1.1");
        assert!(arrived.lock().iter().filter(|seen| **seen == line).count() <= 1, "{line} arrived twice");
    }
    assert!(answered >= 50, "only those on a stale connection may fail: {answered}");
}

#[test]
fn f29_a_fresh_connection_that_closes_is_not_tried_again() {
    let origin = origin(|_, mut wire| drop(wire.request()));
    let bench = bench(&origin, |_, _| {});
    assert_eq!(bench.get("/").unwrap().body, b"upstream.unreachable");
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn f29_an_answer_that_has_begun_is_not_asked_for_again() {
    let arrived: Seen<String> = Seen::default();
    let seen = Arc::clone(&arrived);
    let origin = origin(move |_, mut wire| {
        for begin in ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "HTTP/1."] {
            let Some(request) = wire.request() else { return };
            seen.lock().push(request.line);
            wire.send(begin);
        }
    });
    let bench = bench(&origin, |_, _| {});
    assert_eq!(bench.get("/one").unwrap().body, b"ok");
    assert_eq!(bench.get("/two").unwrap().body, b"upstream.invalid_response");
    assert_eq!(arrived.lock().len(), 2);
}

#[test]
fn idle_connections_are_closed_in_time() {
    let ended: Arc<AtomicUsize> = Arc::default();
    let end = Arc::clone(&ended);
    let origin = origin(move |_, mut wire| {
        while wire.request().is_some() {
            wire.ok("ok");
        }
        end.fetch_add(1, Ordering::SeqCst);
    });
    let bench = bench(&origin, |_, upstream| upstream.idle = ms(300));
    assert_eq!(bench.get("/").unwrap().body, b"ok");
    assert_eq!(bench.get("/").unwrap().body, b"ok");
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
    eventually("the idle connection is closed", || ended.load(Ordering::SeqCst) == 1);
    assert_eq!(bench.get("/").unwrap().body, b"ok");
}
