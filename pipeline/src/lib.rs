// SPDX-License-Identifier: Apache-2.0
//! In what order a request is decided.
//!
//! The order is one file, [`order`]; the proofs that make skipping a stage a compile error are [`states`]; the guard
//! that records every way out is in `exchange`.
//!
//! Deliberately absent: sockets, timers, a runtime. The host gives bodies that fail when they are too slow and an
//! [`Origin`] that keeps its own deadlines.

mod answer;
pub mod body;
mod client_head;
mod exchange;
mod field_names;
pub mod gate;
mod grpc;
mod handshake;
mod lookup;
mod opened;
pub mod order;
mod origin;
mod pages;
mod respond;
mod stages;
pub mod states;
mod upstream_head;

pub use answer::AnswerBody;
pub use body::BodyFault;
pub use exchange::Exchange;
pub use gate::{Api, Gate, Idempotency, Lane, OperationSettings, UpstreamIdentity};
pub use handshake::{Handshake, Policies, PolicyId};
pub use opened::{OpenEnd, OpenGuard};
pub use origin::{
    Destination, Flow, LOOKUP_BYTES_MAX, LOOKUP_TIMEOUT, Origin, OriginBody, OriginFault, OriginRequest, Outgoing, Work,
};
pub use respond::{Arrived, Connection, respond};
pub use stages::{Answer, Decided, Pending};
pub use states::{Cleared, Lookup};
