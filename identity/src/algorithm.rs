// SPDX-License-Identifier: Apache-2.0
//! Signature algorithms: a closed list, compared exactly (JWT-2).

use std::fmt;

/// An algorithm a token may be signed with. `none`, RS384, RS512, ES512 and the other HMACs do not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `EdDSA`; on Ed25519 keys only, so the same as [`Algorithm::Ed25519`] (RFC 9864, JWT-17).
    EdDsa,
    /// `Ed25519`, the fully specified name.
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// RSASSA-PKCS1-v1_5 with SHA-256; only where an operator names it (C-1).
    Rs256,
    /// HMAC with SHA-256; only with a shared secret, never beside another algorithm.
    Hs256,
}

/// What an issuer may sign with unless its configuration says otherwise.
pub const DEFAULT_ALGORITHMS: &[Algorithm] = &[
    Algorithm::EdDsa,
    Algorithm::Ed25519,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

impl Algorithm {
    /// Every algorithm.
    pub const ALL: &[Algorithm] = &[
        Algorithm::EdDsa,
        Algorithm::Ed25519,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Rs256,
        Algorithm::Hs256,
    ];

    /// The registered name, as in a token's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
        }
    }

    /// Finds an algorithm by its exact, case-sensitive name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name() == name)
    }

    /// Whether the algorithm uses a shared secret.
    pub fn is_symmetric(self) -> bool {
        self == Self::Hs256
    }

    /// The one name of what is computed: the two names of Ed25519 become one.
    pub(crate) fn canonical(self) -> Self {
        match self {
            Self::EdDsa => Self::Ed25519,
            other => other,
        }
    }

    /// Whether a list of an issuer allows this algorithm; naming either name of Ed25519 allows both.
    pub(crate) fn is_in(self, allowed: &[Self]) -> bool {
        allowed.iter().any(|a| a.canonical() == self.canonical())
    }

    /// A small number for the pin of a key; never 0.
    pub(crate) fn ordinal(self) -> u8 {
        match self.canonical() {
            Self::EdDsa | Self::Ed25519 => 1,
            Self::Es256 => 2,
            Self::Es384 => 3,
            Self::Ps256 => 4,
            Self::Ps384 => 5,
            Self::Ps512 => 6,
            Self::Rs256 => 7,
            Self::Hs256 => 8,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jwt_02_names_are_exact_and_case_sensitive() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(*algorithm));
            assert_eq!(Algorithm::parse(&algorithm.name().to_lowercase()), None);
        }
        for name in ["", "none", "None", "nOnE", "NONE", "RS384", "RS512", "ES512", "ES256K", "HS384", " ES256"] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }

    #[test]
    fn jwt_17_both_names_of_ed25519_are_one_algorithm() {
        assert!(Algorithm::EdDsa.is_in(&[Algorithm::Ed25519]));
        assert!(Algorithm::Ed25519.is_in(&[Algorithm::EdDsa]));
        assert!(!Algorithm::EdDsa.is_in(&[Algorithm::Es256]));
    }
}
