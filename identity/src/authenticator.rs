// SPDX-License-Identifier: Apache-2.0
//! The stage: one request in, one identity or one denial out.

use crate::cache::{Remembered, TokenCache, TokenDigest};
use crate::challenge::Challenges;
use crate::config::{Config, TOKEN_BYTES_MAX};
use crate::credential;
use crate::error::IdentityError;
use crate::fault::Fault;
use crate::issuer::Issuer;
use crate::jwt::{Unverified, has_three_parts, profile};
use crate::keys::{Lookup, RefreshOutcome, Refreshed};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use portcullis_decision::fetch::Fetch;
use portcullis_decision::trail::FactValue;
use portcullis_decision::{Caller, Clock, Denial, Facts, Identity, Reason, Receipt, Trail, stage};
use portcullis_wire::Query;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Verifies credentials. One per configuration; shared by all connections.
pub struct Authenticator {
    issuers: Vec<Arc<Issuer>>,
    by_iss: HashMap<Box<str>, usize>,
    cache: Arc<TokenCache>,
    challenges: Challenges,
    token_bytes_max: usize,
    clock: Arc<dyn Clock>,
}

/// Whether the stage can do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Every issuer has keys.
    Ready,
    /// Some issuers have keys; tokens of these have none and are refused with 503 (F19).
    Partly(Vec<Arc<str>>),
    /// No issuer has keys.
    NotReady(Vec<Arc<str>>),
}

/// What was learned of a credential on the way to its refusal; for the record alone.
#[derive(Default)]
struct Evidence {
    issuer: Option<Arc<Issuer>>,
    algorithm: Option<&'static str>,
    kid: Option<String>,
}

/// How a token was found genuine.
struct Genuine {
    entry: Arc<Remembered>,
    how: &'static str,
}

impl Authenticator {
    /// Checks a configuration and builds the stage. Nothing is fetched: see [`Authenticator::refresh`].
    pub fn build(config: Config, fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>) -> Result<Self, IdentityError> {
        Self::succeeding(None, config, fetch, clock)
    }

    /// The stage of a configuration that takes the place of another: issuers that did not change keep their keys, the
    /// distance between fetches, and the tokens that were verified (F01).
    #[expect(clippy::needless_pass_by_value, reason = "the stage keeps its ports, so callers hand them over")]
    pub fn succeeding(
        previous: Option<&Self>,
        config: Config,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IdentityError> {
        if config.issuers.is_empty() {
            return Err(IdentityError::NoIssuer);
        }
        if config.token_bytes_max == 0 || config.token_bytes_max > TOKEN_BYTES_MAX {
            return Err(IdentityError::TokenBytes);
        }
        let challenges = Challenges::build(&config.resource)?;
        let mut issuers: Vec<Arc<Issuer>> = Vec::with_capacity(config.issuers.len());
        let mut by_iss = HashMap::new();
        for issuer in config.issuers {
            if issuers.iter().any(|i| i.rules.name == issuer.name) {
                return Err(IdentityError::SameName(issuer.name));
            }
            if let Some(other) = issuers.iter().find(|i| i.rules.issuer == issuer.issuer) {
                return Err(IdentityError::SameIssuer(other.rules.name.clone(), issuer.name));
            }
            by_iss.insert(issuer.issuer.as_str().into(), issuers.len());
            let before = previous.map_or(&[] as &[_], |previous| &previous.issuers);
            issuers.push(Issuer::build(issuer, before, (fetch.clone(), clock.clone()))?);
        }
        let cache = TokenCache::inherit(previous.map(|previous| &previous.cache), config.cache_entries_max);
        Ok(Self { issuers, by_iss, cache, challenges, token_bytes_max: config.token_bytes_max, clock })
    }

    /// Who sends this request: exactly one credential, verified. The trail hears of the caller too.
    ///
    /// May wait for one refresh of the issuer's keys, within the deadline of [`Fetch`].
    pub async fn identify(
        &self,
        headers: &HeaderMap,
        query: &Query,
        trail: &mut Trail,
    ) -> Result<(Arc<Identity>, Receipt<stage::Identity>), Denial> {
        let mut evidence = Evidence::default();
        let outcome = match credential::read(headers, query) {
            Ok(token) => self.verify(token, &mut evidence).await,
            Err(fault) => Err(fault),
        };
        match outcome {
            Ok(genuine) => {
                let identity = genuine.entry.identity.clone();
                trail.set_caller(Caller::Known(identity.clone()));
                let receipt = trail.allow::<stage::Identity>(self.facts_of(&genuine));
                Ok((identity, receipt))
            }
            Err(fault) => Err(self.deny(fault, evidence, trail)),
        }
    }

    /// The identity of a token that was verified before and still holds: such a caller is not held back because
    /// others at its address fail. Says nothing about any other token; [`Authenticator::identify`] still decides.
    pub fn seen(&self, headers: &HeaderMap) -> Option<Arc<Identity>> {
        let token = credential::from_headers(headers).ok()?;
        self.check_form(token).ok()?;
        let digest = TokenDigest::of(token)?;
        let entry = self.remembered(&digest)?;
        entry.times.check(self.clock.wall(), entry.issuer.rules.leeway).ok()?;
        Some(entry.identity.clone())
    }

    /// Until when requests of this identity are let in, since the Unix epoch: its token's end and the leeway of its
    /// issuer. `None`: it has no end.
    pub fn accepted_until(&self, identity: &Identity) -> Option<Duration> {
        let issuer = self.issuers.iter().find(|issuer| issuer.rules.name == identity.issuer);
        let leeway = issuer.map_or(Duration::ZERO, |issuer| issuer.rules.leeway);
        Some(identity.expires_at?.saturating_add(leeway))
    }

    /// The caller of a public operation: nobody in particular. Credentials are not read.
    pub fn anonymous(&self, address: IpAddr, trail: &mut Trail) -> (Caller, Receipt<stage::Identity>) {
        let caller = Caller::Anonymous(address);
        trail.set_caller(caller.clone());
        (caller, trail.allow::<stage::Identity>(Facts::none().with("credential", "none")))
    }

    /// The challenge of a token that lacks scopes (ST-5).
    pub fn scope_challenge(&self, scopes: &[Arc<str>]) -> HeaderValue {
        self.challenges.insufficient_scope(scopes)
    }

    /// How long until [`Authenticator::refresh`] has work; zero: now; `None`: never. Ask again at least every second,
    /// because a refresh that a request began and left comes due at once.
    pub fn refresh_due(&self) -> Option<Duration> {
        self.issuers.iter().filter_map(|issuer| issuer.keys.due_in()).min()
    }

    /// Refreshes the keys of every issuer that is due, all at once, and reports on each. The first call loads them.
    pub async fn refresh(&self) -> Vec<Refreshed> {
        type Running<'a> = Pin<Box<dyn Future<Output = Option<Refreshed>> + Send + 'a>>;
        let mut running: Vec<Running<'_>> = Vec::with_capacity(self.issuers.len());
        for issuer in &self.issuers {
            running.push(Box::pin(issuer.keys.refresh_when_due()));
        }
        let mut reports = Vec::new();
        poll_fn(|context| {
            running.retain_mut(|refresh| match refresh.as_mut().poll(context) {
                Poll::Ready(report) => {
                    reports.extend(report);
                    false
                }
                Poll::Pending => true,
            });
            if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        reports
    }

    /// Reports of the keys that stood in files when the configuration was loaded and were set aside.
    pub fn load_reports(&self) -> Vec<Refreshed> {
        let with_faults = self.issuers.iter().filter(|i| !i.skipped.is_empty());
        with_faults
            .map(|i| Refreshed {
                issuer: i.rules.name.clone(),
                outcome: RefreshOutcome::Same,
                skipped: i.skipped.clone(),
            })
            .collect()
    }

    /// Whether every issuer's tokens can be verified.
    pub fn ready(&self) -> Readiness {
        let waiting: Vec<Arc<str>> =
            self.issuers.iter().filter(|i| !i.keys.is_usable()).map(|i| i.rules.name.clone()).collect();
        match waiting.len() {
            0 => Readiness::Ready,
            n if n == self.issuers.len() => Readiness::NotReady(waiting),
            _ => Readiness::Partly(waiting),
        }
    }

    /// Whether tokens of an issuer of this name are read.
    pub fn has_issuer(&self, name: &str) -> bool {
        self.issuers.iter().any(|issuer| &*issuer.rules.name == name)
    }

    /// Length, then dots, before any other work (T91).
    fn check_form(&self, token: &str) -> Result<(), Fault> {
        if token.len() > self.token_bytes_max {
            return Err(Fault::token("longer than the longest token"));
        }
        if has_three_parts(token) {
            return Ok(());
        }
        credential::check_token68(token)?;
        Err(Fault::token("not three parts"))
    }

    /// The entry of a token, if its issuer still uses the keys it was verified with.
    fn remembered(&self, digest: &TokenDigest) -> Option<Arc<Remembered>> {
        let entry = self.cache.find(digest)?;
        let is_ours = self.issuers.iter().any(|issuer| Arc::ptr_eq(issuer, &entry.issuer));
        if is_ours && entry.issuer.keys.epoch() == Some(entry.epoch) {
            return Some(entry);
        }
        self.cache.forget(digest);
        None
    }

    async fn verify(&self, token: &str, evidence: &mut Evidence) -> Result<Genuine, Fault> {
        self.check_form(token)?;
        let digest = TokenDigest::of(token);
        if let Some(entry) = digest.as_ref().and_then(|d| self.remembered(d)) {
            self.check_times_again(&entry, digest.as_ref(), evidence)?;
            return Ok(Genuine { entry, how: "hit" });
        }
        // A token that is remembered has the charset already, so only others are looked at byte by byte.
        credential::check_token68(token)?;
        let unverified = Unverified::parse(token)?;
        let algorithm = unverified.header().algorithm;
        evidence.algorithm = Some(algorithm.name());
        evidence.kid.clone_from(&unverified.header().kid);
        let index = *self
            .by_iss
            .get(unverified.claimed_issuer()?)
            .ok_or(Fault::new(Reason::IdentityIssuer, "the issuer is not configured"))?;
        let issuer =
            self.issuers.get(index).ok_or(Fault::new(Reason::IdentityIssuer, "the issuer is not configured"))?;
        evidence.issuer = Some(issuer.clone());
        if !algorithm.is_in(&issuer.algorithms) {
            return Err(Fault::new(Reason::IdentityAlgorithm, "the issuer may not sign with alg"));
        }
        unverified.header().check_type(issuer.rules.token_type)?;
        let (key, epoch) = match issuer.keys.find(unverified.header().kid.as_deref(), algorithm).await {
            Lookup::Key(key, epoch) => (key, epoch),
            Lookup::Unknown => return Err(Fault::new(Reason::IdentityKey, "the issuer has no such key")),
            Lookup::NoKeys => return Err(Fault::new(Reason::IdentitySourceDown, "the issuer's keys are not known")),
        };
        let verified = unverified.verify(&key)?;
        let (identity, times) = profile::judge(verified, &issuer.rules, self.clock.wall())?;
        let issuer = issuer.clone();
        let entry =
            Arc::new(Remembered { identity: Arc::new(identity), times, issuer, epoch, token_bytes: token.len() });
        if let Some(digest) = digest {
            self.cache.remember(digest, entry.clone());
        }
        Ok(Genuine { entry, how: "miss" })
    }

    /// A remembered token expires like any other (T99).
    fn check_times_again(
        &self,
        entry: &Remembered,
        digest: Option<&TokenDigest>,
        evidence: &mut Evidence,
    ) -> Result<(), Fault> {
        entry.times.check(self.clock.wall(), entry.issuer.rules.leeway).inspect_err(|_| {
            if let Some(digest) = digest {
                self.cache.forget(digest);
            }
            evidence.issuer = Some(entry.issuer.clone());
            evidence.algorithm = Some(entry.identity.algorithm);
            evidence.kid = entry.identity.key_id.as_deref().map(str::to_owned);
        })
    }

    fn facts_of(&self, genuine: &Genuine) -> Facts {
        let Genuine { entry, how } = genuine;
        let identity = &entry.identity;
        let mut facts = Facts::none()
            .with("credential", "jwt")
            .with("issuer", identity.issuer.clone())
            .with("alg", identity.algorithm);
        if let Some(kid) = &identity.key_id {
            facts = facts.with("kid", kid.clone());
        }
        if let Some(issued_at) = identity.issued_at {
            facts = facts.with("age_s", self.clock.wall().saturating_sub(issued_at).as_secs());
        }
        let ok = if entry.times.not_before.is_some() { "aud, iss, exp, nbf" } else { "aud, iss, exp" };
        facts.with("ok", ok).with("cache", *how)
    }

    /// The denial: the true reason in the trail, one text for all of a kind on the wire.
    fn deny(&self, fault: Fault, evidence: Evidence, trail: &mut Trail) -> Denial {
        let issuer = evidence.issuer;
        let mut facts = Facts::none().with("detail", fault.detail);
        if let Some(issuer) = &issuer {
            facts = facts.with("issuer", issuer.rules.name.clone());
        }
        if let Some(algorithm) = evidence.algorithm {
            facts = facts.with("alg", algorithm);
        }
        if let Some(kid) = evidence.kid {
            facts = facts.with("kid", FactValue::from(kid));
        }
        let denial = trail.deny::<stage::Identity>(fault.reason, facts);
        let challenge = match fault.reason {
            Reason::IdentitySourceDown => {
                let seconds = issuer.as_ref().map_or(1, |i| i.keys.retry_after_s());
                return denial.with_header(RETRY_AFTER, HeaderValue::from(seconds));
            }
            Reason::IdentityMissing => &self.challenges.missing,
            Reason::IdentitySeveral | Reason::IdentityMalformed => &self.challenges.invalid_request,
            _ => &self.challenges.invalid_token,
        };
        denial.with_header(WWW_AUTHENTICATE, challenge.clone())
    }
}
