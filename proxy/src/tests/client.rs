// SPDX-License-Identifier: Apache-2.0
//! What clients do to a connection: reuse it, leave it, leave bodies behind.

use super::*;

#[test]
fn a_connection_carries_many_requests_and_pipelined_ones_in_order() {
    let origin = echo();
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    for n in 0..5 {
        assert_eq!(client.get(&format!("/{n}")).unwrap().body, format!("GET /base/{n} HTTP/1.1").into_bytes());
    }
    client.send("GET /a HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(client.read().unwrap().body, b"GET /base/a HTTP/1.1");
    assert_eq!(client.read().unwrap().body, b"GET /base/b HTTP/1.1");
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1, "one upstream connection for all of them");
}

#[test]
fn t13_an_unread_body_that_has_arrived_is_drained_and_never_read_as_a_request() {
    let bench = bench(&echo(), |_, _| {});
    let mut client = bench.client();
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    client.send(format!("POST /deny HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{smuggled}", smuggled.len()));
    let answer = client.read().unwrap();
    assert_eq!((answer.status(), answer.field("connection")), ("403", None));
    assert_eq!(client.get("/next").unwrap().body, b"GET /base/next HTTP/1.1");
    assert_eq!(bench.handled.load(Ordering::SeqCst), 2, "the body was no request");
}

#[test]
fn t13_an_unread_body_that_has_not_arrived_closes_after_a_whole_answer() {
    let bench = bench(&echo(), |_, _| {});
    for framing in ["content-length: 10000000", "transfer-encoding: chunked"] {
        let mut client = bench.client();
        client.send(format!("POST /deny HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n"));
        let answer = client.read().unwrap();
        assert_eq!((answer.status(), answer.field("connection")), ("403", Some("close")), "{framing}");
        assert_eq!(answer.body, b"no");
        drop(client.try_send("7\r\nGET / H\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"));
        assert!(client.rest().is_ok_and(|rest| rest.is_empty()), "closed without another answer");
    }
    assert_eq!(bench.handled.load(Ordering::SeqCst), 2);
}

#[test]
fn t13_a_client_that_sends_on_still_gets_its_refusal() {
    let bench = bench(&echo(), |_, _| {});
    for _ in 0..20 {
        let mut client = bench.client();
        client.send("POST /deny HTTP/1.1\r\nhost: a\r\ncontent-length: 60000\r\n\r\n").send(vec![b'x'; 20_000]);
        std::thread::sleep(ms(5));
        client.send(vec![b'x'; 40_000]);
        std::thread::sleep(ms(5));
        assert_eq!(client.read().unwrap().body, b"no");
    }
}

#[test]
fn t14_a_refusal_sends_no_100_and_closes() {
    let bench = bench(&echo(), |_, _| {});
    let mut client = bench.client();
    client.send("POST /deny HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
    let answer = client.read().unwrap();
    assert_eq!((answer.status(), answer.field("connection")), ("403", Some("close")));
}

#[test]
fn t14_a_body_that_is_wanted_is_asked_for() {
    let bench = bench(&echo(), |_, _| {});
    let mut client = bench.client();
    client.send("POST /a HTTP/1.1\r\nhost: a\r\nx-buffer: 1\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
    assert_eq!(client.read().unwrap().status(), "100");
    assert_eq!(client.send("hello").read().unwrap().status(), "200");
}

#[test]
fn t01_nothing_follows_ambiguous_framing() {
    let bench = bench(&echo(), |_, _| {});
    // Two equal lengths are not here: hyper hides the second one.
    for fields in ["content-length: 6\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 6"]
    {
        let mut client = bench.client();
        client.send(format!("POST /deny HTTP/1.1\r\nhost: a\r\n{fields}\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"));
        assert_eq!(client.read().unwrap().field("connection"), Some("close"), "{fields}");
        assert!(client.rest().is_ok_and(|rest| rest.is_empty()), "{fields}");
    }
    assert_eq!(bench.handled.load(Ordering::SeqCst), 2);
}

#[test]
fn t59_connections_over_the_cap_of_an_address_are_closed_unread() {
    let bench = bench(&echo(), |config, _| config.connections.per_address_max = 2);
    let (mut one, mut two) = (bench.client(), bench.client());
    assert_eq!(one.get("/").unwrap().status(), "200");
    assert_eq!(two.get("/").unwrap().status(), "200");
    assert!(bench.get("/").is_err());
    drop(one);
    eventually("the place is free again", || bench.get("/").is_ok());
}

#[test]
fn the_last_request_of_a_connection_is_told_so() {
    let bench = bench(&echo(), |config, _| config.connections.requests_max = 3);
    let mut client = bench.client();
    let told: Vec<_> = (0..3).map(|_| client.get("/").unwrap().field("connection").map(str::to_owned)).collect();
    assert_eq!(told, [None, None, Some("close".to_owned())]);
    assert!(client.rest().unwrap().is_empty());
}

#[test]
fn a_client_that_leaves_ends_the_exchange_upstream() {
    let gone: Arc<AtomicUsize> = Arc::default();
    let seen = Arc::clone(&gone);
    let origin = origin(move |_, mut wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n");
        while wire.try_send([b'x'; 4096]).is_ok() {}
        seen.fetch_add(1, Ordering::SeqCst);
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut some = [0; 10_000];
    client.reader.read_exact(&mut some).unwrap();
    drop(client);
    eventually("the origin sees the end", || gone.load(Ordering::SeqCst) == 1);
}

#[test]
fn a_client_that_leaves_before_the_answer_ends_the_wait_upstream() {
    let gone: Arc<AtomicUsize> = Arc::default();
    let seen = Arc::clone(&gone);
    let origin = origin(move |_, mut wire| {
        wire.request();
        if wire.request().is_none() {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("the origin is asked", || origin.connections.load(Ordering::SeqCst) == 1);
    drop(client);
    eventually("the origin sees the end", || gone.load(Ordering::SeqCst) == 1);
}

#[test]
fn a_client_that_leaves_mid_body_leaves_no_whole_request_upstream() {
    let requests: Seen<bool> = Arc::default();
    let seen = Arc::clone(&requests);
    let origin = origin(move |_, mut wire| {
        let whole = read_message(&mut wire.reader, true).is_ok_and(|request| request.is_some());
        seen.lock().push(whole);
    });
    let bench = bench(&origin, |_, _| {});
    for framing in ["content-length: 100\r\n\r\npart", "transfer-encoding: chunked\r\n\r\n4\r\npart\r\n"] {
        bench.client().send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}"));
    }
    eventually("the origin sees both end", || *requests.lock() == [false, false]);
}

#[test]
fn bad_chunks_are_the_clients_fault_and_never_a_whole_request() {
    let requests: Seen<bool> = Arc::default();
    let seen = Arc::clone(&requests);
    let origin = origin(move |_, mut wire| {
        seen.lock().push(read_message(&mut wire.reader, true).is_ok_and(|request| request.is_some()));
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n");
    let answer = client.read().unwrap();
    assert_eq!((answer.status(), answer.body.as_slice()), ("400", b"wire.framing" as &[u8]));
    eventually("the origin sees the end", || *requests.lock() == [false]);
}
