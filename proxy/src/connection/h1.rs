// SPDX-License-Identifier: Apache-2.0
//! HTTP/1 on one client connection: one head at a time is read by the strict scanner, decided, and answered under our
//! own framing. Nothing else reads a client's bytes, so there is no second reading of them.
//!
//! Requests that were sent ahead wait unread in the buffer, so answers stay in order, each request is decided once,
//! and what follows a request that was refused is never looked at (T13, T19).

mod inlet;
mod outlet;
mod tunnel;

pub(crate) use inlet::InletBody;

use super::{Handler, Link, Rules, Switches};
use crate::body::RequestBody;
use crate::outlet::Outlet;
use crate::stream::{ClientStream, Transport};
use http::header::CONNECTION;
use http::{Response, StatusCode, Version};
use http_body::Body;
use inlet::{DRAIN_BYTES_MAX, Inlet, Reusable};
use outlet::Asked;
use portcullis_decision::Reason;
use portcullis_pipeline::{Arrived, BodyFault};
use portcullis_wire::{Refusal, Scan, Scanned, WireFault};
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long what a client still sends is read and thrown away, so that closing does not destroy the answer in flight
/// (T13).
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a connection until it ends.
pub(super) async fn drive<H: Handler, T: Transport>(link: Arc<Link>, handler: H, stream: ClientStream<T>) {
    let mut connection = Http1 { inlet: Inlet::new(stream), link, handler, scan: Scan::new(), outlet: Outlet::new() };
    loop {
        let Some((rules, scanned)) = connection.next_head().await else { return };
        match connection.serve(rules, scanned).await {
            Next::Request => {}
            Next::Close(Unread::Nothing) => return connection.close(0).await,
            Next::Close(Unread::Perhaps) => return connection.close(DRAIN_BYTES_MAX).await,
            Next::Reset => return connection.inlet.lock().stream.reset(),
            Next::Gone => return,
        }
    }
}

struct Http1<H, T> {
    link: Arc<Link>,
    handler: H,
    inlet: Arc<Inlet<T>>,
    scan: Scan,
    outlet: Outlet,
}

/// What happens on the connection after an answer.
enum Next {
    /// Another request may come.
    Request,
    /// It ends in order.
    Close(Unread),
    /// The answer broke off, and the client must notice.
    Reset,
    /// The client is not there any more.
    Gone,
}

/// What the client may still be sending.
enum Unread {
    Nothing,
    Perhaps,
}

/// Why an answer did not leave whole.
enum Broken {
    /// The client left or took nothing for too long.
    Client,
    /// Its body broke off, or is not what its head promised.
    Answer,
}

impl From<io::Error> for Broken {
    /// What the error says may hold client data.
    fn from(_: io::Error) -> Self {
        Self::Client
    }
}

impl<H: Handler, T: Transport> Http1<H, T> {
    /// Waits for a head and reads it. `None`: the connection ended, or idled for too long.
    async fn next_head(&mut self) -> Option<(H::Rules, Scanned)> {
        let Self { link, handler, inlet, scan, outlet } = self;
        let mut rules = None;
        let scanned = std::future::poll_fn(|cx| {
            link.pace.deadline().watch(cx.waker());
            if link.pace.settles() {
                *outlet = Outlet::new();
            }
            let mut state = inlet.lock();
            loop {
                if !state.buffer.is_empty() {
                    link.pace.first_byte();
                    let rules = rules.get_or_insert_with(|| handler.rules());
                    match scan.head(&mut state.buffer, rules.limits(), rules.reserved()) {
                        Scanned::NeedMore => {}
                        read => return Poll::Ready(Some(read)),
                    }
                }
                let fault = match state.poll_fill(cx) {
                    Poll::Ready(Ok(bytes)) if bytes > 0 => continue,
                    Poll::Ready(Ok(_)) => WireFault { reason: Reason::WireMalformed, detail: "the head breaks off" },
                    Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
                        WireFault { reason: Reason::WireTooSlow, detail: "the head did not come in time" }
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(None),
                    Poll::Pending if state.buffer.is_empty() && link.worker.is_draining() => return Poll::Ready(None),
                    Poll::Pending => {
                        if link.pace.is_settled() {
                            state.forget();
                        }
                        return Poll::Pending;
                    }
                };
                return Poll::Ready(if state.buffer.is_empty() {
                    None
                } else {
                    Some(Scanned::Refused(scan.broken_off(&state.buffer, fault)))
                });
            }
        })
        .await?;
        Some((rules?, scanned))
    }

    /// Decides and answers one request.
    async fn serve(&mut self, rules: H::Rules, scanned: Scanned) -> Next {
        self.link.pace.serve();
        let (asked, wants_more, arrived) = match scanned {
            Scanned::Head(head) => {
                let asked = Asked::new(&head.method, head.version);
                let body = self.inlet.open(head.framing, head.expect_continue, &self.link.worker);
                (asked, !head.last, Arrived { method: head.method.clone(), received: Ok(Box::new(head)), body })
            }
            Scanned::Refused(Refusal { fault, method }) => {
                let asked = Asked::new(&method, Version::HTTP_11);
                (asked, false, Arrived { method, received: Err(fault), body: RequestBody::empty() })
            }
            Scanned::NeedMore => return Next::Gone,
        };
        let refused = arrived.received.is_err();
        let Some(response) = self.decide(rules, arrived, refused).await else { return Next::Gone };
        if self.inlet.broke_off() {
            return Next::Gone;
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let (head, body) = response.into_parts();
            return match body.opened() {
                Some(opened) => Box::pin(tunnel::carry(&self.link, &self.inlet, &head.headers, opened)).await,
                // Nobody was offered any other.
                None => Next::Reset,
            };
        }
        let reusable = std::future::poll_fn(|cx| Poll::Ready(self.inlet.settle(cx))).await;
        let last = !wants_more
            || reusable == Reusable::No
            || self.link.is_last()
            || response.headers().contains_key(CONNECTION)
            || Outlet::needs_close(asked, &response);
        match self.answer(asked, response, last).await {
            Err(Broken::Client) => Next::Gone,
            Err(Broken::Answer) => Next::Reset,
            Ok(()) if !last => {
                self.link.pace.rest();
                Next::Request
            }
            Ok(()) if refused || reusable == Reusable::No || !self.inlet.lock().buffer.is_empty() => {
                Next::Close(Unread::Perhaps)
            }
            Ok(()) => Next::Close(Unread::Nothing),
        }
    }

    /// `None`: the client left first, and the work was dropped. Whoever was refused may have sent its end already and
    /// still reads why.
    async fn decide(&self, rules: H::Rules, arrived: Arrived<RequestBody>, refused: bool) -> Option<Response<H::Body>> {
        let mut deciding = pin!(self.handler.handle(&self.link.worker, &self.link.ends, rules, arrived));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(response) = deciding.as_mut().poll(cx) {
                return Poll::Ready(Some(response));
            }
            if refused { Poll::Pending } else { self.inlet.poll_gone(cx).map(|()| None) }
        })
        .await
    }

    async fn answer(&mut self, asked: Asked, response: Response<H::Body>, last: bool) -> Result<(), Broken> {
        self.outlet.begin(asked, &response, last, &self.link.worker.date());
        let mut answering = Answering { body: response.into_body(), head_waits: true, ended: false };
        std::future::poll_fn(|cx| {
            self.link.pace.deadline().watch(cx.waker());
            answering.poll(cx, &mut self.outlet, &self.inlet)
        })
        .await
    }

    /// Says that nothing more is sent, and takes what still comes, so that the client gets to read the answer.
    async fn close(&mut self, unread_bytes_max: usize) {
        self.inlet.end();
        let inlet = &self.inlet;
        let linger = async {
            let shut = std::future::poll_fn(|cx| pin!(inlet.lock().stream.shutdown()).poll(cx)).await;
            if shut.is_err() {
                return;
            }
            let mut seen = 0_usize;
            while seen < unread_bytes_max {
                let read = std::future::poll_fn(|cx| {
                    let mut state = inlet.lock();
                    state.buffer.clear();
                    state.poll_fill(cx)
                });
                match read.await {
                    Ok(bytes) if bytes > 0 => seen = seen.saturating_add(bytes),
                    _ => return,
                }
            }
        };
        // Out of time or not: the connection closes.
        let _ = tokio::time::timeout(LINGER_TIMEOUT, linger).await;
    }
}

/// An answer on its way out.
struct Answering<B> {
    body: B,
    /// The head is held back until it is known whether a piece of the body can go with it.
    head_waits: bool,
    ended: bool,
}

impl<B> Answering<B>
where
    B: Body<Data = bytes::Bytes, Error = BodyFault> + Unpin,
{
    fn poll<T: Transport>(
        &mut self,
        cx: &mut Context<'_>,
        outlet: &mut Outlet,
        inlet: &Inlet<T>,
    ) -> Poll<Result<(), Broken>> {
        loop {
            if !self.head_waits {
                ready!(outlet.poll_write(cx, &mut inlet.lock().stream))?;
                if self.ended {
                    return Poll::Ready(Ok(()));
                }
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are not sent: the client did not ask for them (SM-12).
                    let Ok(data) = frame.into_data() else { continue };
                    outlet.push(data).map_err(|_| Broken::Answer)?;
                    if self.body.is_end_stream() {
                        self.end(outlet)?;
                    }
                }
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Broken::Answer)),
                Poll::Ready(None) => self.end(outlet)?,
                Poll::Pending if self.head_waits => {}
                Poll::Pending => return inlet.poll_gone(cx).map(|()| Err(Broken::Client)),
            }
            self.head_waits = false;
        }
    }

    fn end(&mut self, outlet: &mut Outlet) -> Result<(), Broken> {
        self.ended = true;
        outlet.finish().map_err(|_| Broken::Answer)
    }
}
