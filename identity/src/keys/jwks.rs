// SPDX-License-Identifier: Apache-2.0
//! Key sets of RFC 7517 §5: bad keys are set aside and reported, the rest is looked up by exact `kid` (T82, T95).

use super::jwk::{JwkFault, Key};
use crate::algorithm::Algorithm;
use crate::json;
use aws_lc_rs::digest;
use bytes::Bytes;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// Most keys read of one set.
pub const JWKS_KEYS_MAX: usize = 64;

/// Why a document gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not one strict JSON object.
    #[error("the key set is no strict JSON object")]
    NotJson,
    /// `keys` is missing, no array, or empty.
    #[error("the key set has no keys")]
    Empty,
    /// Every key was set aside.
    #[error("no key of the set can be used; the first: {fault}", fault = .0.fault)]
    NothingUsable(SkippedKey),
}

/// A key that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub position: usize,
    /// Its id, where it has one.
    pub kid: Option<Box<str>>,
    /// Why.
    pub fault: JwkFault,
}

/// The keys of a document, before they are put in use.
pub(super) struct ReadSet {
    pub(super) keys: Vec<Key>,
    pub(super) skipped: Vec<SkippedKey>,
}

/// Reads a key set for an issuer that may sign with `allowed`.
pub(super) fn read(bytes: &Bytes, allowed: &[Algorithm]) -> Result<ReadSet, JwksError> {
    let document = json::object(bytes.clone()).map_err(|_| JwksError::NotJson)?;
    let listed = match document.get("keys") {
        Some(Value::Array(keys)) if !keys.is_empty() => keys,
        _ => return Err(JwksError::Empty),
    };
    let mut skipped = Vec::new();
    let mut read: Vec<(usize, Key)> = Vec::new();
    for (position, jwk) in listed.iter().enumerate().take(JWKS_KEYS_MAX) {
        match Key::parse(jwk, allowed) {
            Ok(key) => read.push((position, key)),
            Err(fault) => skipped.push(SkippedKey { position, kid: kid_of(jwk), fault }),
        }
    }
    if let Some(jwk) = listed.get(JWKS_KEYS_MAX) {
        skipped.push(SkippedKey { position: JWKS_KEYS_MAX, kid: kid_of(jwk), fault: JwkFault::TooMany });
    }
    let keys = set_ambiguous_aside(read, &mut skipped);
    match (keys.is_empty(), skipped.first()) {
        (false, _) => Ok(ReadSet { keys, skipped }),
        (true, Some(first)) => Err(JwksError::NothingUsable(first.clone())),
        (true, None) => Err(JwksError::Empty),
    }
}

/// Different keys under one `kid` are all set aside, because a token could then choose; so is one key for several
/// algorithms (JWT-3). The same key listed twice is one key.
fn set_ambiguous_aside(read: Vec<(usize, Key)>, skipped: &mut Vec<SkippedKey>) -> Vec<Key> {
    let faults: Vec<Option<JwkFault>> = read.iter().map(|(_, key)| ambiguity(key, &read)).collect();
    let mut keys: Vec<Key> = Vec::with_capacity(read.len());
    for ((position, key), fault) in read.into_iter().zip(faults) {
        match fault {
            Some(fault) => skipped.push(SkippedKey { position, kid: key.kid.clone(), fault }),
            None if keys.iter().any(|k| k.kid == key.kid && k.material == key.material) => {}
            None => keys.push(key),
        }
    }
    keys
}

fn ambiguity(key: &Key, read: &[(usize, Key)]) -> Option<JwkFault> {
    read.iter().find_map(|(_, other)| {
        let same_key = other.material == key.material;
        if same_key && other.ordinals() != key.ordinals() {
            return Some(JwkFault::SeveralAlgorithms);
        }
        // Published under two names without an algorithm, one key could be pinned to two.
        if same_key && other.kid != key.kid && key.ordinals().len() > 1 {
            return Some(JwkFault::SeveralAlgorithms);
        }
        (!same_key && key.kid.is_some() && other.kid == key.kid).then_some(JwkFault::SameKid)
    })
}

fn kid_of(jwk: &Value) -> Option<Box<str>> {
    let kid = jwk.get("kid")?.as_str()?;
    (kid.len() <= super::KID_BYTES_MAX).then(|| kid.into())
}

/// The keys of an issuer in use.
pub(super) struct KeySet {
    /// Changes whenever the set does; part of the identity of a remembered token (T98).
    pub(super) epoch: u64,
    keys: Vec<Arc<Key>>,
    by_kid: HashMap<Box<str>, usize>,
    fingerprint: [u8; 32],
}

/// What a set knows of the key of a token.
pub(super) enum Found {
    /// The one key the token may be checked with.
    Key(Arc<Key>),
    /// No key has this id, or without an id there is not exactly one for the algorithm.
    Nothing,
}

impl KeySet {
    /// No keys.
    pub(super) fn empty() -> Self {
        Self { epoch: 0, keys: Vec::new(), by_kid: HashMap::new(), fingerprint: [0; 32] }
    }

    /// Puts keys in use after `earlier`; `None` when they are the same.
    pub(super) fn follow(earlier: &KeySet, keys: Vec<Key>) -> Option<Self> {
        let fingerprint = fingerprint(&keys);
        if fingerprint == earlier.fingerprint {
            return None;
        }
        for key in &keys {
            if let Some(before) = earlier.keys.iter().find(|k| k.material == key.material) {
                key.keep_pin_of(before);
            }
        }
        let by_kid = keys.iter().enumerate().filter_map(|(i, k)| Some((k.kid.clone()?, i))).collect();
        let keys = keys.into_iter().map(Arc::new).collect();
        Some(Self { epoch: earlier.epoch.wrapping_add(1), keys, by_kid, fingerprint })
    }

    /// The key of a token: by exact `kid`; without one, the only key for the algorithm.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Found {
        let key = if let Some(kid) = kid {
            self.by_kid.get(kid).and_then(|index| self.keys.get(*index))
        } else {
            let mut fitting = self.keys.iter().filter(|k| k.is_for(algorithm));
            fitting.next().filter(|_| fitting.next().is_none())
        };
        key.map_or(Found::Nothing, |key| Found::Key(key.clone()))
    }
}

/// SHA-256 over the keys, whatever their order in the document.
fn fingerprint(keys: &[Key]) -> [u8; 32] {
    let mut lines: Vec<Vec<u8>> = keys
        .iter()
        .map(|key| {
            let kid = key.kid.as_deref().unwrap_or_default().as_bytes();
            let mut line = key.material.to_vec();
            line.push(u8::from(key.kid.is_some()));
            line.extend(u64::try_from(kid.len()).unwrap_or(u64::MAX).to_be_bytes());
            line.extend(kid);
            line.extend(key.ordinals());
            line.push(0);
            line
        })
        .collect();
    lines.sort();
    let mut context = digest::Context::new(&digest::SHA256);
    for line in lines {
        context.update(&u64::try_from(line.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(&line);
    }
    <[u8; 32]>::try_from(context.finish().as_ref()).unwrap_or_default()
}
