// SPDX-License-Identifier: Apache-2.0
//! What a stage is told, and what it must answer.
//!
//! Invariants: a [`Receipt`] and a [`Denial`] come only from a [`Trail`], so there is no allow and no deny
//! without evidence; a verdict is an enum, never a `bool`; the statuses a client may see stand in one table
//! ([`Reason::status`]).
//!
//! Deliberately absent: I/O, an async runtime, any stage's own types.

pub mod caller;
pub mod clock;
pub mod denial;
pub mod fetch;
pub mod finding;
pub mod problem;
pub mod reason;
pub mod receipt;
pub mod record;
pub mod request_id;
pub mod secret;
pub mod trail;

pub use caller::{Caller, Identity, Kind};
pub use clock::{Clock, ManualClock, SystemClock};
pub use denial::{Denial, Violation};
pub use reason::Reason;
pub use receipt::{Receipt, Stage, StageName, stage};
pub use request_id::RequestId;
pub use secret::Secret;
pub use trail::{Facts, Trail};
