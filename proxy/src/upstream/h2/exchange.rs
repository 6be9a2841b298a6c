// SPDX-License-Identifier: Apache-2.0
//! One request on one stream, until the head of its answer.

use super::body::Open;
use super::head;
use super::pool::Place;
use super::upload::{Clocks, Upload};
use crate::upstream::line::Patience;
use crate::upstream::outgoing::{Draft, OutgoingBody};
use crate::upstream::target::Target;
use h2::Reason;
use h2::client::ResponseFuture;
use http::StatusCode;
use portcullis_pipeline::BodyFault;
use portcullis_wire::{AnswerHead, INTERIM_MAX};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The time was up.
    Late,
    /// The client's body failed.
    Client(BodyFault),
    /// The upstream has not begun with it: it said so, or it was never sent.
    Unprocessed,
    /// The stream ended before an answer; whether anything was heard of the upstream meanwhile.
    Unanswered { error: Option<io::Error>, heard: bool },
    /// What came cannot be believed.
    Disbelieved,
}

/// Sends a request and waits until its answer begins. The request may still be on its way then.
pub(crate) async fn exchange(
    place: Place,
    draft: &mut Draft,
    target: &Target,
    patience: Patience,
) -> Result<(AnswerHead, Open), Fault> {
    let line = &place.line;
    let (Some(request), Some(mut sender)) = (head::request(draft, target), line.sender()) else {
        return Err(Fault::Unprocessed);
    };
    let before = line.watch.heard();
    let length = head::length(draft);
    let ended = matches!(draft.body, OutgoingBody::Empty);
    let clocks = Clocks { step: line.worker.deadlines.register(), total: line.worker.deadlines.register() };
    clocks.arm(patience);
    let Ok((answer, stream)) = sender.send_request(request, ended) else {
        // The connection has ended, or has no stream left to open.
        line.retire();
        return Err(Fault::Unprocessed);
    };
    drop(sender);
    let mut upload = Upload::new(stream, &draft.body, length, ended);
    let mut waiting = Waiting { answer, interims: 0, place: &place, before };
    let answered = std::future::poll_fn(|cx| {
        if let Poll::Ready(Err(fault)) = upload.poll(&mut draft.body, Some((&clocks, patience)), cx) {
            return Poll::Ready(Err(Fault::Client(fault)));
        }
        if let Poll::Ready(answered) = waiting.poll(cx) {
            return Poll::Ready(answered);
        }
        if clocks.step.fired() || clocks.total.fired() {
            return Poll::Ready(Err(Fault::Late));
        }
        // The whole is never shorter than a step: one of the two is enough to wait for.
        clocks.step.watch(cx.waker());
        Poll::Pending
    })
    .await;
    let response = answered.inspect_err(|fault| {
        if matches!(fault, Fault::Late) {
            place.line.watch.doubt(before);
        }
    })?;
    let (parts, incoming) = response.into_parts();
    let head = head::believe(parts, draft.is_head(), incoming.is_end_stream()).map_err(|_| Fault::Disbelieved)?;
    let trailers = head::trailers(draft);
    clocks.step.clear();
    // Cleared while an upload waited for its client; from here on it is the upstream's time.
    if !clocks.total.runs() && !clocks.total.fired() {
        clocks.total.arm(patience.total);
    }
    let rest = (!upload.is_done()).then(|| (upload, draft.take_body()));
    let open = Open::new(place, incoming, (head.framing, trailers), (clocks.total, rest));
    Ok((head, open))
}

/// An answer that has not begun.
struct Waiting<'a> {
    answer: ResponseFuture,
    interims: u32,
    place: &'a Place,
    /// What had come over the connection before.
    before: u64,
}

impl Waiting<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<http::Response<h2::RecvStream>, Fault>> {
        loop {
            match self.answer.poll_informational(cx) {
                Poll::Ready(Some(Ok(interim))) => {
                    self.interims = self.interims.saturating_add(1);
                    // Nobody asked for another protocol.
                    if interim.status() == StatusCode::SWITCHING_PROTOCOLS || self.interims > INTERIM_MAX {
                        return Poll::Ready(Err(Fault::Disbelieved));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(self.judge(error))),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        Pin::new(&mut self.answer).poll(cx).map_err(|error| self.judge(error))
    }

    /// Whose fault it is that there is no answer, and whether the upstream began with the request.
    fn judge(&self, error: h2::Error) -> Fault {
        let watch = &self.place.line.watch;
        // A GOAWAY that names an earlier stream as the last, and a refusal (RFC 9113 §6.8, §8.7).
        let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
        if error.is_remote() && (error.is_go_away() || refused) {
            return Fault::Unprocessed;
        }
        if watch.is_hostile() || error.is_library() || self.interims > INTERIM_MAX {
            return Fault::Disbelieved;
        }
        let heard = watch.heard() != self.before;
        let error = watch.take_error().or_else(|| error.into_io());
        Fault::Unanswered { error, heard }
    }
}
