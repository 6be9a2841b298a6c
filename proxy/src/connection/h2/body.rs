// SPDX-License-Identifier: Apache-2.0
//! The body of one stream on its way in: the client may send what was read, and no more.

use crate::body::{Manner, Pacing};
use crate::config::BodyBounds;
use crate::worker::Worker;
use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use portcullis_pipeline::BodyFault;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The body of one stream.
pub(crate) struct StreamBody {
    state: State,
    worker: Arc<Worker>,
    /// Made when the client is first waited for: most bodies are there before anybody asks.
    pacing: Option<Pacing>,
    received: usize,
    length: Option<u64>,
    manner: Manner,
}

/// How far a body is.
enum State {
    /// More may come.
    Open(RecvStream),
    /// It was read to its end.
    Whole,
    /// It failed, and never looks whole.
    Broken(BodyFault),
}

impl std::fmt::Debug for StreamBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamBody").field("received", &self.received).finish_non_exhaustive()
    }
}

impl StreamBody {
    /// The body that follows a head with `headers`.
    pub(super) fn new(stream: RecvStream, headers: &HeaderMap, worker: &Arc<Worker>) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let state = if stream.is_end_stream() { State::Whole } else { State::Open(stream) };
        // Only where the document declares it does anybody read such a body.
        let grpc = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        let pause = worker.config.streams.pause;
        let manner = if grpc { Manner::Messages { pause } } else { Manner::Content };
        Self { state, worker: Arc::clone(worker), pacing: None, received: 0, length, manner }
    }

    fn bounds(&self) -> &BodyBounds {
        &self.worker.config.body
    }

    fn wait(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        let Self { worker, pacing, received, manner, .. } = self;
        let pacing = pacing.get_or_insert_with(|| {
            let mut pacing = Pacing::new(worker.deadlines.register(), *manner);
            // Within the cap: what was counted before was checked before.
            let _ = pacing.count(&worker.config.body, *received);
            pacing
        });
        match pacing.wait(&worker.config.body, cx) {
            Ok(()) => Poll::Pending,
            Err(fault) => self.fail(fault),
        }
    }

    fn fail(&mut self, fault: BodyFault) -> Poll<Option<Result<Bytes, BodyFault>>> {
        self.end(State::Broken(fault));
        Poll::Ready(Some(Err(fault)))
    }

    fn end(&mut self, state: State) {
        self.state = state;
        self.pacing = None;
    }

    fn count(&mut self, bytes: usize) -> Result<(), BodyFault> {
        self.received = self.received.saturating_add(bytes);
        if self.received as u64 > self.bounds().bytes_max {
            return Err(BodyFault::TooLarge);
        }
        let Self { worker, pacing, .. } = self;
        pacing.as_mut().map_or(Ok(()), |pacing| pacing.count(&worker.config.body, bytes))
    }
}

impl StreamBody {
    /// The next content.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        loop {
            let stream = match &mut self.state {
                State::Open(stream) => stream,
                State::Whole => return Poll::Ready(None),
                State::Broken(fault) => return Poll::Ready(Some(Err(*fault))),
            };
            let data = match stream.poll_data(cx) {
                Poll::Pending => return self.wait(cx),
                Poll::Ready(Some(Err(error))) => return self.fail(fault(&error)),
                Poll::Ready(Some(Ok(data))) => data,
                // Trailers of a client go nowhere (T12), but only after them the body is whole.
                Poll::Ready(None) => match stream.poll_trailers(cx) {
                    Poll::Pending => return self.wait(cx),
                    Poll::Ready(Err(error)) => return self.fail(fault(&error)),
                    Poll::Ready(Ok(_)) => {
                        self.end(State::Whole);
                        return Poll::Ready(None);
                    }
                },
            };
            let ended = stream.is_end_stream();
            // Taken: the client may send as much again. It fails for streams that ended, where nobody asks.
            let _ = stream.flow_control().release_capacity(data.len());
            if let Err(fault) = self.count(data.len()) {
                return self.fail(fault);
            }
            if ended {
                self.end(State::Whole);
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
    }

    /// Whether it was read to its end, or has none.
    pub(crate) fn is_end(&self) -> bool {
        match &self.state {
            State::Open(stream) => stream.is_end_stream(),
            State::Whole => true,
            State::Broken(_) => false,
        }
    }

    /// Bytes that have not been read, where the client said how many there are.
    pub(crate) fn left(&self) -> Option<u64> {
        match (&self.state, self.length) {
            (State::Whole, _) => Some(0),
            (State::Open(_), Some(length)) => Some(length.saturating_sub(self.received as u64)),
            (State::Open(_), None) | (State::Broken(_), _) => None,
        }
    }
}

/// What the parser found wrong is malformed (a length that the content does not keep, RFC 9113 §8.1.1); everything
/// else is a client that left.
fn fault(error: &h2::Error) -> BodyFault {
    if error.is_library() { BodyFault::Malformed } else { BodyFault::Aborted }
}
