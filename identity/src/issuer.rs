// SPDX-License-Identifier: Apache-2.0
//! One issuer as it is used: its rules, its keys, and the checks that refuse a configuration no token could be safe
//! under.

use crate::algorithm::Algorithm;
use crate::config::{IssuerConfig, KeySource, LEEWAY_MAX, LIFETIME_MAX, SECRET_BYTES_MIN};
use crate::error::IdentityError;
use crate::jwt::profile::{ClaimPlaces, Rules};
use crate::keys::{Key, KeyRing, RingConfig, RingSource, SkippedKey, read_inline};
use aws_lc_rs::digest::{Context, SHA256};
use portcullis_decision::Clock;
use portcullis_decision::fetch::{Fetch, check_address};
use std::sync::Arc;
use std::time::Duration;

/// An issuer in use.
pub(crate) struct Issuer {
    pub(crate) rules: Rules,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: Arc<KeyRing>,
    /// SHA-256 over everything the keys depend on.
    origin: Vec<u8>,
    /// Keys of its file that were set aside.
    pub(crate) skipped: Vec<SkippedKey>,
}

impl Issuer {
    /// An issuer of `previous` that is configured as it was stays the same value, with its keys and all that was
    /// verified by them; where only its rules changed, the keys stay (F01).
    pub(crate) fn build(
        config: IssuerConfig,
        previous: &[Arc<Self>],
        (fetch, clock): (Arc<dyn Fetch>, Arc<dyn Clock>),
    ) -> Result<Arc<Self>, IdentityError> {
        check(&config)?;
        let origin = origin(&config);
        let before = previous.iter().find(|issuer| issuer.origin == origin);
        let places = ClaimPlaces::compile(&config.claims)?;
        let ring =
            RingConfig { name: config.name.clone(), issuer: config.issuer.clone(), allowed: config.algorithms.clone() };
        let address = |url: &str| check_address(url).map_err(|e| IdentityError::Address(config.name.clone(), e));
        let (source, keys, skipped) = match config.keys {
            KeySource::Discovery => {
                address(&config.issuer)?;
                (RingSource::Discovery, Vec::new(), Vec::new())
            }
            KeySource::Url(url) => {
                address(&url)?;
                (RingSource::Url(url), Vec::new(), Vec::new())
            }
            KeySource::Inline(bytes) => {
                let (keys, skipped) = read_inline(&bytes.into(), &config.algorithms)
                    .map_err(|e| IdentityError::Keys(config.name.clone(), e))?;
                (RingSource::Fixed, keys, skipped)
            }
            KeySource::Hmac(secret) => (RingSource::Secret, vec![Key::secret(secret.expose())], Vec::new()),
        };
        let rules = Rules {
            name: config.name,
            issuer: config.issuer,
            audiences: config.audiences,
            token_type: config.token_type,
            lifetime_max: config.lifetime_max,
            leeway: config.leeway,
            places,
        };
        if let Some(before) = before.filter(|before| before.rules == rules) {
            return Ok(Arc::clone(before));
        }
        let keys = match before {
            Some(before) => Arc::clone(&before.keys),
            None => Arc::new(KeyRing::new(ring, source, keys, fetch, clock)),
        };
        Ok(Arc::new(Self { rules, algorithms: config.algorithms, keys, origin, skipped }))
    }
}

/// Everything the keys depend on: tags and lengths keep two configurations two.
fn origin(config: &IssuerConfig) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    let mut part = |tag: u8, bytes: &[u8]| {
        context.update(&[tag]);
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(bytes);
    };
    part(b'n', config.name.as_bytes());
    part(b'i', config.issuer.as_bytes());
    for algorithm in &config.algorithms {
        part(b'a', algorithm.name().as_bytes());
    }
    match &config.keys {
        KeySource::Discovery => part(b'd', &[]),
        KeySource::Url(url) => part(b'u', url.as_bytes()),
        KeySource::Inline(bytes) => part(b'f', bytes),
        KeySource::Hmac(secret) => part(b's', secret.expose()),
    }
    context.finish().as_ref().to_vec()
}

fn check(config: &IssuerConfig) -> Result<(), IdentityError> {
    let name = || config.name.clone();
    if config.issuer.trim().is_empty() {
        return Err(IdentityError::BlankIssuer(name()));
    }
    if config.audiences.is_empty() || config.audiences.iter().any(|a| a.trim().is_empty()) {
        return Err(IdentityError::NoAudience(name()));
    }
    if config.leeway > LEEWAY_MAX {
        return Err(IdentityError::Leeway(name()));
    }
    if config.lifetime_max == Duration::ZERO || config.lifetime_max > LIFETIME_MAX {
        return Err(IdentityError::Lifetime(name()));
    }
    let first = config.algorithms.first().copied().ok_or_else(|| IdentityError::NoAlgorithm(name()))?;
    if config.algorithms.iter().any(|a| a.is_symmetric() != first.is_symmetric()) {
        return Err(IdentityError::MixedAlgorithms(name()));
    }
    // T80: the kind of key source fixes the kind of algorithm, so that a published key is never taken for a secret.
    match &config.keys {
        KeySource::Hmac(_) if !first.is_symmetric() => Err(IdentityError::AlgorithmAndKeys(name(), first)),
        KeySource::Hmac(secret) if secret.expose().len() < SECRET_BYTES_MIN => Err(IdentityError::ShortSecret(name())),
        KeySource::Hmac(_) => Ok(()),
        _ if first.is_symmetric() => Err(IdentityError::AlgorithmAndKeys(name(), first)),
        _ => Ok(()),
    }
}
