// SPDX-License-Identifier: Apache-2.0
//! Ends: of a connection, of a stream, of a client; and what is sent again.

use super::h2raw::{NO_ERROR, reset};
use super::*;

fn goaway(last: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), NO_ERROR.to_be_bytes()].concat())
}

fn post(client: &mut Wire, path: &str) {
    client.send(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\nx-buffer: 1\r\n\r\nhi"));
}

#[test]
fn streams_above_the_last_of_a_goaway_are_sent_again_and_those_below_are_finished() {
    let origin = framed(&[], |number, mut wire| {
        if number > 0 {
            while let Some((stream, _)) = wire.request() {
                wire.send(whole(stream, "again"));
            }
            return;
        }
        let (first, _) = wire.request().unwrap();
        let (second, _) = wire.request().unwrap();
        assert!(first < second);
        wire.send(goaway(first));
        std::thread::sleep(ms(300));
        wire.send(whole(first, "finished"));
        wire.rest();
    });
    let bench = two(&origin, |_, _| {});
    let (mut first, mut second) = (bench.client(), bench.client());
    post(&mut first, "/1");
    eventually("the first is there", || bench.handled.load(Ordering::SeqCst) == 1);
    std::thread::sleep(ms(100));
    post(&mut second, "/2");
    assert_eq!(second.read().unwrap().body, b"again");
    assert_eq!(first.read().unwrap().body, b"finished");
    assert_eq!(origin.connections.load(Ordering::SeqCst), 2);
}

#[test]
fn a_stream_that_was_refused_is_sent_again_and_one_that_was_reset_is_not_unless_it_may_be() {
    let requests: Arc<AtomicUsize> = Arc::default();
    let counted = Arc::clone(&requests);
    let origin = framed(&[], move |_, mut wire| {
        while let Some((stream, fields)) = wire.request() {
            let asks = |path: &str| fields.iter().any(|(_, value)| value.ends_with(path));
            let refuses = asks("/refused");
            let first = (refuses || asks("/reset")) && counted.fetch_add(1, Ordering::SeqCst) == 0;
            wire.send(if first { reset(stream, if refuses { 7 } else { 8 }) } else { whole(stream, "again") });
        }
    });
    for (path, expected) in [("/refused", "again"), ("/reset", "upstream.unreachable")] {
        requests.store(0, Ordering::SeqCst);
        let bench = two(&origin, |_, _| {});
        let mut client = bench.client();
        post(&mut client, path);
        assert_eq!(String::from_utf8(client.read().unwrap().body).unwrap(), expected);
    }
    requests.store(0, Ordering::SeqCst);
    let bench = two(&origin, |_, upstream| upstream.retry = crate::Retry { attempts: 1, ..crate::Retry::default() });
    for _ in 0..20 {
        assert_eq!(bench.get("/earns").unwrap().body, b"again");
    }
    assert_eq!(bench.get("/reset").unwrap().body, b"again");
}

#[test]
fn a_connection_that_ends_unused_costs_nobody_an_answer() {
    let origin = framed(&[], |_, mut wire| {
        let Some((stream, _)) = wire.request() else { return };
        wire.send(whole(stream, "ok"));
    });
    let bench = two(&origin, |_, _| {});
    for _ in 0..20 {
        assert_eq!(bench.get("/").unwrap().body, b"ok");
    }
}

#[test]
fn a_client_that_leaves_resets_its_stream_and_no_other() {
    let resets: Seen<u32> = Arc::default();
    let seen = Arc::clone(&resets);
    let origin = framed(&[], move |_, mut wire| {
        let (leaves, _) = wire.request().unwrap();
        let (stays, _) = wire.request().unwrap();
        let reset = wire.find(|frame| frame.kind == RESET).unwrap();
        assert_eq!(reset.stream, leaves);
        seen.lock().push(reset.code());
        wire.send(whole(stays, "stayed"));
        wire.rest();
    });
    let bench = two(&origin, |_, _| {});
    let (mut leaves, mut stays) = (bench.client(), bench.client());
    leaves.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("it is there", || bench.handled.load(Ordering::SeqCst) == 1);
    std::thread::sleep(ms(100));
    stays.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("both are there", || bench.handled.load(Ordering::SeqCst) == 2);
    std::thread::sleep(ms(100));
    drop(leaves);
    assert_eq!(stays.read().unwrap().body, b"stayed");
    assert_eq!(*resets.lock(), [h2raw::CANCEL]);
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_client_that_leaves_in_its_upload_leaves_no_whole_request() {
    let ends: Seen<u8> = Arc::default();
    let seen = Arc::clone(&ends);
    let origin = framed(&[], move |_, mut wire| {
        let ended = |frame: &h2raw::Frame| {
            frame.kind == RESET || (matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0)
        };
        let end = wire.find(ended).unwrap();
        seen.lock().push(end.kind);
        wire.rest();
    });
    for framing in ["content-length: 100\r\n\r\npart", "transfer-encoding: chunked\r\n\r\n4\r\npart\r\n"] {
        let bench = two(&origin, |_, _| {});
        bench.client().send(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}"));
        eventually("the origin sees the end", || ends.lock().pop() == Some(RESET));
    }
}

#[test]
fn an_idle_connection_says_goodbye() {
    let farewells: Seen<u32> = Arc::default();
    let seen = Arc::clone(&farewells);
    let origin = framed(&[], move |_, mut wire| {
        while let Some((stream, _)) = wire.request() {
            wire.send(whole(stream, "ok"));
        }
        seen.lock().push(wire.farewell().unwrap());
    });
    let bench = two(&origin, |_, upstream| upstream.idle = ms(300));
    assert_eq!(bench.get("/").unwrap().body, b"ok");
    eventually("it is told", || *farewells.lock() == [NO_ERROR]);
    assert_eq!(bench.get("/").unwrap().body, b"ok");
    assert_eq!(origin.connections.load(Ordering::SeqCst), 2);
}
