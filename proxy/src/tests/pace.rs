// SPDX-License-Identifier: Apache-2.0
//! Clients that are slow on purpose (T55 to T57), and what is too large (T60).

use super::*;
use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "a real socket's patience is measured with the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// How long the proxy takes to hang up.
fn until_closed(client: &mut Wire) -> Duration {
    let began = now();
    drop(client.rest());
    began.elapsed()
}

#[test]
fn t55_a_head_has_an_absolute_time_whatever_trickles_in() {
    let bench = bench(&echo(), |config, _| config.head.timeout = ms(500));
    let mut silent = bench.client();
    assert!(until_closed(&mut silent) < ms(2_000), "a silent connection");

    assert_eq!(bench.handled.load(Ordering::SeqCst), 0, "nothing was said, so nothing is recorded");

    let mut drip = bench.client();
    let mut writer = drip.reader.get_ref().try_clone().unwrap();
    let dripping = std::thread::spawn(move || {
        let mut sent = 0;
        while writer.write_all(b"G").is_ok() && sent < 60 {
            sent += 1;
            std::thread::sleep(ms(50));
        }
        sent
    });
    let began = now();
    let answer = drip.read().unwrap();
    assert_eq!((answer.status(), answer.body.as_slice()), ("408", b"wire.too_slow" as &[u8]));
    drop(drip.rest());
    assert!(began.elapsed() < ms(3_000), "a dripping head");
    assert!(dripping.join().unwrap() < 60);
    assert_eq!(bench.handled.load(Ordering::SeqCst), 1);
}

#[test]
fn t55_an_idle_connection_is_closed() {
    let bench = bench(&echo(), |config, _| config.connections.idle = ms(400));
    let mut client = bench.client();
    assert_eq!(client.get("/").unwrap().status(), "200");
    std::thread::sleep(ms(100));
    assert_eq!(client.get("/").unwrap().status(), "200");
    let took = until_closed(&mut client);
    assert!(took > ms(350) && took < ms(2_000), "{took:?}");
}

#[test]
fn t56_a_body_has_an_absolute_time() {
    let bench = bench(&echo(), |config, _| config.body.timeout = ms(400));
    for buffer in ["x-buffer: 1\r\n", ""] {
        let mut client = bench.client();
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{buffer}content-length: 100\r\n\r\npart"));
        let answer = client.read().unwrap();
        assert_eq!((answer.status(), answer.body.as_slice()), ("408", b"payload.too_slow" as &[u8]), "{buffer}");
        assert_eq!(answer.field("connection"), Some("close"));
    }
}

#[test]
fn t56_a_body_has_a_least_rate_after_the_grace() {
    let bench = bench(&echo(), |config, _| {
        config.body.grace = ms(300);
        config.body.rate_min = 1_000;
    });
    let mut client = bench.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nx-buffer: 1\r\ncontent-length: 100000\r\n\r\n");
    let mut writer = client.reader.get_ref().try_clone().unwrap();
    std::thread::spawn(move || {
        while writer.write_all(b"x").is_ok() && {
            std::thread::sleep(ms(50));
            true
        } {}
    });
    let began = now();
    assert_eq!(client.read().unwrap().body, b"payload.too_slow");
    assert!(began.elapsed() < ms(4_000));

    let mut steady = bench.client();
    steady.send("POST / HTTP/1.1\r\nhost: a\r\nx-buffer: 1\r\ncontent-length: 4000\r\n\r\n");
    for _ in 0..8 {
        steady.send([b'x'; 500]);
        std::thread::sleep(ms(250));
    }
    assert_eq!(steady.read().unwrap().status(), "200");
}

#[test]
fn t57_a_client_that_does_not_read_is_cut_and_the_origin_held_back() {
    let sent: Arc<AtomicUsize> = Arc::default();
    let counted = Arc::clone(&sent);
    let ended: Arc<AtomicUsize> = Arc::default();
    let end = Arc::clone(&ended);
    let origin = origin(move |_, mut wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n");
        let some = vec![b'x'; 65_536];
        while wire.try_send(&some).is_ok() {
            counted.fetch_add(65_536, Ordering::SeqCst);
        }
        end.fetch_add(1, Ordering::SeqCst);
    });
    let bench = bench(&origin, |config, _| config.connections.write_stall = ms(400));
    let mut client = bench.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("the exchange ends", || ended.load(Ordering::SeqCst) == 1);
    // What the four socket buffers on the way hold, not what the origin would send.
    assert!(sent.load(Ordering::SeqCst) < 64 * 1024 * 1024);
}

#[test]
fn t60_a_body_over_the_cap_is_refused_by_length_or_by_chunks() {
    let bench = bench(&echo(), |config, _| config.body.bytes_max = 10);
    for body in
        ["content-length: 11\r\n\r\n01234567890", "transfer-encoding: chunked\r\n\r\nb\r\n01234567890\r\n0\r\n\r\n"]
    {
        let mut client = bench.client();
        client.send(format!("POST / HTTP/1.1\r\nhost: a\r\nx-buffer: 1\r\n{body}"));
        assert_eq!(client.read().unwrap().body, b"payload.too_large", "{body}");
    }
    let mut client = bench.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\nx-buffer: 1\r\ncontent-length: 10\r\n\r\n0123456789");
    assert_eq!(client.read().unwrap().status(), "200");
}

#[test]
fn f41_slow_heads_do_not_keep_others_waiting() {
    let bench = bench(&echo(), |config, _| config.connections.per_address_max = 600);
    let slow: Vec<_> = (0..400)
        .map(|_| {
            let mut client = bench.client();
            client.send("GET / HT");
            client
        })
        .collect();
    let began = now();
    let mut client = bench.client();
    for _ in 0..50 {
        assert_eq!(client.get("/").unwrap().status(), "200");
    }
    assert!(began.elapsed() < ms(3_000));
    drop(slow);
}
