// SPDX-License-Identifier: Apache-2.0
//! The patience of the gate holds under TLS as without it (T55, T57, F28).

use super::*;
use std::io::Read;
use std::time::Instant;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[expect(clippy::disallowed_methods, reason = "a real socket's patience is measured with the real clock")]
fn now() -> Instant {
    Instant::now()
}

fn until_closed(stream: &mut Stream) -> Duration {
    let began = now();
    let _ = stream.read_to_end(&mut Vec::new());
    began.elapsed()
}

#[test]
fn t55_a_head_under_tls_has_an_absolute_time() {
    let scene = Scene::new();
    let gateway = serve_with(&scene.listener(), |config| config.head.timeout = ms(500));
    let mut silent = scene.client().connect(gateway.at(), "open.example").unwrap();
    let took = until_closed(&mut silent);
    assert!(took > ms(400) && took < ms(2_000), "silent after the handshake: {took:?}");

    let mut drip = scene.client().connect(gateway.at(), "open.example").unwrap();
    let began = now();
    while drip.write_all(b"G").and_then(|()| drip.flush()).is_ok() && began.elapsed() < ms(4_000) {
        std::thread::sleep(ms(50));
    }
    assert!(began.elapsed() < ms(2_500), "dripping records: {:?}", began.elapsed());

    // Half a record: nothing was said yet, and time runs all the same.
    let mut half = scene.client().connect(gateway.at(), "open.example").unwrap();
    half.sock.write_all(&[23, 3, 3, 1, 0, 0, 0]).unwrap();
    assert!(until_closed(&mut half) < ms(2_000), "half a record");
}

#[test]
fn t55_an_idle_connection_under_tls_is_closed_with_a_close_notify() {
    let scene = Scene::new();
    let gateway = serve_with(&scene.listener(), |config| config.connections.idle = ms(400));
    let mut stream = scene.client().connect(gateway.at(), "open.example").unwrap();
    get(&mut stream, "open.example").unwrap();
    std::thread::sleep(ms(100));
    get(&mut stream, "open.example").unwrap();
    let took = until_closed(&mut stream);
    assert!(took > ms(300) && took < ms(2_000), "{took:?}");
}

#[test]
fn t57_a_client_that_reads_nothing_is_cut_and_one_that_reads_slowly_is_served() {
    let scene = Scene::new();
    let gateway = serve_with(&scene.listener(), |config| {
        config.connections.write_stall = ms(1_500);
        config.connections.idle = ms(500);
    });
    let ask = || {
        let mut stream = scene.client().connect(gateway.at(), "open.example").unwrap();
        stream.write_all(b"GET /big HTTP/1.1\r\nhost: open.example\r\n\r\n").unwrap();
        stream.flush().unwrap();
        stream
    };
    let mut stalled = ask();
    std::thread::sleep(ms(3_500));
    let mut got = Vec::new();
    let ended = stalled.read_to_end(&mut got);
    assert!(ended.is_err() || got.len() < BIG_BYTES, "cut: {} bytes", got.len());

    let mut slow = ask();
    let (mut got, mut part) = (0, vec![0; 64 * 1024]);
    // Longer in all than any deadline, and never silent for as long as one.
    'reading: while got < BIG_BYTES {
        let pause = got + 2 * 1024 * 1024;
        while got < pause {
            match slow.read(&mut part) {
                Ok(0) | Err(_) => break 'reading,
                Ok(n) => got += n,
            }
        }
        std::thread::sleep(ms(100));
    }
    assert!(got >= BIG_BYTES, "{got} bytes");
}
