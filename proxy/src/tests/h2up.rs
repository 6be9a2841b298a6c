// SPDX-License-Identifier: Apache-2.0
//! Upstreams that speak HTTP/2: as they should be, and as they should not.

mod agreed;
mod hostile;
mod leaving;
mod pace;
mod traffic;

use super::h2raw::{self, DATA, END_STREAM, End, GOAWAY, H2, HEADERS, RESET, frame, headers, pseudo};
use super::*;
use crate::Http;
use ::h2::RecvStream;
use ::h2::server::SendResponse;
use http::Request;
use std::future::Future;

/// A proxy in front of an origin that is spoken to in HTTP/2.
fn two(origin: &Scripted, tweak: impl FnOnce(&mut Config, &mut UpstreamConfig)) -> Bench {
    bench(origin, |config, upstream| {
        upstream.http = Http::Two;
        tweak(config, upstream);
    })
}

/// An origin at the level of frames. Its settings have been sent; the script gets each connection with its number.
fn framed(settings: &'static [(u16, u32)], script: impl Fn(usize, H2) + Send + Sync + 'static) -> Scripted {
    origin(move |number, wire| script(number, H2::accept(wire.reader.into_inner(), settings)))
}

type Asked = Request<RecvStream>;
type Respond = SendResponse<Bytes>;

/// An origin over the `h2` crate; each request is served by a future of its own.
fn served<F, W>(serve: F) -> Scripted
where
    F: Fn(Asked, Respond) -> W + Send + Sync + Clone + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    origin(move |_, wire| {
        let stream = wire.reader.into_inner();
        stream.set_nonblocking(true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let serve = serve.clone();
        runtime.block_on(async move {
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let Ok(mut connection) = ::h2::server::handshake(stream).await else { return };
            let tasks = crate::tasks::Tasks::on(tokio::runtime::Handle::current());
            while let Some(Ok((request, respond))) = connection.accept().await {
                tasks.spawn(serve(request, respond));
            }
        });
    })
}

/// Answers with the request's line, and the length and framing of its body.
fn echo_two() -> Scripted {
    served(|request: Asked, mut respond: Respond| async move {
        let (parts, mut body) = request.into_parts();
        let mut bytes = 0;
        while let Some(data) = body.data().await {
            let Ok(data) = data else { return };
            bytes += data.len();
            let _ = body.flow_control().release_capacity(data.len());
        }
        let length = parts.headers.get("content-length").map_or("-", |length| length.to_str().unwrap());
        let line = format!("{} {} {length} {bytes}", parts.method, parts.uri.path_and_query().unwrap());
        let response =
            Response::builder().header("x-authority", parts.uri.authority().unwrap().as_str()).body(()).unwrap();
        if let Ok(mut sender) = respond.send_response(response, false) {
            let _ = sender.send_data(line.into(), true);
        }
    })
}

/// The head of an answer that says 200.
fn ok(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    headers(stream, flags, &[&[(":status", "200")], fields].concat())
}

/// An answer that is whole.
fn whole(stream: u32, body: &str) -> Vec<u8> {
    [ok(stream, 0, &[]), frame(DATA, END_STREAM, stream, body.as_bytes())].concat()
}
