// SPDX-License-Identifier: Apache-2.0
//! The answer before it leaves: status and body against the contract, owners, properties; then its head.

use crate::body::{BodyFault, collect};
use crate::client_head::{self, Fidelity};
use crate::exchange::Exchange;
use crate::gate::{Api, Gate};
use crate::grpc::Trailers;
use crate::origin::{Flow, OriginBody};
use crate::stages::clear::Pending;
use crate::states::{Leaving, Released};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderValue, Method, StatusCode, response};
use http_body::Body;
use portcullis_authorize::{AnswerQuestion, HeadQuestion, HeadVerdict};
use portcullis_decision::{Denial, Facts, Reason, Receipt, stage};
use portcullis_limit::idempotency::Stored;
use portcullis_wire::media::MediaType;
use std::sync::Arc;

/// Answers up to this size are read whole even where nothing judges them: head and body then leave in one write.
const SMALL_ANSWER_BYTES_MAX: u64 = 16 * 1024;
/// Server-sent events (HTML §9.2).
const EVENT_STREAM: &str = "text/event-stream";

/// Where an answer comes from.
pub enum Answer<R> {
    /// The origin, just now.
    Origin(http::Response<R>),
    /// An earlier call with the same idempotency key.
    Kept(Arc<Stored>),
}

/// Judges an answer.
pub(crate) async fn judge<R>(
    gate: &Gate,
    exchange: &mut Exchange,
    pending: Pending,
    answer: Answer<R>,
) -> Result<Released<R>, Denial>
where
    R: OriginBody,
{
    let Some(api) = gate.apis.get(pending.api) else { return Err(exchange.broken::<stage::Response>()) };
    let stage = ResponseStage { gate, api, pending: &pending };
    match answer {
        Answer::Origin(answer) if exchange.lease.is_some() => {
            let (head, body) = answer.into_parts();
            let body = match stage.read(exchange, body).await {
                Ok(body) => body,
                Err(denial) => {
                    cannot_keep(exchange, &head);
                    return Err(denial);
                }
            };
            keep(exchange, &head, &body);
            stage.whole(exchange, head, body)
        }
        Answer::Origin(answer) => {
            let (head, body) = answer.into_parts();
            match stage.head(exchange, &head)? {
                HeadVerdict::Stream { receipt, .. } => {
                    let body = stage.pass(exchange, &head, body).await?;
                    stage.release(exchange, head, body, (&receipt, Fidelity::Same))
                }
                HeadVerdict::Read => {
                    let body = stage.read(exchange, body).await?;
                    stage.judged(exchange, head, body)
                }
            }
        }
        Answer::Kept(stored) => {
            let mut head = http::Response::new(()).into_parts().0;
            head.status = stored.status;
            head.headers = stored.headers.clone();
            stage.whole(exchange, head, stored.body.clone())
        }
    }
}

/// Keeps the upstream's own answer for repeats, before this caller's view of it is made: a repeat is judged again.
fn keep(exchange: &mut Exchange, head: &response::Parts, body: &Bytes) {
    let Some(lease) = exchange.lease.take() else { return };
    if !head.status.is_server_error() {
        lease.keep(Stored::new(head.status, &head.headers, body.clone()));
    }
}

/// The origin did it, and its answer cannot be read: a repeat must not do it again.
fn cannot_keep(exchange: &mut Exchange, head: &response::Parts) {
    if let Some(lease) = exchange.lease.take()
        && !head.status.is_server_error()
    {
        lease.not_kept();
    }
}

struct ResponseStage<'a> {
    gate: &'a Gate,
    api: &'a Api,
    pending: &'a Pending,
}

impl ResponseStage<'_> {
    fn head(&self, exchange: &mut Exchange, head: &response::Parts) -> Result<HeadVerdict, Denial> {
        let question = HeadQuestion {
            caller: &self.pending.caller,
            known: &self.pending.known,
            status: head.status,
            headers: &head.headers,
        };
        self.api.authorizer.answer_head(self.pending.operation, &question, exchange.trail())
    }

    /// An answer that was read before it was known whether it has to be.
    fn whole<R>(&self, exchange: &mut Exchange, head: response::Parts, body: Bytes) -> Result<Released<R>, Denial> {
        match self.head(exchange, &head)? {
            HeadVerdict::Stream { receipt, .. } => {
                self.release(exchange, head, Leaving::Full(body), (&receipt, Fidelity::Same))
            }
            HeadVerdict::Read => self.judged(exchange, head, body),
        }
    }

    fn judged<R>(
        &self,
        exchange: &mut Exchange,
        mut head: response::Parts,
        body: Bytes,
    ) -> Result<Released<R>, Denial> {
        let question = AnswerQuestion {
            caller: &self.pending.caller,
            known: &self.pending.known,
            status: head.status,
            headers: &head.headers,
            body,
        };
        let (judged, receipt) = self.api.authorizer.answer(self.pending.operation, question, exchange.trail())?;
        head.status = judged.status;
        for name in &judged.strip_headers {
            head.headers.remove(name);
        }
        let fidelity = if judged.changed { Fidelity::Changed } else { Fidelity::Same };
        let body = if judged.body.is_empty() { Leaving::Empty } else { Leaving::Full(judged.body) };
        self.release(exchange, head, body, (&receipt, fidelity))
    }

    /// Nothing reads it; a small one is collected so that it leaves with its head in one write.
    async fn pass<R>(&self, exchange: &mut Exchange, head: &response::Parts, mut body: R) -> Result<Leaving<R>, Denial>
    where
        R: OriginBody,
    {
        if body.is_end_stream() {
            return Ok(Leaving::Empty);
        }
        if exchange.trailers == Trailers::Pass {
            body.pass_on(Flow::Messages);
            return Ok(Leaving::Stream(body));
        }
        let small = body.size_hint().exact().is_some_and(|n| n <= SMALL_ANSWER_BYTES_MAX);
        if small {
            return self.read(exchange, body).await.map(Leaving::Full);
        }
        let events = MediaType::of(&head.headers).ok().flatten().is_some_and(|m| m.essence() == EVENT_STREAM);
        body.pass_on(if events { Flow::Events } else { Flow::Content });
        Ok(Leaving::Stream(body))
    }

    async fn read<R>(&self, exchange: &mut Exchange, body: R) -> Result<Bytes, Denial>
    where
        R: Body<Data = Bytes, Error = BodyFault> + Unpin,
    {
        let max = self.api.answer_bytes_max;
        collect(body, max).await.map_err(|fault| match fault {
            BodyFault::TooLarge => {
                exchange.deny::<stage::Response>(Reason::ResponseTooLarge, Facts::none().with("max", max))
            }
            BodyFault::TooSlow => exchange.deny::<stage::Response>(Reason::UpstreamTimeout, Facts::none()),
            BodyFault::Malformed | BodyFault::Aborted => {
                let facts = Facts::none().with("body", "cut short");
                exchange.deny::<stage::Response>(Reason::UpstreamInvalidResponse, facts)
            }
        })
    }

    fn release<R>(
        &self,
        exchange: &mut Exchange,
        mut head: response::Parts,
        body: Leaving<R>,
        (receipt, fidelity): (&Receipt<stage::Response>, Fidelity),
    ) -> Result<Released<R>, Denial> {
        let operation = self.api.contract.operation(self.pending.operation);
        let declared = operation.and_then(|o| o.responses.for_status(head.status.as_u16()));
        let upstreams = head.headers.remove(CONTENT_LENGTH);
        // The answer to a HEAD has no body of its own to measure: it tells the length a GET would have.
        let length = match (&self.pending.method, &body, fidelity) {
            (&Method::HEAD, Leaving::Full(bytes), _) => Some(HeaderValue::from(bytes.len())),
            (&Method::HEAD, Leaving::Empty | Leaving::Stream(_), Fidelity::Same) => upstreams,
            _ => None,
        };
        client_head::write(self.gate, self.api, exchange, &mut head.headers, declared, fidelity);
        let body = if self.pending.method == Method::HEAD { Leaving::Empty } else { body };
        if let Some(length) = length {
            head.headers.insert(CONTENT_LENGTH, length);
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            head.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        Released::prove(exchange.request(), receipt, head, body).map_err(|_| exchange.broken::<stage::Response>())
    }
}
