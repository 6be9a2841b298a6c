// SPDX-License-Identifier: Apache-2.0
//! Properties over every small change of a good token (p10–p12, T90).

use crate::issuer::Gate;
use crate::mint::{SECRET, claims, header, token, token_of, with};
use portcullis_decision::Secret;
use portcullis_identity::{Algorithm, KeySource};
use proptest::prelude::*;
use serde_json::{Value, json};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Every bit of every byte, one at a time.
async fn no_flip_is_accepted(gate: &Gate, good: &str) {
    assert!(gate.token(good).await.is_ok());
    let mut flipped = good.as_bytes().to_vec();
    for index in 0..flipped.len() {
        for bit in 0..8 {
            flipped[index] ^= 1 << bit;
            // A byte that cannot stand in a header never arrives.
            if let Some(outcome) = gate.try_token(&flipped).await {
                assert!(outcome.is_err(), "bit {bit} of byte {index} of {good}");
            }
            flipped[index] ^= 1 << bit;
        }
    }
    assert!(gate.token(good).await.is_ok(), "and the good one is still good");
}

#[tokio::test]
async fn p10_no_flipped_bit_of_an_es256_token_is_accepted() {
    no_flip_is_accepted(&Gate::plain(), &token(&claims())).await;
}

#[tokio::test]
async fn p10_no_flipped_bit_of_an_eddsa_token_is_accepted() {
    no_flip_is_accepted(&Gate::plain(), &token_of("EdDSA", &header("EdDSA").to_string(), &claims().to_string())).await;
}

#[tokio::test]
async fn p10_no_flipped_bit_of_an_hs256_token_is_accepted() {
    let gate = Gate::with(|i| {
        i.keys = KeySource::Hmac(Secret::new(SECRET.to_vec()));
        i.algorithms = vec![Algorithm::Hs256];
    });
    let head = json!({"alg": "HS256", "typ": "at+jwt"}).to_string();
    no_flip_is_accepted(&gate, &token_of("HS256", &head, &claims().to_string())).await;
}

#[tokio::test]
async fn p11_no_claim_is_accepted_with_another_type() {
    let gate = Gate::with(|i| {
        i.claims.tenant = Some("tenant".into());
        i.claims.plan = Some("plan".into());
    });
    let full = with(with(with(claims(), "tenant", "t1"), "plan", "pro"), "nbf", claims()["iat"].clone());
    assert!(gate.token(&token(&full)).await.is_ok());
    let others = [
        json!(null),
        json!(true),
        json!(false),
        json!("x"),
        json!(""),
        json!(1),
        json!(-1),
        json!(1.5),
        json!([]),
        json!(["x"]),
        json!([1]),
        json!({}),
        json!({"x": "x"}),
    ];
    for (name, right) in full.as_object().unwrap() {
        for wrong in others.iter().filter(|w| !allowed(name, right, w)) {
            let outcome = gate.token(&token(&with(full.clone(), name, wrong.clone()))).await;
            assert!(outcome.is_err(), "{name}: {wrong}");
        }
    }
}

/// What a claim may be besides the value that is there.
fn allowed(name: &str, right: &Value, wrong: &Value) -> bool {
    match name {
        "scope" => wrong.is_string(),
        "roles" => *wrong == json!("x") || *wrong == json!([]) || *wrong == json!(["x"]),
        "tenant" => *wrong == json!("x") || wrong.is_i64(),
        "sub" | "client_id" | "jti" | "plan" => *wrong == json!("x"),
        "nbf" => wrong.as_f64().is_some_and(|n| n >= 0.0),
        _ => wrong == right,
    }
}

#[tokio::test]
async fn t90_p12_every_other_last_character_is_refused() {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let gate = Gate::plain();
    for alg in ["ES256", "EdDSA", "PS256"] {
        let good = token_of(alg, &header(alg).to_string(), &claims().to_string());
        let (rest, last) = good.split_at(good.len() - 1);
        let accepted = {
            let mut accepted = Vec::new();
            for c in alphabet.chars() {
                if gate.token(&format!("{rest}{c}")).await.is_ok() {
                    accepted.push(c.to_string());
                }
            }
            accepted
        };
        assert_eq!(accepted, [last], "{alg}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn t90_p12_no_respelling_of_a_token_is_accepted(at in 0usize..400, with in "[ =+/.\\t\u{e9}]|%3D|==") {
        let good = token(&claims());
        let at = at % good.len();
        let mut respelled = good.clone().into_bytes();
        respelled.splice(at..at, with.bytes());
        let outcome = runtime().block_on(async { Gate::plain().try_token(&respelled).await });
        if !(at == 0 && with == " ") {
            prop_assert!(outcome.is_none_or(|o| o.is_err()));
        }
    }

    #[test]
    fn z10_any_bytes_are_refused_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let outcome = runtime().block_on(async { Gate::plain().try_token(&bytes).await });
        prop_assert!(outcome.is_none_or(|o| o.is_err()));
    }

    #[test]
    fn z10_any_three_parts_signed_or_not_are_refused_without_panic(head in "\\PC{0,60}", body in "\\PC{0,120}") {
        let made = token_of("ES256", &head, &body);
        let outcome = runtime().block_on(async { Gate::any().token(&made).await });
        prop_assert!(outcome.is_err());
    }

    #[test]
    fn z10_any_claims_under_a_good_signature_do_not_panic(name in "[a-z_]{1,10}", value in "[0-9.e-]{1,8}|null|\\[\\]|\\{\\}|\"[a-z]*\"") {
        let body = claims().to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1);
        let made = token_of("ES256", &header("ES256").to_string(), &body);
        let _ = runtime().block_on(async { Gate::plain().token(&made).await });
    }
}
