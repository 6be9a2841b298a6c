// SPDX-License-Identifier: Apache-2.0
//! The body of an answer in HTTP/2: the upstream may send what was read, and no more.

use super::head::{self, Trailers};
use super::pool::Place;
use super::upload::{Rest, Upload};
use crate::deadline::Deadline;
use crate::upstream::answer::Why;
use crate::upstream::outgoing::OutgoingBody;
use crate::worker::Worker;
use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use portcullis_wire::AnswerFraming;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// An answer that has begun. Dropped early, its stream is reset, and no other.
pub(crate) struct Open {
    // In this order: the stream ends before its place is given to another.
    incoming: RecvStream,
    rest: Option<Rest>,
    total: Arc<Deadline>,
    /// Bytes that must come; `None`: nobody said how many.
    left: Option<u64>,
    trailers: Trailers,
    place: Place,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("left", &self.left).field("place", &self.place).finish_non_exhaustive()
    }
}

/// What comes next of an answer.
#[derive(Debug)]
pub(crate) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

impl Open {
    pub(super) fn new(
        place: Place,
        incoming: RecvStream,
        (framing, trailers): (AnswerFraming, Trailers),
        (total, rest): (Arc<Deadline>, Option<(Upload, OutgoingBody)>),
    ) -> Self {
        let left = match framing {
            AnswerFraming::None => Some(0),
            AnswerFraming::Length(length) => Some(length),
            AnswerFraming::Chunked | AnswerFraming::UntilClose => None,
        };
        let tasks = &place.line.worker.upstream_tasks;
        let rest = rest.map(|(upload, body)| Rest::spawn(upload, body, tasks));
        Self { incoming, rest, total, left, trailers, place }
    }

    /// The core it belongs to.
    pub(crate) fn worker(&self) -> &Arc<Worker> {
        &self.place.line.worker
    }

    /// The time of the whole.
    pub(crate) fn total(&self) -> &Arc<Deadline> {
        &self.total
    }

    /// Bytes to come, where they were told.
    pub(crate) fn left(&self) -> Option<u64> {
        self.left
    }

    /// Whether nothing more comes: no content, and no trailers either.
    pub(crate) fn is_end(&self) -> bool {
        self.incoming.is_end_stream() && self.left.is_none_or(|left| left == 0)
    }

    /// The next piece.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Why>> {
        if self.total.fired() {
            return Poll::Ready(Err(Why::TimedOut));
        }
        if let Some(Poll::Ready(sent)) = self.rest.as_mut().map(|rest| rest.poll_end(cx)) {
            self.rest = None;
            // Without the rest of its request an answer is worth nothing, and the client knows why.
            sent.map_err(|_| Why::Client)?;
        }
        let piece = self.poll_piece(cx);
        if piece.is_pending() {
            self.total.watch(cx.waker());
        }
        piece
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Why>> {
        while let Some(data) = ready!(self.incoming.poll_data(cx)) {
            let data = match data {
                Ok(data) => data,
                Err(error) => return Poll::Ready(self.cut(&error)),
            };
            // Taken: the upstream may send as much again. It fails for streams that ended, where nobody asks.
            let _ = self.incoming.flow_control().release_capacity(data.len());
            if let Some(left) = &mut self.left {
                *left = left.checked_sub(data.len() as u64).ok_or(Why::Upstream)?;
            }
            if !data.is_empty() {
                return Poll::Ready(Ok(Piece::Data(data)));
            }
        }
        let trailers = match ready!(self.incoming.poll_trailers(cx)) {
            Ok(trailers) => trailers,
            Err(error) => return Poll::Ready(self.cut(&error)),
        };
        if self.left.is_some_and(|left| left > 0) {
            return Poll::Ready(Err(Why::Upstream));
        }
        Poll::Ready(match (trailers, self.trailers) {
            (Some(trailers), _) if !head::trailers_are_plain(&trailers) => Err(Why::Upstream),
            (Some(trailers), Trailers::Pass) => Ok(Piece::Trailers(trailers)),
            // Trailers nobody asked for go nowhere (SM-12).
            (Some(_), Trailers::Drop) | (None, _) => Ok(Piece::End),
        })
    }

    /// An upstream that needs no more of a request ends its answer, and then resets the stream (RFC 9113 §8.1). What it
    /// did not end is cut, whatever the reset says.
    fn cut(&self, error: &h2::Error) -> Result<Piece, Why> {
        let stream = self.incoming.stream_id().as_u32();
        let whole = error.is_remote()
            && error.is_reset()
            && error.reason() == Some(h2::Reason::NO_ERROR)
            && self.left.is_none_or(|left| left == 0)
            && self.place.line.watch.take_ended(stream);
        if whole { Ok(Piece::End) } else { Err(Why::Upstream) }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.place.line.watch.take_ended(self.incoming.stream_id().as_u32());
    }
}
