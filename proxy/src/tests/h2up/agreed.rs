// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 over TLS is agreed on, and an upstream that chooses HTTP/1.1 is spoken to in it.

use super::super::secured::{Scene, load};
use super::*;
use rcgen::ExtendedKeyUsagePurpose as Usage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An origin over TLS that speaks `protocol` alone, and says which it is.
fn choosing(scene: &Scene, protocol: &'static str) -> Scripted {
    let mut config = scene.server(&super::super::secured::params("orders.internal", Usage::ServerAuth), false);
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let config = Arc::new(config);
    origin(move |_, wire| {
        let stream = wire.reader.into_inner();
        stream.set_nonblocking(true).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(&config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            if protocol == "h2" {
                let Ok(mut connection) = ::h2::server::handshake(stream).await else { return };
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let said = format!("h2 {}", request.uri());
                    let mut sender = respond.send_response(Response::new(()), false).unwrap();
                    sender.send_data(said.into(), true).unwrap();
                }
                return;
            }
            let mut bytes = [0; 4096];
            while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none").await;
            }
        });
    })
}

#[test]
fn px_6_over_tls_http_2_is_agreed_on_and_http_1_is_spoken_where_it_is_chosen() {
    let scene = Scene::new();
    for protocol in ["h2", "http/1.1"] {
        let origin = choosing(&scene, protocol);
        let bench = two(&origin, |_, upstream| {
            upstream.targets = vec![Target::parse(&format!("https://{}", origin.address)).unwrap()];
            upstream.tls = Some(load(scene.files()));
        });
        for _ in 0..5 {
            let said = String::from_utf8(bench.get("/a").unwrap().body).unwrap();
            let expected = if protocol == "h2" { format!("h2 https://{}/a", origin.address) } else { "one".to_owned() };
            assert_eq!(said, expected);
        }
        assert_eq!(origin.connections.load(Ordering::SeqCst), 1, "{protocol}: kept for the next");
    }
}

#[test]
fn px_6_http_2_is_not_offered_where_nobody_asked_for_it() {
    let scene = Scene::new();
    let origin = choosing(&scene, "h2");
    let bench = bench(&origin, |_, upstream| {
        upstream.targets = vec![Target::parse(&format!("https://{}", origin.address)).unwrap()];
        upstream.tls = Some(load(scene.files()));
    });
    assert_eq!(bench.get("/").unwrap().body, b"upstream.tls");
}
