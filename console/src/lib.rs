// SPDX-License-Identifier: Apache-2.0
//! Show me: whether the process lives (`/healthz`), whether it should get traffic (`/readyz`), how it fares (`/metrics`).
//!
//! Invariants: the listener is on a loopback address; a request names a loopback host, so that a web page cannot
//! reach it through a name it controls (T115); readiness is *no* until every source says yes.
//!
//! Deliberately absent: anything that changes the gateway, anything about a request or a caller.

mod listener;
mod metrics;
mod readiness;
mod routes;

pub use listener::{Console, ConsoleError};
pub use metrics::Metric;
pub use readiness::{Ready, Source};
pub use routes::Shown;
