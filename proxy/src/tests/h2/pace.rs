// SPDX-License-Identifier: Apache-2.0
//! Streams and connections that are slow on purpose.

use super::h2raw::{
    CONTINUATION, DATA, ENHANCE_YOUR_CALM, End, H2, HEADERS, NO_ERROR, PING, RESET, SETTINGS, block, frame, get,
    headers, pseudo, setting, window,
};
use super::{client, *};
use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "a real socket's patience is measured with the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// Writes on until nobody takes it, or there is nothing more.
fn drip(client: &H2, every_ms: u64, piece: impl Fn(usize) -> Vec<u8> + Send + 'static) -> std::thread::JoinHandle<()> {
    let mut writer = client.try_clone();
    std::thread::spawn(move || {
        for n in 0..400 {
            let piece = piece(n);
            if piece.is_empty() || writer.try_send(piece).is_err() {
                return;
            }
            std::thread::sleep(ms(every_ms));
        }
    })
}

/// An origin whose answers are 50 000 bytes long.
fn generous() -> Scripted {
    origin(|_, mut wire| {
        let body = "x".repeat(50_000);
        while wire.request().is_some() {
            wire.ok(&body);
        }
    })
}

#[test]
fn t49_t55_a_head_has_an_absolute_time_whatever_trickles_in() {
    let bench = bench(&echo(), |config, _| config.head.timeout = ms(600));
    let head = block(&pseudo("GET", "/"));
    let began = frame(HEADERS, 0x1, 1, &head);
    // Nothing after the preface's beginning; a frame's head; a frame; a block that never ends.
    let slow: [(&str, Vec<u8>, Vec<u8>); 3] = [
        ("part of a frame's head", vec![0, 0], vec![]),
        ("a frame that drips", began[..12].to_vec(), vec![0x82]),
        ("a block that does not end", began, vec![]),
    ];
    for (name, first, then) in slow {
        let mut client = client(&bench);
        client.send(&first);
        let began = now();
        let dripping = drip(&client, 50, move |n| if n < 20 { then.clone() } else { Vec::new() });
        assert_eq!(client.farewell(), Some(ENHANCE_YOUR_CALM), "{name}");
        assert!((ms(500)..ms(3_000)).contains(&began.elapsed()), "{name}: {:?}", began.elapsed());
        dripping.join().unwrap();
    }
    let began = now();
    let mut silent = H2::silent(bench.running.public);
    silent.send(&h2raw::PREFACE[..20]);
    assert!(silent.rest().is_empty());
    assert!(began.elapsed() < ms(3_000));
    assert_eq!(bench.handled.load(Ordering::SeqCst), 0);
    let four = [frame(CONTINUATION, 0, 1, b""), frame(CONTINUATION, 0, 1, b"")];
    let mut late = client(&bench);
    late.send(frame(HEADERS, 0x1, 1, &head)).send(four.concat()).send(frame(CONTINUATION, 4, 1, b""));
    assert_eq!(late.answer(1).status, 200, "a head in pieces is a head");
}

#[test]
fn t55_a_connection_without_streams_is_ended_and_pings_do_not_keep_it() {
    let bench = bench(&echo(), |config, _| config.connections.idle = ms(600));
    let mut client = client(&bench);
    assert_eq!(client.fetch(1, &pseudo("GET", "/")).status, 200);
    let began = now();
    let dripping = drip(&client, 100, |_| frame(PING, 0, 0, b"12345678"));
    assert_eq!(client.farewell(), Some(NO_ERROR));
    assert!((ms(500)..ms(3_000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    dripping.join().unwrap();
}

#[test]
fn t56_a_body_has_an_absolute_time_and_its_stream_alone_ends() {
    let bench = bench(&echo(), |config, _| config.body.timeout = ms(500));
    let mut client = client(&bench);
    let fields = [&pseudo("POST", "/")[..], &[("x-buffer", "1"), ("content-length", "100")]].concat();
    client.send(headers(1, 0, &fields)).send(frame(DATA, 0, 1, b"part"));
    client.send(get(3, "/other"));
    assert_eq!(client.answer(3).status, 200);
    let answer = client.answer(1);
    assert_eq!((answer.status, answer.text().as_str()), (408, "payload.too_slow"));
    assert_eq!(client.fetch(5, &pseudo("GET", "/after")).status, 200);
}

#[test]
fn t56_a_body_has_a_least_rate_after_the_grace() {
    let bench = bench(&echo(), |config, _| {
        config.body.grace = ms(300);
        config.body.rate_min = 1_000;
    });
    let mut client = client(&bench);
    client.send(headers(1, 0, &[&pseudo("POST", "/")[..], &[("x-buffer", "1")]].concat()));
    let began = now();
    let _dripping = drip(&client, 50, |_| frame(DATA, 0, 1, b"x"));
    let answer = client.answer(1);
    assert_eq!((answer.status, answer.text().as_str()), (408, "payload.too_slow"));
    assert!(began.elapsed() < ms(5_000));
}

#[test]
fn t60_a_body_over_the_cap_is_refused_and_the_connection_goes_on() {
    let bench = bench(&echo(), |config, _| config.body.bytes_max = 10);
    let mut client = client(&bench);
    client.send(headers(1, 0, &[&pseudo("POST", "/")[..], &[("x-buffer", "1")]].concat()));
    client.send(frame(DATA, 0, 1, b"01234567890"));
    let answer = client.answer(1);
    assert_eq!((answer.status, answer.text().as_str()), (413, "payload.too_large"));
    assert_eq!(client.fetch(3, &pseudo("GET", "/after")).status, 200);
}

#[test]
fn t50_a_window_that_drips_does_not_hold_an_answer() {
    let bench = bench(&generous(), |config, _| config.connections.write_stall = ms(600));
    let mut client = client(&bench);
    client.send(setting(4, 0));
    let streams: Vec<u32> = (0..20).map(|n| 2 * n + 1).collect();
    for stream in &streams {
        client.send(get(*stream, "/"));
    }
    let began = now();
    let dripping = drip(&client, 100, |n| window(2 * (u32::try_from(n).unwrap() % 20) + 1, 1));
    for stream in &streams {
        let answer = client.answer(*stream);
        assert_eq!((answer.status, answer.end), (200, End::Reset(ENHANCE_YOUR_CALM)));
    }
    assert!((ms(500)..ms(5_000)).contains(&began.elapsed()), "{:?}", began.elapsed());
    client.send(setting(4, 65_535));
    client.send(get(101, "/deny"));
    assert_eq!(client.answer(101).status, 403, "the connection goes on");
    drop(client);
    dripping.join().unwrap();
}

#[test]
fn t50_a_client_that_takes_enough_is_left_alone() {
    let bench = bench(&generous(), |config, _| config.connections.write_stall = ms(500));
    let mut client = client(&bench);
    client.send(setting(4, 1_000));
    client.send(get(1, "/"));
    let dripping = drip(&client, 40, |n| if n < 49 { window(1, 1_000) } else { Vec::new() });
    let answer = client.answer(1);
    assert_eq!((answer.body.len(), answer.end), (50_000, End::Whole));
    drop(client);
    dripping.join().unwrap();
}

#[test]
fn t57_a_client_that_reads_nothing_is_cut_and_the_origin_held_back() {
    let sent: Arc<AtomicUsize> = Arc::default();
    let ended: Arc<AtomicUsize> = Arc::default();
    let (counted, end) = (Arc::clone(&sent), Arc::clone(&ended));
    let origin = origin(move |_, mut wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n");
        let some = vec![b'x'; 65_536];
        while wire.try_send(&some).is_ok() {
            counted.fetch_add(65_536, Ordering::SeqCst);
        }
        end.fetch_add(1, Ordering::SeqCst);
    });
    let bench = bench(&origin, |config, _| config.connections.write_stall = ms(500));
    let mut client = client(&bench);
    // All the room there is, and nobody who reads.
    client.send([setting(4, 0x7fff_ffff), window(0, 0x7fff_0000)].concat());
    for n in 0..4 {
        client.send(get(2 * n + 1, "/"));
    }
    eventually("the exchanges end", || ended.load(Ordering::SeqCst) == 4);
    // What the socket buffers on the way hold, not what the origin would send.
    assert!(sent.load(Ordering::SeqCst) < 256 * 1024 * 1024);
    drop(client);
}

#[test]
fn settings_are_acknowledged_and_resets_end_the_work() {
    let gone: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&gone);
    let origin = origin(move |_, mut wire| {
        wire.request();
        // Ends when the gate lets go of the connection.
        assert!(wire.request().is_none());
        count.fetch_add(1, Ordering::SeqCst);
    });
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    client.find(|frame| frame.kind == SETTINGS && frame.flags & 1 == 1).unwrap();
    client.send(get(1, "/")).send(frame(PING, 0, 0, b"12345678"));
    eventually("the request is upstream", || origin.connections.load(Ordering::SeqCst) == 1);
    client.send(frame(RESET, 0, 1, &8_u32.to_be_bytes()));
    eventually("the work ends", || gone.load(Ordering::SeqCst) == 1);
}
