// SPDX-License-Identifier: Apache-2.0
//! Whose certificates: what the files of a TLS configuration hold, checked before anybody relies on it.
//!
//! Invariants:
//! - a file that is missing, empty or unreadable is an error, never "no certificate", "no client authentication" or
//!   "nothing revoked" (T105);
//! - a certificate and a key that do not belong together are an error (F23);
//! - whoever's status cannot be told is denied: unknown revocation, a stale list, a key usage that is not stated (T107);
//! - a common name is no name (T106).
//!
//! Deliberately absent: sockets, handshakes, issuing certificates.

mod authorities;
mod client_verifier;
mod expiry;
mod fault;
mod leaf;
mod names;
mod read;
mod revocations;

pub use authorities::{AUTHORITIES_MAX, Authorities};
pub use client_verifier::{ClientAuthentication, ClientCertificates, ClientFiles};
pub use expiry::{Due, Ends, What};
pub use fault::{Fault, Part, PkiError};
pub use leaf::{CHAIN_MAX, KeySource, Leaf, LeafFiles};
pub use names::{NAMES_MAX, Name, NameTable};
pub use read::FILE_BYTES_MAX;

use portcullis_decision::Clock;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use std::sync::{Arc, OnceLock};

/// The one provider of cryptography: aws-lc-rs.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

/// The time certificates and lists are judged by.
pub struct Time(Arc<dyn Clock>);

impl Time {
    /// Time of `clock`.
    pub fn of(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }
}

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Time")
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.wall()))
    }
}

#[cfg(test)]
mod tests;
