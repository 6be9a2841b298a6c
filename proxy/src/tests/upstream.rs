// SPDX-License-Identifier: Apache-2.0
//! What origins see, and how long they are waited for (F26, F27).

use super::*;

/// Records each request and answers `ok`.
fn recording() -> (Scripted, Seen<Message>) {
    let seen: Seen<Message> = Arc::default();
    let requests = Arc::clone(&seen);
    let origin = origin(move |_, mut wire| {
        while let Some(request) = wire.request() {
            requests.lock().push(request);
            wire.ok("ok");
        }
    });
    (origin, seen)
}

#[test]
fn the_head_and_its_framing_are_ours() {
    let (origin, seen) = recording();
    let bench = bench(&origin, |_, _| {});
    let chunked = "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-trailer: 1\r\n\r\n";
    for request in [
        "GET /a?b=c HTTP/1.1\r\nhost: client.example\r\nx-kept: 1\r\n\r\n".to_owned(),
        "POST /empty HTTP/1.1\r\nhost: client.example\r\n\r\n".to_owned(),
        "POST /full HTTP/1.1\r\nhost: client.example\r\nx-buffer: 1\r\ncontent-length: 4\r\n\r\nbody".to_owned(),
        format!("POST /full HTTP/1.1\r\nhost: client.example\r\nx-buffer: 1\r\n{chunked}"),
        "POST /stream HTTP/1.1\r\nhost: client.example\r\ncontent-length: 4\r\n\r\nbody".to_owned(),
        format!("POST /stream HTTP/1.1\r\nhost: client.example\r\n{chunked}"),
        format!("GET /stream HTTP/1.1\r\nhost: client.example\r\n{chunked}"),
    ] {
        assert_eq!(bench.client().send(&request).read().unwrap().body, b"ok", "{request}");
    }
    let seen = seen.lock();
    let host = origin.address.to_string();
    assert!(seen.iter().all(|request| request.field("host") == Some(host.as_str())));
    assert_eq!((seen[0].line.trim_end(), seen[0].field("x-kept")), ("GET /base/a?b=c HTTP/1.1", Some("1")));
    let framing: Vec<_> = seen
        .iter()
        .map(|r| {
            (r.field("content-length"), r.field("transfer-encoding"), String::from_utf8_lossy(&r.body).into_owned())
        })
        .collect();
    let (length, chunked) = (|n| (Some(n), None, if n == "4" { "body" } else { "" }.to_owned()), Some("chunked"));
    let streamed = || (None, chunked, "body".to_owned());
    let expected =
        vec![(None, None, String::new()), length("0"), length("4"), length("4"), length("4"), streamed(), streamed()];
    assert_eq!(framing, expected);
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1, "every one left its connection usable");
}

#[test]
fn f26_an_origin_that_is_not_there_is_unreachable() {
    let origin = echo();
    let bench = bench(&origin, |_, upstream| {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        upstream.targets = vec![Target::parse(&format!("http://{free}")).unwrap()];
    });
    let answer = bench.get("/").unwrap();
    assert_eq!((answer.status(), answer.body.as_slice()), ("502", b"upstream.unreachable" as &[u8]));
}

#[test]
fn f26_requests_under_way_are_bounded() {
    let origin = origin(|_, mut wire| {
        wire.request();
        std::thread::sleep(ms(600));
        wire.ok("ok");
    });
    let bench = bench(&origin, |_, upstream| upstream.concurrency.max = 1);
    let mut first = bench.client();
    first.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("the first is under way", || origin.connections.load(Ordering::SeqCst) == 1);
    assert_eq!(bench.get("/").unwrap().body, b"upstream.overloaded");
    assert_eq!(first.read().unwrap().body, b"ok");
    eventually("the place is free again", || bench.get("/").unwrap().body == b"ok");
}

#[test]
fn f27_an_origin_that_says_nothing_is_a_timeout_and_its_connection_is_closed() {
    let ended: Arc<AtomicUsize> = Arc::default();
    let end = Arc::clone(&ended);
    let origin = origin(move |_, mut wire| {
        wire.request();
        wire.request();
        end.fetch_add(1, Ordering::SeqCst);
    });
    let bench = bench(&origin, |_, upstream| upstream.first_byte = ms(300));
    let answer = bench.get("/").unwrap();
    assert_eq!((answer.status(), answer.body.as_slice()), ("504", b"upstream.timeout" as &[u8]));
    eventually("the connection is closed", || ended.load(Ordering::SeqCst) == 1);
}

#[test]
fn f27_an_answer_that_drips_is_cut_in_time() {
    let origin = origin(|_, mut wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for _ in 0..100 {
            if wire.try_send("1\r\nx\r\n").is_err() {
                return;
            }
            std::thread::sleep(ms(30));
        }
        let _ = wire.try_send("0\r\n\r\n");
    });
    let bench = bench(&origin, |_, upstream| upstream.total = ms(500));
    assert!(bench.get("/").is_err());
}

#[test]
fn f27_a_slow_upload_is_not_the_origins_fault() {
    let bench = bench(&echo(), |_, upstream| {
        upstream.first_byte = ms(300);
        upstream.total = ms(400);
    });
    let mut client = bench.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbo");
    std::thread::sleep(ms(1_000));
    assert_eq!(client.send("dy").read().unwrap().status(), "200");
}

#[test]
fn an_answer_before_the_end_of_an_upload_is_passed_on_and_ends_the_connection() {
    let origin = origin(|_, mut wire| {
        let mut head = [0; 20];
        wire.reader.read_exact(&mut head).unwrap();
        wire.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig");
        drop(wire.rest());
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\nsome");
    let answer = client.read().unwrap();
    assert_eq!((answer.status(), answer.field("connection")), ("413", Some("close")));
    assert_eq!(answer.body, b"big");
    assert!(client.rest().unwrap().is_empty());
}

#[test]
fn a_look_up_is_bounded_and_whole() {
    for (bytes, expected) in [
        (format!("HTTP/1.1 200 OK\r\ncontent-length: 65536\r\n\r\n{}", "x".repeat(65_536)), None),
        (
            format!("HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\n{}", "x".repeat(65_537)),
            Some("upstream.invalid_response"),
        ),
        (
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10001\r\n{}\r\n0\r\n\r\n",
                "x".repeat(65_537)
            ),
            Some("upstream.invalid_response"),
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned(), Some("upstream.timeout")),
        ("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 5\r\n\r\nfound".to_owned(), Some("found")),
    ] {
        let origin = origin(move |_, mut wire| while wire.request().is_some() && wire.try_send(&bytes).is_ok() {});
        let bench = bench(&origin, |_, upstream| upstream.total = ms(400));
        let answer = bench.get("/load").unwrap();
        match expected {
            None => assert_eq!(answer.body.len(), 65_536),
            Some(expected) => assert_eq!(String::from_utf8(answer.body).unwrap(), expected),
        }
        assert_eq!(bench.handled.load(Ordering::SeqCst), 1, "no redirect is followed");
    }
}

#[test]
fn a_reload_keeps_the_pools_of_what_did_not_change() {
    let target = |port: u16| Target::parse(&format!("http://127.0.0.1:{port}")).unwrap();
    let config = |port| UpstreamConfig::new("origin".into(), vec![target(port)]);
    let one = NonZeroUsize::MIN;
    let before = Upstreams::build(vec![config(1), config(2)], 3, one, None);
    let after = Upstreams::build(vec![config(2), config(3)], 3, one, Some(&before));
    assert!(Arc::ptr_eq(after.by_index(0).unwrap(), before.by_index(1).unwrap()));
    assert!(after.by_index(2).is_none());
}
