// SPDX-License-Identifier: Apache-2.0
//! Handshakes that are none: slow, broken in pieces, garbage, too many (T58, T20).

use super::*;
use proptest::prelude::*;
use std::io::Read;
use std::time::Instant;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[expect(clippy::disallowed_methods, reason = "a real socket's patience is measured with the real clock")]
fn now() -> Instant {
    Instant::now()
}

fn raw(at: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// What comes back until the gateway closes.
fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is a close, too.
    let _ = socket.read_to_end(&mut bytes);
    bytes
}

fn hello(scene: &Scene, name: &str) -> Vec<u8> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut session = ClientConnection::new(scene.client().config(), name).unwrap();
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn t58_a_handshake_has_five_seconds_unless_told_otherwise_and_an_absolute_time_whatever_trickles_in() {
    assert_eq!(crate::ConnectionBounds::default().handshake, Duration::from_secs(5));
    let scene = Scene::new();
    let gateway = serve_with(&scene.listener(), |config| config.connections.handshake = ms(500));
    let mut silent = raw(gateway.at());
    let began = now();
    assert_eq!(rest(&mut silent), b"");
    assert!(began.elapsed() > ms(450) && began.elapsed() < ms(2_000), "silent: {:?}", began.elapsed());

    let mut drip = raw(gateway.at());
    let bytes = hello(&scene, "open.example");
    let began = now();
    for byte in bytes.chunks(1) {
        if drip.write_all(byte).is_err() || began.elapsed() > ms(3_000) {
            break;
        }
        std::thread::sleep(ms(20));
    }
    rest(&mut drip);
    assert!(began.elapsed() < ms(2_500), "dripping: {:?}", began.elapsed());

    // The second flight never comes.
    let mut half = raw(gateway.at());
    half.write_all(&bytes).unwrap();
    let began = now();
    assert_eq!(rest(&mut half).first(), Some(&22), "a server hello");
    assert!(began.elapsed() < ms(2_000), "half: {:?}", began.elapsed());
    assert!(gateway.saw(|event| matches!(event, Event::HandshakesFailed { timed_out: 1.., .. })));
    assert!(scene.client().get(gateway.at(), "open.example").is_ok());
}

#[test]
fn t58_a_hello_in_any_pieces_is_one_hello() {
    let scene = Scene::new();
    let gateway = serve(&scene.listener());
    let whole = hello(&scene, "open.example");
    let (header, message) = whole.split_at(5);
    // Every byte of the handshake message in a record of its own.
    let records: Vec<u8> = message.iter().flat_map(|byte| [header[0], header[1], header[2], 0, 1, *byte]).collect();
    for (how, pieces) in [
        ("one byte at a time", whole.chunks(1).collect::<Vec<_>>()),
        ("in records of one byte", vec![records.as_slice()]),
        ("records of one byte, split inside", records.chunks(5).collect()),
    ] {
        let mut socket = raw(gateway.at());
        for piece in pieces {
            socket.write_all(piece).unwrap();
        }
        let mut first = [0; 1];
        socket.read_exact(&mut first).unwrap();
        assert_eq!(first, [22], "{how}");
    }
    // T104: a name in pieces is still a name nobody serves.
    let stranger = hello(&scene, "nobody.example");
    let (header, message) = stranger.split_at(5);
    let records: Vec<u8> = message.iter().flat_map(|byte| [header[0], header[1], header[2], 0, 1, *byte]).collect();
    let mut socket = raw(gateway.at());
    socket.write_all(&records).unwrap();
    assert_eq!(rest(&mut socket), [21, 3, 3, 0, 2, 2, 112]);
}

#[test]
fn t20_t58_what_is_no_hello_gets_an_alert_at_most_and_no_answer() {
    let scene = Scene::new();
    let gateway = serve(&scene.listener());
    let hello = hello(&scene, "open.example");
    let mut wrong_version = hello.clone();
    wrong_version[9] = 2;
    for (what, bytes) in [
        ("plain HTTP", b"GET / HTTP/1.1\r\nhost: open.example\r\n\r\n".to_vec()),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("an alert", vec![21, 3, 1, 0, 2, 1, 0]),
        ("close_notify and more", [vec![21, 3, 1, 0, 2, 1, 0], hello.clone()].concat()),
        ("application data", vec![23, 3, 3, 0, 1, 0]),
        ("SSLv2", vec![0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10]),
        ("an empty record", vec![22, 3, 1, 0, 0]),
        ("a record larger than any", [vec![22, 3, 1, 0xff, 0xff], vec![0; 70_000]].concat()),
        ("a message larger than any", [vec![22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff], vec![0; 16_380]].concat()),
        ("half a hello", hello[..hello.len() / 2].to_vec()),
        ("zeros", vec![0; 5_000]),
        ("nothing", vec![]),
    ] {
        let mut socket = raw(gateway.at());
        let _ = socket.write_all(&bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let said = rest(&mut socket);
        assert!(said.is_empty() || said[0] == 21, "{what}: {said:?}");
        assert!(said.len() <= 7, "{what}: {said:?}");
    }
    assert!(scene.client().get(gateway.at(), "open.example").is_ok());
}

#[test]
fn t58_handshakes_under_way_are_bounded_and_places_come_back() {
    let scene = Scene::new();
    let gateway = serve_with(&scene.listener(), |config| {
        config.connections.handshakes_max = 2;
        config.connections.handshake = ms(700);
    });
    let mut held: Vec<TcpStream> = (0..2).map(|_| raw(gateway.at())).collect();
    std::thread::sleep(ms(150));
    let began = now();
    assert!(scene.client().get(gateway.at(), "open.example").is_err());
    assert!(began.elapsed() < ms(400), "closed at once");
    for socket in &mut held {
        rest(socket);
    }
    assert!(scene.client().get(gateway.at(), "open.example").is_ok());
    // A connection that stands takes no place.
    let open: Vec<Stream> = (0..5).map(|_| scene.client().connect(gateway.at(), "open.example").unwrap()).collect();
    assert!(scene.client().get(gateway.at(), "open.example").is_ok());
    drop(open);
    assert!(gateway.saw(|event| matches!(event, Event::HandshakesFailed { refused: 1.., .. })));
}

#[test]
fn t58_no_bytes_of_a_client_end_the_gateway() {
    let scene = Scene::new();
    let gateway = serve(&scene.listener());
    let whole = hello(&scene, "open.example");
    let strategy = (prop::collection::vec((0..whole.len(), any::<u8>()), 0..6), 0..=whole.len(), any::<Vec<u8>>());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 150, ..ProptestConfig::default() });
    runner
        .run(&strategy, |(changes, length, more)| {
            let mut bytes = whole.clone();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(length);
            bytes.extend(more);
            let mut socket = raw(gateway.at());
            let _ = socket.write_all(&bytes);
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let said = rest(&mut socket);
            prop_assert!(said.is_empty() || matches!(said[0], 20..=23), "{:?}", said);
            Ok(())
        })
        .unwrap();
    assert!(scene.client().get(gateway.at(), "open.example").is_ok());
}
