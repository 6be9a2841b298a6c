// SPDX-License-Identifier: Apache-2.0
//! An answer on its way out that ends with its caller's token, and with the process if it has no end of its own.
//!
//! The pipeline knows when; it has no timers. So whoever waits for the next piece is woken here to ask again.

use crate::connection::Switches;
use crate::deadline::Deadline;
use crate::upstream::passed::UpstreamBody;
use crate::websocket::Opened;
use crate::worker::Worker;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use portcullis_decision::Reason;
use portcullis_pipeline::{AnswerBody, BodyFault, Flow};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The body of an answer.
pub(crate) struct TimedAnswer {
    body: AnswerBody<UpstreamBody>,
    /// Only of answers that pass through.
    watch: Option<Box<Watch>>,
}

struct Watch {
    worker: Arc<Worker>,
    /// Made when something is first waited for.
    deadline: Option<Arc<Deadline>>,
}

impl TimedAnswer {
    pub(crate) fn new(body: AnswerBody<UpstreamBody>, worker: &Arc<Worker>) -> Self {
        let watch = body.passing().map(|_| Box::new(Watch { worker: Arc::clone(worker), deadline: None }));
        Self { body, watch }
    }

    /// Events go on for ever; whoever listens to them comes back by himself, to a process that stays.
    fn ends_with_the_process(&self, worker: &Worker) -> bool {
        worker.is_draining() && self.body.passing().and_then(UpstreamBody::flow) == Some(Flow::Events)
    }
}

impl Switches for TimedAnswer {
    fn opened(self) -> Option<Opened> {
        let (body, guard) = self.body.open()?;
        Some(Opened { tunnel: body.into_tunnel()?, guard })
    }
}

impl Body for TimedAnswer {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if polled.is_ready() {
            return polled;
        }
        let Some(watch) = &mut this.watch else { return polled };
        let deadline = watch.deadline.get_or_insert_with(|| watch.worker.deadlines.register());
        deadline.watch(cx.waker());
        // A deadline that has just fired was looked at by the body itself, by the wall clock, a moment ago.
        if !deadline.runs()
            && let Some(left) = this.body.time_left()
        {
            deadline.arm(left);
        }
        let worker = Arc::clone(&watch.worker);
        if this.ends_with_the_process(&worker) {
            return Poll::Ready(Some(Err(this.body.break_off(Reason::GateDraining))));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
