// SPDX-License-Identifier: Apache-2.0
//! T98–T101: remembered tokens are judged as if they were not.

use crate::issuer::{Gate, bearer, config, issuer};
use crate::mint::{KEYS, NOW, claims, ec_jwk, header, jwks, token, token_by, with, without};
use portcullis_decision::trail::FactValue;
use portcullis_decision::{Clock, Reason, RequestId, Trail};
use portcullis_identity::{Algorithm, Authenticator, Config, IssuerConfig, KeySource};
use portcullis_wire::Query;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

const URL: &str = "https://id.example.com/keys";

fn with_cache(entries: usize) -> Gate {
    let inline = issuer(KeySource::Inline(jwks().to_string().into_bytes()));
    Gate::build(Config { cache_entries_max: entries, ..config(vec![inline]) })
}

/// What the record says of the cache.
async fn how(gate: &Gate, token: &str) -> Option<FactValue> {
    let clock: Arc<dyn Clock> = gate.clock.clone();
    let mut trail = Trail::open(RequestId::generate(&*clock), clock);
    let outcome = gate.stage.identify(&bearer(token), &Query::parse("", 8).unwrap(), &mut trail).await;
    drop(outcome);
    let facts = &trail.evaluations().last()?.facts;
    facts.iter().find(|(name, _)| *name == "cache").map(|(_, value)| value.clone())
}

#[tokio::test]
async fn a_token_seen_before_is_found() {
    let gate = Gate::plain();
    let good = token(&claims());
    assert!(gate.stage.seen(&bearer(&good)).is_none());
    assert_eq!(how(&gate, &good).await, Some(FactValue::Word("miss")));
    assert_eq!(how(&gate, &good).await, Some(FactValue::Word("hit")));
    assert_eq!(&*gate.stage.seen(&bearer(&good)).unwrap().subject, "u-alice");
    assert_eq!(
        how(&gate, &token(&claims())).await,
        Some(FactValue::Word("miss")),
        "another signature is another token"
    );
}

#[tokio::test]
async fn t99_oa_3_a_remembered_token_expires_like_any_other() {
    let gate = Gate::plain();
    let good = token(&with(claims(), "exp", NOW + 100));
    assert_eq!(gate.reason(&good).await, None);
    gate.advance(129);
    assert_eq!(gate.reason(&good).await, None, "inside the leeway");
    assert!(gate.stage.seen(&bearer(&good)).is_some());
    gate.advance(1);
    assert!(gate.stage.seen(&bearer(&good)).is_none());
    assert_eq!(gate.reason(&good).await, Some(Reason::IdentityExpired));
    assert_eq!(
        gate.reason(&good).await,
        Some(Reason::IdentityExpired),
        "and again, when it is not remembered any more"
    );
}

#[tokio::test]
async fn t98_a_look_alike_of_a_remembered_token_is_not_it() {
    let gate = Gate::plain();
    let good = token(&claims());
    assert_eq!(gate.reason(&good).await, None);
    for index in 0..good.len() {
        let mut other = good.clone().into_bytes();
        other[index] = if other[index] == b'A' { b'B' } else { b'A' };
        assert!(gate.try_token(&other).await.is_none_or(|o| o.is_err()), "byte {index}");
        assert!(gate.stage.seen(&bearer(std::str::from_utf8(&other).unwrap())).is_none());
    }
}

#[tokio::test]
async fn t98_f20_a_withdrawn_key_takes_its_remembered_tokens_along() {
    let gate = Gate::build(config(vec![issuer(KeySource::Url(URL.into()))]));
    gate.server.json(URL, &jwks());
    gate.stage.refresh().await;
    let good = token(&claims());
    assert_eq!(gate.reason(&good).await, None);
    assert!(gate.stage.seen(&bearer(&good)).is_some());
    gate.server.json(URL, &json!({"keys": [ec_jwk("e2", "P-256", &KEYS.p256_other)]}));
    gate.advance(300);
    gate.stage.refresh().await;
    assert!(gate.stage.seen(&bearer(&good)).is_none());
    assert_eq!(gate.reason(&good).await, Some(Reason::IdentityKey));
    let replaced = json!({"keys": [ec_jwk("e", "P-256", &KEYS.p256_other)]});
    gate.server.json(URL, &replaced);
    gate.advance(300);
    gate.stage.refresh().await;
    assert_eq!(gate.reason(&good).await, Some(Reason::IdentitySignature), "the same kid, another key");
}

#[tokio::test]
async fn f19_remembered_tokens_end_with_the_bound_on_stale_keys() {
    let gate = Gate::build(config(vec![issuer(KeySource::Url(URL.into()))]));
    gate.server.json(URL, &jwks());
    gate.stage.refresh().await;
    let hour = |n: u64| token(&with(with(claims(), "iat", NOW + n * 3600 - 10), "exp", NOW + n * 3600 + 600));
    gate.server.down();
    gate.advance(23 * 3600);
    gate.stage.refresh().await;
    let late = hour(23);
    assert_eq!(gate.reason(&late).await, None, "stale keys are good for 24 h");
    gate.advance(3600 - 200);
    let later = token(&with(with(claims(), "iat", NOW + 24 * 3600 - 300), "exp", NOW + 24 * 3600 + 600));
    assert_eq!(gate.reason(&later).await, None);
    gate.advance(201);
    assert_eq!(gate.reason(&later).await, Some(Reason::IdentitySourceDown));
    assert!(gate.stage.seen(&bearer(&later)).is_none());
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let gate = with_cache(8);
    let tokens: Vec<String> = (0..64).map(|n| token(&with(claims(), "jti", format!("t-{n}")))).collect();
    for good in &tokens {
        assert_eq!(gate.reason(good).await, None);
    }
    let kept = tokens.iter().filter(|t| gate.stage.seen(&bearer(t)).is_some()).count();
    assert!(kept <= 8, "{kept}");
}

/// Claims that are right, or wrong in one way.
fn variant(n: u8) -> Value {
    match n % 10 {
        0 => claims(),
        1 => with(claims(), "exp", NOW + 40),
        2 => with(claims(), "nbf", NOW + 60),
        3 => with(claims(), "aud", "x"),
        4 => with(claims(), "iat", 0),
        5 => without(claims(), "jti"),
        6 => with(claims(), "cnf", json!({})),
        7 => with(claims(), "sub", "u-bob"),
        8 => with(claims(), "scope", json!([])),
        _ => with(claims(), "iss", "x"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn t99_with_and_without_a_cache_every_answer_is_the_same(steps in proptest::collection::vec((any::<u8>(), 0u64..50), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (remembering, forgetting) = (with_cache(4), with_cache(0));
            let tokens: Vec<String> = (0..10).map(|n| token(&variant(n))).collect();
            let forged = token_by(&KEYS.p256_other, &header("ES256"), &claims());
            for (n, seconds) in steps {
                let asked = if n > 250 { &forged } else { &tokens[usize::from(n % 10)] };
                let (a, b) = (remembering.token(asked).await, forgetting.token(asked).await);
                match (a, b) {
                    (Ok(a), Ok(b)) => {
                        prop_assert_eq!(&a.subject, &b.subject);
                        prop_assert_eq!(&a.claims, &b.claims);
                        prop_assert_eq!(&a.scopes, &b.scopes);
                    }
                    (Err(a), Err(b)) => prop_assert_eq!((a.reason, a.status, a.headers), (b.reason, b.status, b.headers)),
                    (a, b) => prop_assert!(false, "{} and {} differ", a.is_ok(), b.is_ok()),
                }
                remembering.advance(seconds);
                forgetting.advance(seconds);
            }
            Ok(())
        })?;
    }
}

/// The gate's stage under another configuration, with the same server and clock.
fn reload(gate: &mut Gate, config: Config) {
    let clock: Arc<dyn Clock> = gate.clock.clone();
    gate.stage = Authenticator::succeeding(Some(&gate.stage), config, gate.server.clone(), clock).unwrap();
}

#[tokio::test]
async fn f01_a_reload_forgets_no_token_and_fetches_no_key_of_an_issuer_that_stays() {
    let mut gate = Gate::build(config(vec![issuer(KeySource::Url(URL.to_owned()))]));
    gate.server.json(URL, &jwks());
    let good = token(&claims());
    assert_eq!(how(&gate, &good).await, Some(FactValue::Word("miss")));
    let fetched = gate.server.hits();
    let other = IssuerConfig {
        issuer: "https://other.example.com".into(),
        name: "other".into(),
        ..issuer(KeySource::Discovery)
    };
    reload(&mut gate, config(vec![other, issuer(KeySource::Url(URL.to_owned()))]));
    assert_eq!(how(&gate, &good).await, Some(FactValue::Word("hit")), "verified before, at another place of the list");
    assert_eq!(gate.server.hits(), fetched, "its keys are there");
    let stricter =
        IssuerConfig { audiences: vec!["https://else.example.com".into()], ..issuer(KeySource::Url(URL.to_owned())) };
    reload(&mut gate, config(vec![stricter]));
    assert_eq!(gate.reason(&good).await, Some(Reason::IdentityAudience), "other rules: judged anew");
    assert_eq!(gate.server.hits(), fetched, "by the same keys");
    reload(
        &mut gate,
        config(vec![IssuerConfig { algorithms: vec![Algorithm::Ps256], ..issuer(KeySource::Url(URL.to_owned())) }]),
    );
    assert_eq!(gate.reason(&good).await, Some(Reason::IdentityAlgorithm));
}
