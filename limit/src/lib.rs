// SPDX-License-Identifier: Apache-2.0
//! How hard may they push.
//!
//! Three steps count: [`edge`] (by address, before anything is known), [`plan`] (by who the caller is) and
//! [`business`] (by what stands in the body). [`idempotency`] makes a repeated write happen once.
//!
//! Invariants:
//! - all policies of one step are judged together and committed together, or none is;
//! - in any interval Δ a policy admits at most `burst + rate·Δ`, exactly, whatever the number of threads;
//! - every map has a maximum, and a full map limits the newcomers together: it never lets them pass;
//! - a key is a keyed 128-bit hash over length-prefixed parts, so that no text can pretend to be two.
//!
//! Deliberately absent: I/O, shared counters of several nodes, a clock of its own.

// Tests compute their models in plain arithmetic: overflow there is a failed test.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

pub mod business;
pub mod concurrency;
pub mod edge;
pub mod fields;
pub mod idempotency;
pub mod key;
pub mod plan;
pub mod rate;

mod address;
mod lineage;
mod policy;
mod refusal;
mod store;
mod text;

pub use business::{BusinessConfig, BusinessLimiter, BusinessQuestion};
pub use concurrency::Permit;
pub use edge::{EdgeConfig, EdgeLimiter};
pub use fields::RateFields;
pub use key::CountedBy;
pub use plan::{
    Admission, AnonymousLimit, OperationLimit, OperationLimits, PRIORITY_ANONYMOUS, PRIORITY_USUAL, Plan, PlanConfig,
    PlanFrom, PlanLimiter, PlanQuestion,
};
pub use rate::Rate;

/// At most this many limits of one operation.
pub const OPERATION_LIMITS_MAX: usize = 8;
/// Counters kept by a limiter unless its configuration says otherwise; about 100 bytes each.
pub const ENTRIES_DEFAULT: usize = 262_144;

/// A limiter cannot be built from its configuration.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum LimitError {
    /// The default plan is no plan.
    #[error("the default plan `{0}` is not among the plans")]
    DefaultPlan(String),
    /// Two plans of one name.
    #[error("two plans are called `{0}`")]
    PlanTwice(String),
    /// More limits than an operation may have.
    #[error("operation `{0}` has more than {OPERATION_LIMITS_MAX} limits")]
    OperationLimits(String),
    /// A limit that is counted by nothing.
    #[error("a limit of `{0}` is counted by nothing")]
    CountedByNothing(String),
    /// A plan cannot be counted by a value of the body.
    #[error("`{0}` is counted by a value of the body, which is not known when plans are counted")]
    PlanByBody(String),
}
