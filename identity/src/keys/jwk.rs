// SPDX-License-Identifier: Apache-2.0
//! One public key of RFC 7517: checked before it is used, and pinned to one algorithm (JWT-3, JWT-5, T80, T81, T95).

use crate::algorithm::Algorithm;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, VerificationAlgorithm,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicU8, Ordering};

/// Longest key id (T82).
pub const KID_BYTES_MAX: usize = 256;
/// Smallest and largest RSA modulus (PC0103).
const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;
/// Smallest public exponent (FIPS 186-5 §5.1), and the largest the verifier takes.
const RSA_EXPONENT_MIN: u64 = 65_537;
const RSA_EXPONENT_MAX: u64 = (1 << 33) - 1;
/// Members that hold private or secret material (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Encodings of the points of small order of edwards25519, without the sign bit: a key that is one of them verifies
/// signatures nobody made.
const SMALL_ORDER: &[[u8; 32]] = &[
    point(0x00, 0x00, 0x00),
    point(0x01, 0x00, 0x00),
    point(0xec, 0xff, 0x7f),
    point(0xed, 0xff, 0x7f),
    point(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// `first`, thirty times `middle`, `last`.
const fn point(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    let [a, .., z] = &mut bytes;
    *a = first;
    *z = last;
    bytes
}

/// Why a key of a set is not used. Reported; the other keys stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkFault {
    /// Not a JSON object.
    #[error("no JSON object")]
    NotAnObject,
    /// `kty` is `oct`: a secret has no place in a published set.
    #[error("a symmetric key in a published set")]
    Symmetric,
    /// Private members: whoever reads the set can sign.
    #[error("private key material in a published set")]
    Private,
    /// `use` is not `sig`.
    #[error("`use` is not `sig`")]
    Use,
    /// `key_ops` lacks `verify`.
    #[error("`key_ops` lacks `verify`")]
    Operations,
    /// `kid` is not a string of 1 to 256 bytes.
    #[error("`kid` is not a string of 1 to 256 bytes")]
    Kid,
    /// An unknown `kty` or `crv`.
    #[error("`kty` or `crv` is unknown")]
    Type,
    /// `alg` is unknown, or belongs to another type of key.
    #[error("`alg` is unknown or belongs to another type of key")]
    Algorithm,
    /// The issuer may not sign with any algorithm of this key.
    #[error("the issuer's `algorithms` allow none of this key")]
    NotAllowed,
    /// A number or coordinate is missing or not canonical base64url of the right length.
    #[error("a member is missing or not canonical base64url of its length")]
    Encoding,
    /// The point is not on the curve, or has a small order.
    #[error("the public point is not valid")]
    Point,
    /// The RSA modulus is below 2048 or above 8192 bits, or even.
    #[error("the RSA modulus is even, below 2048 or above 8192 bits")]
    RsaModulus,
    /// The RSA exponent is even, below 65537 or too large.
    #[error("the RSA exponent is even, below 65537 or too large")]
    RsaExponent,
    /// CVE-2017-15361.
    #[error("the RSA modulus can be factored (ROCA)")]
    Roca,
    /// Two different keys share a `kid`: neither is used.
    #[error("several keys have this `kid`")]
    SameKid,
    /// One key is published for several algorithms (JWT-3): none is used.
    #[error("the same key is published for several algorithms")]
    SeveralAlgorithms,
    /// More keys than [`crate::JWKS_KEYS_MAX`].
    #[error("the set has too many keys")]
    TooMany,
}

/// What a key says of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyVerdict {
    /// The key made it.
    Genuine,
    /// It did not.
    Forged,
    /// The key is for another algorithm; the signature was not looked at.
    OtherAlgorithm,
}

/// A checked key.
pub(crate) struct Key {
    pub(super) kid: Option<Box<str>>,
    /// One per algorithm the key could be for: more than one only for an RSA key that does not say.
    checkers: Vec<(Algorithm, Checker)>,
    /// The algorithm of the first genuine signature, where `checkers` has several; 0 until then. Only the owner of the
    /// key can set it, and from then on the key is for that algorithm alone (JWT-3: one key, one algorithm).
    pin: AtomicU8,
    /// SHA-256 over type and numbers, to find one key published twice.
    pub(super) material: [u8; 32],
}

enum Checker {
    Public(Box<ParsedPublicKey>),
    Secret(Box<hmac::Key>),
}

impl Key {
    /// A secret shared with an issuer.
    pub(crate) fn secret(bytes: &[u8]) -> Self {
        let checker = Checker::Secret(Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes)));
        Self::new(None, vec![(Algorithm::Hs256, checker)], &[b"oct", bytes])
    }

    /// Reads one member of a published set.
    pub(super) fn parse(jwk: &Value, allowed: &[Algorithm]) -> Result<Self, JwkFault> {
        let members = jwk.as_object().ok_or(JwkFault::NotAnObject)?;
        if members.get("kty").and_then(Value::as_str) == Some("oct") {
            return Err(JwkFault::Symmetric);
        }
        if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(JwkFault::Private);
        }
        check_purpose(members)?;
        let kid = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) if !kid.is_empty() && kid.len() <= KID_BYTES_MAX => Some(kid.as_str().into()),
            Some(_) => return Err(JwkFault::Kid),
        };
        let name = |member| members.get(member).and_then(Value::as_str).unwrap_or_default();
        match (name("kty"), name("crv")) {
            ("EC", "P-256") => elliptic(members, kid, Algorithm::Es256, allowed),
            ("EC", "P-384") => elliptic(members, kid, Algorithm::Es384, allowed),
            ("OKP", "Ed25519") => edwards(members, kid, allowed),
            ("RSA", _) => rsa(members, kid, allowed),
            _ => Err(JwkFault::Type),
        }
    }

    fn new(kid: Option<Box<str>>, checkers: Vec<(Algorithm, Checker)>, material: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in material {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let material = <[u8; 32]>::try_from(context.finish().as_ref()).unwrap_or_default();
        Self { kid, checkers, pin: AtomicU8::new(0), material }
    }

    /// Whether the key could be for an algorithm.
    pub(crate) fn is_for(&self, algorithm: Algorithm) -> bool {
        let pin = self.pin.load(Ordering::Acquire);
        self.checker(algorithm).is_some() && (pin == 0 || pin == algorithm.ordinal())
    }

    /// Checks a signature; the first genuine one pins a key that did not name its algorithm.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> KeyVerdict {
        let Some(checker) = self.checker(algorithm).filter(|_| self.is_for(algorithm)) else {
            return KeyVerdict::OtherAlgorithm;
        };
        let genuine = match checker {
            Checker::Public(key) => key.verify_sig(message, signature).is_ok(),
            Checker::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        };
        if !genuine {
            return KeyVerdict::Forged;
        }
        let ordinal = algorithm.ordinal();
        match self.pin.compare_exchange(0, ordinal, Ordering::AcqRel, Ordering::Acquire) {
            Err(other) if other != ordinal => KeyVerdict::OtherAlgorithm,
            _ => KeyVerdict::Genuine,
        }
    }

    /// Takes over what an earlier reading of the same key learned.
    pub(super) fn keep_pin_of(&self, earlier: &Key) {
        if self.checkers.len() > 1 {
            self.pin.store(earlier.pin.load(Ordering::Acquire), Ordering::Release);
        }
    }

    /// The algorithms the key could be for, as small numbers in order.
    pub(super) fn ordinals(&self) -> Vec<u8> {
        self.checkers.iter().map(|(algorithm, _)| algorithm.ordinal()).collect()
    }

    fn checker(&self, algorithm: Algorithm) -> Option<&Checker> {
        let wanted = algorithm.canonical();
        self.checkers.iter().find(|(a, _)| *a == wanted).map(|(_, checker)| checker)
    }
}

/// RFC 7517 §4.2, §4.3: what the publisher says the key is for.
fn check_purpose(members: &Map<String, Value>) -> Result<(), JwkFault> {
    if members.get("use").is_some_and(|u| u.as_str() != Some("sig")) {
        return Err(JwkFault::Use);
    }
    let verifies = |ops: &Value| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"));
    if members.get("key_ops").is_some_and(|ops| !verifies(ops)) {
        return Err(JwkFault::Operations);
    }
    Ok(())
}

/// The algorithms among `possible` that the key may be used with: the one it names, or all the issuer allows.
fn usable(
    members: &Map<String, Value>,
    possible: &[Algorithm],
    allowed: &[Algorithm],
) -> Result<Vec<Algorithm>, JwkFault> {
    let named = match members.get("alg") {
        None => None,
        Some(name) => {
            let algorithm = name.as_str().and_then(Algorithm::parse).ok_or(JwkFault::Algorithm)?.canonical();
            Some(possible.contains(&algorithm).then_some(algorithm).ok_or(JwkFault::Algorithm)?)
        }
    };
    let candidates = named.as_ref().map_or(possible, std::slice::from_ref);
    let usable: Vec<Algorithm> = candidates.iter().copied().filter(|a| a.is_in(allowed)).collect();
    if usable.is_empty() { Err(JwkFault::NotAllowed) } else { Ok(usable) }
}

fn elliptic(
    members: &Map<String, Value>,
    kid: Option<Box<str>>,
    algorithm: Algorithm,
    allowed: &[Algorithm],
) -> Result<Key, JwkFault> {
    usable(members, &[algorithm], allowed)?;
    let (scheme, length): (&'static dyn VerificationAlgorithm, usize) = match algorithm {
        Algorithm::Es384 => (&ECDSA_P384_SHA384_FIXED, 48),
        _ => (&ECDSA_P256_SHA256_FIXED, 32),
    };
    let mut uncompressed = vec![4];
    uncompressed.extend(bytes(members, "x", Some(length))?);
    uncompressed.extend(bytes(members, "y", Some(length))?);
    // Parsing fails for a point that is not on the curve (JWT-5).
    let key = ParsedPublicKey::new(scheme, &uncompressed).map_err(|_| JwkFault::Point)?;
    Ok(Key::new(kid, vec![(algorithm, Checker::Public(Box::new(key)))], &[b"EC", &uncompressed]))
}

fn edwards(members: &Map<String, Value>, kid: Option<Box<str>>, allowed: &[Algorithm]) -> Result<Key, JwkFault> {
    usable(members, &[Algorithm::Ed25519], allowed)?;
    let x = bytes(members, "x", Some(32))?;
    let mut unsigned = <[u8; 32]>::try_from(x.as_slice()).map_err(|_| JwkFault::Encoding)?;
    if let Some(last) = unsigned.last_mut() {
        *last &= 0x7f;
    }
    if SMALL_ORDER.contains(&unsigned) {
        return Err(JwkFault::Point);
    }
    let key = ParsedPublicKey::new(&ED25519, &x).map_err(|_| JwkFault::Point)?;
    Ok(Key::new(kid, vec![(Algorithm::Ed25519, Checker::Public(Box::new(key)))], &[b"OKP", &x]))
}

fn rsa(members: &Map<String, Value>, kid: Option<Box<str>>, allowed: &[Algorithm]) -> Result<Key, JwkFault> {
    let possible = [Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512, Algorithm::Rs256];
    let usable = usable(members, &possible, allowed)?;
    let (n, e) = (bytes(members, "n", None)?, bytes(members, "e", None)?);
    let (Some(first), Some(last)) = (n.first(), n.last()) else { return Err(JwkFault::Encoding) };
    let leading = usize::try_from(first.leading_zeros()).unwrap_or(usize::MAX);
    // RFC 7518 §2 `Base64urlUInt`: no leading zero octet.
    if leading >= 8 || e.first().is_none_or(|b| *b == 0) {
        return Err(JwkFault::Encoding);
    }
    let bits = n.len().saturating_mul(8).saturating_sub(leading);
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) || last % 2 == 0 {
        return Err(JwkFault::RsaModulus);
    }
    let exponent = e.iter().try_fold(0u64, |n, b| n.checked_mul(256).map(|n| n | u64::from(*b)));
    if exponent.is_none_or(|e| e % 2 == 0 || !(RSA_EXPONENT_MIN..=RSA_EXPONENT_MAX).contains(&e)) {
        return Err(JwkFault::RsaExponent);
    }
    if super::roca::has_fingerprint(&n) {
        return Err(JwkFault::Roca);
    }
    let components = RsaPublicKeyComponents { n: &n, e: &e };
    let mut checkers = Vec::with_capacity(usable.len());
    for algorithm in usable {
        let key = components.to_parsed_public_key(rsa_scheme(algorithm)).map_err(|_| JwkFault::RsaModulus)?;
        checkers.push((algorithm, Checker::Public(Box::new(key))));
    }
    Ok(Key::new(kid, checkers, &[b"RSA", &n, &e]))
}

fn rsa_scheme(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        _ => &RSA_PSS_2048_8192_SHA256,
    }
}

/// A member's bytes: canonical base64url, of a length where one is fixed.
fn bytes(members: &Map<String, Value>, name: &str, length: Option<usize>) -> Result<Vec<u8>, JwkFault> {
    let text = members.get(name).and_then(Value::as_str).ok_or(JwkFault::Encoding)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| JwkFault::Encoding)?;
    if length.is_some_and(|length| length != bytes.len()) { Err(JwkFault::Encoding) } else { Ok(bytes) }
}
