// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 over real sockets: requests as they should be, then what a hostile client makes of it.

mod floods;
mod messages;
mod pace;
mod protocol;

use super::h2raw::{
    self, ACK, DATA, END_STREAM, End, GOAWAY, H2, HEADERS, NO_ERROR, PING, frame, get, headers, pseudo,
};
use super::*;

/// A client that has not heard our settings yet.
fn client(bench: &Bench) -> H2 {
    H2::connect(bench.running.public)
}

#[test]
fn a_connection_carries_many_streams_over_one_upstream_connection_each_at_a_time() {
    let origin = echo();
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    for n in 0..5 {
        let path = format!("/{n}");
        let answer = client.fetch(2 * n + 1, &pseudo("GET", &path));
        assert_eq!((answer.status, answer.end), (200, End::Whole));
        assert_eq!(answer.text(), format!("GET /base/{n} HTTP/1.1"));
        assert_eq!(answer.field("content-length"), Some("20"));
        assert!(answer.field("date").is_some_and(|date| date.ends_with(" GMT")), "{answer:?}");
        assert_eq!(answer.field("connection"), None);
    }
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn streams_do_not_wait_for_each_other() {
    let origin = origin(|_, mut wire| {
        while let Some(request) = wire.request() {
            if request.line.contains("/slow") {
                std::thread::sleep(ms(700));
            }
            wire.ok(request.line.trim_end());
        }
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    client.send([get(1, "/slow"), get(3, "/fast")].concat());
    let first = client.find(|frame| frame.kind == DATA).unwrap();
    assert_eq!((first.stream, first.payload.as_slice()), (3, b"GET /base/fast HTTP/1.1".as_slice()));
    assert_eq!(client.answer(1).text(), "GET /base/slow HTTP/1.1");
}

#[test]
fn bodies_go_up_in_our_framing_and_are_whole() {
    let seen: Seen<Message> = Arc::default();
    let all = Arc::clone(&seen);
    let origin = origin(move |_, mut wire| {
        while let Some(request) = wire.request() {
            all.lock().push(request);
            wire.ok("taken");
        }
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    client.send(headers(1, 0, &[&pseudo("POST", "/a")[..], &[("content-length", "10")]].concat()));
    client.send(frame(DATA, 0, 1, b"01234")).send(frame(DATA, END_STREAM, 1, b"56789"));
    assert_eq!(client.answer(1).text(), "taken");
    client.send(headers(3, 0, &pseudo("POST", "/b")));
    client.send(frame(DATA, 0, 3, b"01234")).send(headers(3, END_STREAM, &[("x-trailer", "goes nowhere")]));
    assert_eq!(client.answer(3).text(), "taken");
    client.send(headers(5, END_STREAM, &pseudo("POST", "/c")));
    assert_eq!(client.answer(5).text(), "taken");
    let seen = seen.lock();
    let framing = |at: usize| (seen[at].field("content-length"), seen[at].field("transfer-encoding"));
    assert_eq!((framing(0), seen[0].body.as_slice()), ((Some("10"), None), b"0123456789".as_slice()));
    assert_eq!((framing(1), seen[1].body.as_slice()), ((None, Some("chunked")), b"01234".as_slice()));
    assert!(seen.iter().all(|request| request.field("x-trailer").is_none()));
}

#[test]
fn a_large_answer_waits_for_the_windows_of_its_client() {
    let body = "0123456789abcdef".repeat(20_000);
    let told = body.clone();
    let origin = origin(move |_, mut wire| {
        while wire.request().is_some() {
            wire.ok(&told);
        }
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    client.send(get(1, "/"));
    let mut taken = Vec::new();
    while taken.len() < body.len() {
        let data = client.find(|frame| frame.kind == DATA).unwrap();
        taken.extend_from_slice(&data.payload);
        let length = u32::try_from(data.payload.len()).unwrap();
        if length > 0 {
            client.send([h2raw::window(0, length), h2raw::window(1, length)].concat());
        }
    }
    assert!(taken == body.as_bytes());
}

#[test]
fn the_answer_to_a_head_has_no_content() {
    let origin = origin(|_, mut wire| {
        while wire.request().is_some() {
            wire.send("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n");
        }
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    let answer = client.fetch(1, &pseudo("HEAD", "/"));
    assert_eq!((answer.status, answer.body.len(), answer.end), (200, 0, End::Whole));
    assert_eq!(answer.field("content-length"), Some("1234"));
    let refused = client.fetch(3, &pseudo("HEAD", "/deny"));
    assert_eq!((refused.status, refused.body.len(), refused.end), (403, 0, End::Whole));
}

#[test]
fn f28_a_broken_answer_is_a_reset_and_never_whole() {
    let origin = origin(|_, mut wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    assert_eq!(client.fetch(1, &pseudo("GET", "/")).end, End::Reset(2));
    assert_eq!(client.fetch(3, &pseudo("GET", "/deny")).status, 403, "the connection goes on");
}

#[test]
fn a_preface_in_pieces_is_still_one() {
    let bench = bench(&echo(), |_, _| {});
    let mut client = H2::silent(bench.running.public);
    for byte in h2raw::PREFACE {
        client.send([*byte]);
        std::thread::sleep(ms(5));
    }
    client.send(frame(4, 0, 0, b""));
    client.send(frame(PING, 0, 0, b"12345678"));
    let pong = client.find(|frame| frame.kind == PING).unwrap();
    assert_eq!((pong.flags, pong.payload.as_slice()), (ACK, b"12345678".as_slice()));
}

#[test]
fn what_only_begins_like_a_preface_is_http_1() {
    let bench = bench(&echo(), |_, _| {});
    let mut wire = bench.client();
    wire.send("P").send("OST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(wire.read().unwrap().body, b"POST /base/ HTTP/1.1");
    let mut wire = bench.client();
    wire.send("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    assert_eq!(wire.read().unwrap().status(), "505");
}

#[test]
fn f07_drain_says_goaway_and_finishes_streams() {
    let origin = origin(|_, mut wire| {
        while let Some(request) = wire.request() {
            std::thread::sleep(ms(600));
            wire.ok(request.line.trim_end());
        }
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    let mut idle = H2::connect(bench.running.public);
    idle.send(frame(PING, 0, 0, b"12345678")).find(|frame| frame.kind == PING).unwrap();
    client.send(get(1, "/slow"));
    eventually("the request is there", || bench.handled.load(Ordering::SeqCst) == 1);
    let Bench { running, control, .. } = bench;
    let drained = std::thread::spawn(move || control.block_on(running.drain(ms(5_000))));
    let farewell = client.find(|frame| frame.kind == GOAWAY).unwrap();
    assert_eq!(farewell.code(), NO_ERROR);
    let answer = client.answer(1);
    assert_eq!((answer.text().as_str(), answer.end), ("GET /base/slow HTTP/1.1", End::Whole));
    assert_eq!(client.farewell(), Some(NO_ERROR));
    assert_eq!(idle.farewell(), Some(NO_ERROR));
    assert_eq!(drained.join().unwrap(), crate::Drained::Whole);
}

#[test]
fn a_connection_has_its_share_of_requests_and_then_ends() {
    let bench = bench(&echo(), |config, _| config.connections.requests_max = 5);
    let mut client = client(&bench);
    let all: Vec<u8> = (0..20).flat_map(|n| get(2 * n + 1, "/x")).collect();
    client.send(all);
    let frames = client.rest();
    assert!(frames.iter().any(|frame| frame.kind == GOAWAY && frame.code() == NO_ERROR));
    // Those that were on their way when the farewell left are answered, too.
    let answered = frames.iter().filter(|frame| frame.kind == HEADERS).count();
    assert!((5..=20).contains(&answered), "{answered}");
}

#[test]
fn a_client_that_does_not_listen_to_the_farewell_is_refused() {
    let bench = bench(&echo(), |config, _| config.connections.requests_max = 5);
    let mut client = client(&bench);
    let mut refused = false;
    for n in 0..500 {
        let answer = client.fetch(2 * n + 1, &pseudo("GET", "/deny"));
        if answer.end != End::Whole {
            refused = true;
            break;
        }
    }
    assert!(refused && bench.handled.load(Ordering::SeqCst) <= 105);
}
