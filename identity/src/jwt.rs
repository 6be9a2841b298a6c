// SPDX-License-Identifier: Apache-2.0
//! Signed JWTs in the profile of RFC 8725bis and RFC 9068 (`JWT-*`, `AT-*`).
//!
//! The order is fixed by types: [`Unverified`] gives away its header and the *name* of its issuer, nothing more;
//! [`Verified`] is made by [`Unverified::verify`] alone, and only [`profile::judge`] reads its claims (T92).
//!
//! Signatures are checked by aws-lc-rs directly rather than by a JWT library: the key is parsed once when its set is
//! read, the algorithm is a property of that parsed key and not of a header that is passed along, and what is left of
//! a library (header and claims reading) is what this profile must do more strictly anyway.

mod claims;
mod compact;
mod header;
pub(crate) mod profile;

#[cfg(test)]
pub(crate) use compact::Parts;
pub(crate) use compact::has_three_parts;
pub(crate) use header::Header;

use crate::fault::Fault;
use crate::json;
use crate::keys::{Key, KeyVerdict};
use portcullis_decision::Reason;
use serde_json::{Map, Value};

/// A token that was taken apart and believed in nothing.
pub(crate) struct Unverified<'a> {
    header: Header,
    claims: Map<String, Value>,
    message: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Takes a token apart: three parts, canonical base64url, strict JSON.
    pub(crate) fn parse(token: &'a str) -> Result<Self, Fault> {
        let parts = compact::Parts::split(token)?;
        let header = Header::parse(parts.header()?)?;
        let claims =
            json::object(parts.payload()?.into()).map_err(|_| Fault::token("the claims are no strict JSON object"))?;
        Ok(Self { header, claims, message: parts.message, signature: parts.signature()? })
    }

    /// The header; a hint where to look, never a fact.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The issuer the token claims to be of: chooses the keys that may prove it (JWT-8), nothing else.
    pub(crate) fn claimed_issuer(&self) -> Result<&str, Fault> {
        match self.claims.get("iss") {
            Some(Value::String(iss)) => Ok(iss),
            Some(_) => Err(Fault::claims("iss is not a string")),
            None => Err(Fault::claims("iss is missing")),
        }
    }

    /// Checks the signature with one key.
    pub(crate) fn verify(self, key: &Key) -> Result<Verified, Fault> {
        match key.verify(self.header.algorithm, self.message, &self.signature) {
            KeyVerdict::Genuine => Ok(Verified { header: self.header, claims: self.claims }),
            KeyVerdict::OtherAlgorithm => {
                Err(Fault::new(Reason::IdentityAlgorithm, "the key is pinned to another algorithm"))
            }
            KeyVerdict::Forged => Err(Fault::new(Reason::IdentitySignature, "the signature does not verify")),
        }
    }
}

/// A token whose signature was verified.
pub(crate) struct Verified {
    header: Header,
    claims: Map<String, Value>,
}

#[cfg(test)]
mod tests;
