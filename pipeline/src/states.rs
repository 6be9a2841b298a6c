// SPDX-License-Identifier: Apache-2.0
//! The proofs. Each is made from the previous one by value plus a receipt of the stage between them, so that a stage
//! cannot be skipped; ids are compared, so that two requests' receipts cannot be mixed.
//!
//! An uncleared request cannot be sent, because the origin takes nothing but [`Cleared`] and [`Lookup`]:
//!
//! ```compile_fail,E0308
//! use portcullis_pipeline::{Origin, states::Authorized};
//! async fn forward<O: Origin>(origin: &O, early: Authorized<O::RequestBody>) {
//!     let _ = origin.send(early).await;
//! }
//! ```
//!
//! A proof cannot be made outside this crate:
//!
//! ```compile_fail,E0451
//! use portcullis_pipeline::states::Cleared;
//! fn forge<B>(request: portcullis_pipeline::OriginRequest<B>) -> Cleared<B> {
//!     Cleared { request }
//! }
//! ```
//!
//! ```compile_fail,E0624
//! use portcullis_decision::{Receipt, stage};
//! use portcullis_pipeline::states::{Authorized, Cleared};
//! fn skip<B>(early: Authorized<B>, receipt: &Receipt<stage::Business>) {
//!     let _ = Cleared::prove(early, receipt, |_, _| unreachable!());
//! }
//! ```

#![expect(
    clippy::needless_pass_by_value,
    reason = "a receipt is spent: taken by value, it proves one step and no other"
)]

use crate::origin::{Destination, OriginRequest, Outgoing};
use bytes::Bytes;
use http::{HeaderMap, Method};
use portcullis_authorize::Known;
use portcullis_contract::{Captures, OperationIndex, Parameters, ShapeId};
use portcullis_decision::{Caller, Receipt, RequestId, Stage, stage};
use portcullis_wire::{Framing, Head, json::Document, websocket::Offer};
use std::net::IpAddr;

/// A receipt of another request was presented. Never happens unless the order is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a receipt of another request was presented")]
pub struct Mismatch;

fn compare<S: Stage>(request: RequestId, receipt: &Receipt<S>) -> Result<(), Mismatch> {
    if receipt.request() == request { Ok(()) } else { Err(Mismatch) }
}

/// What the client sent, after strict parsing.
#[derive(Debug)]
pub struct Received<B> {
    pub(crate) id: RequestId,
    pub(crate) head: Box<Head>,
    pub(crate) body: B,
    pub(crate) address: IpAddr,
}

impl<B> Received<B> {
    pub(crate) fn prove(head: Box<Head>, body: B, address: IpAddr, receipt: Receipt<stage::Wire>) -> Self {
        Self { id: receipt.request(), head, body, address }
    }
}

/// Passed the edge limits.
#[derive(Debug)]
pub struct Entered<B> {
    pub(crate) received: Received<B>,
}

impl<B> Entered<B> {
    pub(crate) fn prove(received: Received<B>, receipt: Receipt<stage::Edge>) -> Result<Self, Mismatch> {
        compare(received.id, &receipt)?;
        Ok(Self { received })
    }
}

/// Where a request goes.
#[derive(Debug)]
pub struct Route {
    /// Index of the API in the gate.
    pub(crate) api: usize,
    /// Operation of its contract.
    pub(crate) operation: OperationIndex,
    /// Path parameters.
    pub(crate) captures: Captures,
}

/// Names a declared operation.
#[derive(Debug)]
pub struct Routed<B> {
    pub(crate) received: Received<B>,
    pub(crate) route: Route,
}

impl<B> Routed<B> {
    pub(crate) fn prove(entered: Entered<B>, receipt: Receipt<stage::Route>, route: Route) -> Result<Self, Mismatch> {
        compare(entered.received.id, &receipt)?;
        Ok(Self { received: entered.received, route })
    }
}

/// Known by exactly one credential, or anonymous on a public operation.
#[derive(Debug)]
pub struct Identified<B> {
    pub(crate) received: Received<B>,
    pub(crate) route: Route,
    pub(crate) caller: Caller,
}

impl<B> Identified<B> {
    pub(crate) fn prove(
        routed: Routed<B>,
        receipt: Receipt<stage::Identity>,
        caller: Caller,
    ) -> Result<Self, Mismatch> {
        compare(routed.received.id, &receipt)?;
        Ok(Self { received: routed.received, route: routed.route, caller })
    }
}

/// Inside its plan.
#[derive(Debug)]
pub struct Admitted<B>(pub(crate) Identified<B>);

impl<B> Admitted<B> {
    pub(crate) fn prove(identified: Identified<B>, receipt: Receipt<stage::Plan>) -> Result<Self, Mismatch> {
        compare(identified.received.id, &receipt)?;
        Ok(Self(identified))
    }
}

/// Allowed to call this operation at all.
#[derive(Debug)]
pub struct Permitted<B>(pub(crate) Identified<B>);

impl<B> Permitted<B> {
    pub(crate) fn prove(admitted: Admitted<B>, receipt: Receipt<stage::Function>) -> Result<Self, Mismatch> {
        compare(admitted.0.received.id, &receipt)?;
        Ok(Self(admitted.0))
    }
}

/// A request body after validation.
#[derive(Debug)]
pub enum Content<B> {
    /// There is none.
    Empty,
    /// Read and parsed as JSON.
    Json {
        /// The strict parse, with the bytes as they came.
        document: Document,
        /// Its place in the contract's shapes.
        shape: Option<ShapeId>,
    },
    /// Read, not JSON.
    Bytes(Bytes),
    /// Nobody has to read it.
    Stream {
        /// The body.
        body: crate::body::Capped<B>,
        /// Framing as declared.
        framing: Framing,
    },
}

/// Satisfies the request contract.
#[derive(Debug)]
pub struct Validated<B> {
    pub(crate) id: RequestId,
    pub(crate) head: Box<Head>,
    pub(crate) address: IpAddr,
    pub(crate) route: Route,
    pub(crate) caller: Caller,
    pub(crate) parameters: Parameters,
    pub(crate) content: Content<B>,
    pub(crate) media_type: Option<std::sync::Arc<str>>,
    pub(crate) websocket: Option<Box<Offer>>,
    pub(crate) lookups: LookupPermit,
}

/// The permission to load objects for this request; left behind by [`Permitted`].
#[derive(Clone, Copy, Debug)]
pub struct LookupPermit(());

/// What validation found.
pub(crate) struct ValidRequest<B> {
    pub(crate) parameters: Parameters,
    pub(crate) content: Content<B>,
    pub(crate) media_type: Option<std::sync::Arc<str>>,
    pub(crate) websocket: Option<Box<Offer>>,
}

impl<B> Permitted<B> {
    /// Takes the body out, so that it can be read.
    pub(crate) fn open(self) -> (PermittedHead, B) {
        let Identified { received, route, caller } = self.0;
        let Received { id, head, body, address } = received;
        (PermittedHead { id, head, address, route, caller, lookups: LookupPermit(()) }, body)
    }
}

/// [`Permitted`] while its body is being read.
#[derive(Debug)]
pub struct PermittedHead {
    pub(crate) id: RequestId,
    pub(crate) head: Box<Head>,
    pub(crate) address: IpAddr,
    pub(crate) route: Route,
    pub(crate) caller: Caller,
    lookups: LookupPermit,
}

impl<B> Validated<B> {
    pub(crate) fn prove(
        permitted: PermittedHead,
        receipt: Receipt<stage::Request>,
        valid: ValidRequest<B>,
    ) -> Result<Self, Mismatch> {
        compare(permitted.id, &receipt)?;
        let PermittedHead { id, head, address, route, caller, lookups } = permitted;
        let ValidRequest { parameters, content, media_type, websocket } = valid;
        Ok(Self { id, head, address, route, caller, parameters, content, media_type, websocket, lookups })
    }
}

/// May touch what it touches.
#[derive(Debug)]
pub struct Authorized<B> {
    pub(crate) validated: Validated<B>,
    pub(crate) known: Known,
}

impl<B> Authorized<B> {
    pub(crate) fn prove(
        validated: Validated<B>,
        receipt: Receipt<stage::Object>,
        known: Known,
    ) -> Result<Self, Mismatch> {
        compare(validated.id, &receipt)?;
        Ok(Self { validated, known })
    }
}

/// May go to the origin. The last proof before the call.
#[derive(Debug)]
#[must_use = "a cleared request that is dropped was never sent"]
pub struct Cleared<B> {
    request: OriginRequest<B>,
}

impl<B> Cleared<B> {
    pub(crate) fn prove(
        authorized: Authorized<B>,
        receipt: &Receipt<stage::Business>,
        write_head: impl FnOnce(Validated<B>, &Known) -> OriginRequest<B>,
    ) -> Result<(Self, Known), Mismatch> {
        let Authorized { validated, known } = authorized;
        compare(validated.id, receipt)?;
        let request = write_head(validated, &known);
        Ok((Self { request }, known))
    }

    /// The request to send.
    pub fn into_request(self) -> OriginRequest<B> {
        self.request
    }
}

/// A declared `GET` of the same API that loads an object for a decision.
#[derive(Debug)]
#[must_use = "a look-up that is dropped was never sent"]
pub struct Lookup {
    to: Destination,
    target: String,
    headers: HeaderMap,
}

impl Lookup {
    pub(crate) fn prove(permit: LookupPermit, to: Destination, target: String, headers: HeaderMap) -> Self {
        let LookupPermit(()) = permit;
        Self { to, target, headers }
    }

    /// The request to send.
    pub fn into_request<B>(self) -> OriginRequest<B> {
        OriginRequest {
            to: self.to,
            method: Method::GET,
            target: self.target,
            headers: self.headers,
            body: Outgoing::Empty,
            websocket: None,
        }
    }
}

/// An answer that may leave.
#[derive(Debug)]
pub struct Released<R> {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Leaving<R>,
}

/// The body of an answer that may leave.
#[derive(Debug)]
pub enum Leaving<R> {
    /// None.
    Empty,
    /// Read and judged here.
    Full(Bytes),
    /// Passed on as it comes.
    Stream(R),
}

impl<R> Released<R> {
    pub(crate) fn prove(
        request: RequestId,
        receipt: &Receipt<stage::Response>,
        head: http::response::Parts,
        body: Leaving<R>,
    ) -> Result<Self, Mismatch> {
        compare(request, receipt)?;
        Ok(Self { head, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_decision::{Facts, ManualClock, Trail};
    use std::sync::Arc;
    use std::time::Duration;

    fn trail(random: u128) -> Trail {
        Trail::open(RequestId::from_parts(1, random), Arc::new(ManualClock::at(Duration::ZERO)))
    }

    #[test]
    fn receipts_of_two_requests_cannot_be_mixed() {
        let (mut one, mut other) = (trail(1), trail(2));
        let request = http::Request::get("/").header("host", "a.example").body(()).unwrap();
        let head = portcullis_wire::receive(
            request.into_parts().0,
            &portcullis_wire::HeadLimits::default(),
            &portcullis_wire::Reserved::new(&[]),
        )
        .unwrap();
        let address = IpAddr::from([127, 0, 0, 1]);
        let received = Received::prove(Box::new(head), (), address, one.allow::<stage::Wire>(Facts::none()));
        let foreign = other.allow::<stage::Edge>(Facts::none());
        assert_eq!(Entered::prove(received, foreign).err(), Some(Mismatch));
    }
}
