// SPDX-License-Identifier: Apache-2.0
//! Who is calling.
//!
//! A request carries exactly one credential; this crate reads it, verifies it and turns it into one
//! [`portcullis_decision::Identity`]. Today that is a signed JWT in the profile of RFC 8725bis and RFC 9068;
//! everything else is refused.
//!
//! Invariants: nothing reads a claim for a decision before the signature over it was verified by a key that belongs
//! to the token's issuer and is pinned to the token's algorithm; a bound token (`cnf`) is never accepted as a plain
//! bearer token; the cache holds claims, never a decision, and times are checked again on every request; a client
//! learns nothing of why a token was refused beyond RFC 6750.
//!
//! Deliberately absent: sockets, tasks and clocks (ports of `decision`), and any knowledge of routes and rules.

mod algorithm;
mod authenticator;
mod cache;
mod challenge;
mod claim_path;
mod config;
mod credential;
mod error;
mod fault;
mod issuer;
mod json;
mod jwt;
mod keys;

pub use algorithm::{Algorithm, DEFAULT_ALGORITHMS};
pub use authenticator::{Authenticator, Readiness};
pub use config::{
    CACHE_ENTRIES_DEFAULT, ClaimNames, Config, IssuerConfig, KeySource, LEEWAY_DEFAULT, LEEWAY_MAX, LIFETIME_DEFAULT,
    LIFETIME_MAX, SECRET_BYTES_MIN, TOKEN_BYTES_DEFAULT, TOKEN_BYTES_MAX, TokenType,
};
pub use credential::names_token_in_query;
pub use error::IdentityError;
pub use keys::{
    COOL_DOWN, JWKS_KEYS_MAX, JwkFault, JwksError, KID_BYTES_MAX, KeySourceError, REFRESH_EVERY, RefreshOutcome,
    Refreshed, STALE_MAX, SkippedKey,
};
