// SPDX-License-Identifier: Apache-2.0
//! Answers that are passed on: no time for the whole of them, a longest pause, and a least rate for content (F27).

use super::*;

/// An origin that sends a chunk of so many bytes every `every`, and so many of them.
fn dripping(bytes: usize, every: Duration, pieces: usize) -> Scripted {
    origin(move |_, mut wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for _ in 0..pieces {
            if wire.try_send(format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes))).is_err() {
                return;
            }
            std::thread::sleep(every);
        }
        let _ = wire.try_send("0\r\n\r\n");
    })
}

fn passed_on(bench: &Bench, flow: &str) -> std::io::Result<Message> {
    let mut client = bench.client();
    client.send(format!("GET / HTTP/1.1\r\nhost: a\r\nx-flow: {flow}\r\n\r\n")).read()
}

#[test]
fn f27_a_stream_that_moves_outlives_the_time_of_an_exchange() {
    let origin = dripping(4096, ms(100), 12);
    let bench = bench(&origin, |config, upstream| {
        upstream.total = ms(300);
        config.streams.pause = ms(700);
    });
    for flow in ["content", "events"] {
        assert_eq!(passed_on(&bench, flow).unwrap().body.len(), 12 * 4096, "{flow}");
    }
}

#[test]
fn f27_a_stream_that_stops_is_broken_off_and_never_looks_whole() {
    let origin = dripping(4096, ms(1_500), 2);
    let bench = bench(&origin, |config, _| config.streams.pause = ms(400));
    for flow in ["content", "events"] {
        assert!(passed_on(&bench, flow).is_err(), "{flow}");
    }
}

#[test]
fn f27_content_that_drips_is_cut_where_events_are_not() {
    let origin = dripping(1, ms(100), 40);
    let bench = bench(&origin, |_, upstream| upstream.total = ms(500));
    assert!(passed_on(&bench, "content").is_err(), "forty bytes in four seconds");
    assert_eq!(passed_on(&bench, "events").unwrap().body.len(), 40);
}

#[test]
fn f27_a_client_that_reads_slowly_is_not_the_origins_fault() {
    const BYTES: usize = 8 << 20;
    let origin = origin(|_, mut wire| {
        wire.request();
        wire.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n"));
        let _ = wire.try_send(vec![b'x'; BYTES]);
    });
    let bench = bench(&origin, |config, upstream| {
        upstream.total = ms(300);
        config.streams.pause = ms(500);
    });
    let mut client = bench.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx-flow: content\r\n\r\n");
    std::thread::sleep(ms(1_500));
    assert_eq!(client.read().unwrap().body.len(), BYTES);
}
