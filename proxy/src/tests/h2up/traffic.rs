// SPDX-License-Identifier: Apache-2.0
//! Requests and answers as they should be, from clients of either kind.

use super::*;

#[test]
fn px_6_clients_of_either_kind_reach_an_upstream_in_http_2_over_one_connection() {
    let origin = echo_two();
    let bench = two(&origin, |_, _| {});
    let mut one = bench.client();
    let mut other = H2::connect(bench.running.public);
    for n in 0..5 {
        let answer = one.get(&format!("/{n}?a=b")).unwrap();
        assert_eq!(String::from_utf8(answer.body.clone()).unwrap(), format!("GET /base/{n}?a=b - 0"));
        assert_eq!(answer.field("x-authority"), Some(origin.address.to_string().as_str()));
        let answer = other.fetch(2 * n + 1, &pseudo("DELETE", "/x"));
        assert_eq!((answer.text().as_str(), answer.end), ("DELETE /base/x - 0", End::Whole));
    }
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn px_6_bodies_go_up_as_they_come_with_the_length_they_said() {
    let origin = echo_two();
    let bench = two(&origin, |_, _| {});
    let mut client = bench.client();
    let mut said = |request: String| String::from_utf8(client.send(&request).read().unwrap().body).unwrap();
    let chunked = "transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
    assert_eq!(said("POST /a HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()), "POST /base/a 0 0");
    assert_eq!(said("PUT /b HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody".to_owned()), "PUT /base/b 4 4");
    assert_eq!(said(format!("POST /c HTTP/1.1\r\nhost: a\r\n{chunked}")), "POST /base/c - 4");
    assert_eq!(said(format!("POST /d HTTP/1.1\r\nhost: a\r\nx-buffer: 1\r\n{chunked}")), "POST /base/d 4 4");
    let large = "x".repeat(700_000);
    let told = said(format!("POST /e HTTP/1.1\r\nhost: a\r\ncontent-length: 700000\r\n\r\n{large}"));
    assert_eq!(told, "POST /base/e 700000 700000");
    let told = said(format!("PUT /f HTTP/1.1\r\nhost: a\r\nx-buffer: 1\r\ncontent-length: 700000\r\n\r\n{large}"));
    assert_eq!(told, "PUT /base/f 700000 700000");
}

#[test]
fn px_6_the_head_an_upstream_gets_has_nothing_of_another_hop() {
    let seen: Seen<Vec<(String, String)>> = Arc::default();
    let all = Arc::clone(&seen);
    let origin = framed(&[], move |_, mut wire| {
        while let Some((stream, fields)) = wire.request() {
            all.lock().push(fields);
            wire.send(whole(stream, "ok"));
        }
    });
    let bench = two(&origin, |_, _| {});
    let request = "GET /a HTTP/1.1\r\nhost: a.example\r\nconnection: keep-alive, x-mine\r\nx-mine: 1\r\nkeep-alive: 5\r\n\
                   te: trailers, gzip\r\ntrailer: x\r\nx-kept: 1\r\n\r\n";
    assert_eq!(bench.client().send(request).read().unwrap().body, b"ok");
    let grpc = "GET /b HTTP/1.1\r\nhost: a.example\r\nx-grpc: 1\r\n\r\n";
    assert_eq!(bench.client().send(grpc).read().unwrap().body, b"ok");
    let seen = seen.lock();
    let names: Vec<_> = seen[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [":method", ":scheme", ":authority", ":path", "x-kept"], "{seen:?}");
    assert!(seen[1].contains(&("te".to_owned(), "trailers".to_owned())), "only what asks for trailers says so");
}

#[test]
fn px_6_a_large_answer_goes_as_fast_as_its_client_and_keeps_no_other_back() {
    let origin = served(|request: Asked, mut respond: Respond| async move {
        let large = request.uri().path().ends_with("/large");
        let mut sender = respond.send_response(Response::new(()), false).unwrap();
        for _ in 0..if large { 2_000 } else { 1 } {
            sender.reserve_capacity(1_000);
            while sender.capacity() < 1_000 {
                if !matches!(std::future::poll_fn(|cx| sender.poll_capacity(cx)).await, Some(Ok(_))) {
                    return;
                }
            }
            sender.send_data(vec![b'x'; 1_000].into(), false).unwrap();
        }
        sender.send_data(Bytes::new(), true).unwrap();
    });
    let bench = two(&origin, |_, _| {});
    let mut slow: Vec<_> = (0..20).map(|_| bench.client()).collect();
    for client in &mut slow {
        client.send("GET /large HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    for _ in 0..5 {
        assert_eq!(bench.get("/small").unwrap().body.len(), 1_000);
    }
    for client in &mut slow {
        assert_eq!(client.read().unwrap().body.len(), 2_000_000);
    }
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn px_6_trailers_pass_only_where_they_were_asked_for() {
    let origin = framed(&[], |_, mut wire| {
        while let Some((stream, _)) = wire.request() {
            wire.send(ok(stream, 0, &[])).send(frame(DATA, 0, stream, b"data"));
            wire.send(headers(stream, END_STREAM, &[("grpc-status", "0")]));
        }
    });
    let bench = two(&origin, |_, _| {});
    let mut client = H2::connect(bench.running.public);
    let plain = client.fetch(1, &pseudo("GET", "/"));
    assert_eq!((plain.text().as_str(), plain.trailers.len(), plain.end), ("data", 0, End::Whole));
    let grpc = client.fetch(3, &[&pseudo("GET", "/")[..], &[("x-grpc", "1")]].concat());
    assert_eq!((grpc.text().as_str(), grpc.end), ("data", End::Whole));
    assert_eq!(grpc.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
    let answer = bench.client().send("GET / HTTP/1.1\r\nhost: a\r\nx-grpc: 1\r\n\r\n").read().unwrap();
    assert_eq!((answer.body.as_slice(), answer.field("grpc-status")), (b"data".as_slice(), None));
}

#[test]
fn px_6_answer_and_upload_flow_at_the_same_time() {
    let origin = served(|request: Asked, mut respond: Respond| async move {
        let mut body = request.into_body();
        let mut sender = respond.send_response(Response::new(()), false).unwrap();
        while let Some(Ok(data)) = body.data().await {
            let _ = body.flow_control().release_capacity(data.len());
            sender.send_data(data, false).unwrap();
        }
        sender.send_data(Bytes::from_static(b"end"), true).unwrap();
    });
    let bench = two(&origin, |_, upstream| upstream.first_byte = ms(500));
    let mut client = H2::connect(bench.running.public);
    client.send(headers(1, 0, &pseudo("POST", "/")));
    assert_eq!(client.find(|frame| frame.kind == HEADERS).unwrap().stream, 1, "before any of the upload");
    for n in 0..5 {
        std::thread::sleep(ms(200));
        let said = format!("message {n}");
        client.send(frame(DATA, 0, 1, said.as_bytes()));
        assert_eq!(client.find(|frame| frame.kind == DATA).unwrap().payload, said.as_bytes());
    }
    client.send(frame(DATA, END_STREAM, 1, b""));
    let last = client.find(|frame| frame.kind == DATA && !frame.payload.is_empty()).unwrap();
    assert_eq!(last.payload, b"end");
}

#[test]
fn px_6_many_requests_at_once_share_few_connections() {
    let origin = served(|request: Asked, mut respond: Respond| async move {
        tokio::time::sleep(ms(300)).await;
        let path = request.uri().path().to_owned();
        if let Ok(mut sender) = respond.send_response(Response::new(()), false) {
            let _ = sender.send_data(path.into(), true);
        }
    });
    let bench = two(&origin, |config, _| config.connections.per_address_max = 1_000);
    let mut clients: Vec<_> = (0..250).map(|_| bench.client()).collect();
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(format!("GET /{n} HTTP/1.1\r\nhost: a\r\n\r\n"));
    }
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(String::from_utf8(client.read().unwrap().body).unwrap(), format!("/base/{n}"));
    }
    assert_eq!(origin.connections.load(Ordering::SeqCst), 3, "a hundred at once on each");
}

#[test]
fn px_6_the_answer_to_a_head_and_one_without_content_have_none() {
    let origin = framed(&[], |_, mut wire| {
        while let Some((stream, fields)) = wire.request() {
            let head = fields.contains(&(":method".to_owned(), "HEAD".to_owned()));
            let status = if head { "200" } else { "304" };
            wire.send(headers(stream, END_STREAM, &[(":status", status), ("content-length", "1234")]));
        }
    });
    let bench = two(&origin, |_, _| {});
    let mut client = H2::connect(bench.running.public);
    for (n, method) in [(1, "HEAD"), (3, "GET")] {
        let answer = client.fetch(n, &pseudo(method, "/"));
        assert_eq!((answer.body.len(), answer.end), (0, End::Whole), "{method}");
    }
}
