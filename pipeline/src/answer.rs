// SPDX-License-Identifier: Apache-2.0
//! The body of an answer on its way to the client. It owns the guard, so that the record is written when the last
//! byte may leave, and the last byte leaves when the record is written.

use crate::body::BodyFault;
use crate::client_head;
use crate::exchange::{Ending, Exchange};
use crate::grpc::Trailers;
use crate::opened::OpenGuard;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use portcullis_audit::Ticket;
use portcullis_decision::{Facts, Reason, stage};
use portcullis_limit::Permit;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The body of an answer.
pub struct AnswerBody<R> {
    state: State<R>,
}

enum State<R> {
    /// The record is written; `None` when all was sent. The permit is given back with the last byte.
    Recorded(Option<Bytes>, #[expect(dead_code, reason = "held, not read")] Option<Permit>),
    /// The origin's body passes through.
    Streaming(Box<Streaming<R>>),
    /// The record is on its way; then the last frame (if any) leaves.
    Committing { ticket: Ticket, last: Option<Frame<Bytes>>, left: u64 },
    /// Nothing more.
    Done,
}

struct Streaming<R> {
    body: R,
    exchange: Box<Exchange>,
    status: StatusCode,
    /// When its caller's token ends, since the Unix epoch.
    until: Option<Duration>,
}

/// Why a passing body ended early: what the client's connection is told, and what the record says.
struct Broken {
    fault: BodyFault,
    reason: Reason,
}

impl<R> Streaming<R> {
    fn time_left(&self) -> Option<Duration> {
        Some(self.until?.saturating_sub(self.exchange.gate().clock.wall()))
    }

    /// What leaves of an origin's trailers: nothing where nobody asked for them (SM-12).
    fn judge(&self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        if self.exchange.trailers == Trailers::Drop {
            return None;
        }
        let mut trailers = frame.into_trailers().ok()?;
        client_head::judge_trailers(self.exchange.identity_header(), &mut trailers);
        Some(Frame::trailers(trailers))
    }

    /// Records that the answer breaks off here.
    fn cut(&mut self, reason: Reason) {
        let _ = self.exchange.deny::<stage::Response>(reason, Facts::none().with("answer", "broken off"));
        drop(self.exchange.close(Ending::cut(self.status, reason)));
    }
}

impl<R> Streaming<R>
where
    R: Body<Data = Bytes, Error = BodyFault> + Unpin,
{
    /// The next frame; a panic in the body ends this answer and no other (DESIGN §9).
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let body = Pin::new(&mut self.body);
        match catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) {
            Ok(polled) => {
                polled.map(|next| next.map(|f| f.map_err(|fault| Broken { fault, reason: fault.upstream_reason() })))
            }
            Err(_) => Poll::Ready(Some(Err(Broken { fault: BodyFault::Aborted, reason: Reason::GateInternal }))),
        }
    }
}

impl<R> AnswerBody<R> {
    /// An answer whose record has left the process already.
    pub(crate) fn recorded(body: Bytes, permit: Option<Permit>) -> Self {
        Self { state: State::Recorded(if body.is_empty() { None } else { Some(body) }, permit) }
    }

    /// An answer that streams; its record is written at its end.
    pub(crate) fn streaming(body: R, exchange: Box<Exchange>, status: StatusCode) -> Self {
        let until = exchange.accepted_until();
        Self { state: State::Streaming(Box::new(Streaming { body, exchange, status, until })) }
    }

    /// The origin's body, while it passes through.
    pub fn passing(&self) -> Option<&R> {
        match &self.state {
            State::Streaming(streaming) => Some(&streaming.body),
            State::Recorded(..) | State::Committing { .. } | State::Done => None,
        }
    }

    /// Of a 101: where the connection leads, and the guard of its request.
    pub fn open(self) -> Option<(R, OpenGuard)> {
        let State::Streaming(streaming) = self.state else { return None };
        let Streaming { body, exchange, status, until } = *streaming;
        (status == StatusCode::SWITCHING_PROTOCOLS).then(|| (body, OpenGuard::new(exchange, until)))
    }

    /// How long an answer that passes through may go on: until its caller's token ends. A host that waits for the next
    /// piece asks again by then. `None`: for as long as it takes.
    pub fn time_left(&self) -> Option<Duration> {
        match &self.state {
            State::Streaming(streaming) => streaming.time_left(),
            State::Recorded(..) | State::Committing { .. } | State::Done => None,
        }
    }

    /// Ends an answer that passes through, for a reason of the host's. It never looks whole.
    pub fn break_off(&mut self, reason: Reason) -> BodyFault {
        if let State::Streaming(streaming) = &mut self.state {
            streaming.cut(reason);
            self.state = State::Done;
        }
        BodyFault::Aborted
    }
}

impl<R> Body for AnswerBody<R>
where
    R: Body<Data = Bytes, Error = BodyFault> + Unpin,
{
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        loop {
            match &mut self.state {
                State::Recorded(bytes, _) => return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
                State::Done => return Poll::Ready(None),
                State::Committing { ticket, last, .. } => {
                    let written = ready!(Pin::new(ticket).poll(cx));
                    let last = last.take();
                    self.state = State::Done;
                    return Poll::Ready(match (written, last) {
                        // Never complete an answer that could not be recorded.
                        (Err(_), _) => Some(Err(BodyFault::Aborted)),
                        (Ok(_), last) => last.map(Ok),
                    });
                }
                State::Streaming(streaming) => {
                    // Access ends with the token, not with the answer (T128).
                    if streaming.time_left().is_some_and(|left| left.is_zero()) {
                        return Poll::Ready(Some(Err(self.break_off(Reason::IdentityExpired))));
                    }
                    let last = match ready!(streaming.poll_body(cx)) {
                        Some(Err(Broken { fault, reason })) => {
                            drop(streaming.exchange.close(Ending::abort(reason)));
                            self.state = State::Done;
                            return Poll::Ready(Some(Err(fault)));
                        }
                        Some(Ok(frame)) if frame.is_trailers() => match streaming.judge(frame) {
                            None => continue,
                            trailers => trailers,
                        },
                        Some(Ok(frame)) if !streaming.body.is_end_stream() => return Poll::Ready(Some(Ok(frame))),
                        Some(Ok(frame)) => Some(frame),
                        None => None,
                    };
                    let left = last.as_ref().and_then(Frame::data_ref).map_or(0, |d| d.len() as u64);
                    let Some(ticket) = streaming.exchange.close(Ending::allow(streaming.status)) else {
                        self.state = State::Done;
                        return Poll::Ready(Some(Err(BodyFault::Aborted)));
                    };
                    self.state = State::Committing { ticket, last, left };
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Recorded(None, _) | State::Done)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Recorded(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            State::Streaming(streaming) => streaming.body.size_hint(),
            State::Committing { left, .. } => SizeHint::with_exact(*left),
            State::Done => SizeHint::with_exact(0),
        }
    }
}
