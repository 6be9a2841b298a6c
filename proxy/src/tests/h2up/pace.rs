// SPDX-License-Identifier: Apache-2.0
//! Time, places and circuits in HTTP/2.

use super::*;
use crate::CircuitBreaker;
use portcullis_decision::Clock;

#[test]
fn f27_a_silent_stream_is_a_timeout_and_its_connection_goes_on_where_others_are_heard() {
    let origin = framed(&[], |_, mut wire| {
        while let Some((stream, fields)) = wire.request() {
            if !fields.iter().any(|(_, value)| value.ends_with("/silent")) {
                wire.send(whole(stream, "ok"));
            }
        }
    });
    let bench = two(&origin, |_, upstream| upstream.first_byte = ms(600));
    let mut silent = bench.client();
    silent.send("GET /silent HTTP/1.1\r\nhost: a\r\n\r\n");
    eventually("it is there", || bench.handled.load(Ordering::SeqCst) == 1);
    std::thread::sleep(ms(200));
    assert_eq!(bench.get("/").unwrap().body, b"ok");
    assert_eq!(silent.read().unwrap().body, b"upstream.timeout");
    assert_eq!(bench.get("/").unwrap().body, b"ok");
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn f27_a_connection_on_which_nothing_is_heard_is_not_used_again() {
    let origin = framed(&[], |number, mut wire| {
        while let Some((stream, _)) = wire.request() {
            if number > 0 {
                wire.send(whole(stream, "ok"));
            }
        }
    });
    let bench = two(&origin, |_, upstream| upstream.first_byte = ms(300));
    assert_eq!(bench.get("/").unwrap().body, b"upstream.timeout");
    // What the upstream said when it was connected may come while the first waits.
    let _ = bench.get("/");
    assert_eq!(bench.get("/").unwrap().body, b"ok");
}

#[test]
fn f27_an_answer_in_http_2_that_drips_is_cut_in_time() {
    let origin = framed(&[], |_, mut wire| {
        let (stream, _) = wire.request().unwrap();
        wire.send(ok(stream, 0, &[]));
        while wire.try_send(frame(DATA, 0, stream, b"x")).is_ok() {
            std::thread::sleep(ms(30));
        }
    });
    let bench = two(&origin, |_, upstream| upstream.total = ms(500));
    assert!(bench.get("/").is_err());
}

#[test]
fn f27_a_slow_upload_is_not_the_fault_of_an_upstream_in_http_2() {
    let bench = two(&echo_two(), |_, upstream| {
        upstream.first_byte = ms(300);
        upstream.total = ms(400);
    });
    let mut client = bench.client();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbo");
    std::thread::sleep(ms(1_000));
    assert_eq!(client.send("dy").read().unwrap().body, b"POST /base/ 4 4");
}

#[test]
fn the_streams_an_upstream_allows_are_kept_and_who_has_none_waits_in_its_time() {
    let most: Arc<AtomicUsize> = Arc::default();
    let seen = Arc::clone(&most);
    // One stream at a time.
    let origin = framed(&[(3, 1)], move |_, mut wire| {
        while let Some((stream, _)) = wire.request() {
            seen.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(ms(150));
            wire.send(whole(stream, "ok"));
        }
    });
    let bench = two(&origin, |_, _| {});
    let mut clients: Vec<_> = (0..24).map(|_| bench.client()).collect();
    let clock = SystemClock::new();
    let began = clock.monotonic();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.read().unwrap().body, b"ok");
    }
    assert_eq!((origin.connections.load(Ordering::SeqCst), most.load(Ordering::SeqCst)), (8, 24));
    assert!(clock.monotonic().saturating_sub(began) >= ms(440), "three rounds of eight");
    let bench = two(&origin, |_, upstream| upstream.total = ms(250));
    let mut clients: Vec<_> = (0..24).map(|_| bench.client()).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    let refused = clients
        .iter_mut()
        .map(Wire::read)
        .filter(|a| a.as_ref().is_ok_and(|a| a.body == b"upstream.overloaded"))
        .count();
    assert!((8..=20).contains(&refused), "{refused}");
}

#[test]
fn f26_a_dead_upstream_in_http_2_is_unreachable_to_all_that_wait_for_it_and_its_circuit_opens() {
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bench = two(&echo(), |_, upstream| {
        upstream.targets = vec![Target::parse(&format!("http://{dead}")).unwrap()];
        upstream.circuit_breaker = Some(CircuitBreaker::default());
    });
    for _ in 0..5 {
        assert_eq!(bench.get("/").unwrap().body, b"upstream.unreachable");
    }
    assert_eq!(bench.get("/").unwrap().body, b"upstream.breaker_open");
}

#[test]
fn f26_probes_are_sent_in_http_2() {
    let asked: Arc<AtomicUsize> = Arc::default();
    let seen = Arc::clone(&asked);
    let origin = framed(&[], move |_, mut wire| {
        while let Some((stream, fields)) = wire.request() {
            let probe = fields.contains(&(":path".to_owned(), "/healthz".to_owned()));
            seen.fetch_add(usize::from(probe), Ordering::SeqCst);
            wire.send(if probe { headers(stream, END_STREAM, &[(":status", "500")]) } else { whole(stream, "ok") });
        }
    });
    let bench = two(&origin, |_, upstream| {
        upstream.health = Some(crate::HealthCheck { path: "/healthz".into(), every: ms(200) });
    });
    eventually("it is asked twice, and out", || bench.get("/").unwrap().body == b"upstream.breaker_open");
    assert!(asked.load(Ordering::SeqCst) >= 2);
}

#[test]
fn t56_a_call_may_pause_between_messages_and_no_other_body_may() {
    let origin = served(|request: Asked, mut respond: Respond| async move {
        let mut body = request.into_body();
        let mut sender = respond.send_response(Response::new(()), false).unwrap();
        while let Some(Ok(data)) = body.data().await {
            let _ = body.flow_control().release_capacity(data.len());
            sender.send_data(data, false).unwrap();
        }
    });
    let bench = two(&origin, |config, _| {
        (config.body.grace, config.body.timeout) = (ms(200), ms(400));
        config.streams.pause = ms(1_500);
    });
    let mut client = H2::connect(bench.running.public);
    let opened =
        |stream, media_type| headers(stream, 0, &[&pseudo("POST", "/")[..], &[("content-type", media_type)]].concat());
    client.send(opened(1, "application/grpc")).send(opened(3, "text/plain"));
    let cut = client.find(|frame| frame.kind == RESET).unwrap();
    assert_eq!(cut.stream, 3);
    std::thread::sleep(ms(400));
    client.send(frame(DATA, 0, 1, b"message"));
    assert_eq!(client.find(|frame| frame.kind == DATA).unwrap().payload, b"message");
    let clock = SystemClock::new();
    let began = clock.monotonic();
    assert_eq!(client.find(|frame| frame.kind == RESET).unwrap().stream, 1);
    assert!(clock.monotonic().saturating_sub(began) >= ms(1_000), "a pause has an end, too");
}
