// SPDX-License-Identifier: Apache-2.0
//! Receipts: the proof that a stage allowed a request and that the trail knows it.

use crate::request_id::RequestId;
use std::marker::PhantomData;

/// The stages, by the names used in records and explanations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StageName {
    /// Strict parsing.
    Wire,
    /// Per-address rate, authentication failures, overload.
    Edge,
    /// Host, method and template.
    Route,
    /// Who.
    Identity,
    /// How hard.
    Plan,
    /// May call at all.
    Function,
    /// Parameters and body against the contract.
    Request,
    /// May touch this object and these properties.
    Object,
    /// Body-keyed limits, idempotency.
    Business,
    /// The call to the origin.
    Upstream,
    /// What came back.
    Response,
}

impl StageName {
    /// Whether the stage may wait or work for long. The clock is read at the end of these; the moments of the others
    /// are counted with the next of these, because reading the clock would cost more than they do.
    pub(crate) fn is_timed(self) -> bool {
        match self {
            StageName::Identity
            | StageName::Request
            | StageName::Object
            | StageName::Business
            | StageName::Upstream
            | StageName::Response => true,
            StageName::Wire | StageName::Edge | StageName::Route | StageName::Plan | StageName::Function => false,
        }
    }

    /// The word used in records.
    pub fn word(self) -> &'static str {
        match self {
            StageName::Wire => "wire",
            StageName::Edge => "edge",
            StageName::Route => "route",
            StageName::Identity => "identity",
            StageName::Plan => "plan",
            StageName::Function => "function",
            StageName::Request => "request",
            StageName::Object => "object",
            StageName::Business => "business",
            StageName::Upstream => "upstream",
            StageName::Response => "response",
        }
    }
}

/// A stage as a type, so that one stage's receipt cannot stand for another's.
pub trait Stage: sealed::Sealed {
    /// Its name.
    const NAME: StageName;
}

mod sealed {
    pub trait Sealed {}
}

/// The stages as types.
pub mod stage {
    use super::{Stage, StageName, sealed::Sealed};

    macro_rules! stages {
        ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
            impl Sealed for $name {}
            impl Stage for $name {
                const NAME: StageName = StageName::$name;
            }
        )*};
    }

    stages! {
        /// Strict parsing.
        Wire,
        /// Edge limits.
        Edge,
        /// Routing.
        Route,
        /// Authentication.
        Identity,
        /// Plan limits.
        Plan,
        /// Function level authorization.
        Function,
        /// Request contract.
        Request,
        /// Object and property level authorization.
        Object,
        /// Body-keyed limits and idempotency.
        Business,
        /// The origin.
        Upstream,
        /// The answer.
        Response,
    }
}

/// Says that stage `S` allowed the request with this id; made only by [`crate::Trail::allow`].
///
/// ```compile_fail,E0451
/// use portcullis_decision::{Receipt, RequestId, stage};
/// let id = RequestId::from_parts(1, 2);
/// let forged: Receipt<stage::Object> = Receipt { request: id, stage: std::marker::PhantomData };
/// ```
#[must_use = "a receipt that is dropped proves nothing"]
pub struct Receipt<S: Stage> {
    request: RequestId,
    stage: PhantomData<fn() -> S>,
}

impl<S: Stage> Receipt<S> {
    pub(crate) fn issue(request: RequestId) -> Self {
        Self { request, stage: PhantomData }
    }

    /// The request the receipt is for.
    pub fn request(&self) -> RequestId {
        self.request
    }
}
