// SPDX-License-Identifier: Apache-2.0
//! Calls of our own to the outside: key sets and discovery documents.
//!
//! [`Egress`] is the only HTTP client that is not an upstream. Its addresses come from configuration and from the
//! metadata of configured issuers, so the harm it could do is server-side request forgery and being held up; both are
//! bounded here (T95, T118, API7-1).
//!
//! Invariants: `https` with the machine's certificate authorities, or `http` to a loopback address; the rule is
//! applied to the address and again to what a name resolved to; no redirect is followed, no proxy is read from the
//! environment, no cookie or credential is sent; every call ends within its deadline, and no answer is larger than its
//! maximum. Names that resolve to link-local, unspecified or multicast addresses (where clouds keep their machine
//! credentials) are refused.
//!
//! Deliberately absent: retries, caching, methods other than `GET`; who asks decides when to ask again.

mod client;
mod resolver;

pub use client::{
    ANSWER_BYTES_MAX, CONNECT_TIMEOUT, Egress, EgressConfig, EgressError, HEAD_BYTES_MAX, HEADERS_MAX, TOTAL_TIMEOUT,
};
