// SPDX-License-Identifier: Apache-2.0
//! HTTP/1 on one client connection: hyper parses and writes, the handler decides.
//!
//! hyper still answers by itself, without a problem body and without a record, what it cannot parse at all: a
//! malformed request line, field or version (400), more than twice the gate's limit of bytes or more than 28 fields
//! above its limit (431), a target above 64 KiB (414). Every tighter limit is the gate's, which refuses first.

use super::{AnswerEnd, Handler, Link, Rules};
use crate::body::{AnswerGuard, Reusable};
use crate::stream::{ClientStream, Transport};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portcullis_pipeline::Arrived;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

/// Most bytes hyper buffers of one connection beyond what the gate accepts as a head; also bounds what waits to be
/// written (T57).
const BUFFER_BYTES_MIN: usize = 64 * 1024;
/// So many fields more than the gate's limit reach the gate, so that it is the one to refuse.
const FIELDS_ABOVE_LIMIT: usize = 28;

/// Serves a connection until it ends.
pub(super) async fn drive<H: Handler, T: Transport>(link: Arc<Link>, handler: H, stream: ClientStream<T>) {
    let head = &link.worker.config.head;
    let mut builder = http1::Builder::new();
    builder
        .half_close(false)
        // The phases of `stream` bound the head's time without a timer per request.
        .header_read_timeout(None)
        .max_headers(head.fields_max.saturating_add(FIELDS_ABOVE_LIMIT))
        .max_buf_size(head.bytes_max.saturating_mul(2).max(BUFFER_BYTES_MIN));
    let service = service_fn(|request| serve(Arc::clone(&link), handler.clone(), request));
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut told = false;
    let ended = std::future::poll_fn(|cx| {
        link.pace.deadline().watch(cx.waker());
        loop {
            // Poll first: a request that has arrived already is still answered.
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(ended);
            }
            if told || !link.worker.is_draining() {
                return Poll::Pending;
            }
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
    })
    .await;
    // The error itself is the client's or the network's affair, and what it says may hold client data.
    if ended.is_err() && link.is_aborted() {
        connection.into_parts().io.inner().reset();
    }
}

async fn serve<H: Handler>(
    link: Arc<Link>,
    handler: H,
    request: Request<Incoming>,
) -> Result<Response<AnswerGuard<H::Body, AnswerEnd>>, Infallible> {
    link.pace.serve();
    let expects = request.headers().contains_key(EXPECT);
    let ambiguous = is_ambiguous(request.headers());
    let (parts, incoming) = request.into_parts();
    let rules = handler.rules();
    let method = parts.method.clone();
    let received = portcullis_wire::receive(parts, rules.limits(), rules.reserved());
    let arrived = Arrived { received, method, body: link.inflow.open(incoming) };
    let mut response = handler.handle(&link.worker, &link.ends, rules, arrived).await;
    let reusable = link.inflow.settle(expects).await;
    if ambiguous || reusable == Reusable::No || link.is_last() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| AnswerGuard::new(body, AnswerEnd(link))))
}

/// Framing that two parsers could read in two ways. The gate refuses it; whatever it says, nothing that follows on
/// this connection can be trusted (T01).
fn is_ambiguous(headers: &HeaderMap) -> bool {
    let several = |name| headers.get_all(name).iter().nth(1).is_some();
    match (headers.contains_key(TRANSFER_ENCODING), headers.contains_key(CONTENT_LENGTH)) {
        (true, true) => true,
        (true, false) => several(TRANSFER_ENCODING),
        (false, true) => several(CONTENT_LENGTH),
        (false, false) => false,
    }
}
