// SPDX-License-Identifier: Apache-2.0
//! What one token costs, seen before and never seen before: `cargo run --release -p portcullis-identity --example
//! verify_cost`. Prints nanoseconds per token on stderr.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use portcullis_decision::fetch::{BoxFuture, Fetch, FetchError, Fetched};
use portcullis_decision::{Clock, RequestId, SystemClock, Trail};
use portcullis_identity::{Authenticator, Config, IssuerConfig, KeySource};
use portcullis_wire::Query;
use serde_json::json;
use std::error::Error;
use std::sync::Arc;

struct Nowhere;

impl Fetch for Nowhere {
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async { Err(FetchError::Timeout) })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let (_, point) = key.public_key().as_ref().split_first().ok_or("no key")?;
    let (x, y) = point.split_at(32);
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwks = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k7", "x": encode(x), "y": encode(y)}]});
    let head = json!({"alg": "ES256", "typ": "at+jwt", "kid": "k7"});
    let now = clock.wall().as_secs();
    let claims = json!({"iss": "https://id.example.com", "aud": "https://api.example.com", "exp": now + 600, "iat": now,
        "sub": "u-alice", "client_id": "mobile-app", "jti": "1", "scope": "orders.read orders.write", "roles": ["buyer"],
        "org_id": "t1", "plan": "pro"});
    let message = format!("{}.{}", encode(head.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = key.sign(&SystemRandom::new(), message.as_bytes())?;
    let token = format!("Bearer {message}.{}", encode(signature.as_ref()));
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&token)?);
    let query = Query::parse("", 8).map_err(|fault| fault.detail)?;

    for (what, cache_entries_max, rounds) in [("seen before", 100, 200_000), ("never seen before", 0, 5_000)] {
        let keys = KeySource::Inline(jwks.to_string().into_bytes());
        let issuer =
            IssuerConfig { keys, ..IssuerConfig::new("c", "https://id.example.com", "https://api.example.com") };
        let config = Config { issuers: vec![issuer], resource: "api".into(), cache_entries_max, token_bytes_max: 8192 };
        let stage = Authenticator::build(config, Arc::new(Nowhere), clock.clone())?;
        let mut spent = 0;
        for _ in 0..rounds {
            let mut trail = Trail::open(RequestId::from_parts(0, 0), clock.clone());
            let began = clock.monotonic();
            let outcome = stage.identify(&headers, &query, &mut trail).await;
            spent += clock.monotonic().saturating_sub(began).as_nanos();
            drop(outcome.map_err(|denial| denial.reason().code())?);
        }
        eprintln!("{what}: {} ns per token of {} bytes", spent / rounds, token.len());
    }
    Ok(())
}
