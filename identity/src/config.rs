// SPDX-License-Identifier: Apache-2.0
//! What an operator asked for, as plain values. Checked by [`crate::Authenticator::build`].

use crate::algorithm::{Algorithm, DEFAULT_ALGORITHMS};
use portcullis_decision::Secret;
use std::sync::Arc;
use std::time::Duration;

/// Largest token read by default (T91).
pub const TOKEN_BYTES_DEFAULT: usize = 8 * 1024;
/// Largest value `token_bytes_max` may take.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Verified tokens remembered by default.
pub const CACHE_ENTRIES_DEFAULT: usize = 10_000;
/// Longest lifetime of a token by default: `exp` - `iat`.
pub const LIFETIME_DEFAULT: Duration = Duration::from_hours(1);
/// Longest lifetime that may be configured (T86).
pub const LIFETIME_MAX: Duration = Duration::from_hours(24);
/// Clock difference allowed by default (C-9).
pub const LEEWAY_DEFAULT: Duration = Duration::from_secs(30);
/// Largest clock difference that may be configured (C-9).
pub const LEEWAY_MAX: Duration = Duration::from_mins(2);
/// Shortest shared secret (JWT-6, RFC 7518 §3.2).
pub const SECRET_BYTES_MIN: usize = 32;

/// Everything the stage needs to know.
pub struct Config {
    /// The issuers whose tokens are read.
    pub issuers: Vec<IssuerConfig>,
    /// The name of what is protected, shown as `realm` in challenges.
    pub resource: String,
    /// Verified tokens remembered, in units of 1 KiB of token; 0 remembers none.
    pub cache_entries_max: usize,
    /// Longest token looked at.
    pub token_bytes_max: usize,
}

/// One issuer of tokens.
pub struct IssuerConfig {
    /// Its name in the configuration and in records.
    pub name: Arc<str>,
    /// The exact value of `iss` (AT-3).
    pub issuer: String,
    /// Values of `aud` that mean us; one must be in the token, exactly (AT-4). Never empty.
    pub audiences: Vec<String>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// What it may sign with.
    pub algorithms: Vec<Algorithm>,
    /// Which tokens of it are access tokens.
    pub token_type: TokenType,
    /// Longest `exp` - `iat`.
    pub lifetime_max: Duration,
    /// Clock difference allowed.
    pub leeway: Duration,
    /// Where claims stand that have no fixed name.
    pub claims: ClaimNames,
}

impl IssuerConfig {
    /// An issuer with the defaults: keys by discovery, RFC 9068 tokens of at most an hour.
    pub fn new(name: impl Into<Arc<str>>, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            keys: KeySource::Discovery,
            algorithms: DEFAULT_ALGORITHMS.to_vec(),
            token_type: TokenType::AccessToken,
            lifetime_max: LIFETIME_DEFAULT,
            leeway: LEEWAY_DEFAULT,
            claims: ClaimNames::default(),
        }
    }
}

/// Where the keys of an issuer come from.
pub enum KeySource {
    /// RFC 8414 metadata, else `OpenID` Connect discovery, of the issuer itself.
    Discovery,
    /// A JWK set at this address.
    Url(String),
    /// A JWK set read from a file when the configuration was loaded.
    Inline(Vec<u8>),
    /// A secret shared with the issuer, for HS256 alone.
    Hmac(Secret<Vec<u8>>),
}

/// Which tokens of an issuer are taken for access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// RFC 9068: `typ` is `at+jwt`, and all seven claims of AT-2 are there.
    AccessToken,
    /// Also tokens without explicit typing; `iss`, `aud`, `exp`, `iat` and `sub` are required. Tokens that say they
    /// are something else (ID, logout, `DPoP`, event, introspection) are refused all the same (JWT-13, JWT-14).
    Any,
}

/// Names or paths of claims (see `claim_path` for the forms).
#[derive(Clone, Debug)]
pub struct ClaimNames {
    /// Scopes: one space-separated string. Under another name than `scope` an array of strings is read too (AT-7).
    pub scope: String,
    /// Roles: an array of strings, or one string that is one role.
    pub roles: String,
    /// Tenant: a string or an integer.
    pub tenant: Option<String>,
    /// Plan: a string.
    pub plan: Option<String>,
    /// The OAuth client: a string.
    pub client: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self { scope: "scope".into(), roles: "roles".into(), tenant: None, plan: None, client: "client_id".into() }
    }
}
