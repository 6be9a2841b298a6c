// SPDX-License-Identifier: Apache-2.0
//! The port to the origin, over HTTP/1.1 connections of the request's own core.

use crate::body::RequestBody;
use crate::upstream::Upstreams;
use crate::upstream::answer::{self, ResponseBody, Why};
use crate::upstream::outgoing::{Draft, OutgoingBody};
use crate::upstream::pool::{Lease, Wanted, Whose};
use crate::worker::Worker;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use portcullis_decision::Reason;
use portcullis_pipeline::body::collect;
use portcullis_pipeline::{
    BodyFault, Cleared, LOOKUP_BYTES_MAX, LOOKUP_TIMEOUT, Lookup, Origin, OriginFault, OriginRequest, Work,
};
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// The upstreams of a revision, reached from one core.
#[derive(Clone)]
pub struct UpstreamOrigin {
    worker: Arc<Worker>,
    upstreams: Arc<Upstreams>,
}

impl UpstreamOrigin {
    pub(crate) fn new(worker: Arc<Worker>, upstreams: Arc<Upstreams>) -> Self {
        Self { worker, upstreams }
    }

    /// Sends a request and waits for the head of its answer, on a pooled connection or a new one.
    pub(crate) async fn exchange<B>(
        &self,
        request: OriginRequest<B>,
        total_max: Duration,
    ) -> Result<Response<ResponseBody>, OriginFault>
    where
        B: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static,
    {
        // An index outside the revision cannot happen while gate and upstreams are swapped together.
        let upstream = self.upstreams.by_index(request.upstream).ok_or(fault(Reason::UpstreamUnreachable))?;
        let in_flight = upstream.enter().ok_or(fault(Reason::UpstreamOverloaded))?;
        let draft = Draft::write(&upstream.config, request).ok_or(fault(Reason::UpstreamInvalidResponse))?;
        let wanted = Wanted {
            worker: Arc::clone(&self.worker),
            upstream: Arc::clone(upstream),
            in_flight: Arc::new(in_flight),
            total: upstream.config.total.min(total_max),
        };
        let lease = match wanted.pooled() {
            Some(lease) => lease,
            None => fresh(&wanted).await?,
        };
        // The upstream may be closing a pooled connection at this very moment (F29): keep what is safe to repeat.
        let spare = if lease.whose == Whose::Pool && draft.is_repeatable() { draft.copy() } else { None };
        let again = match attempt(lease, draft).await {
            Ok(response) => return Ok(response),
            Err(Failed::Unsent(draft)) => draft,
            Err(Failed::Stale(reason)) => Box::new(spare.ok_or(fault(reason))?),
            Err(Failed::For(reason)) => return Err(fault(reason)),
        };
        let lease = fresh(&wanted).await?;
        attempt(lease, *again).await.map_err(|failed| match failed {
            Failed::Unsent(_) => fault(Reason::UpstreamUnreachable),
            Failed::Stale(reason) | Failed::For(reason) => fault(reason),
        })
    }
}

impl Origin for UpstreamOrigin {
    type RequestBody = RequestBody;
    type ResponseBody = ResponseBody;

    async fn send(&self, cleared: Cleared<RequestBody>) -> Result<Response<ResponseBody>, OriginFault> {
        self.exchange(cleared.into_request(), Duration::MAX).await
    }

    async fn look_up(&self, lookup: Lookup) -> Result<Response<Bytes>, OriginFault> {
        self.load::<RequestBody>(lookup.into_request()).await
    }

    fn finish(&self, work: Work) {
        self.worker.client_tasks.spawn(work);
    }
}

impl UpstreamOrigin {
    /// Sends a request and collects its answer, at most [`LOOKUP_BYTES_MAX`] of it.
    pub(crate) async fn load<B>(&self, request: OriginRequest<B>) -> Result<Response<Bytes>, OriginFault>
    where
        B: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static,
    {
        let (parts, mut body) = self.exchange(request, LOOKUP_TIMEOUT).await?.into_parts();
        if body.size_hint().lower() > LOOKUP_BYTES_MAX as u64 {
            return Err(fault(Reason::UpstreamInvalidResponse));
        }
        match collect(&mut body, LOOKUP_BYTES_MAX).await {
            Ok(bytes) => Ok(Response::from_parts(parts, bytes)),
            Err(_) if body.broken() == Some(Why::TimedOut) => Err(fault(Reason::UpstreamTimeout)),
            Err(_) => Err(fault(Reason::UpstreamInvalidResponse)),
        }
    }
}

/// How one attempt ended without an answer.
enum Failed {
    /// Not a byte of the request was written; here it is again.
    Unsent(Box<Draft>),
    /// A pooled connection closed without a byte of an answer.
    Stale(Reason),
    /// For good.
    For(Reason),
}

async fn fresh(wanted: &Wanted) -> Result<Lease, OriginFault> {
    wanted.fresh().await.map_err(|_| fault(Reason::UpstreamUnreachable))
}

async fn attempt(mut lease: Lease, draft: Draft) -> Result<Response<ResponseBody>, Failed> {
    lease.begin();
    let request = lease.request(draft);
    let method = request.method().clone();
    let line = Arc::clone(&lease.line);
    let answered = {
        let mut sending = pin!(lease.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(answered) = sending.as_mut().poll(cx) {
                return Poll::Ready(Some(answered));
            }
            if line.step.fired() || line.total.fired() {
                return Poll::Ready(None);
            }
            line.step.watch(cx.waker());
            line.total.watch(cx.waker());
            Poll::Pending
        })
        .await
    };
    // Dropping the lease closes the connection.
    match answered {
        None => Err(Failed::For(Reason::UpstreamTimeout)),
        Some(Ok(response)) => believe(response, &method, lease),
        Some(Err(mut error)) => match error.take_message() {
            Some(request) => Err(Failed::Unsent(Box::new(Draft::from_unsent(request)))),
            None => Err(judge(&error.into_error(), &lease)),
        },
    }
}

fn believe(response: Response<Incoming>, method: &Method, lease: Lease) -> Result<Response<ResponseBody>, Failed> {
    let (mut parts, incoming) = response.into_parts();
    answer::believe(&mut parts).map_err(|_| Failed::For(Reason::UpstreamInvalidResponse))?;
    // hyper reads no content after these either; an upstream that sends some has its connection closed by it.
    debug_assert!(!answer::is_bodiless(method, parts.status) || incoming.is_end_stream());
    Ok(Response::from_parts(parts, ResponseBody::new(incoming, lease)))
}

/// Whose fault it was that no answer came.
fn judge(error: &hyper::Error, lease: &Lease) -> Failed {
    if let Some(body) = error.source().and_then(|source| source.downcast_ref::<BodyFault>()) {
        return Failed::For(body.reason());
    }
    let line = &lease.line;
    if line.is_hostile() || error.is_parse() || line.has_answered() {
        return Failed::For(Reason::UpstreamInvalidResponse);
    }
    match lease.whose {
        Whose::Pool => Failed::Stale(Reason::UpstreamUnreachable),
        Whose::Fresh => Failed::For(Reason::UpstreamUnreachable),
    }
}

fn fault(reason: Reason) -> OriginFault {
    OriginFault { reason }
}

impl Lease {
    fn request(&self, draft: Draft) -> Request<OutgoingBody> {
        draft.into_request(self.first_byte(), self.whole(), &self.line)
    }
}
