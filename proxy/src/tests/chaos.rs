// SPDX-License-Identifier: Apache-2.0
//! A network between the proxy and its origin that does what networks do (F27, F28): every place an answer can be cut,
//! reset, swallowed, slowed or damaged at. The client sees the whole answer, a 502 or 504, or a broken one; never a
//! short one that looks whole; and the connection is not used again.

use super::*;

/// What happens to the bytes of the origin, counted from the first.
#[derive(Clone, Copy, Debug)]
enum Toxic {
    None,
    /// Ends the connection in order after so many.
    Close(usize),
    /// Resets it.
    Reset(usize),
    /// Ends this direction and goes on reading.
    HalfClose(usize),
    /// Says nothing more and stays.
    BlackHole(usize),
    /// So many at a time, with this pause.
    Drip(usize, Duration),
    /// Waits first.
    Latency(Duration),
    /// Damages one byte.
    Damage(usize),
    /// Loses one byte.
    Lose(usize),
}

/// The chaos proxy; the toxic of each connection by its number.
fn chaos(to: &Scripted, toxic: impl Fn(usize) -> Toxic + Send + Sync + 'static) -> Scripted {
    let to = to.address;
    origin(move |number, wire| {
        let client = wire.reader.into_inner();
        let server = TcpStream::connect(to).unwrap();
        server.set_nodelay(true).unwrap();
        let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let upload = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from_client, &mut to_server);
            let _ = to_server.shutdown(std::net::Shutdown::Both);
        });
        poison(toxic(number), server, &client);
        let _ = client.shutdown(std::net::Shutdown::Both);
        drop(client);
        let _ = upload.join();
    })
}

fn poison(toxic: Toxic, mut server: TcpStream, mut client: &TcpStream) {
    let (mut passed, mut buffer) = (0, [0_u8; 4096]);
    if let Toxic::Latency(wait) = toxic {
        std::thread::sleep(wait);
    }
    while let Ok(read @ 1..) = server.read(&mut buffer) {
        let mut some = buffer[..read].to_vec();
        match toxic {
            Toxic::Damage(at) if (passed..passed + read).contains(&at) => some[at - passed] = b'~',
            Toxic::Lose(at) if (passed..passed + read).contains(&at) => drop(some.remove(at - passed)),
            _ => {}
        }
        let limit = match toxic {
            Toxic::Close(at) | Toxic::Reset(at) | Toxic::HalfClose(at) | Toxic::BlackHole(at) => at - passed.min(at),
            _ => some.len(),
        };
        let ends = limit < some.len();
        some.truncate(limit);
        let (piece, pause) = if let Toxic::Drip(piece, pause) = toxic { (piece, pause) } else { (4096, ms(0)) };
        for piece in some.chunks(piece) {
            if client.write_all(piece).is_err() {
                return;
            }
            std::thread::sleep(pause);
        }
        passed += read;
        if ends {
            break;
        }
    }
    match toxic {
        Toxic::Reset(_) => {
            std::thread::sleep(ms(15));
            socket2::SockRef::from(client).set_linger(Some(Duration::ZERO)).unwrap();
        }
        Toxic::HalfClose(_) => {
            let _ = client.shutdown(std::net::Shutdown::Write);
            std::thread::sleep(ms(200));
        }
        Toxic::BlackHole(_) => std::thread::sleep(ms(1_500)),
        _ => {}
    }
}

const BODY: usize = 2_000;

/// The bytes of an answer of [`BODY`] bytes, and where its head ends.
fn whole(chunked: bool) -> (Vec<u8>, usize) {
    let body = "x".repeat(BODY);
    let (head, body) = if chunked {
        let chunk = format!("{:x}\r\n{}\r\n", BODY / 4, "x".repeat(BODY / 4));
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(), format!("{}0\r\n\r\n", chunk.repeat(4)))
    } else {
        (format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n"), body)
    };
    (format!("{head}{body}").into_bytes(), head.len())
}

fn answering(bytes: Vec<u8>) -> Scripted {
    origin(move |_, mut wire| while wire.request().is_some() && wire.try_send(&bytes).is_ok() {})
}

/// What a client saw.
#[derive(Debug, PartialEq, Eq)]
enum Saw {
    Whole,
    Refused(String),
    Broken,
}

fn look(bench: &Bench) -> Saw {
    match bench.get("/") {
        Ok(answer) if answer.status() == "200" && answer.body == vec![b'x'; BODY] => Saw::Whole,
        Ok(answer) if answer.status() != "200" => Saw::Refused(String::from_utf8(answer.body).unwrap()),
        Ok(answer) => panic!("a short or damaged answer that looks whole: {answer:?}"),
        Err(_) => Saw::Broken,
    }
}

/// Every cut of interest: before, in and after the status line, at the end of the head, in sizes, chunks and the end.
fn cuts(chunked: bool) -> Vec<usize> {
    let (bytes, head) = whole(chunked);
    let mut cuts = vec![0, 1, 9, head - 1, head, head + 1, head + 700, bytes.len() - 1];
    if chunked {
        // In the size line, behind it, at the end of a chunk, between chunks, in the last chunk and before its end.
        cuts.extend([head + 3, head + 5, head + 505, head + 507, bytes.len() - 5, bytes.len() - 4, bytes.len() - 2]);
    }
    cuts
}

fn expected(cut: usize, head: usize) -> Saw {
    match cut {
        0 => Saw::Refused("upstream.unreachable".to_owned()),
        _ if cut < head => Saw::Refused("upstream.invalid_response".to_owned()),
        _ => Saw::Broken,
    }
}

#[test]
fn f28_an_answer_cut_anywhere_is_never_a_short_one_and_its_connection_is_not_used_again() {
    let mut cases = 0;
    for chunked in [false, true] {
        let (bytes, head) = whole(chunked);
        let origin = answering(bytes);
        for cut in cuts(chunked) {
            for toxic in [Toxic::Close(cut), Toxic::HalfClose(cut), Toxic::Reset(cut)] {
                let between = chaos(&origin, move |number| if number == 0 { toxic } else { Toxic::None });
                let bench = bench(&between, |_, _| {});
                let saw = look(&bench);
                if matches!(toxic, Toxic::Reset(_)) {
                    // A reset may overtake what was sent before it.
                    assert_ne!(saw, Saw::Whole, "{toxic:?}, chunked: {chunked}");
                } else {
                    assert_eq!(saw, expected(cut, head), "{toxic:?}, chunked: {chunked}");
                }
                assert_eq!(look(&bench), Saw::Whole, "{toxic:?}: the next one has a connection of its own");
                assert_eq!(between.connections.load(Ordering::SeqCst), 2);
                cases += 1;
            }
        }
    }
    assert!(cases >= 60, "{cases}");
}

#[test]
fn f27_an_answer_that_stops_anywhere_is_a_timeout_or_broken() {
    for chunked in [false, true] {
        let (bytes, head) = whole(chunked);
        let origin = answering(bytes.clone());
        for cut in [0, 9, head - 1, head, head + 700, bytes.len() - 1] {
            let between = chaos(&origin, move |number| if number == 0 { Toxic::BlackHole(cut) } else { Toxic::None });
            let bench = bench(&between, |_, upstream| (upstream.first_byte, upstream.total) = (ms(300), ms(500)));
            let began = tokio::time::Instant::now();
            let saw = look(&bench);
            let took = began.elapsed();
            let timeout = Saw::Refused("upstream.timeout".to_owned());
            assert_eq!(saw, if cut < head { timeout } else { Saw::Broken }, "{cut}, chunked: {chunked}");
            assert!(took < ms(1_400), "{cut}: {took:?}");
            assert_eq!(look(&bench), Saw::Whole, "{cut}");
        }
    }
}

#[test]
fn f28_damage_is_broken_and_loss_is_never_filled_up() {
    let (bytes, head) = whole(true);
    let origin = answering(bytes);
    for toxic in [Toxic::Damage(head), Toxic::Damage(head + 3), Toxic::Damage(head + 505), Toxic::Lose(head + 600)] {
        let between = chaos(&origin, move |number| if number == 0 { toxic } else { Toxic::None });
        let bench = bench(&between, |_, upstream| upstream.total = ms(500));
        assert_eq!(look(&bench), Saw::Broken, "{toxic:?}");
        assert_eq!(look(&bench), Saw::Whole, "{toxic:?}");
    }
    let origin = answering(whole(false).0);
    for (toxic, saw) in [
        (Toxic::Damage(3), Saw::Refused("upstream.invalid_response".to_owned())),
        (Toxic::Lose(head + 600), Saw::Broken),
    ] {
        let between = chaos(&origin, move |number| if number == 0 { toxic } else { Toxic::None });
        let bench = bench(&between, |_, upstream| upstream.total = ms(500));
        assert_eq!(look(&bench), saw, "{toxic:?}");
    }
}

#[test]
fn f27_slowness_inside_the_timeouts_changes_nothing() {
    for chunked in [false, true] {
        let origin = answering(whole(chunked).0);
        for toxic in [Toxic::Latency(ms(150)), Toxic::Drip(97, ms(2)), Toxic::Drip(1_999, ms(20))] {
            let between = chaos(&origin, move |_| toxic);
            let bench = bench(&between, |_, upstream| upstream.first_byte = ms(600));
            assert_eq!(look(&bench), Saw::Whole, "{toxic:?}");
        }
        let between = chaos(&origin, |_| Toxic::Latency(ms(900)));
        let bench = bench(&between, |_, upstream| upstream.first_byte = ms(300));
        assert_eq!(look(&bench), Saw::Refused("upstream.timeout".to_owned()));
    }
}
