// SPDX-License-Identifier: Apache-2.0
//! The body of a request on its way in: held to its caps and its pace (T56, T60), and never left unread in a
//! connection that goes on (T13).

use crate::config::BodyBounds;
use crate::deadline::{Deadline, Deadlines};
use crate::tasks::Tasks;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use parking_lot::Mutex;
use portcullis_pipeline::BodyFault;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Most bytes of an unread body that are read and thrown away (T13).
const DRAIN_BYTES_MAX: usize = 64 * 1024;
/// Longest time spent on it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Polls without a byte after which what has not arrived is not waited for.
const DRAIN_EMPTY_POLLS_MAX: u32 = 2;
/// How often a slow body is looked at, after the grace.
const PACE_STEP: Duration = Duration::from_secs(1);

/// What became of the body of the request being served on a connection.
#[derive(Debug)]
enum Left {
    /// There is none, or it was read to its end.
    Nothing,
    /// Somebody is reading it.
    Reading,
    /// Dropped before its end.
    Unread(Incoming),
    /// The answer has gone; whoever drops the body now also drains it.
    Answered,
}

/// The request bodies of one connection, one after the other.
#[derive(Debug)]
pub(crate) struct Inflow {
    left: Mutex<Left>,
    deadline: OnceLock<Arc<Deadline>>,
    deadlines: Arc<Deadlines>,
    bounds: BodyBounds,
    tasks: Tasks,
}

/// Whether the connection may carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reusable {
    Yes,
    No,
}

impl Inflow {
    pub(crate) fn new(deadlines: Arc<Deadlines>, bounds: BodyBounds, tasks: Tasks) -> Self {
        Self { left: Mutex::new(Left::Nothing), deadline: OnceLock::new(), deadlines, bounds, tasks }
    }

    /// Opens the body of the next request.
    pub(crate) fn open(self: &Arc<Self>, incoming: Incoming) -> RequestBody {
        if incoming.is_end_stream() {
            *self.left.lock() = Left::Nothing;
            return RequestBody { incoming: None, reading: None };
        }
        *self.left.lock() = Left::Reading;
        let deadline = Arc::clone(self.deadline.get_or_init(|| self.deadlines.register()));
        let reading = Reading {
            inflow: Arc::clone(self),
            deadline,
            received: 0,
            waited: Duration::ZERO,
            step: Duration::ZERO,
            waiting: false,
        };
        RequestBody { incoming: Some(incoming), reading: Some(reading) }
    }

    /// Before the head of an answer: drains what has already arrived of a body nobody read. `expects` means that the
    /// client waits for `100 (Continue)`, which reading would send (T14).
    pub(crate) async fn settle(&self, expects: bool) -> Reusable {
        let taken = {
            let mut left = self.left.lock();
            match &*left {
                Left::Nothing => return Reusable::Yes,
                Left::Reading | Left::Answered => return Reusable::No,
                Left::Unread(_) if expects => return Reusable::No,
                Left::Unread(_) => std::mem::replace(&mut *left, Left::Nothing),
            }
        };
        let Left::Unread(mut unread) = taken else { return Reusable::Yes };
        match drain_arrived(&mut unread).await {
            Drained::Whole => Reusable::Yes,
            Drained::Part => {
                *self.left.lock() = Left::Unread(unread);
                Reusable::No
            }
        }
    }

    /// After the last byte of an answer: lingers on what is still unread, so that closing does not destroy the
    /// answer in flight.
    pub(crate) fn answered(&self) {
        let left = std::mem::replace(&mut *self.left.lock(), Left::Answered);
        if let Left::Unread(incoming) = left {
            self.tasks.spawn(linger(incoming));
        }
    }

    fn dropped(&self, incoming: Incoming) {
        let mut left = self.left.lock();
        if matches!(*left, Left::Answered) {
            drop(left);
            self.tasks.spawn(linger(incoming));
        } else {
            *left = Left::Unread(incoming);
        }
    }
}

enum Drained {
    Whole,
    Part,
}

/// Takes what is already there, without waiting for more. The first poll only announces interest to hyper; the wake
/// makes the connection look into its buffer.
async fn drain_arrived(incoming: &mut Incoming) -> Drained {
    let (mut seen, mut empty_polls) = (0_usize, 0_u32);
    std::future::poll_fn(|cx| {
        loop {
            if incoming.is_end_stream() {
                return Poll::Ready(Drained::Whole);
            }
            match Pin::new(&mut *incoming).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(Drained::Whole),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Drained::Part),
                Poll::Ready(Some(Ok(frame))) => {
                    empty_polls = 0;
                    seen = seen.saturating_add(frame.data_ref().map_or(0, Bytes::len));
                    if seen > DRAIN_BYTES_MAX {
                        return Poll::Ready(Drained::Part);
                    }
                }
                Poll::Pending if empty_polls >= DRAIN_EMPTY_POLLS_MAX => return Poll::Ready(Drained::Part),
                Poll::Pending => {
                    empty_polls = empty_polls.saturating_add(1);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    })
    .await
}

async fn linger(mut incoming: Incoming) {
    let drain = async {
        let mut seen = 0_usize;
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
            seen = seen.saturating_add(frame.data_ref().map_or(0, Bytes::len));
            if seen > DRAIN_BYTES_MAX {
                return;
            }
        }
    };
    // Out of time or not: what was read is thrown away, and hyper closes the rest.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, drain).await;
}

/// The body of a request.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Option<Incoming>,
    reading: Option<Reading>,
}

#[derive(Debug)]
struct Reading {
    inflow: Arc<Inflow>,
    deadline: Arc<Deadline>,
    received: u64,
    /// Time spent waiting for the client; time in which nobody reads is not the client's.
    waited: Duration,
    /// The stretch the deadline now stands for.
    step: Duration,
    waiting: bool,
}

impl Reading {
    /// Nothing has come: is it too little by now?
    fn wait(&mut self, cx: &Context<'_>) -> Result<(), BodyFault> {
        let bounds = &self.inflow.bounds;
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

    fn count(&mut self, data: &Bytes) -> Result<(), BodyFault> {
        self.waiting = false;
        self.received = self.received.saturating_add(data.len() as u64);
        if self.received > self.inflow.bounds.bytes_max { Err(BodyFault::TooLarge) } else { Ok(()) }
    }
}

impl RequestBody {
    /// Read to its end: the connection may go on.
    fn complete(&mut self) {
        if let Some(reading) = self.reading.take() {
            reading.deadline.clear();
            let mut left = reading.inflow.left.lock();
            if matches!(*left, Left::Reading) {
                *left = Left::Nothing;
            }
        }
        self.incoming = None;
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        loop {
            let RequestBody { incoming: Some(incoming), reading: Some(reading) } = &mut *self else {
                return Poll::Ready(None);
            };
            let frame = match Pin::new(&mut *incoming).poll_frame(cx) {
                Poll::Pending => {
                    return reading.wait(cx).map_or_else(|fault| Poll::Ready(Some(Err(fault))), |()| Poll::Pending);
                }
                Poll::Ready(None) => {
                    self.complete();
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(fault(&error)))),
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            let ended = incoming.is_end_stream();
            // Trailers of a client go nowhere (T12).
            let Ok(data) = frame.into_data() else { continue };
            let counted = reading.count(&data);
            if ended {
                self.complete();
            }
            return Poll::Ready(Some(counted.map(|()| Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let (Some(incoming), Some(reading)) = (self.incoming.take(), self.reading.take()) else { return };
        reading.deadline.clear();
        reading.inflow.dropped(incoming);
    }
}

/// hyper reports broken framing as an I/O error inside its own.
fn fault(error: &hyper::Error) -> BodyFault {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => BodyFault::Malformed,
        _ => BodyFault::Aborted,
    }
}

/// The body of an answer on its way to the client: knows when it has gone, and whether it was broken off.
#[derive(Debug)]
pub(crate) struct AnswerGuard<B, D: Gone> {
    body: B,
    gone: D,
}

/// Told how an answer ended.
pub(crate) trait Gone: Unpin {
    /// It was broken off.
    fn aborted(&self);
    /// Nothing more will leave.
    fn gone(&self);
}

impl<B, D: Gone> AnswerGuard<B, D> {
    pub(crate) fn new(body: B, gone: D) -> Self {
        Self { body, gone }
    }
}

impl<B, D> Body for AnswerGuard<B, D>
where
    B: Body<Data = Bytes, Error = BodyFault> + Unpin,
    D: Gone,
{
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Err(_)) = &frame {
            self.gone.aborted();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B, D: Gone> Drop for AnswerGuard<B, D> {
    fn drop(&mut self) {
        self.gone.gone();
    }
}
