// SPDX-License-Identifier: Apache-2.0
//! A WebSocket through the gate: frames of both directions judged as they pass, nothing of them held but a header and
//! what the other side has not taken yet (RFC 6455; T128).

mod ending;
mod way;

pub(crate) use ending::{Ended, farewell};

use crate::config::StreamBounds;
use crate::deadline::Deadline;
use crate::upstream::carrier::Carrier;
use crate::upstream::upgrade::Tunnel;
use crate::worker::Worker;
use bytes::BytesMut;
use portcullis_pipeline::OpenGuard;
use portcullis_wire::websocket::{Bounds, Close, Side};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use way::{Halt, Way};

/// A connection that was opened for a client: where it leads, and the guard of its request.
pub(crate) struct Opened {
    pub(crate) tunnel: Box<Tunnel>,
    pub(crate) guard: OpenGuard,
}

/// Both directions, and the times they are held to.
pub(crate) struct Relay {
    worker: Arc<Worker>,
    upstream: Carrier,
    up: Way,
    down: Way,
    /// Nothing comes from either side; once one has closed, nothing comes from the other.
    quiet: Arc<Deadline>,
    /// The upstream takes nothing.
    stalled: Arc<Deadline>,
    /// The caller's token.
    token: Arc<Deadline>,
    closing: bool,
    /// Of the close frame that came first.
    close: Option<Close>,
    /// The connection's place at its upstream is given back with it.
    _tunnel: Place,
}

/// What is left of a [`Tunnel`] whose connection was taken out.
struct Place(#[expect(dead_code, reason = "held, not read")] crate::upstream::passage::Passage);

impl Relay {
    /// `greeting` is the head of our answer to the client.
    pub(crate) fn new(worker: &Arc<Worker>, tunnel: Tunnel, greeting: &[u8]) -> Self {
        let StreamBounds { message_bytes_max, fragments_max, quiet, .. } = worker.config.streams;
        let bounds = Bounds { message_bytes_max, fragments_max };
        let Tunnel { carrier, early: came_with_answer, passage } = tunnel;
        let deadline = || worker.deadlines.register();
        let this = Self {
            worker: Arc::clone(worker),
            upstream: carrier,
            up: Way::new(Side::Client, bounds, BytesMut::new(), b""),
            down: Way::new(Side::Server, bounds, came_with_answer, greeting),
            quiet: deadline(),
            stalled: deadline(),
            token: deadline(),
            closing: false,
            close: None,
            _tunnel: Place(passage),
        };
        this.quiet.arm(quiet);
        this
    }

    /// Carries bytes until something ends it.
    pub(crate) fn poll<C>(
        &mut self,
        cx: &mut Context<'_>,
        client: &mut C,
        time_left: impl Fn() -> Option<Duration>,
    ) -> Poll<Ended>
    where
        C: AsyncRead + AsyncWrite + Unpin,
    {
        if let Some(ended) = self.time_is_up(cx, time_left) {
            return Poll::Ready(ended);
        }
        let now_ms = self.worker.deadlines.now_ms();
        let controls_max = self.worker.config.streams.controls_max;
        let up = self.up.poll(cx, client, &mut self.upstream, (now_ms, controls_max));
        let down = self.down.poll(cx, &mut self.upstream, client, (now_ms, controls_max));
        let moved = self.up.has_moved() | self.down.has_moved();
        if let Some(ended) = self.judge(up, down) {
            return Poll::Ready(ended);
        }
        if moved && !self.closing {
            self.quiet.arm(self.worker.config.streams.quiet);
        }
        if !self.up.is_stuck() {
            self.stalled.clear();
        } else if !self.stalled.runs() || moved {
            self.stalled.arm(self.worker.config.connections.write_stall);
        }
        Poll::Pending
    }

    fn time_is_up(&self, cx: &Context<'_>, time_left: impl Fn() -> Option<Duration>) -> Option<Ended> {
        for deadline in [&self.quiet, &self.stalled, &self.token] {
            deadline.watch(cx.waker());
        }
        if !self.token.runs()
            && let Some(left) = time_left()
        {
            if left.is_zero() {
                return Some(Ended::Expired);
            }
            self.token.arm(left);
        }
        if self.worker.is_draining() && !self.closing {
            return Some(Ended::Draining);
        }
        if self.stalled.fired() {
            return Some(Ended::UpstreamStalled);
        }
        self.quiet.fired().then(|| if self.closing { self.closed() } else { Ended::Quiet })
    }

    /// What the halts of both ways come to.
    fn judge(&mut self, up: Poll<Halt>, down: Poll<Halt>) -> Option<Ended> {
        let closed = |polled: &Poll<Halt>| matches!(polled, Poll::Ready(Halt::Closed));
        let (up_closed, down_closed) = (closed(&up), closed(&down));
        if (up_closed || down_closed) && !self.closing {
            self.closing = true;
            self.close = if up_closed { self.up.close_code() } else { self.down.close_code() };
            self.quiet.arm(self.worker.config.streams.close);
        }
        if up_closed && down_closed {
            return Some(self.closed());
        }
        match up {
            Poll::Ready(Halt::Breach(breach)) => return Some(Ended::ClientBreach(breach)),
            Poll::Ready(Halt::Flood) => return Some(Ended::ClientFlood),
            // Whoever was told goodbye may just leave.
            Poll::Ready(Halt::Eof | Halt::Source) if down_closed => return Some(self.closed()),
            Poll::Ready(Halt::Eof | Halt::Source) => return Some(Ended::ClientGone),
            Poll::Ready(Halt::Sink) => return Some(Ended::UpstreamGone),
            Poll::Ready(Halt::Closed) | Poll::Pending => {}
        }
        match down {
            Poll::Ready(Halt::Breach(breach)) => Some(Ended::UpstreamBreach(breach)),
            Poll::Ready(Halt::Flood) => Some(Ended::UpstreamFlood),
            Poll::Ready(Halt::Eof | Halt::Source) if up_closed => Some(self.closed()),
            Poll::Ready(Halt::Eof | Halt::Source) => Some(Ended::UpstreamGone),
            Poll::Ready(Halt::Sink) => Some(Ended::ClientStalled),
            Poll::Ready(Halt::Closed) | Poll::Pending => None,
        }
    }

    fn closed(&self) -> Ended {
        Ended::Closed(self.close)
    }
}
