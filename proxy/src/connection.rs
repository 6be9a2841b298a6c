// SPDX-License-Identifier: Apache-2.0
//! One client connection: hyper parses and writes, the handler decides, this file keeps the time and the count.
//!
//! hyper still answers by itself, without a problem body and without a record, what it cannot parse at all: a
//! malformed request line, field or version (400), more than twice the gate's limit of bytes or more than 28 fields
//! above its limit (431), a target above 64 KiB (414). Every tighter limit is the gate's, which refuses first.

use crate::body::{AnswerGuard, Gone, Inflow, RequestBody, Reusable};
use crate::caps::Admitted;
use crate::stream::{ClientStream, Pace, Patience};
use crate::worker::Worker;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portcullis_pipeline::{BodyFault, Connection};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use tokio::net::TcpStream;

/// Most bytes hyper buffers of one connection beyond what the gate accepts as a head; also bounds what waits to be
/// written (T57).
const BUFFER_BYTES_MIN: usize = 64 * 1024;
/// So many fields more than the gate's limit reach the gate, so that it is the one to refuse.
const FIELDS_ABOVE_LIMIT: usize = 28;

/// Decides a request. In the product this is the pipeline.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    /// Body of its answers.
    type Body: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static;

    /// Answers a request; never fails.
    fn handle(
        &self,
        worker: &Arc<Worker>,
        connection: &Connection,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// What a connection remembers between its requests.
struct Link {
    worker: Arc<Worker>,
    ends: Connection,
    pace: Arc<Pace>,
    inflow: Arc<Inflow>,
    served: AtomicU32,
    opened_ms: u64,
    aborted: AtomicBool,
    _admitted: Admitted,
}

/// Serves a connection until it ends.
pub(crate) fn open<H: Handler>(
    worker: &Arc<Worker>,
    handler: &H,
    socket: TcpStream,
    peer: std::net::SocketAddr,
    admitted: Admitted,
) {
    // Answers are small and complete; waiting to fill a segment only adds latency. Without it they are still right.
    let _ = socket.set_nodelay(true);
    let Ok(local) = socket.local_addr() else { return };
    let bounds = &worker.config.connections;
    let patience = Patience { idle: bounds.idle, head: worker.config.head.timeout, write_stall: bounds.write_stall };
    let pace = Arc::new(Pace::new(worker.deadlines.register(), patience));
    let inflow = Inflow::new(Arc::clone(&worker.deadlines), worker.config.body.clone(), worker.client_tasks.clone());
    let link = Arc::new(Link {
        worker: Arc::clone(worker),
        ends: Connection { peer, local },
        pace: Arc::clone(&pace),
        inflow: Arc::new(inflow),
        served: AtomicU32::new(0),
        opened_ms: worker.deadlines.now_ms(),
        aborted: AtomicBool::new(false),
        _admitted: admitted,
    });
    let stream = TokioIo::new(ClientStream::new(socket, pace));
    worker.client_tasks.spawn(drive(link, handler.clone(), stream));
}

async fn drive<H: Handler>(link: Arc<Link>, handler: H, stream: TokioIo<ClientStream>) {
    let head = &link.worker.config.head;
    let mut builder = http1::Builder::new();
    builder
        .half_close(false)
        // The phases of `stream` bound the head's time without a timer per request.
        .header_read_timeout(None)
        .max_headers(head.fields_max.saturating_add(FIELDS_ABOVE_LIMIT))
        .max_buf_size(head.bytes_max.saturating_mul(2).max(BUFFER_BYTES_MIN));
    let service = service_fn(|request| serve(Arc::clone(&link), handler.clone(), request));
    let mut connection = builder.serve_connection(stream, service);
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
    if ended.is_err() && link.aborted.load(Ordering::Relaxed) {
        connection.into_parts().io.into_inner().reset();
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
    let body = link.inflow.open(incoming);
    let request = Request::from_parts(parts, body);
    let mut response = handler.handle(&link.worker, &link.ends, request).await;
    let reusable = link.inflow.settle(expects).await;
    if ambiguous || reusable == Reusable::No || link.is_last() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| AnswerGuard::new(body, AnswerEnd(link))))
}

impl Link {
    /// Whether this connection has had its share.
    fn is_last(&self) -> bool {
        let bounds = &self.worker.config.connections;
        let served = self.served.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let age_ms = self.worker.deadlines.now_ms().saturating_sub(self.opened_ms);
        served >= bounds.requests_max || u128::from(age_ms) >= bounds.age_max.as_millis() || self.worker.is_draining()
    }
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

/// Tells the connection how an answer ended.
pub(crate) struct AnswerEnd(Arc<Link>);

impl Gone for AnswerEnd {
    fn aborted(&self) {
        self.0.aborted.store(true, Ordering::Relaxed);
    }

    fn gone(&self) {
        self.0.inflow.answered();
        self.0.pace.rest();
    }
}
