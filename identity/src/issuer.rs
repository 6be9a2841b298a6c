// SPDX-License-Identifier: Apache-2.0
//! One issuer as it is used: its rules, its keys, and the checks that refuse a configuration no token could be safe
//! under.

use crate::algorithm::Algorithm;
use crate::config::{IssuerConfig, KeySource, LEEWAY_MAX, LIFETIME_MAX, SECRET_BYTES_MIN};
use crate::error::IdentityError;
use crate::jwt::profile::{ClaimPlaces, Rules};
use crate::keys::{Key, KeyRing, RingConfig, RingSource, SkippedKey, read_inline};
use portcullis_decision::Clock;
use portcullis_decision::fetch::{Fetch, check_address};
use std::sync::Arc;
use std::time::Duration;

/// An issuer in use.
pub(crate) struct Issuer {
    pub(crate) rules: Rules,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) keys: KeyRing,
    /// Keys of its file that were set aside.
    pub(crate) skipped: Vec<SkippedKey>,
}

impl Issuer {
    pub(crate) fn build(
        config: IssuerConfig,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IdentityError> {
        check(&config)?;
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
        Ok(Self { rules, algorithms: config.algorithms, keys: KeyRing::new(ring, source, keys, fetch, clock), skipped })
    }
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
