// SPDX-License-Identifier: Apache-2.0
//! The keys of issuers: where they come from, which of them are usable, and the one key a token may be checked with
//! (JWT-3, JWT-5, JWT-8, JWT-18, T94–T96).

mod absent;
mod discovery;
mod flight;
mod jwk;
mod jwks;
mod ring;
mod roca;

pub use jwk::{JwkFault, KID_BYTES_MAX};
pub use jwks::{JWKS_KEYS_MAX, JwksError, SkippedKey};
pub use ring::{COOL_DOWN, KeySourceError, REFRESH_EVERY, RefreshOutcome, Refreshed, STALE_MAX};

pub(crate) use jwk::{Key, KeyVerdict};
pub(crate) use ring::{KeyRing, Lookup, RingConfig, RingSource};

use crate::algorithm::Algorithm;
use bytes::Bytes;

/// The usable keys of a set read from a file.
pub(crate) fn read_inline(bytes: &Bytes, allowed: &[Algorithm]) -> Result<(Vec<Key>, Vec<SkippedKey>), JwksError> {
    jwks::read(bytes, allowed).map(|set| (set.keys, set.skipped))
}

#[cfg(test)]
mod tests;
