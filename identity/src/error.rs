// SPDX-License-Identifier: Apache-2.0
//! Why a configuration of this stage cannot be used.

use crate::algorithm::Algorithm;
use crate::keys::JwksError;
use portcullis_decision::fetch::FetchError;
use std::sync::Arc;

/// A configuration that is refused at start and at reload.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is nobody to believe.
    #[error("no issuer is configured")]
    NoIssuer,
    /// Two issuers share a name.
    #[error("two issuers are named `{0}`")]
    SameName(Arc<str>),
    /// Two issuers share `iss`, so that a token could belong to either (T89).
    #[error("issuers `{0}` and `{1}` have the same `issuer`")]
    SameIssuer(Arc<str>, Arc<str>),
    /// `issuer` is blank.
    #[error("issuer `{0}` has a blank `issuer`")]
    BlankIssuer(Arc<str>),
    /// PC0101.
    #[error("issuer `{0}` has no audience, or a blank one")]
    NoAudience(Arc<str>),
    /// No algorithm would ever pass.
    #[error("issuer `{0}` allows no algorithm")]
    NoAlgorithm(Arc<str>),
    /// PC0102: a public key could be used as a secret (T80).
    #[error("issuer `{0}` allows a symmetric algorithm beside an asymmetric one")]
    MixedAlgorithms(Arc<str>),
    /// The algorithm and the key source cannot go together.
    #[error("issuer `{0}`: `{1}` does not go with its keys")]
    AlgorithmAndKeys(Arc<str>, Algorithm),
    /// PC0103.
    #[error("issuer `{0}`: the shared secret is shorter than {min} bytes", min = crate::config::SECRET_BYTES_MIN)]
    ShortSecret(Arc<str>),
    /// An address that our own calls must not go to.
    #[error("issuer `{0}`: the address of its keys is refused")]
    Address(Arc<str>, #[source] FetchError),
    /// The key set in a file has no key that could be used.
    #[error("issuer `{0}`: its key set cannot be used")]
    Keys(Arc<str>, #[source] JwksError),
    /// C-9.
    #[error("issuer `{0}`: `leeway` is over 120 s")]
    Leeway(Arc<str>),
    /// T86.
    #[error("issuer `{0}`: `lifetime` is zero or over 24 h")]
    Lifetime(Arc<str>),
    /// A path that names nothing.
    #[error("`{0}` is no name, dotted path or JSON pointer of a claim")]
    ClaimPath(String),
    /// RFC 6750 §3: no quotes, backslashes or other than printable ASCII in a challenge (OA-4).
    #[error("the resource name cannot stand in a challenge")]
    Resource,
    /// The largest token is zero or larger than this build allows.
    #[error("`token_bytes_max` is zero or too large")]
    TokenBytes,
}
