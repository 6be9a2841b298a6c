// SPDX-License-Identifier: Apache-2.0
//! The port to the origin: what a host must be able to do, and the only two values it may be asked to do it with.

use crate::body::{BodyFault, Capped};
use crate::states::{Cleared, Lookup};
use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::Body;
use portcullis_decision::Reason;
use portcullis_wire::Framing;
use portcullis_wire::websocket::Offer;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Work that runs to its end although the client left.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body that goes to the origin.
#[derive(Debug)]
pub enum Outgoing<B> {
    /// No body.
    Empty,
    /// A body that was read here; forwarded byte for byte.
    Full(Bytes),
    /// A body nobody had to read.
    Stream {
        /// The client's body.
        body: Capped<B>,
        /// How long it says it is.
        framing: Framing,
    },
}

/// Where a request goes, and how much it matters there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Index of the upstream.
    pub upstream: usize,
    /// The operation's number, dense over the whole gateway.
    pub operation: usize,
    /// The caller's plan's, 1 to 9: when places are few the lowest waits, and is refused first.
    pub priority: u8,
}

/// A request for the origin, taken from a proof.
#[derive(Debug)]
pub struct OriginRequest<B> {
    /// Where it goes.
    pub to: Destination,
    /// Method.
    pub method: Method,
    /// Origin-form path and query, below the target's own path.
    pub target: String,
    /// Every header but `Host` and framing.
    pub headers: HeaderMap,
    /// Body.
    pub body: Outgoing<B>,
    /// The connection is to become a WebSocket, as the client offers. The host writes the fields of the handshake.
    pub websocket: Option<Box<Offer>>,
}

/// Why the origin gave no usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the origin gave no usable answer: {reason}")]
pub struct OriginFault {
    /// One of `upstream.*`, or a `payload.*` / `client.aborted` reason when the client's body was at fault.
    pub reason: Reason,
    /// When it may be worth another try, where the host knows: `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl OriginFault {
    /// A fault without a word on when to come back.
    pub fn new(reason: Reason) -> Self {
        Self { reason, retry_after: None }
    }
}

/// What an answer that nobody reads here is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Content that has an end, however far away: it comes at a pace.
    Content,
    /// Events, which come when they happen and without end (`text/event-stream`).
    Events,
    /// Messages of a call, which come when they happen; the call has an end.
    Messages,
}

/// The body of an origin's answer.
pub trait OriginBody: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static {
    /// Nobody reads it here: it is passed on as it comes, and has no time for the whole of it any more. What the host
    /// bounds from here on is how it flows.
    fn pass_on(&mut self, flow: Flow);
}

/// The call to the origin, implemented by the host (the proxy, a tower service).
pub trait Origin: Clone + Send + Sync + 'static {
    /// The client's body.
    type RequestBody: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static;
    /// The origin's body.
    type ResponseBody: OriginBody;

    /// Sends a cleared request and waits for the head of the answer. A 101 answers a request for a WebSocket only; its
    /// body is the connection, its one field of the handshake `Sec-WebSocket-Accept` (and the subprotocol).
    fn send(
        &self,
        cleared: Cleared<Self::RequestBody>,
    ) -> impl Future<Output = Result<http::Response<Self::ResponseBody>, OriginFault>> + Send;

    /// Loads an object: the whole answer, at most [`LOOKUP_BYTES_MAX`].
    fn look_up(&self, lookup: Lookup) -> impl Future<Output = Result<http::Response<Bytes>, OriginFault>> + Send;

    /// Runs work to its end although the client left; drain waits for it.
    fn finish(&self, work: Work);
}

/// Largest answer of a look-up.
pub const LOOKUP_BYTES_MAX: usize = 64 * 1024;
/// Deadline of a look-up, from its start.
pub const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
