// SPDX-License-Identifier: Apache-2.0
//! Everything between bytes and bytes: one request in, one answer out, one record. Never fails.

use crate::answer::AnswerBody;
use crate::body::BodyFault;
use crate::client_head;
use crate::exchange::{Ending, Exchange};
use crate::gate::{Gate, Lane};
use crate::handshake::Handshake;
use crate::order::{decide, enter, release};
use crate::origin::Origin;
use crate::pages;
use crate::stages::{Answer, Decided};
use crate::states::{Leaving, Received, Released};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body::Body;
use portcullis_audit::Refusal;
use portcullis_decision::{Denial, Facts, Reason, RequestId, Trail, problem, stage};
use portcullis_wire::{Head, WireFault};
use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// What a client is told when it may try again and nothing better is known.
const RETRY_AFTER_DEFAULT: HeaderValue = HeaderValue::from_static("1");

/// The two ends of a client's connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The client.
    pub peer: SocketAddr,
    /// Our side.
    pub local: SocketAddr,
    /// What was settled under TLS; `None` where something in front speaks it, or nobody does.
    pub tls: Option<Arc<Handshake>>,
}

/// A request as the host read it, by the limits and the reserved names of the gate that answers it.
#[derive(Debug)]
pub struct Arrived<B> {
    /// The one canonical head, or why there is none.
    pub received: Result<Box<Head>, WireFault>,
    /// The method as sent, for the record; `-` where none could be read.
    pub method: Method,
    /// What follows the head.
    pub body: B,
}

/// Answers a request.
pub async fn respond<O: Origin>(
    gate: &Arc<Gate>,
    lane: &Lane,
    origin: &O,
    connection: &Connection,
    arrived: Arrived<O::RequestBody>,
) -> Response<AnswerBody<O::ResponseBody>> {
    let id = RequestId::generate(&*gate.clock);
    let mut trail = Trail::open(id, Arc::clone(&gate.clock));
    let Arrived { received, method, body } = arrived;
    let address = connection.peer.ip().to_canonical();
    let body_unread = !body.is_end_stream();
    let slot = match lane.reserve() {
        Ok(slot) => slot,
        // Without a place in the trail nothing is decided, so there is nothing to record.
        Err(refusal) => {
            let denial = trail.deny::<stage::Edge>(refusal_reason(refusal), Facts::none());
            return closing(unrecorded(gate, &denial), body_unread);
        }
    };
    let asks_websocket = received.as_ref().is_ok_and(|head| head.websocket);
    let received = match received {
        Ok(head) => {
            let receipt = trail.allow::<stage::Wire>(Facts::none());
            Ok(Received::prove(head, body, address, receipt))
        }
        Err(fault) => Err(trail.deny::<stage::Wire>(fault.reason, Facts::none().with("cause", fault.detail))),
    };
    let mut exchange = Exchange::open(Arc::clone(gate), slot, trail, address, method);
    exchange.body_unread = body_unread;
    exchange.handshake.clone_from(&connection.tls);
    exchange.websocket.asked = asks_websocket;
    let decided = match received {
        Err(denial) => Err(denial),
        Ok(received) if pages::find(&received.head).is_some() => return own_page(exchange, received).await,
        Ok(received) => {
            let decided = {
                let deciding = pin!(decide(gate, origin, &mut exchange, received));
                caught(deciding).await
            };
            match decided {
                Ok(decided) => decided,
                Err(Panicked) => Err(panicked(&mut exchange)),
            }
        }
    };
    match decided {
        Err(denial) => refuse(exchange, denial).await,
        Ok(decided) if exchange.lease.is_some() => complete_regardless(origin, exchange, decided).await,
        Ok(decided) => complete(origin, exchange, decided).await,
    }
}

/// One of our own pages: counted by address and recorded like everything else.
async fn own_page<B, R>(mut exchange: Box<Exchange>, received: Received<B>) -> Response<AnswerBody<R>> {
    let gate = Arc::clone(exchange.gate());
    let Some((mut head, text)) = pages::find(&received.head) else { return plain(StatusCode::NOT_FOUND) };
    if let Err(denial) = enter(&gate, &mut exchange, received) {
        return refuse(exchange, denial).await;
    }
    let receipt = exchange.trail().allow::<stage::Response>(Facts::none().with("page", "problem"));
    client_head::promise(&gate, &exchange, &mut head.headers);
    if let Ok(released) = Released::prove(exchange.request(), &receipt, head, Leaving::Full(text.into())) {
        leave(exchange, released).await
    } else {
        let denial = exchange.broken::<stage::Response>();
        refuse(exchange, denial).await
    }
}

/// A write with an idempotency key runs to its end although the client leaves, so that its answer can be kept.
async fn complete_regardless<O: Origin>(
    origin: &O,
    exchange: Box<Exchange>,
    decided: Decided<O::RequestBody>,
) -> Response<AnswerBody<O::ResponseBody>> {
    let (answered, answer) = tokio::sync::oneshot::channel();
    let worker = origin.clone();
    origin.finish(Box::pin(async move {
        let response = complete(&worker, exchange, decided).await;
        // The client may be gone; the record and the kept answer are what counts then.
        drop(answered.send(response));
    }));
    match answer.await {
        Ok(response) => response,
        // The host is shutting down and dropped the work; its guard has recorded that.
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// Calls the origin (or takes the kept answer), judges, records, answers.
async fn complete<O: Origin>(
    origin: &O,
    mut exchange: Box<Exchange>,
    decided: Decided<O::RequestBody>,
) -> Response<AnswerBody<O::ResponseBody>> {
    let gate = Arc::clone(exchange.gate());
    let released = {
        let working = pin!(async {
            match decided {
                Decided::Forward(cleared, pending) => match origin.send(cleared).await {
                    Ok(answer) => {
                        let status = answer.status().as_u16();
                        exchange.upstream.status = Some(status);
                        let facts = Facts::none().with("status", u64::from(status));
                        let _sent = exchange.trail().allow::<stage::Upstream>(facts);
                        exchange.upstream.took = exchange.trail().last_took();
                        release(&gate, &mut exchange, pending, Answer::Origin(answer)).await
                    }
                    Err(fault) => {
                        let reason = exchange.fault_memo().fault().map_or(fault.reason, BodyFault::reason);
                        let denial = exchange.deny::<stage::Upstream>(reason, Facts::none());
                        exchange.upstream.took = exchange.trail().last_took();
                        Err(come_back(denial, fault.retry_after))
                    }
                },
                Decided::Replay(stored, pending) => {
                    release(&gate, &mut exchange, pending, Answer::<O::ResponseBody>::Kept(stored)).await
                }
            }
        });
        caught(working).await
    };
    match released {
        Ok(Ok(released)) => leave(exchange, released).await,
        Ok(Err(denial)) => refuse(exchange, denial).await,
        Err(Panicked) => {
            let denial = panicked(&mut exchange);
            refuse(exchange, denial).await
        }
    }
}

/// The answer leaves when its record has left the process; a streamed one when its last byte does.
async fn leave<R>(mut exchange: Box<Exchange>, released: Released<R>) -> Response<AnswerBody<R>> {
    let gate = Arc::clone(exchange.gate());
    let Released { head, body } = released;
    let status = head.status;
    let closes = exchange.websocket.offered && status != StatusCode::SWITCHING_PROTOCOLS;
    let bytes = match body {
        Leaving::Empty => Bytes::new(),
        Leaving::Full(bytes) => bytes,
        Leaving::Stream(body) => {
            let answer = Response::from_parts(head, AnswerBody::streaming(body, exchange, status));
            return closing(answer, closes);
        }
    };
    if !recorded(&mut exchange, Ending::allow(status)).await {
        return unwritable(&gate, &mut exchange);
    }
    closing(Response::from_parts(head, AnswerBody::recorded(bytes, exchange.permit.take())), closes)
}

/// The problem leaves when its record has left the process.
async fn refuse<R>(mut exchange: Box<Exchange>, denial: Denial) -> Response<AnswerBody<R>> {
    let gate = Arc::clone(exchange.gate());
    if denial.reason() == Reason::ClientAborted {
        recorded(&mut exchange, Ending::abort(Reason::ClientAborted)).await;
        // Half of it may still be there, and read.
        let mut response = problem_response(&gate, &denial);
        client_head::promise(&gate, &exchange, response.headers_mut());
        return closing(response, true);
    }
    if !recorded(&mut exchange, Ending::deny(&denial)).await {
        return unwritable(&gate, &mut exchange);
    }
    let mut response = problem_response(&gate, &denial);
    client_head::promise(&gate, &exchange, response.headers_mut());
    closing(response, exchange.body_unread || exchange.websocket.asked || is_misread(denial.reason()))
}

/// Says that nothing more is read on this connection: not what a refused request left unread either.
fn closing<B>(mut response: Response<B>, closes: bool) -> Response<B> {
    if closes {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Refusals of what was said, not of what was asked: two parsers may disagree where such a request ends, so nothing
/// that follows it on the connection is read (T01–T41).
fn is_misread(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::WireMalformed
            | Reason::WireFraming
            | Reason::WirePath
            | Reason::WireUriTooLong
            | Reason::WireHeadTooLarge
            | Reason::WireExpect
            | Reason::WireVersion
            | Reason::WireTooSlow
    )
}

/// Whether the record has left the process.
async fn recorded(exchange: &mut Exchange, ending: Ending) -> bool {
    match exchange.close(ending) {
        Some(ticket) => ticket.await.is_ok(),
        None => false,
    }
}

/// The record could not be written, so the answer is withheld (DESIGN §8).
fn unwritable<R>(gate: &Gate, exchange: &mut Exchange) -> Response<AnswerBody<R>> {
    let denial = exchange.deny::<stage::Response>(Reason::GateAuditUnwritable, Facts::none());
    closing(unrecorded(gate, &denial), exchange.body_unread)
}

/// A refusal that has no record because there is no trail to write to.
fn unrecorded<R>(gate: &Gate, denial: &Denial) -> Response<AnswerBody<R>> {
    let mut response = problem_response(gate, denial);
    let id = HeaderValue::from_bytes(&denial.request().to_ascii()).unwrap_or(HeaderValue::from_static("0"));
    response.headers_mut().insert("request-id", id);
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

fn problem_response<R>(gate: &Gate, denial: &Denial) -> Response<AnswerBody<R>> {
    let body = problem::body(denial, &gate.public_url);
    let mut response = Response::new(AnswerBody::recorded(body, None));
    *response.status_mut() = denial.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::PROBLEM_JSON));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in denial.headers() {
        headers.append(name.clone(), value.clone());
    }
    ask_to_retry(denial.status(), headers);
    response
}

/// Says when, in whole seconds and never too early (HTTP-2), where the host knows.
fn come_back(denial: Denial, after: Option<Duration>) -> Denial {
    match after {
        None => denial,
        Some(after) => {
            let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
            denial.with_header(RETRY_AFTER, HeaderValue::from(seconds))
        }
    }
}

/// Every 429 and 503 says when to come back (cli.md).
fn ask_to_retry(status: StatusCode, headers: &mut HeaderMap) {
    let temporary = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    if temporary && !headers.contains_key(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_DEFAULT);
    }
}

/// An answer nobody will read.
fn plain<R>(status: StatusCode) -> Response<AnswerBody<R>> {
    let mut response = Response::new(AnswerBody::recorded(Bytes::new(), None));
    *response.status_mut() = status;
    response
}

fn refusal_reason(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::Full => Reason::GateOverloaded,
        Refusal::Unwritable => Reason::GateAuditUnwritable,
        Refusal::Closed => Reason::GateDraining,
    }
}

fn panicked(exchange: &mut Exchange) -> Denial {
    exchange.deny::<stage::Response>(Reason::GateInternal, Facts::none().with("cause", "a panic was caught"))
}

/// The future panicked. What it said goes to the panic hook, never to a client or a record.
struct Panicked;

/// Polls a future so that a panic in it ends this request and no other (DESIGN §9).
fn caught<F: Future>(mut future: Pin<&mut F>) -> impl Future<Output = Result<F::Output, Panicked>> {
    std::future::poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
}
