// SPDX-License-Identifier: Apache-2.0
//! An issuer of the tests.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_decision::Clock;
use portcullis_decision::fetch::{BoxFuture, Fetch, FetchError, Fetched};
use portcullis_identity::{Authenticator, CACHE_ENTRIES_DEFAULT, Config, IssuerConfig, KeySource, TOKEN_BYTES_DEFAULT};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://api.example.com";
/// The time at which tests begin, in seconds since the Unix epoch.
pub(crate) const NOW: u64 = 1_800_000_000;

struct Keys {
    ours: EcdsaKeyPair,
    strangers: EcdsaKeyPair,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let make = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    Keys { ours: make(), strangers: make() }
});

/// Inline keys are fetched from nowhere.
struct Nowhere;

impl Fetch for Nowhere {
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(std::future::pending())
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn authenticator(clock: Arc<dyn Clock>) -> Authenticator {
    let point = KEYS.ours.public_key().as_ref();
    let (x, y) = point[1..].split_at(point.len() / 2);
    let key = json!({"kty": "EC", "crv": "P-256", "kid": "e", "x": encode(x), "y": encode(y)});
    let mut issuer = IssuerConfig::new("customers", ISSUER, AUDIENCE);
    issuer.keys = KeySource::Inline(json!({"keys": [key]}).to_string().into_bytes());
    let config = Config {
        issuers: vec![issuer],
        resource: AUDIENCE.to_owned(),
        cache_entries_max: CACHE_ENTRIES_DEFAULT,
        token_bytes_max: TOKEN_BYTES_DEFAULT,
    };
    Authenticator::build(config, Arc::new(Nowhere), clock).unwrap()
}

fn claims(subject: &str, scopes: &str, roles: &[&str]) -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW - 60, "sub": subject, "client_id": "app",
        "jti": "t-1", "scope": scopes, "roles": roles
    })
}

fn signed(claims: &Value, key: &EcdsaKeyPair) -> String {
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": "e"});
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", encode(signature))
}

/// A good token.
pub(crate) fn token(subject: &str, scopes: &str, roles: &[&str]) -> String {
    signed(&claims(subject, scopes, roles), &KEYS.ours)
}

/// A token whose signature is another key's.
pub(crate) fn forged(subject: &str) -> String {
    signed(&claims(subject, "orders.read orders.write", &[]), &KEYS.strangers)
}
