// SPDX-License-Identifier: Apache-2.0
//! The body of a request on its way in: held to its caps and its pace (T56, T60).

use crate::config::BodyBounds;
use crate::connection::{InletBody, StreamBody};
use crate::deadline::Deadline;
use crate::worker::Worker;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use portcullis_pipeline::BodyFault;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How often a slow body is looked at, after the grace.
const PACE_STEP: Duration = Duration::from_secs(1);

/// How fast a body comes: too slow is a fault (T56), and so is too much (T60).
#[derive(Debug)]
pub(crate) struct Pacing {
    deadline: Arc<Deadline>,
    received: u64,
    /// Time spent waiting for the client; time in which nobody reads is not the client's.
    waited: Duration,
    /// The stretch the deadline now stands for.
    step: Duration,
    waiting: bool,
    manner: Manner,
}

/// How a body is meant to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// At once: it has a least rate, and a time for the whole.
    Content,
    /// When there is something to say (gRPC): no pause is longer than this.
    Messages { pause: Duration },
}

impl Pacing {
    pub(crate) fn new(deadline: Arc<Deadline>, manner: Manner) -> Self {
        Self { deadline, received: 0, waited: Duration::ZERO, step: Duration::ZERO, waiting: false, manner }
    }

    /// Nothing has come: is it too little by now?
    pub(crate) fn wait(&mut self, bounds: &BodyBounds, cx: &Context<'_>) -> Result<(), BodyFault> {
        if let Manner::Messages { pause } = self.manner {
            return self.wait_for_message(pause, cx);
        }
        if self.deadline.fired() {
            if self.waiting {
                self.waited = self.waited.saturating_add(self.step);
            }
            let due = self.waited.saturating_sub(bounds.grace).as_secs().saturating_mul(bounds.rate_min);
            if self.waited >= bounds.timeout || self.received < due {
                return Err(BodyFault::TooSlow);
            }
        }
        if !self.deadline.runs() {
            let step = if self.waited.is_zero() { bounds.grace } else { PACE_STEP };
            self.step = step.min(bounds.timeout.saturating_sub(self.waited));
            self.deadline.arm(self.step);
        }
        self.waiting = true;
        self.deadline.watch(cx.waker());
        Ok(())
    }

    fn wait_for_message(&self, pause: Duration, cx: &Context<'_>) -> Result<(), BodyFault> {
        if self.deadline.fired() {
            return Err(BodyFault::TooSlow);
        }
        if !self.deadline.runs() {
            self.deadline.arm(pause);
        }
        self.deadline.watch(cx.waker());
        Ok(())
    }

    pub(crate) fn count(&mut self, bounds: &BodyBounds, bytes: usize) -> Result<(), BodyFault> {
        self.waiting = false;
        if self.manner != Manner::Content {
            self.deadline.clear();
        }
        self.received = self.received.saturating_add(bytes as u64);
        if self.received > bounds.bytes_max { Err(BodyFault::TooLarge) } else { Ok(()) }
    }

    /// No time runs any more.
    pub(crate) fn stop(&self) {
        self.deadline.clear();
    }
}

/// The body of a request. Most have none; the others are one place on the heap, because a body goes from hand to hand.
#[derive(Debug)]
pub struct RequestBody(Option<Box<Source>>);

#[derive(Debug)]
enum Source {
    /// One after the other on a connection.
    Connection(ConnectionBody),
    /// One of many streams of a connection.
    Stream(StreamBody),
}

impl RequestBody {
    /// No body.
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    /// The body of the request an HTTP/1 connection is at.
    pub(crate) fn of_connection(inlet: Arc<dyn InletBody>, deadline: Arc<Deadline>, worker: &Arc<Worker>) -> Self {
        let body = ConnectionBody { inlet, pacing: Pacing::new(deadline, Manner::Content), worker: Arc::clone(worker) };
        Self(Some(Box::new(Source::Connection(body))))
    }

    /// The body of an HTTP/2 stream.
    pub(crate) fn of_stream(body: StreamBody) -> Self {
        if body.is_end() { Self::empty() } else { Self(Some(Box::new(Source::Stream(body)))) }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.0.as_deref_mut() {
            None => Poll::Ready(None),
            Some(Source::Connection(body)) => body.poll_data(cx).map_ok(Frame::data),
            Some(Source::Stream(body)) => body.poll_data(cx).map_ok(Frame::data),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.0.as_deref() {
            None => true,
            Some(Source::Connection(body)) => body.inlet.is_end(),
            Some(Source::Stream(body)) => body.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let length = match self.0.as_deref() {
            None => Some(0),
            Some(Source::Connection(body)) => body.inlet.length(),
            Some(Source::Stream(body)) => body.left(),
        };
        length.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

/// The body of the request a connection is at.
struct ConnectionBody {
    inlet: Arc<dyn InletBody>,
    pacing: Pacing,
    worker: Arc<Worker>,
}

impl fmt::Debug for ConnectionBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBody").field("pacing", &self.pacing).finish_non_exhaustive()
    }
}

impl ConnectionBody {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        let bounds = &self.worker.config.body;
        let read = self.inlet.poll_data(cx);
        if read.is_pending() {
            return match self.pacing.wait(bounds, cx) {
                Ok(()) => Poll::Pending,
                Err(fault) => Poll::Ready(Some(Err(fault))),
            };
        }
        Poll::Ready(match ready!(read) {
            Some(Ok(data)) => Some(self.pacing.count(bounds, data.len()).map(|()| data)),
            ended => {
                self.pacing.stop();
                ended
            }
        })
    }
}

impl Drop for ConnectionBody {
    fn drop(&mut self) {
        self.pacing.stop();
        self.inlet.let_go();
    }
}
