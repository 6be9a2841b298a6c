// SPDX-License-Identifier: Apache-2.0
//! A repeated write happens once (Idempotency-Key, draft 07; rows ID-1 … ID-8, T122).
//!
//! A [`Scope`] is whose key it is and for what; a [`Fingerprint`] is what was asked. The first request of a scope gets
//! a [`Lease`], which is what makes later ones wait outside (409) until the answer is kept, or the lease is let go and
//! the next one starts afresh. Only answers below 500 are kept; a refusal of the gateway never gets as far as here.
//!
//! [`IdempotencyStore`] is the port; [`Store`] is the default, in this process and lost with it.
//! A replay is an old answer, not an old decision: the caller's rights are judged again before it leaves (ID-7).

mod memory;
mod scope;
mod stored;

pub use memory::{Store, StoreConfig};
pub use scope::{Fingerprint, Scope};
pub use stored::Stored;

use http::Method;
use std::fmt;
use std::sync::Arc;

/// How long an answer is kept by default (published as the expiry of keys, ID-1).
pub const KEEP_DEFAULT: std::time::Duration = std::time::Duration::from_hours(24);
/// The largest answer that is kept by default.
pub const RESPONSE_BYTES_MAX_DEFAULT: usize = 256 * 1024;
/// Keys known at a time by default.
pub const ENTRIES_MAX_DEFAULT: usize = 100_000;
/// Bytes of all kept answers by default.
pub const BYTES_MAX_DEFAULT: usize = 64 * 1024 * 1024;

/// Whether keys are honoured for a method: on `POST` and `PATCH`; ignored elsewhere.
pub fn honours(method: &Method) -> bool {
    *method == Method::POST || *method == Method::PATCH
}

/// What a store says to a key.
#[derive(Debug)]
#[must_use = "a lease that is dropped lets the next request with this key in"]
pub enum Begin {
    /// Never seen (or let go, or expired): do it, and tell the lease how it went.
    Fresh(Lease),
    /// Done before: answer with this.
    Replay(Arc<Stored>),
    /// The first request is still under way: 409 `idempotency.in_flight`.
    InFlight,
    /// The key was used for another request: 422 `idempotency.mismatch`.
    Mismatch,
    /// Done before, and the answer was too large to keep: 409 `idempotency.not_kept`.
    NotKept,
    /// No room for one more request under way: 503 `gate.overloaded`. Going on would risk doing it twice.
    Full,
}

/// A store of answers to repeated requests.
pub trait IdempotencyStore: Send + Sync {
    /// Judges a key and, if it is fresh, marks it as under way *before* the request goes on.
    fn begin(&self, scope: Scope, fingerprint: Fingerprint) -> Begin;
}

/// How a fresh request ended.
#[derive(Debug)]
pub enum Settlement {
    /// It has an answer to keep.
    Keep(Stored),
    /// It has one that cannot be kept.
    NotKept,
    /// It has none: the key is free again.
    Release,
}

/// A store's side of a lease.
pub trait Settle: Send + Sync {
    /// Ends the lease with this number; a number that is not the current one changes nothing. Never blocks.
    fn settle(&self, scope: &Scope, lease: u64, settlement: Settlement);
}

/// The right, and the duty, to do a request with a fresh key. Dropped without a word it is let go.
#[must_use = "a lease that is dropped lets the next request with this key in"]
pub struct Lease {
    store: Arc<dyn Settle>,
    scope: Scope,
    number: u64,
    open: bool,
}

impl Lease {
    /// A lease of a store; `number` tells it from earlier ones of the same scope.
    pub fn new(store: Arc<dyn Settle>, scope: Scope, number: u64) -> Self {
        Self { store, scope, number, open: true }
    }

    /// The request has this answer; repeats get it too. One of 500 or above is not kept, and frees the key (ID-8).
    pub fn keep(mut self, stored: Stored) {
        let settlement =
            if stored.status.is_server_error() { Settlement::Release } else { Settlement::Keep(stored.bare()) };
        self.settle(settlement);
    }

    /// The request was done, and its answer cannot be kept; repeats are refused.
    pub fn not_kept(mut self) {
        self.settle(Settlement::NotKept);
    }

    fn settle(&mut self, settlement: Settlement) {
        if std::mem::replace(&mut self.open, false) {
            self.store.settle(&self.scope, self.number, settlement);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.settle(Settlement::Release);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("number", &self.number).field("open", &self.open).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
