// SPDX-License-Identifier: Apache-2.0
//! Why a credential is refused, inside this crate: the true reason and a word of ours for the record.

use portcullis_decision::Reason;

/// A refusal before it becomes a denial. Holds nothing the client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) reason: Reason,
    pub(crate) detail: &'static str,
}

impl Fault {
    pub(crate) fn new(reason: Reason, detail: &'static str) -> Self {
        Self { reason, detail }
    }

    /// The token is no signed JWT of the profile.
    pub(crate) fn token(detail: &'static str) -> Self {
        Self::new(Reason::IdentityToken, detail)
    }

    /// A claim is missing or of the wrong type.
    pub(crate) fn claims(detail: &'static str) -> Self {
        Self::new(Reason::IdentityClaims, detail)
    }
}
