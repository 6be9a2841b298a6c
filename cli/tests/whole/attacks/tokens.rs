// SPDX-License-Identifier: Apache-2.0
//! Tokens that are almost right.

use super::{SCOPES, SUBJECT, Stand};
use crate::client::Request;
use crate::token::{claims, header, now};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Of base64url, in order.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Stand {
    fn status_of(&self, token: &str) -> u16 {
        self.gate.send(&Request::get("/v1/notes/1").bearer(token)).status
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = header();
        header[name] = value;
        self.mint.signed(&header.to_string(), &claims("alice", SCOPES).to_string())
    }

    fn with_claim(&self, name: &str, value: Option<Value>) -> String {
        let mut claims = claims("alice", SCOPES);
        match value {
            Some(value) => claims[name] = value,
            None => drop(claims.as_object_mut().unwrap().remove(name)),
        }
        self.mint.signed(&header().to_string(), &claims.to_string())
    }
}

#[test]
fn t79_t80_the_key_and_not_the_token_chooses_the_algorithm() {
    let stand = Stand::new();
    for algorithm in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!(""),
        json!(null),
        json!(["EdDSA"]),
        json!("HS256"),
        json!("ES256"),
        json!("eddsa"),
    ] {
        let token = stand.with_header("alg", algorithm.clone());
        assert_eq!(stand.status_of(&token), 401, "{algorithm}");
        let (signed, _) = token.rsplit_once('.').unwrap();
        assert_eq!(stand.status_of(&format!("{signed}.")), 401, "{algorithm} unsigned");
    }
    let key = stand.mint.public_key();
    let encoded = URL_SAFE_NO_PAD.encode(key);
    for secret in [key, encoded.as_bytes(), stand.mint.key_set().as_bytes(), b""] {
        let token = stand.with_header("alg", json!("HS256"));
        let (signed, _) = token.rsplit_once('.').unwrap();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
        assert_eq!(stand.status_of(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))), 401);
    }
    assert_eq!(stand.origin.count(), 0);
}

#[test]
fn t82_t83_t84_t85_headers_that_point_elsewhere_are_refused() {
    let stand = Stand::new();
    let x = URL_SAFE_NO_PAD.encode(stand.mint.public_key());
    for (name, value) in [
        ("kid", json!("../../dev/null")),
        ("kid", json!("k1' or 1=1")),
        ("kid", json!("K1")),
        ("kid", json!("k1 ")),
        ("kid", json!(["k1"])),
        ("kid", json!("k".repeat(300))),
        ("crit", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": x})),
        ("jku", json!("http://127.0.0.1/k")),
        ("x5u", json!("http://127.0.0.1/k")),
        ("x5c", json!(["a"])),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("typ", json!("JWT")),
        ("typ", json!("dpop+jwt")),
        ("typ", json!("logout+jwt")),
        ("typ", json!(null)),
    ] {
        assert_eq!(stand.status_of(&stand.with_header(name, value.clone())), 401, "{name}: {value}");
    }
    assert_eq!(stand.origin.count(), 0);
}

#[test]
fn t86_t88_claims_that_do_not_hold_are_refused() {
    let stand = Stand::new();
    let now = now();
    for (name, value) in [
        ("exp", json!(now - 40)),
        ("exp", json!("never")),
        ("exp", json!(-1)),
        ("exp", json!(1e30)),
        ("exp", json!(null)),
        ("exp", json!([now])),
        ("exp", json!(now + 90_000)),
        ("nbf", json!(now + 600)),
        ("nbf", json!("x")),
        ("iat", json!("x")),
        ("iat", json!(now + 600)),
        ("iss", json!("https://id.example.com/")),
        ("iss", json!("https://ID.example.com")),
        ("iss", json!(["https://id.example.com"])),
        ("aud", json!("https://other.example.com")),
        ("aud", json!([])),
        ("aud", json!("")),
        ("aud", json!("https://notes.example.com/")),
        ("sub", json!("")),
        ("sub", json!(null)),
        ("sub", json!(1)),
        ("sub", json!(["alice"])),
        ("cnf", json!({"jkt": "x"})),
    ] {
        assert_eq!(stand.status_of(&stand.with_claim(name, Some(value.clone()))), 401, "{name}: {value}");
    }
    for name in ["exp", "iat", "iss", "aud", "sub", "client_id", "jti"] {
        assert_eq!(stand.status_of(&stand.with_claim(name, None)), 401, "no {name}");
    }
    assert_eq!(stand.origin.count(), 0);
    assert_eq!(stand.status_of(&stand.alice), 200);
}

#[test]
fn t87_a_name_stands_once() {
    let stand = Stand::new();
    let claims = claims("alice", SCOPES).to_string();
    let open = claims.strip_suffix('}').unwrap();
    for text in [
        format!("{open},\"sub\":\"bob\"}}"),
        format!("{open},\"s\\u0075b\":\"bob\"}}"),
        format!("\u{feff}{claims}"),
        format!("{claims} x"),
    ] {
        assert_eq!(stand.status_of(&stand.mint.signed(&header().to_string(), &text)), 401, "{text}");
    }
    let twice = r#"{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"k1"}"#;
    assert_eq!(stand.status_of(&stand.mint.signed(twice, &claims)), 401);
}

#[test]
fn t90_t91_t98_a_token_has_one_spelling() {
    let stand = Stand::new();
    let alice = &stand.alice;
    assert_eq!(stand.status_of(alice), 200);
    let (all_but_last, last) = alice.split_at(alice.len() - 1);
    for other in ALPHABET.chars().filter(|c| !last.starts_with(*c)) {
        assert_eq!(stand.status_of(&format!("{all_but_last}{other}")), 401, "last character {other}");
    }
    for at in (0..alice.len()).step_by(5).filter(|at| alice.as_bytes()[*at] != b'.') {
        let mut flipped = alice.clone().into_bytes();
        let index = ALPHABET.find(char::from(flipped[at])).unwrap();
        flipped[at] = ALPHABET.as_bytes()[index ^ 1];
        assert_eq!(stand.status_of(std::str::from_utf8(&flipped).unwrap()), 401, "character {at}");
    }
    let (signed, signature) = alice.rsplit_once('.').unwrap();
    for token in [
        format!("{alice}="),
        signed.to_owned(),
        format!("{alice}.x"),
        format!(".{alice}"),
        ".".repeat(5000),
        format!("{signed}..{signature}"),
    ] {
        assert_eq!(stand.status_of(&token) / 100, 4, "{token}");
    }
    let bob = stand.mint.token("bob", SCOPES);
    let swapped: Vec<_> = alice.split('.').take(1).chain(bob.split('.').skip(1).take(1)).chain([signature]).collect();
    assert_eq!(stand.status_of(&swapped.join(".")), 401);
    assert_eq!(stand.status_of(&crate::token::Mint::new().token("alice", SCOPES)), 401);
    assert_eq!(stand.origin.count(), 1);
}

#[test]
fn t37_t97_a_subject_the_upstream_would_read_otherwise_is_refused() {
    let stand = Stand::new();
    let export = |subject: &str| {
        let token = stand.mint.token(subject, SCOPES);
        stand.gate.send(&Request::get("/v1/exports/2026-11.csv").bearer(&token)).status
    };
    for subject in ["alice ", " alice", "alice\n", "\talice", "alice\r\nx-admin: 1", "älice", "alice\u{200b}", " "] {
        assert_eq!(export(subject), 401, "{subject:?}");
    }
    assert_eq!(stand.origin.count(), 0);
    assert_eq!(export("auth0|5f7c, ou=a b"), 200);
    assert_eq!(stand.origin.last().all(SUBJECT), ["auth0|5f7c, ou=a b"]);
}
