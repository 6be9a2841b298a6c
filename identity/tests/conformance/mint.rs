// SPDX-License-Identifier: Apache-2.0
//! Keys and tokens for tests: an issuer that can also make every mistake.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, signature};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const AUDIENCE: &str = "https://api.example.com";
/// The time at which tests begin, in seconds since the Unix epoch.
pub(crate) const NOW: u64 = 1_800_000_000;
pub(crate) const SECRET: &[u8; 32] = b"a secret of thirty-two bytes! ok";

/// One key of each type; made once, because RSA keys are slow to make.
pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::generate);

pub(crate) struct Keys {
    pub(crate) p256: EcdsaKeyPair,
    pub(crate) p256_other: EcdsaKeyPair,
    pub(crate) p384: EcdsaKeyPair,
    pub(crate) ed: Ed25519KeyPair,
    pub(crate) rsa: RsaKeyPair,
}

impl Keys {
    fn generate() -> Self {
        Self {
            p256: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            p256_other: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            p384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).unwrap(),
        }
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn ec_jwk(kid: &str, crv: &str, pair: &EcdsaKeyPair) -> Value {
    let point = pair.public_key().as_ref();
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": crv, "kid": kid, "x": encode(x), "y": encode(y)})
}

pub(crate) fn ed_jwk(kid: &str) -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": encode(KEYS.ed.public_key())})
}

pub(crate) fn rsa_jwk(kid: &str) -> Value {
    let public = KEYS.rsa.public_key();
    let (n, e) = (public.modulus(), public.exponent());
    json!({"kty": "RSA", "kid": kid, "n": encode(n.big_endian_without_leading_zero()),
        "e": encode(e.big_endian_without_leading_zero())})
}

/// A set with one key of each type: `e` ES256, `f` ES384, `d` Ed25519, `r` RSA without `alg`.
pub(crate) fn jwks() -> Value {
    json!({"keys": [ec_jwk("e", "P-256", &KEYS.p256), ec_jwk("f", "P-384", &KEYS.p384), ed_jwk("d"), rsa_jwk("r")]})
}

/// Signs as the header's `alg` says, with the key of that type.
pub(crate) fn sign(alg: &str, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    let rsa = |encoding: &'static dyn RsaEncoding| {
        let mut made = vec![0; KEYS.rsa.public_modulus_len()];
        KEYS.rsa.sign(encoding, &random, message, &mut made).unwrap();
        made
    };
    match alg {
        "ES256" => KEYS.p256.sign(&random, message).unwrap().as_ref().to_vec(),
        "ES384" => KEYS.p384.sign(&random, message).unwrap().as_ref().to_vec(),
        "EdDSA" | "Ed25519" => KEYS.ed.sign(message).as_ref().to_vec(),
        "PS256" => rsa(&RSA_PSS_SHA256),
        "PS384" => rsa(&RSA_PSS_SHA384),
        "PS512" => rsa(&RSA_PSS_SHA512),
        "RS256" => rsa(&RSA_PKCS1_SHA256),
        "HS256" => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message).as_ref().to_vec(),
        other => panic!("no key for {other}"),
    }
}

/// A token of exactly these texts, signed as `alg`.
pub(crate) fn token_of(alg: &str, header: &str, claims: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(alg, message.as_bytes());
    format!("{message}.{}", encode(signature))
}

/// The claims of a good RFC 9068 token.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW - 60, "sub": "u-alice", "client_id": "app",
        "jti": "t-1", "scope": "orders.read orders.write", "roles": ["buyer"]
    })
}

pub(crate) fn with(mut value: Value, name: &str, member: impl Into<Value>) -> Value {
    value[name] = member.into();
    value
}

pub(crate) fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

/// A good header for an algorithm.
pub(crate) fn header(alg: &str) -> Value {
    let kid = match alg {
        "ES256" => "e",
        "ES384" => "f",
        "EdDSA" | "Ed25519" => "d",
        _ => "r",
    };
    json!({"alg": alg, "typ": "at+jwt", "kid": kid})
}

/// A good token with these claims, signed with ES256.
pub(crate) fn token(claims: &Value) -> String {
    token_of("ES256", &header("ES256").to_string(), &claims.to_string())
}

/// A token of these claims signed by a key the header may name, whatever it is.
pub(crate) fn token_by(pair: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature: signature::Signature = pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
    format!("{message}.{}", encode(signature))
}
