// SPDX-License-Identifier: Apache-2.0
//! Project Wycheproof (T81): an `invalid` vector that verifies is a bug; a `valid` one that is refused is a bug unless
//! it is on the list of what our policy forbids. Not run where the vectors are not there.

use crate::algorithm::Algorithm;
use crate::config::SECRET_BYTES_MIN;
use crate::jwt::{Header, Parts};
use crate::keys::jwk::{JwkFault, Key, KeyVerdict};
use crate::keys::jwks::{self, Found, KeySet};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Everything, so that only the key and the header decide.
const ASYMMETRIC: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Rs256,
];

fn vectors(name: &str) -> Option<Value> {
    let shared = std::env::var_os("PORTCULLIS_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
    let path = shared.join("vectors/wycheproof").join(name);
    if !path.exists() {
        println!("not run: {name}");
        return None;
    }
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

pub(super) fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: &u8| char::from(*c).to_digit(16).unwrap();
    text.as_bytes().chunks(2).map(|pair| u8::try_from(digit(&pair[0]) * 16 + digit(&pair[1])).unwrap()).collect()
}

fn tests_of(group: &Value) -> &[Value] {
    group["tests"].as_array().unwrap()
}

fn str_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// A set as an issuer would publish it, or a shared secret as an operator would configure it.
fn set_of(group: &Value) -> Option<KeySet> {
    let published = if group["public"].is_object() { &group["public"] } else { &group["private"] };
    if let [oct] = listed(published).as_slice()
        && oct["kty"] == "oct"
    {
        let secret = URL_SAFE_NO_PAD.decode(str_of(oct, "k")).ok()?;
        let usable = secret.len() >= SECRET_BYTES_MIN && oct.get("alg").is_none_or(|a| a == "HS256");
        return usable.then(|| KeySet::follow(&KeySet::empty(), vec![Key::secret(&secret)])).flatten();
    }
    // Groups without a public part list private keys; what an issuer publishes of them lacks these members.
    let mut keys = listed(published);
    for key in keys.iter_mut().filter(|k| k["kty"] != "oct").filter_map(Value::as_object_mut) {
        key.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
    }
    let read = jwks::read(&Bytes::from(json!({"keys": keys}).to_string()), ASYMMETRIC).ok()?;
    KeySet::follow(&KeySet::empty(), read.keys)
}

fn listed(published: &Value) -> Vec<Value> {
    published["keys"].as_array().cloned().unwrap_or_else(|| vec![published.clone()])
}

/// Everything before the claims, which these payloads are not.
fn accepts(jws: &str, set: &KeySet) -> bool {
    let judge = || {
        let parts = Parts::split(jws).ok()?;
        let header = Header::parse(parts.header().ok()?).ok()?;
        parts.payload().ok()?;
        let signature = parts.signature().ok()?;
        let kid = header.kid.as_deref().filter(|_| header.algorithm != Algorithm::Hs256);
        let Found::Key(key) = set.find(kid, header.algorithm) else { return None };
        (key.verify(header.algorithm, parts.message, &signature) == KeyVerdict::Genuine).then_some(())
    };
    judge().is_some()
}

/// Why our policy refuses a vector that a general library must accept.
fn policy(jws: &str) -> Option<&'static str> {
    if jws.contains('?') {
        return Some("not base64url (labelled valid in the vectors)");
    }
    let header = URL_SAFE_NO_PAD.decode(jws.split('.').next().unwrap_or_default()).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    match str_of(&header, "alg") {
        "HS256" if header["kid"] == "kid-aes-sign" => Some("a published set holds no secrets"),
        "RS384" | "RS512" | "ES512" | "HS384" | "HS512" => Some("the algorithm is on no list"),
        "PS384" if header["kid"] == "bilbo.baggins@hobbiton.example" => Some("the key names another algorithm"),
        _ => None,
    }
}

fn run_jws(file: &str) -> Option<(usize, Vec<String>)> {
    let document = vectors(file)?;
    let (mut run, mut contradictions, mut forbidden) = (0, 0, Vec::new());
    for group in document["testGroups"].as_array().unwrap() {
        let set = set_of(group);
        let valid: Vec<&Value> = tests_of(group).iter().filter(|t| t["result"] == "valid").map(|t| &t["jws"]).collect();
        for test in tests_of(group) {
            let name = format!("{} {} {}", test["tcId"], str_of(group, "comment"), str_of(test, "comment"));
            let accepted = test["jws"].as_str().is_some_and(|jws| set.as_ref().is_some_and(|s| accepts(jws, s)));
            match (str_of(test, "result"), accepted) {
                // Two vectors lost their padding and are byte for byte the group's valid one.
                ("invalid", true) if valid.contains(&&test["jws"]) => contradictions += 1,
                ("invalid", true) => panic!("{file} {name}: an invalid token verifies"),
                ("valid", false) => match policy(str_of(test, "jws")) {
                    Some(why) => forbidden.push(format!("{name}: {why}")),
                    None => panic!("{file} {name}: a valid token is refused"),
                },
                _ => {}
            }
            run += 1;
        }
    }
    assert!(contradictions <= 2, "{contradictions}");
    println!("{file}: {run} vectors; valid and refused by policy: {forbidden:#?}");
    Some((run, forbidden))
}

#[test]
fn t81_jwt_4_wycheproof_json_web_signature() {
    if let Some((run, forbidden)) = run_jws("json_web_signature_test.json") {
        assert!(run >= 401, "{run}");
        assert_eq!(forbidden.len(), 14, "{forbidden:#?}");
    }
}

#[test]
fn t95_jwt_3_wycheproof_json_web_key() {
    if let Some((run, forbidden)) = run_jws("json_web_key_test.json") {
        assert!(run >= 26, "{run}");
        assert_eq!(forbidden.len(), 3, "{forbidden:#?}");
    }
}

/// Groups of elliptic curves without a JWK give their point.
fn point_of(group: &Value) -> Value {
    let point = unhex(str_of(&group["publicKey"], "uncompressed"));
    let (x, y) = point[1..].split_at(point.len() / 2);
    let crv = if point.len() == 65 { "P-256" } else { "P-384" };
    json!({"kty": "EC", "crv": crv, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
}

/// Raw signatures with one key per group.
fn run_raw(file: &str, key_member: &str, algorithm: Algorithm) {
    let Some(document) = vectors(file) else { return };
    let (mut run, mut refused_keys) = (0, 0);
    for group in document["testGroups"].as_array().unwrap() {
        let mut jwk = if group[key_member].is_object() { group[key_member].clone() } else { point_of(group) };
        jwk["alg"] = algorithm.name().into();
        let key = Key::parse(&jwk, ASYMMETRIC);
        refused_keys += usize::from(key.is_err());
        for test in tests_of(group) {
            let genuine = key.as_ref().is_ok_and(|key| {
                key.verify(algorithm, &unhex(str_of(test, "msg")), &unhex(str_of(test, "sig"))) == KeyVerdict::Genuine
            });
            match str_of(test, "result") {
                // A public exponent of 3 is below what FIPS 186-5 asks for.
                "valid" if key.as_ref().err() == Some(&JwkFault::RsaExponent) => assert!(!genuine),
                "valid" => assert!(genuine, "{file} {}: {}", test["tcId"], test["comment"]),
                "invalid" => assert!(!genuine, "{file} {}: {}", test["tcId"], test["comment"]),
                _ => {}
            }
            run += 1;
        }
    }
    println!("{file}: {run} vectors, {refused_keys} keys refused");
    assert!(run > 100, "{file}: {run}");
}

#[test]
fn t81_wycheproof_ecdsa_p256_p1363() {
    run_raw("ecdsa_secp256r1_sha256_p1363_test.json", "publicKeyJwk", Algorithm::Es256);
}

#[test]
fn t81_wycheproof_ecdsa_p384_p1363() {
    run_raw("ecdsa_secp384r1_sha384_p1363_test.json", "publicKeyJwk", Algorithm::Es384);
}

#[test]
fn t81_wycheproof_ed25519() {
    run_raw("ed25519_test.json", "publicKeyJwk", Algorithm::Ed25519);
}

#[test]
fn t81_wycheproof_rsa_pss() {
    run_raw("rsa_pss_2048_sha256_mgf1_32_test.json", "publicKeyJwk", Algorithm::Ps256);
}

#[test]
fn t81_wycheproof_rsa_pkcs1() {
    run_raw("rsa_signature_2048_sha256_test.json", "keyJwk", Algorithm::Rs256);
}

#[test]
fn t81_wycheproof_hmac_sha256() {
    let file = "hmac_sha256_test.json";
    let Some(document) = vectors(file) else { return };
    let mut run = 0;
    for group in document["testGroups"].as_array().unwrap().iter().filter(|g| g["tagSize"] == 256) {
        for test in tests_of(group) {
            let key = Key::secret(&unhex(str_of(test, "key")));
            let verdict = key.verify(Algorithm::Hs256, &unhex(str_of(test, "msg")), &unhex(str_of(test, "tag")));
            let valid = test["result"] == "valid";
            assert_eq!(verdict == KeyVerdict::Genuine, valid, "{file} {}: {}", test["tcId"], test["comment"]);
            run += 1;
        }
    }
    assert!(run > 50, "{run}");
}
