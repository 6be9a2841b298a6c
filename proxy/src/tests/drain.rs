// SPDX-License-Identifier: Apache-2.0
//! Leaving without cutting an answer (F07).

use super::*;
use crate::drain::Drained;

/// Answers after a pause.
fn slow(pause: Duration) -> Scripted {
    origin(move |_, mut wire| {
        while wire.request().is_some() {
            std::thread::sleep(pause);
            wire.ok("ok");
        }
    })
}

#[test]
fn f07_drain_finishes_what_is_being_answered_and_ends_what_is_idle() {
    let origin = slow(ms(500));
    let bench = bench(&origin, |config, _| config.cores = NonZeroUsize::new(2).unwrap());
    let mut idle = bench.client();
    assert_eq!(idle.get("/").unwrap().body, b"ok");
    let mut busy: Vec<_> = (0..50)
        .map(|_| {
            let mut client = bench.client();
            client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            client
        })
        .collect();
    eventually("all are under way", || bench.handled.load(Ordering::SeqCst) == 51);
    let public = bench.running.public;
    let drained = bench.control.block_on(bench.running.drain(Duration::from_secs(6)));
    assert_eq!(drained, Drained::Whole);
    for client in &mut busy {
        let answer = client.read().unwrap();
        assert_eq!((answer.body.as_slice(), answer.field("connection")), (b"ok" as &[u8], Some("close")));
        assert!(client.rest().unwrap().is_empty());
    }
    assert!(idle.rest().unwrap().is_empty());
    assert!(TcpStream::connect(public).is_err(), "nobody listens any more");
}

#[test]
fn f07_no_request_is_lost_while_clients_come_and_go() {
    let origin = slow(ms(5));
    let bench = bench(&origin, |_, _| {});
    let public = bench.running.public;
    let clients: Vec<_> = (0..8)
        .map(|_| {
            std::thread::spawn(move || {
                let mut whole = 0;
                loop {
                    // Once connected the request must be answered; refused means that the drain is over.
                    let Ok(stream) = TcpStream::connect(public) else { return whole };
                    let mut client = Wire::over(stream);
                    match client.get("/") {
                        Ok(answer) => assert_eq!(answer.body, b"ok"),
                        // Shaken hands with, never accepted: the listener closed in between.
                        Err(error) if error.kind() != std::io::ErrorKind::InvalidData => continue,
                        Err(error) => panic!("{error}"),
                    }
                    whole += 1;
                }
            })
        })
        .collect();
    eventually("there is load", || bench.handled.load(Ordering::SeqCst) > 100);
    let handled = Arc::clone(&bench.handled);
    assert_eq!(bench.control.block_on(bench.running.drain(Duration::from_secs(6))), Drained::Whole);
    let whole: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert_eq!(whole, handled.load(Ordering::SeqCst), "every request that was begun was answered");
}

#[test]
fn f07_the_deadline_cuts_what_is_left() {
    let origin = slow(Duration::from_secs(5));
    let bench = bench(&origin, |_, _| {});
    let mut client = bench.client();
    client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("it is under way", || bench.handled.load(Ordering::SeqCst) == 1);
    let drained = bench.control.block_on(bench.running.drain(ms(300)));
    assert_eq!(drained, Drained::Cut(1));
    assert!(client.read().is_err());
}

#[test]
fn f07_work_that_outlives_its_client_is_waited_for() {
    let bench = bench(&echo(), |_, _| {});
    let mut client = bench.client();
    client.send("GET /finish HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("it is under way", || bench.handled.load(Ordering::SeqCst) == 1);
    drop(client);
    assert_eq!(bench.control.block_on(bench.running.drain(Duration::from_secs(6))), Drained::Whole);
    assert_eq!(bench.finished.load(Ordering::SeqCst), 1);
}

#[test]
fn a_proxy_that_is_dropped_stops() {
    let bench = bench(&echo(), |_, _| {});
    let public = bench.running.public;
    drop(bench);
    eventually("nobody listens", || TcpStream::connect(public).is_err());
}
