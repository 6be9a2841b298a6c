// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 on one client connection: `h2` frames and compresses, the handler decides, the watchers keep the peace.
//!
//! Three lines of defence, each with its own maxima. Before the parser: frames are counted as their heads pass
//! ([`portcullis_wire::frames`]), and the first that is too much ends the connection with `ENHANCE_YOUR_CALM`. In the
//! parser: the caps of [`builder`]. Behind it: each head is judged as in HTTP/1, with a problem and a record, each
//! answer must be taken at a pace, and the work of a stream that was reset ends at once.

mod body;
mod stream;
mod transport;
mod watch;

pub(crate) use body::StreamBody;

use super::{Handler, Link};
use crate::deadline::Deadline;
use crate::stream::Transport;
use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use stream::Stream;
use transport::Watched;
use watch::{Overdue, Watch};

/// Streams of one connection that may be open at once.
const STREAMS_MAX: u32 = 100;
/// Content of one stream that may come unread.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024 - 1;
/// Content of all streams that may come unread.
const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// Largest frame (the least that RFC 9113 allows).
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// The parser gives up a head of this size, counted as RFC 9113 §6.5.2 does: twice what a head may have, so that it is
/// the gate that refuses, with a problem and a record.
const PARSED_LIST_BYTES_MAX: u32 = 2 * stream::HEAD_LIST_BYTES_MAX;
/// Table of the header compression.
const HEADER_TABLE_BYTES: u32 = 4 * 1024;
/// Content of one answer that waits in the parser for the transport.
const SEND_BUFFER_BYTES_MAX: usize = 16 * 1024;
/// What many small DATA frames may cost beside their content, before they are read.
const SMALL_FRAMES_BYTES_MAX: usize = 128 * 1024;
/// Streams reset by the client before anybody looked at them.
const PENDING_RESETS_MAX: usize = 20;
/// Streams a client may make the parser reset, in the life of a connection (T48).
const PROVOKED_RESETS_MAX: usize = 64;
/// Reset streams remembered, so that what is still on its way to them is no error, and for how long.
const REMEMBERED_RESETS_MAX: usize = 32;
const REMEMBERED_RESETS_FOR: Duration = Duration::from_secs(1);

/// Exchanges the first frames; `None`: the client did not, or not in time.
pub(super) async fn begin<H: Handler, T: Transport>(
    link: Arc<Link>,
    handler: H,
    transport: T,
) -> Option<Box<Driver<H, T>>> {
    let rate_min = link.worker.config.body.rate_min;
    let watch = Watch::new(Arc::clone(&link.worker.deadlines), link.pace.patience(), rate_min);
    let io = Watched::new(transport, Arc::clone(&watch));
    let connection = {
        let mut handshake = pin!(builder().handshake(io));
        std::future::poll_fn(|cx| {
            link.pace.deadline().watch(cx.waker());
            if link.pace.deadline().fired() {
                return Poll::Ready(None);
            }
            handshake.as_mut().poll(cx).map(Result::ok)
        })
        .await
    };
    let connection = connection?;
    watch.begin();
    // The connection's deadline is the socket's from here on: that of a client that takes nothing at all.
    link.pace.serve();
    let deadline = link.worker.deadlines.register();
    Some(Box::new(Driver { link, handler, watch, deadline, connection, stage: Stage::Open }))
}

/// Every cap there is; what `h2` or hyper take by themselves is of no account.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(STREAMS_MAX)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(PARSED_LIST_BYTES_MAX)
        .header_table_size(HEADER_TABLE_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .data_frame_budget(SMALL_FRAMES_BYTES_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(Some(PROVOKED_RESETS_MAX))
        .max_concurrent_reset_streams(REMEMBERED_RESETS_MAX)
        .reset_stream_duration(REMEMBERED_RESETS_FOR);
    builder
}

/// How far a connection is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The client was told to open no more streams.
    Ending,
    /// The client was told that nothing of it is served any more.
    Left,
}

/// Drives a connection.
pub(super) struct Driver<H, T> {
    link: Arc<Link>,
    handler: H,
    watch: Arc<Watch>,
    deadline: Arc<Deadline>,
    connection: Connection<Watched<T>, Bytes>,
    stage: Stage,
}

impl<H: Handler, T: Transport> Driver<H, T> {
    /// Serves it until it ends.
    pub(super) async fn run(mut self: Box<Self>) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.link.pace.deadline().watch(cx.waker());
        self.deadline.watch(cx.waker());
        loop {
            match self.connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond),
                // What went wrong is the client's or the network's affair, and was said in a GOAWAY.
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending if self.has_to_tell() => {}
                Poll::Pending if self.is_over() => return Poll::Ready(()),
                Poll::Pending => {
                    self.arm();
                    return Poll::Pending;
                }
            }
        }
    }

    /// Tells the client that the connection ends, once for each way it can end. The connection must be polled again
    /// to say it.
    fn has_to_tell(&mut self) -> bool {
        if self.stage != Stage::Left && self.watch.violation().is_some() {
            self.leave(Reason::ENHANCE_YOUR_CALM);
            return true;
        }
        if self.stage == Stage::Open && self.link.worker.is_draining() {
            self.end();
            return true;
        }
        match self.watch.overdue() {
            Some(Overdue::Unfinished) if self.stage != Stage::Left => {
                self.leave(Reason::ENHANCE_YOUR_CALM);
                true
            }
            Some(Overdue::Idle) if self.stage == Stage::Open => {
                self.end();
                true
            }
            Some(Overdue::Left) if self.stage == Stage::Ending => {
                self.leave(Reason::NO_ERROR);
                true
            }
            _ => false,
        }
    }

    /// Whether nothing more is said.
    fn is_over(&self) -> bool {
        match self.watch.overdue() {
            Some(Overdue::Farewell | Overdue::Stalled) => true,
            Some(Overdue::Unfinished | Overdue::Idle | Overdue::Left) | None => false,
        }
    }

    /// GOAWAY, then what is being answered is finished.
    fn end(&mut self) {
        self.stage = Stage::Ending;
        self.watch.end();
        self.connection.graceful_shutdown();
    }

    /// The last GOAWAY, and every stream is aborted.
    fn leave(&mut self, reason: Reason) {
        self.stage = Stage::Left;
        self.watch.farewell();
        self.connection.abrupt_shutdown(reason);
    }

    fn arm(&self) {
        match self.watch.next() {
            Some(after) => self.deadline.arm(after),
            None => self.deadline.clear(),
        }
    }

    fn begin(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let served = self.link.served.load(Ordering::Relaxed);
        let requests_max = self.link.worker.config.connections.requests_max;
        // A client may not have heard yet that it should open no more; whoever does not listen is refused.
        if self.stage == Stage::Ending && served >= requests_max.saturating_add(STREAMS_MAX) {
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        if self.link.is_last() && self.stage == Stage::Open {
            self.end();
        }
        let live = self.watch.open(stream::list_bytes(request.headers(), request.uri()));
        let stream = Stream { link: Arc::clone(&self.link), live };
        let work = stream.serve(self.handler.clone(), request, respond);
        self.link.worker.client_tasks.spawn(work);
    }
}
