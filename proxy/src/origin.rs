// SPDX-License-Identifier: Apache-2.0
//! The port to the origin, over HTTP/1.1 connections of the request's own core.

use crate::body::RequestBody;
use crate::upstream::Upstreams;
use crate::upstream::answer::{ResponseBody, Why};
use crate::upstream::course::{Attempted, Course};
use crate::upstream::outgoing::Draft;
use crate::upstream::passage::Passage;
use crate::upstream::passed::UpstreamBody;
use crate::upstream::upgrade;
use crate::worker::Worker;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use portcullis_decision::Reason;
use portcullis_pipeline::body::collect;
use portcullis_pipeline::{
    BodyFault, Cleared, LOOKUP_BYTES_MAX, LOOKUP_TIMEOUT, Lookup, Origin, OriginFault, OriginRequest, Work,
};
use std::sync::Arc;
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
        let began_ms = self.worker.deadlines.now_ms();
        let upstream = self.upstreams.by_index(request.to.upstream);
        // An index outside the revision cannot happen while gate and upstreams are swapped together.
        let upstream = upstream.ok_or(OriginFault::new(Reason::UpstreamUnreachable))?;
        let mut passage = Passage::begin(&self.upstreams, request.to, began_ms)?;
        let total = upstream.config.total.min(total_max);
        if passage.enter().is_err() {
            // Rare, and larger than all else here.
            Box::pin(passage.wait(total)).await?;
        }
        let mut course = Course::new(&self.worker, upstream, began_ms, total);
        let mut draft = Draft::new(request);
        loop {
            draft = match course.attempt(&mut passage, draft).await? {
                Attempted::Answered(answered) => return Ok(ResponseBody::of(answered, passage)),
                Attempted::Again(draft) => draft,
            };
        }
    }

    /// Sends a request and collects its answer, at most [`LOOKUP_BYTES_MAX`] of it.
    pub(crate) async fn load<B>(&self, request: OriginRequest<B>) -> Result<Response<Bytes>, OriginFault>
    where
        B: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static,
    {
        let (parts, mut body) = self.exchange(request, LOOKUP_TIMEOUT).await?.into_parts();
        if body.size_hint().lower() > LOOKUP_BYTES_MAX as u64 {
            return Err(OriginFault::new(Reason::UpstreamInvalidResponse));
        }
        match collect(&mut body, LOOKUP_BYTES_MAX).await {
            Ok(bytes) => Ok(Response::from_parts(parts, bytes)),
            Err(_) if body.broken() == Some(Why::TimedOut) => Err(OriginFault::new(Reason::UpstreamTimeout)),
            Err(_) => Err(OriginFault::new(Reason::UpstreamInvalidResponse)),
        }
    }
}

impl Origin for UpstreamOrigin {
    type RequestBody = RequestBody;
    type ResponseBody = UpstreamBody;

    async fn send(&self, cleared: Cleared<RequestBody>) -> Result<Response<UpstreamBody>, OriginFault> {
        let mut request = cleared.into_request();
        if let Some(offer) = request.websocket.take() {
            // Rare, and larger than all else here.
            return Box::pin(upgrade::open(&self.worker, &self.upstreams, request, &offer)).await;
        }
        let response = self.exchange(request, Duration::MAX).await?;
        Ok(response.map(UpstreamBody::from))
    }

    async fn look_up(&self, lookup: Lookup) -> Result<Response<Bytes>, OriginFault> {
        self.load::<RequestBody>(lookup.into_request()).await
    }

    fn finish(&self, work: Work) {
        self.worker.client_tasks.spawn(work);
    }
}
