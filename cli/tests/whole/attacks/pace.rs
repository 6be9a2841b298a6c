// SPDX-License-Identifier: Apache-2.0
//! Clients that take their time, all at once.

use super::Stand;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Sends the head at once and then a byte at a time; how long that went well, and what was answered.
#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
fn drip(stand: &Stand, head: &[u8], rest: &[u8]) -> (Duration, String) {
    let mut stream = TcpStream::connect(stand.gate.public).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let began = Instant::now();
    stream.write_all(head).unwrap();
    let (mut raw, mut buffer) = (Vec::new(), [0; 4096]);
    for byte in rest {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => raw.extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
    }
    (began.elapsed(), String::from_utf8_lossy(&raw).into_owned())
}

#[test]
fn t55_t56_slow_heads_and_bodies_are_cut_off() {
    let stand = Stand::new();
    let kinds = ["application/octet-stream", "application/json"];
    let body = |target: &str, kind: &str| {
        stand.head(&format!("POST {target}"), &format!("Content-Type: {kind}\r\nContent-Length: 1000\r\n"))
    };
    let (streamed, judged) = (body("/v1/uploads", kinds[0]), body("/v1/notes", kinds[1]));
    let cases = [(&b"GET /v1/no"[..], 14, ""), (&streamed, 12, " 408 "), (&judged, 12, " 408 ")];
    std::thread::scope(|scope| {
        for (head, seconds_max, wanted) in cases {
            let stand = &stand;
            scope.spawn(move || {
                let (took, answer) = drip(stand, head, &[b'a'; 70]);
                assert!(took < Duration::from_secs(seconds_max), "{took:?}");
                assert!(answer.contains(wanted), "{answer}");
            });
        }
    });
    assert_eq!(stand.raw(&stand.head("GET /v1/notes/1", "Connection: close\r\n")), [200]);
}
