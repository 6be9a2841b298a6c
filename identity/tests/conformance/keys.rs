// SPDX-License-Identifier: Apache-2.0
//! T94–T96, JWT-18, MD-*, F19, F20: keys over time.

use crate::issuer::{Gate, bearer, config, issuer};
use crate::mint::{AUDIENCE, ISSUER, KEYS, NOW, claims, ec_jwk, header, jwks, token, token_by, token_of, with};
use portcullis_decision::Reason;
use portcullis_identity::{IssuerConfig, KeySource, KeySourceError, Readiness, RefreshOutcome};
use serde_json::json;
use std::time::Duration;

const URL: &str = "https://id.example.com/keys";
const RFC_8414: &str = "https://id.example.com/.well-known/oauth-authorization-server";
const OPENID: &str = "https://id.example.com/.well-known/openid-configuration";

fn remote() -> Gate {
    Gate::build(config(vec![issuer(KeySource::Url(URL.into()))]))
}

async fn loaded() -> Gate {
    let gate = remote();
    gate.server.json(URL, &jwks());
    gate.stage.refresh().await;
    assert_eq!(gate.server.hits(), 1);
    gate
}

fn fresh(gate: &Gate) -> String {
    let now = NOW + gate.clock_s();
    token(&with(with(claims(), "iat", now), "exp", now + 600))
}

impl Gate {
    fn clock_s(&self) -> u64 {
        use portcullis_decision::Clock;
        self.clock.monotonic().as_secs()
    }
}

fn with_kid(kid: &str) -> String {
    token_of("ES256", &with(header("ES256"), "kid", kid).to_string(), &claims().to_string())
}

#[tokio::test]
async fn t94_a_flood_of_unknown_kids_costs_one_fetch_in_thirty_seconds() {
    let gate = loaded().await;
    let good = token(&with(claims(), "exp", NOW + 3000));
    let template = token(&claims());
    let (_, rest) = template.split_once('.').unwrap();
    let seconds = 100;
    for n in 0..100_000u64 {
        // Unknown keys are refused before a signature is looked at, so these need none of their own.
        let head = json!({"alg": "ES256", "typ": "at+jwt", "kid": format!("kid-{n}")}).to_string();
        assert_eq!(gate.reason(&format!("{}.{rest}", crate::mint::encode(head))).await, Some(Reason::IdentityKey));
        gate.clock.advance(Duration::from_millis(seconds * 1000 / 100_000));
        if n % 1000 == 0 {
            assert_eq!(gate.reason(&good).await, None, "valid tokens do not suffer");
        }
    }
    assert!(gate.server.hits() <= 100_usize.div_ceil(30) + 1, "{}", gate.server.hits());
}

#[tokio::test]
async fn t94_an_empty_or_broken_key_set_neither_evicts_nor_lifts_the_cool_down() {
    let gate = loaded().await;
    for (status, kind, body) in [
        (200, "application/json", r#"{"keys":[]}"#),
        (200, "application/json", "{}"),
        (200, "text/html", "<html>"),
        (500, "application/json", "{}"),
        (302, "application/json", r#"{"keys":[]}"#),
        (200, "application/json", r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#),
    ] {
        gate.server.page(URL, status, kind, body);
        gate.advance(31);
        let before = gate.server.hits();
        for n in 0..50 {
            assert_eq!(gate.reason(&with_kid(&format!("x{n}"))).await, Some(Reason::IdentityKey));
        }
        assert_eq!(gate.server.hits(), before + 1, "{body}");
        assert_eq!(gate.reason(&fresh(&gate)).await, None, "{body}");
    }
}

#[tokio::test]
async fn f20_jwt_18_a_new_key_is_found_at_once_and_fetched_once() {
    let gate = loaded().await;
    gate.advance(31);
    gate.server
        .json(URL, &json!({"keys": [ec_jwk("new", "P-256", &KEYS.p256_other), ec_jwk("e", "P-256", &KEYS.p256)]}));
    let rotated = token_by(&KEYS.p256_other, &with(header("ES256"), "kid", "new"), &claims());
    let headers = bearer(&rotated);
    let permits = gate.server.gate.forget_permits(usize::MAX);
    let requests: Vec<_> = (0..100).map(|_| gate.ask(&headers, "")).collect();
    let all = join_all(requests);
    tokio::pin!(all);
    // Every request waits for the one answer.
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut all).await.is_err());
    assert_eq!(gate.server.hits(), 2);
    gate.server.gate.add_permits(permits);
    let answers = all.await;
    assert!(answers.iter().all(Result::is_ok), "no request with the new key is refused");
    assert_eq!(gate.server.hits(), 2);
}

#[tokio::test]
async fn t94_a_client_that_leaves_does_not_take_the_refresh_along() {
    let gate = loaded().await;
    gate.advance(31);
    gate.server.json(URL, &json!({"keys": [ec_jwk("new", "P-256", &KEYS.p256_other)]}));
    let permits = gate.server.gate.forget_permits(usize::MAX);
    let unknown = bearer(&with_kid("nobody"));
    let leaving = tokio::time::timeout(Duration::from_millis(10), gate.ask(&unknown, "")).await;
    assert!(leaving.is_err(), "it waited, and left");
    assert_eq!(gate.stage.refresh_due(), Some(Duration::ZERO), "the driver is told");
    gate.server.gate.add_permits(permits);
    let rotated = token_by(&KEYS.p256_other, &with(header("ES256"), "kid", "new"), &claims());
    assert_eq!(gate.reason(&rotated).await, None, "the next one goes on with the same fetch");
    assert_eq!(gate.server.hits(), 2);
}

#[tokio::test]
async fn t94_a_kid_known_to_be_absent_does_not_use_up_the_turn() {
    let gate = loaded().await;
    gate.advance(31);
    assert_eq!(gate.reason(&with_kid("nobody")).await, Some(Reason::IdentityKey));
    assert_eq!(gate.server.hits(), 2);
    gate.advance(31);
    assert_eq!(gate.reason(&with_kid("nobody")).await, Some(Reason::IdentityKey));
    assert_eq!(gate.server.hits(), 2, "asked and answered");
    assert_eq!(gate.reason(&with_kid("somebody")).await, Some(Reason::IdentityKey));
    assert_eq!(gate.server.hits(), 3);
}

#[tokio::test]
async fn f19_without_keys_tokens_of_that_issuer_are_503_and_others_are_served() {
    let partner = IssuerConfig {
        keys: KeySource::Inline(jwks().to_string().into_bytes()),
        ..IssuerConfig::new("partners", "https://id.partner.example", AUDIENCE)
    };
    let gate = Gate::build(config(vec![issuer(KeySource::Url(URL.into())), partner]));
    let refused = gate.token(&token(&claims())).await.unwrap_err();
    assert_eq!((refused.reason, refused.status), (Reason::IdentitySourceDown, 503));
    let (name, value) = &refused.headers[0];
    assert!(name == "retry-after" && (1..=31).contains(&value.parse::<u32>().unwrap()), "{name} {value}");
    assert_eq!(gate.reason(&token(&with(claims(), "iss", "https://id.partner.example"))).await, None);
    assert_eq!(gate.stage.ready(), Readiness::Partly(vec!["customers".into()]));
    for _ in 0..100 {
        assert_eq!(gate.reason(&token(&claims())).await, Some(Reason::IdentitySourceDown));
    }
    assert_eq!(gate.server.hits(), 1, "a missing source is asked once in thirty seconds by tokens");
    gate.server.json(URL, &jwks());
    gate.advance(31);
    assert_eq!(gate.reason(&fresh(&gate)).await, None);
    assert_eq!(gate.stage.ready(), Readiness::Ready);
}

#[tokio::test]
async fn f45_an_issuer_that_starts_late_is_found_within_seconds() {
    let gate = remote();
    assert!(matches!(gate.stage.ready(), Readiness::NotReady(_)));
    let mut waits = Vec::new();
    for _ in 0..7 {
        let reports = gate.stage.refresh().await;
        assert!(matches!(reports[0].outcome, RefreshOutcome::Failed(KeySourceError::Fetch(_))));
        let wait = gate.stage.refresh_due().unwrap();
        waits.push(wait.as_secs());
        assert!(gate.stage.refresh().await.is_empty(), "nothing is due");
        gate.clock.advance(wait);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    gate.server.json(URL, &jwks());
    let reports = gate.stage.refresh().await;
    assert_eq!((reports[0].outcome.clone(), &*reports[0].issuer), (RefreshOutcome::Changed(4), "customers"));
    assert_eq!(gate.stage.refresh_due(), Some(Duration::from_mins(5)));
    gate.advance(300);
    assert_eq!(gate.stage.refresh().await[0].outcome, RefreshOutcome::Same);
}

#[tokio::test]
async fn jwt_18_bad_keys_are_reported() {
    let gate = remote();
    let mut set = jwks();
    set["keys"].as_array_mut().unwrap().push(json!({"kty": "oct", "kid": "s", "k": "AAAA"}));
    gate.server.json(URL, &set);
    let reports = gate.stage.refresh().await;
    assert_eq!(reports[0].skipped.len(), 1);
    assert_eq!(reports[0].skipped[0].kid.as_deref(), Some("s"));
}

#[tokio::test]
async fn md_1_discovery_asks_both_places_and_remembers() {
    for (place, asked) in [(RFC_8414, vec![RFC_8414, URL]), (OPENID, vec![RFC_8414, OPENID, URL])] {
        let gate = Gate::build(config(vec![issuer(KeySource::Discovery)]));
        gate.server.page(RFC_8414, 404, "text/html", "");
        gate.server.json(place, &json!({"issuer": ISSUER, "jwks_uri": URL}));
        gate.server.json(URL, &jwks());
        gate.stage.refresh().await;
        assert_eq!(gate.reason(&token(&claims())).await, None, "{place}");
        assert_eq!(gate.server.asked(), asked);
        gate.advance(300);
        gate.stage.refresh().await;
        assert_eq!(gate.server.asked().len(), asked.len() + 1, "the address is remembered");
    }
}

#[tokio::test]
async fn md_2_md_3_metadata_that_cannot_be_trusted_leaves_the_last_good_keys() {
    let gate = Gate::build(config(vec![issuer(KeySource::Discovery)]));
    gate.server.json(RFC_8414, &json!({"issuer": ISSUER, "jwks_uri": URL}));
    gate.server.json(URL, &jwks());
    gate.stage.refresh().await;
    let evil = "https://evil.example/keys";
    gate.server.json(evil, &json!({"keys": [ec_jwk("evil", "P-256", &KEYS.p256_other)]}));
    for body in [
        json!({"issuer": "https://id.example.com/", "jwks_uri": evil}),
        json!({"issuer": ISSUER, "jwks_uri": "http://evil.example/keys"}),
        json!({"issuer": ISSUER}),
        json!({"jwks_uri": evil}),
    ] {
        gate.server.json(RFC_8414, &body);
        gate.server.json(OPENID, &body);
        gate.advance(3601);
        assert!(matches!(gate.stage.refresh().await[0].outcome, RefreshOutcome::Failed(_)), "{body}");
        assert_eq!(gate.reason(&fresh(&gate)).await, None, "{body}");
    }
    assert!(!gate.server.asked().iter().any(|url| url.contains("evil")));
}

#[tokio::test]
async fn t96_no_answer_of_a_key_source_breaks_the_stage() {
    let gate = loaded().await;
    let good = jwks().to_string().into_bytes();
    for n in 0..2000usize {
        let mut body = good.clone();
        let at = n * 7919 % body.len();
        match n % 4 {
            0 => body.truncate(at),
            1 => body[at] ^= 1 << (n % 8),
            2 => body.insert(at, 0xff),
            _ => drop(body.drain(at / 2..at)),
        }
        gate.server.page(URL, 200, "application/json", body);
        gate.advance(301);
        gate.stage.refresh().await;
    }
    gate.server.json(URL, &jwks());
    gate.advance(301);
    gate.stage.refresh().await;
    assert_eq!(gate.reason(&fresh(&gate)).await, None);
}

/// Polls all until all are done.
async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        running.retain_mut(|f| match f.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}
