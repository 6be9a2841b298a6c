// SPDX-License-Identifier: Apache-2.0
//! An issuer with one Ed25519 key, for gates that read their keys from a file.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) struct Mint {
    key: Ed25519KeyPair,
}

impl Mint {
    pub(crate) fn new() -> Self {
        Self { key: Ed25519KeyPair::generate().unwrap() }
    }

    pub(crate) fn key_set(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.public_key().as_ref());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "alg": "EdDSA", "use": "sig", "x": x}]})
            .to_string()
    }

    pub(crate) fn token(&self, subject: &str, scope: &str) -> String {
        self.signed(&header().to_string(), &claims(subject, scope).to_string())
    }

    /// Signs any header and claims, whatever they say.
    pub(crate) fn signed(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The public half, as an attacker knows it too.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }
}

/// A header that is accepted.
pub(crate) fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"})
}

/// Claims that are accepted.
pub(crate) fn claims(subject: &str, scope: &str) -> Value {
    let now = now();
    json!({
        "iss": "https://id.example.com", "aud": "https://notes.example.com", "sub": subject, "client_id": "tests",
        "iat": now, "exp": now + 600, "jti": format!("{subject}-{now}"), "scope": scope,
    })
}

#[expect(clippy::disallowed_methods, reason = "a test mints tokens by the time of day")]
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
