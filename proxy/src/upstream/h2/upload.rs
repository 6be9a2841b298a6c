// SPDX-License-Identifier: Apache-2.0
//! The body of a request on its way up: as fast as the upstream's windows let it, and no faster than its client.

use crate::deadline::Deadline;
use crate::upstream::line::Patience;
use crate::upstream::outgoing::OutgoingBody;
use bytes::Bytes;
use h2::{Reason, SendStream};
use portcullis_pipeline::BodyFault;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

/// Content handed to the parser at once.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// The deadlines of one exchange.
#[derive(Clone, Debug)]
pub(super) struct Clocks {
    /// Next move expected of the upstream.
    pub(super) step: Arc<Deadline>,
    /// The whole exchange.
    pub(super) total: Arc<Deadline>,
}

impl Clocks {
    pub(super) fn arm(&self, Patience { first_byte, total }: Patience) {
        self.step.arm(first_byte.min(total));
        self.total.arm(total);
    }
}

/// A body that is being sent.
pub(super) struct Upload {
    sender: SendStream<Bytes>,
    /// Bytes the head promised and that have not come.
    left: Option<u64>,
    piece: Bytes,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// More may come.
    Open,
    /// The piece is the last.
    Last,
    /// Nothing more is sent: all of it was, or the upstream takes no more.
    Done,
}

impl Upload {
    /// `length`: what the head says; `ended`: the head was all.
    pub(super) fn new(sender: SendStream<Bytes>, body: &OutgoingBody, length: Option<u64>, ended: bool) -> Self {
        let (piece, state) = match body {
            _ if ended => (Bytes::new(), State::Done),
            OutgoingBody::Full(bytes) => (bytes.clone(), State::Last),
            OutgoingBody::Empty | OutgoingBody::Stream(_) => (Bytes::new(), State::Open),
        };
        Self { sender, left: length, piece, state }
    }

    /// Whether nothing more is sent.
    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Sends on. `clocks`: the upstream's time runs only while it is the upstream that is waited for. Only a body that
    /// fails is an error; an upstream that takes no more of it may have answered.
    pub(super) fn poll(
        &mut self,
        body: &mut OutgoingBody,
        clocks: Option<(&Clocks, Patience)>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), BodyFault>> {
        while self.state != State::Done {
            if !self.piece.is_empty() {
                match self.poll_room(cx) {
                    Poll::Ready(Some(room)) => self.send(room),
                    Poll::Ready(None) => self.state = State::Done,
                    Poll::Pending => return Poll::Pending,
                }
                continue;
            }
            let OutgoingBody::Stream(stream) = body else {
                self.state = State::Done;
                break;
            };
            let Poll::Ready(next) = stream.poll_data(cx) else {
                if let Some((clocks, _)) = clocks {
                    clocks.step.clear();
                    clocks.total.clear();
                }
                if self.sender.poll_reset(cx).is_ready() {
                    self.state = State::Done;
                    break;
                }
                return Poll::Pending;
            };
            if let Some((clocks, patience)) = clocks {
                clocks.arm(patience);
            }
            if let Err(fault) = self.take(next) {
                // Never a request that looks whole.
                self.sender.send_reset(Reason::CANCEL);
                self.state = State::Done;
                return Poll::Ready(Err(fault));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes what came of the body.
    fn take(&mut self, next: Option<Result<Bytes, BodyFault>>) -> Result<(), BodyFault> {
        let Some(data) = next else {
            if self.left.is_some_and(|left| left > 0) {
                return Err(BodyFault::Malformed);
            }
            // Whoever reset the stream meanwhile does not wait for its end.
            let _ = self.sender.send_data(Bytes::new(), true);
            self.state = State::Done;
            return Ok(());
        };
        let data = data?;
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(data.len() as u64).ok_or(BodyFault::Malformed)?;
        }
        self.piece = data;
        Ok(())
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<Option<usize>> {
        self.sender.reserve_capacity(self.piece.len().min(PIECE_BYTES_MAX));
        match self.sender.capacity() {
            0 => {}
            room => return Poll::Ready(Some(room)),
        }
        match self.sender.poll_capacity(cx) {
            Poll::Ready(Some(Ok(room))) => Poll::Ready(Some(room)),
            Poll::Ready(Some(Err(_)) | None) => Poll::Ready(None),
            Poll::Pending => self.sender.poll_reset(cx).map(|_| None),
        }
    }

    fn send(&mut self, room: usize) {
        let piece = self.piece.split_to(room.min(self.piece.len()));
        let last = self.state == State::Last && self.piece.is_empty();
        if self.sender.send_data(piece, last).is_err() || last {
            self.state = State::Done;
            self.piece = Bytes::new();
        }
    }
}

/// The rest of an upload that goes on beside its answer. Dropped, it ends.
#[derive(Debug)]
pub(super) struct Rest {
    _wanted: oneshot::Sender<()>,
    fault: oneshot::Receiver<BodyFault>,
}

impl Rest {
    /// A task of its own: a client that sends while it does not read is not made to wait for itself.
    pub(super) fn spawn(mut upload: Upload, mut body: OutgoingBody, tasks: &crate::tasks::Tasks) -> Self {
        let (wanted, mut unwanted) = oneshot::channel::<()>();
        let (told, fault) = oneshot::channel();
        tasks.spawn(async move {
            let sent = std::future::poll_fn(|cx| {
                if std::pin::Pin::new(&mut unwanted).poll(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                upload.poll(&mut body, None, cx)
            })
            .await;
            if let Err(fault) = sent {
                // Nobody waits for it where the answer was let go.
                let _ = told.send(fault);
            }
        });
        Self { _wanted: wanted, fault }
    }

    /// Whether it came to an end, and whether that was a fault of the body.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyFault>> {
        std::pin::Pin::new(&mut self.fault).poll(cx).map(|fault| fault.map_or(Ok(()), Err))
    }
}
