// SPDX-License-Identifier: Apache-2.0
//! Configurations no token could be safe under are refused at load.

use crate::issuer::{Server, config, issuer};
use crate::mint::{NOW, SECRET, jwks};
use portcullis_decision::{ManualClock, Secret};
use portcullis_identity::{Algorithm, Authenticator, Config, IdentityError, IssuerConfig, KeySource};
use std::sync::Arc;
use std::time::Duration;

fn build(config: Config) -> Result<(), IdentityError> {
    let clock = Arc::new(ManualClock::at(Duration::from_secs(NOW)));
    Authenticator::build(config, Server::new(), clock).map(|_| ())
}

fn one(change: impl FnOnce(&mut IssuerConfig)) -> Result<(), IdentityError> {
    let mut only = issuer(KeySource::Inline(jwks().to_string().into_bytes()));
    change(&mut only);
    build(config(vec![only]))
}

fn hmac(bytes: &[u8]) -> KeySource {
    KeySource::Hmac(Secret::new(bytes.to_vec()))
}

#[test]
fn pc0101_an_issuer_has_an_audience() {
    assert!(one(|_| ()).is_ok());
    assert!(matches!(one(|i| i.audiences.clear()), Err(IdentityError::NoAudience(_))));
    assert!(matches!(one(|i| i.audiences.push(" ".into())), Err(IdentityError::NoAudience(_))));
    assert!(matches!(one(|i| i.issuer = String::new()), Err(IdentityError::BlankIssuer(_))));
}

#[test]
fn pc0102_t80_secrets_and_public_keys_do_not_mix() {
    let mixed = one(|i| i.algorithms.push(Algorithm::Hs256));
    assert!(matches!(mixed, Err(IdentityError::MixedAlgorithms(_))));
    let published = one(|i| i.algorithms = vec![Algorithm::Hs256]);
    assert!(matches!(published, Err(IdentityError::AlgorithmAndKeys(..))));
    let secret = one(|i| i.keys = hmac(SECRET));
    assert!(matches!(secret, Err(IdentityError::AlgorithmAndKeys(..))));
    assert!(matches!(one(|i| i.algorithms.clear()), Err(IdentityError::NoAlgorithm(_))));
}

#[test]
fn pc0103_jwt_6_a_short_secret_is_refused() {
    let with_secret = |bytes: &[u8]| {
        let keys = hmac(bytes);
        one(|i| {
            i.keys = keys;
            i.algorithms = vec![Algorithm::Hs256];
        })
    };
    assert!(with_secret(SECRET).is_ok());
    for short in [&SECRET[..31], &SECRET[..20], b""] {
        assert!(matches!(with_secret(short), Err(IdentityError::ShortSecret(_))));
    }
}

#[test]
fn pc0405_t95_keys_come_over_tls_or_from_this_machine() {
    for url in ["http://id.example.com/k", "file:///etc/passwd", "https://u:p@id.example.com/k", ""] {
        assert!(matches!(one(|i| i.keys = KeySource::Url(url.into())), Err(IdentityError::Address(..))), "{url}");
    }
    assert!(one(|i| i.keys = KeySource::Url("http://127.0.0.1:8/k".into())).is_ok());
    let plain = one(|i| {
        i.keys = KeySource::Discovery;
        i.issuer = "http://id.example.com".into();
    });
    assert!(matches!(plain, Err(IdentityError::Address(..))));
}

#[test]
fn t86_c_9_leeway_and_lifetime_are_bounded() {
    assert!(matches!(one(|i| i.leeway = Duration::from_secs(121)), Err(IdentityError::Leeway(_))));
    assert!(matches!(one(|i| i.lifetime_max = Duration::ZERO), Err(IdentityError::Lifetime(_))));
    assert!(matches!(one(|i| i.lifetime_max = Duration::from_hours(25)), Err(IdentityError::Lifetime(_))));
}

#[test]
fn t89_two_issuers_are_told_apart() {
    let make = |name: &str, iss: &str| IssuerConfig {
        keys: KeySource::Inline(jwks().to_string().into_bytes()),
        ..IssuerConfig::new(name, iss, "a")
    };
    assert!(build(config(vec![make("a", "https://a"), make("b", "https://b")])).is_ok());
    let same = build(config(vec![make("a", "https://a"), make("b", "https://a")]));
    assert!(matches!(same, Err(IdentityError::SameIssuer(..))));
    let same = build(config(vec![make("a", "https://a"), make("a", "https://b")]));
    assert!(matches!(same, Err(IdentityError::SameName(_))));
    assert!(matches!(build(config(vec![])), Err(IdentityError::NoIssuer)));
}

#[test]
fn what_cannot_work_is_refused() {
    assert!(matches!(one(|i| i.keys = KeySource::Inline(b"{}".to_vec())), Err(IdentityError::Keys(..))));
    assert!(matches!(one(|i| i.claims.roles = "a..b".into()), Err(IdentityError::ClaimPath(_))));
    let only = || vec![issuer(KeySource::Discovery)];
    let realm = Config { resource: "a\"b".into(), ..config(only()) };
    assert!(matches!(build(realm), Err(IdentityError::Resource)));
    for size in [0, 1 << 20] {
        let sized = Config { token_bytes_max: size, ..config(only()) };
        assert!(matches!(build(sized), Err(IdentityError::TokenBytes)));
    }
}
