// SPDX-License-Identifier: Apache-2.0
//! A token issuer for the demo: RFC 8414 metadata and a key set over loopback, RFC 9068 access tokens for its users.
//! Its key lives as long as the process.

use anyhow::{Context, Result};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_decision::{Clock, SystemClock};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::task::JoinSet;

/// A user of the demo.
pub(super) struct User {
    pub(super) name: &'static str,
    plan: &'static str,
    scope: &'static str,
    roles: &'static [&'static str],
}

/// alice and bob own orders; carol has a small plan; dora is support.
pub(super) const USERS: [User; 4] = [
    User { name: "alice", plan: "pro", scope: "orders:read orders:write", roles: &[] },
    User { name: "bob", plan: "pro", scope: "orders:read orders:write", roles: &[] },
    User { name: "carol", plan: "free", scope: "orders:read orders:write", roles: &[] },
    User { name: "dora", plan: "pro", scope: "orders:read orders:write", roles: &["support"] },
];

const KEY_ID: &str = "demo-1";
const AUDIENCE: &str = "https://orders.example.com";
/// The longest a token may live by default.
const TOKEN_SECONDS: u64 = 3600;

/// The running issuer.
pub(super) struct Issuer {
    url: String,
    key: EcdsaKeyPair,
}

impl Issuer {
    /// Makes a key and serves its public half on a free loopback port.
    pub(super) async fn start(tasks: &mut JoinSet<()>) -> Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).context("making a P-256 key")?;
        let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let keys = key_set(&key)?;
        let metadata = json!({
            "issuer": url,
            "jwks_uri": format!("{url}/jwks.json"),
            "token_endpoint": format!("{url}/token"),
            "response_types_supported": ["code"],
        });
        let router = Router::new()
            .route("/.well-known/oauth-authorization-server", get(move || async move { Json(metadata) }))
            .route("/jwks.json", get(move || async move { Json(keys) }));
        tasks.spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { url, key })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// An access token (RFC 9068) for a user.
    pub(super) fn mint(&self, user: &User) -> Result<String> {
        let now = SystemClock::new().wall().as_secs();
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": KEY_ID});
        let claims = json!({
            "iss": self.url, "aud": AUDIENCE, "sub": user.name, "client_id": "demo-app",
            "iat": now, "exp": now.saturating_add(TOKEN_SECONDS), "jti": format!("{:032x}", rand::random::<u128>()),
            "scope": user.scope, "roles": user.roles, "plan": user.plan,
        });
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let random = aws_lc_rs::rand::SystemRandom::new();
        let signature = self.key.sign(&random, signed.as_bytes()).context("signing a token")?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The public key as a JWK: an uncompressed point is 0x04, x, y.
fn key_set(key: &EcdsaKeyPair) -> Result<Value> {
    let point = key.public_key().as_ref();
    let coordinates = point.strip_prefix(&[4]).context("an uncompressed point")?;
    let (x, y) = coordinates.split_at_checked(32).context("a P-256 point")?;
    Ok(json!({"keys": [{
        "kty": "EC", "crv": "P-256", "kid": KEY_ID, "use": "sig", "alg": "ES256",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    }]}))
}
