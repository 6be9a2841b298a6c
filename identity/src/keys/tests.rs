// SPDX-License-Identifier: Apache-2.0
//! Keys that must not be used, keys that must not be confused, and the vectors of Project Wycheproof.

use super::jwk::{JwkFault, Key, KeyVerdict};
use super::jwks::{self, Found, JWKS_KEYS_MAX, JwksError, KeySet};
use crate::algorithm::{Algorithm, DEFAULT_ALGORITHMS};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

mod wycheproof;

/// P-256, P-384 and Ed25519 keys of RFC 7517 A.1, Wycheproof and RFC 8037 A.2.
fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "kid": "e", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"})
}

fn ed() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": "d", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn rsa() -> Value {
    let mut modulus = [0x5a_u8; 256];
    modulus[0] = 0x81;
    modulus[255] = 0x5b;
    json!({"kty": "RSA", "kid": "r", "n": URL_SAFE_NO_PAD.encode(modulus), "e": "AQAB"})
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk[name] = value.into();
    jwk
}

fn fault(jwk: &Value) -> Option<JwkFault> {
    Key::parse(jwk, DEFAULT_ALGORITHMS).err()
}

fn read(keys: &Value) -> Result<jwks::ReadSet, JwksError> {
    jwks::read(&Bytes::from(json!({"keys": keys}).to_string()), DEFAULT_ALGORITHMS)
}

fn faults(keys: &Value) -> Vec<JwkFault> {
    match read(keys) {
        Ok(set) => set.skipped.into_iter().map(|s| s.fault).collect(),
        Err(JwksError::NothingUsable(first)) => vec![first.fault],
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn t95_keys_that_must_not_be_used_are_named() {
    let n = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let mut small = [0xff_u8; 255];
    small[254] = 0xfb;
    let even = [0xfe_u8; 256];
    let mut padded = vec![0];
    padded.extend([0xfb_u8; 256]);
    for (jwk, expected) in [
        (json!("x"), JwkFault::NotAnObject),
        (json!({"kty": "oct", "k": "AAAA"}), JwkFault::Symmetric),
        (with(ec(), "d", "AAAA"), JwkFault::Private),
        (with(rsa(), "p", "AAAA"), JwkFault::Private),
        (with(ed(), "k", "AAAA"), JwkFault::Private),
        (with(ec(), "use", "enc"), JwkFault::Use),
        (with(ec(), "use", 1), JwkFault::Use),
        (with(ec(), "key_ops", json!(["sign"])), JwkFault::Operations),
        (with(ec(), "key_ops", "verify"), JwkFault::Operations),
        (with(ec(), "kid", ""), JwkFault::Kid),
        (with(ec(), "kid", "k".repeat(257)), JwkFault::Kid),
        (with(ec(), "kid", 7), JwkFault::Kid),
        (with(ec(), "crv", "P-521"), JwkFault::Type),
        (with(ec(), "crv", "secp256k1"), JwkFault::Type),
        (with(ed(), "crv", "Ed448"), JwkFault::Type),
        (with(ed(), "crv", "X25519"), JwkFault::Type),
        (with(ec(), "kty", "ec"), JwkFault::Type),
        (with(ec(), "alg", "ES384"), JwkFault::Algorithm),
        (with(ec(), "alg", "HS256"), JwkFault::Algorithm),
        (with(ec(), "alg", json!(["ES256"])), JwkFault::Algorithm),
        (with(rsa(), "alg", "RS512"), JwkFault::Algorithm),
        (with(rsa(), "alg", "RS256"), JwkFault::NotAllowed),
        (with(ec(), "y", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyN"), JwkFault::Encoding),
        (with(ec(), "y", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyQ"), JwkFault::Point),
        (with(ec(), "x", n(&[0; 33])), JwkFault::Encoding),
        (with(ed(), "x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="), JwkFault::Encoding),
        (with(ed(), "x", n(&[0; 32])), JwkFault::Point),
        (with(rsa(), "n", n(&small)), JwkFault::RsaModulus),
        (with(rsa(), "n", n(&even)), JwkFault::RsaModulus),
        (with(rsa(), "n", n(&[0xfb; 1025])), JwkFault::RsaModulus),
        (with(rsa(), "n", n(&padded)), JwkFault::Encoding),
        (with(rsa(), "n", ""), JwkFault::Encoding),
        (with(rsa(), "e", "AQ"), JwkFault::RsaExponent),
        (with(rsa(), "e", "Aw"), JwkFault::RsaExponent),
        (with(rsa(), "e", n(&[1, 0, 2])), JwkFault::RsaExponent),
        (with(rsa(), "e", n(&[0xff; 16])), JwkFault::RsaExponent),
        (with(rsa(), "e", n(&[0, 1, 0, 1])), JwkFault::Encoding),
    ] {
        assert_eq!(fault(&jwk), Some(expected), "{jwk}");
    }
    for good in
        [ec(), ed(), rsa(), with(ec(), "alg", "ES256"), with(ed(), "alg", "EdDSA"), with(ed(), "alg", "Ed25519")]
    {
        assert_eq!(fault(&good), None, "{good}");
    }
}

#[test]
fn t81_ed25519_keys_of_small_order_are_refused_with_either_sign() {
    for hex in [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let mut x = wycheproof::unhex(hex);
        assert_eq!(fault(&with(ed(), "x", URL_SAFE_NO_PAD.encode(&x))), Some(JwkFault::Point), "{hex}");
        x[31] |= 0x80;
        assert_eq!(fault(&with(ed(), "x", URL_SAFE_NO_PAD.encode(&x))), Some(JwkFault::Point), "{hex}");
    }
}

#[test]
fn t95_one_bad_key_does_not_spoil_the_others() {
    let set = read(&json!([with(ec(), "kid", 1), ed(), {"kty": "oct", "k": "AAAA"}])).unwrap();
    assert_eq!((set.keys.len(), set.skipped.len()), (1, 2));
    let many: Vec<Value> = (0..JWKS_KEYS_MAX).map(|_| json!({"kty": "?"})).chain([ec()]).collect();
    assert!(matches!(read(&json!(many)), Err(JwksError::NothingUsable(_))));
    for empty in [json!([]), json!({}), json!("x"), Value::Null] {
        assert!(matches!(read(&empty), Err(JwksError::Empty)), "{empty}");
    }
    assert!(matches!(jwks::read(&Bytes::from_static(b"<html>"), DEFAULT_ALGORITHMS), Err(JwksError::NotJson)));
}

#[test]
fn t82_two_keys_under_one_kid_are_none() {
    let two = json!([ec(), with(ed(), "kid", "e"), with(ed(), "kid", "other")]);
    assert_eq!(faults(&two), [JwkFault::SameKid, JwkFault::SameKid]);
    let twice = read(&json!([ec(), ec()])).unwrap();
    assert_eq!((twice.keys.len(), twice.skipped.len()), (1, 0), "the same key listed twice is one key");
}

#[test]
fn jwt_3_one_key_published_for_two_algorithms_is_none() {
    let two = json!([with(rsa(), "alg", "PS256"), with(with(rsa(), "alg", "PS384"), "kid", "r2"), ec()]);
    assert_eq!(faults(&two), [JwkFault::SeveralAlgorithms, JwkFault::SeveralAlgorithms]);
    let unnamed = json!([rsa(), with(rsa(), "kid", "r2"), ec()]);
    assert_eq!(faults(&unnamed), [JwkFault::SeveralAlgorithms, JwkFault::SeveralAlgorithms]);
}

#[test]
fn keys_are_found_by_exact_kid_or_alone() {
    let keys = read(&json!([ec(), ed(), with(rsa(), "alg", "PS256")])).unwrap().keys;
    let set = KeySet::follow(&KeySet::empty(), keys).unwrap();
    let finds = |kid, algorithm| matches!(set.find(kid, algorithm), Found::Key(_));
    assert!(finds(Some("e"), Algorithm::Es256) && finds(None, Algorithm::Es256) && finds(None, Algorithm::EdDsa));
    for kid in ["E", "e ", "", "../e", "e\0"] {
        assert!(!finds(Some(kid), Algorithm::Es256), "{kid:?}");
    }
    assert!(!finds(None, Algorithm::Es384) && !finds(None, Algorithm::Ps384));
}

#[test]
fn t98_the_epoch_changes_with_the_keys_and_only_then() {
    let set = |keys: Value, before: &KeySet| KeySet::follow(before, read(&keys).unwrap().keys);
    let first = set(json!([ec(), ed()]), &KeySet::empty()).unwrap();
    assert!(set(json!([ed(), ec()]), &first).is_none(), "order is no change");
    let second = set(json!([ec()]), &first).unwrap();
    assert_ne!(first.epoch, second.epoch);
    assert!(set(json!([with(ec(), "kid", "f")]), &second).is_some(), "a new name is a change");
}

#[test]
fn jwt_6_a_secret_verifies_its_own_macs_only() {
    let (key, other) = (Key::secret(&[7; 32]), Key::secret(&[8; 32]));
    let mac = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[7; 32]), b"m");
    assert_eq!(key.verify(Algorithm::Hs256, b"m", mac.as_ref()), KeyVerdict::Genuine);
    assert_eq!(key.verify(Algorithm::Hs256, b"n", mac.as_ref()), KeyVerdict::Forged);
    assert_eq!(other.verify(Algorithm::Hs256, b"m", mac.as_ref()), KeyVerdict::Forged);
    assert_eq!(key.verify(Algorithm::Es256, b"m", mac.as_ref()), KeyVerdict::OtherAlgorithm);
}

proptest! {
    #[test]
    fn t96_any_document_is_read_without_panic(bytes: Vec<u8>) {
        let _ = jwks::read(&Bytes::from(bytes), DEFAULT_ALGORITHMS);
    }

    #[test]
    fn t96_any_key_is_read_without_panic(
        kty in "RSA|EC|OKP", crv in "P-256|P-384|Ed25519", x in "[A-Za-z0-9_-]{0,64}", e in "[A-Za-z0-9_-]{0,8}",
    ) {
        let jwk = json!({"kty": kty, "crv": crv, "x": x, "y": x, "n": x, "e": e});
        let _ = Key::parse(&jwk, DEFAULT_ALGORITHMS);
    }
}
