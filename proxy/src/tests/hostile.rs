// SPDX-License-Identifier: Apache-2.0
//! Origins that break the rules (T18) or break off (F28).

use super::*;

/// Sends these bytes to every request, then waits for the proxy to hang up.
fn saying(bytes: impl Into<Vec<u8>>) -> Scripted {
    let bytes = bytes.into();
    origin(move |_, mut wire| {
        while wire.request().is_some() {
            if wire.try_send(&bytes).is_err() {
                return;
            }
        }
    })
}

#[test]
fn t18_answers_that_break_the_rules_are_502_and_their_connection_is_not_used_again() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(6);
    let fields = "x: y\r\n".repeat(101);
    let cases: [(&str, String); 14] = [
        ("two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok".into()),
        ("two different lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok".into()),
        ("a list of lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok".into()),
        ("a signed length", "HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok".into()),
        (
            "length and coding",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".into(),
        ),
        ("another coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".into()),
        ("coding in 1.0", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".into()),
        ("switching", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".into()),
        ("six interim answers", format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")),
        ("101 fields", format!("HTTP/1.1 200 OK\r\n{fields}content-length: 2\r\n\r\nok")),
        ("a huge field", format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2\r\n\r\nok", "y".repeat(200_000))),
        ("no HTTP", "SSH-2.0-x\r\n\r\n".into()),
        ("a folded field", "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 2\r\n\r\nok".into()),
        ("a bare status", "HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok".into()),
    ];
    for (case, bytes) in cases {
        let origin = saying(bytes);
        let bench = bench(&origin, |_, _| {});
        for round in 1..=2 {
            let answer = bench.get("/").unwrap();
            assert_eq!(answer.body, b"upstream.invalid_response", "{case}");
            assert_eq!(origin.connections.load(Ordering::SeqCst), round, "{case}: a new connection each time");
        }
    }
}

#[test]
fn t18_five_interim_answers_are_skipped() {
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(5);
    let origin = saying(format!("{interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    let bench = bench(&origin, |_, _| {});
    for _ in 0..3 {
        assert_eq!(bench.get("/").unwrap().body, b"ok");
    }
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn t18_bytes_after_an_answer_are_nobodys_answer() {
    let poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    let cases = [
        format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok{poison}"),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{poison}"),
    ];
    for bytes in cases {
        let origin = saying(bytes);
        let bench = bench(&origin, |_, _| {});
        for _ in 0..20 {
            assert_eq!(bench.get("/").unwrap().body, b"ok");
        }
        assert_eq!(origin.connections.load(Ordering::SeqCst), 20);
    }
    let origin = saying(format!("HTTP/1.1 204 No Content\r\n\r\n{poison}"));
    let bench = bench(&origin, |_, _| {});
    for _ in 0..20 {
        assert_eq!(bench.get("/").unwrap().status(), "204");
    }
}

#[test]
fn f28_a_broken_answer_is_broken_at_the_client_too() {
    let cases: [(&str, &str); 4] = [
        ("short of its length", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":"),
        ("without its last chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        ("inside a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf"),
        ("a bad chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nxx\r\n"),
    ];
    for (case, bytes) in cases {
        for version in ["1.1", "1.0"] {
            let origin = origin(move |_, mut wire| {
                wire.request();
                wire.send(bytes);
                std::thread::sleep(ms(20));
            });
            let bench = bench(&origin, |_, _| {});
            for _ in 0..5 {
                let mut client = bench.client();
                client.send(format!("GET / HTTP/{version}\r\nhost: a\r\n\r\n"));
                let broken = match version {
                    "1.1" => client.read().is_err(),
                    // Without framing an orderly end would look whole: it must be a reset.
                    _ => client.rest().is_err() || bytes.contains("content-length"),
                };
                assert!(broken, "{case}, HTTP/{version}");
            }
            assert_eq!(origin.connections.load(Ordering::SeqCst), 5, "{case}: never used again");
        }
    }
}

#[test]
fn f28_a_reset_in_the_middle_is_broken_at_the_client_too() {
    let origin = origin(|_, mut wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        std::thread::sleep(ms(20));
        socket2::SockRef::from(wire.reader.get_ref()).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let bench = bench(&origin, |_, _| {});
    for _ in 0..10 {
        assert!(bench.get("/").is_err());
    }
}

#[test]
fn f28_a_head_that_breaks_off_is_502() {
    let origin = origin(|_, mut wire| {
        wire.request();
        wire.send("HTTP/1.1 200 OK\r\ncontent-le");
    });
    let bench = bench(&origin, |_, _| {});
    assert_eq!(bench.get("/").unwrap().body, b"upstream.invalid_response");
}
