// SPDX-License-Identifier: Apache-2.0
//! What a verified token must say, and the identity it then is (RFC 9068 §4, RFC 8725bis §3, AT-*, JWT-*).

use super::Verified;
use super::claims::{self, ArrayOfScopes};
use crate::claim_path::ClaimPath;
use crate::config::{ClaimNames, TokenType};
use crate::error::IdentityError;
use crate::fault::Fault;
use portcullis_decision::{Identity, Kind, Reason};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// Longest subject or client id.
const NAME_BYTES_MAX: usize = 512;
/// Claims that only other kinds of token carry: ID tokens, logout and event tokens, `DPoP` proofs, introspection answers
/// (JWT-14, T88). They matter where `typ` does not tell the kinds apart.
const FOREIGN_CLAIMS: &[&str] =
    &["nonce", "at_hash", "c_hash", "s_hash", "events", "htm", "htu", "token_introspection"];

/// What one issuer's tokens must say.
#[derive(PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) name: Arc<str>,
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) token_type: TokenType,
    pub(crate) lifetime_max: Duration,
    pub(crate) leeway: Duration,
    pub(crate) places: ClaimPlaces,
}

/// Where claims without a fixed name stand.
#[derive(PartialEq, Eq)]
pub(crate) struct ClaimPlaces {
    scope: ClaimPath,
    roles: ClaimPath,
    tenant: Option<ClaimPath>,
    plan: Option<ClaimPath>,
    client: ClaimPath,
}

impl ClaimPlaces {
    pub(crate) fn compile(names: &ClaimNames) -> Result<Self, IdentityError> {
        Ok(Self {
            scope: ClaimPath::parse(&names.scope)?,
            roles: ClaimPath::parse(&names.roles)?,
            tenant: names.tenant.as_deref().map(ClaimPath::parse).transpose()?,
            plan: names.plan.as_deref().map(ClaimPath::parse).transpose()?,
            client: ClaimPath::parse(&names.client)?,
        })
    }
}

/// The times of a token, checked again on every request (OA-3, T99).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) expires_at: Duration,
    pub(crate) not_before: Option<Duration>,
}

impl Times {
    pub(crate) fn check(&self, now: Duration, leeway: Duration) -> Result<(), Fault> {
        if now >= self.expires_at.saturating_add(leeway) {
            return Err(Fault::new(Reason::IdentityExpired, "exp has passed"));
        }
        match self.not_before {
            Some(nbf) if now.saturating_add(leeway) < nbf => {
                Err(Fault::new(Reason::IdentityNotYetValid, "nbf has not come"))
            }
            _ => Ok(()),
        }
    }
}

/// Judges a verified token at a time.
pub(crate) fn judge(token: Verified, rules: &Rules, now: Duration) -> Result<(Identity, Times), Fault> {
    let Verified { header, claims } = token;
    // Bound means bound: without a way to check the proof, a token that names one is not a bearer token (T93).
    if claims.contains_key("cnf") {
        return Err(Fault::new(Reason::IdentityBinding, "the token is bound to a key (cnf)"));
    }
    check_kind_of_token(&claims, rules.token_type)?;
    if claims.get("iss").and_then(Value::as_str) != Some(rules.issuer.as_str()) {
        return Err(Fault::new(Reason::IdentityIssuer, "iss is another issuer"));
    }
    let subject = claims::required(&claims, "sub", "sub is no string, or empty")?;
    if rules.token_type == TokenType::AccessToken {
        claims::required(&claims, "client_id", "client_id is no string, or empty")?;
        claims::required(&claims, "jti", "jti is no string, or empty")?;
    }
    let told = claims::audiences(&claims)?;
    if !told.iter().any(|aud| rules.audiences.iter().any(|ours| ours == aud)) {
        return Err(Fault::new(Reason::IdentityAudience, "aud does not name us"));
    }
    let (times, issued_at) = times(&claims, rules, now)?;
    let client = claims::text(rules.places.client.find(&claims), "the client is no string, or empty")?;
    if subject.len() > NAME_BYTES_MAX || client.as_ref().is_some_and(|c| c.len() > NAME_BYTES_MAX) {
        return Err(Fault::claims("sub or the client is too long"));
    }
    let places = &rules.places;
    let arrays = if places.scope.is("scope") { ArrayOfScopes::Refuse } else { ArrayOfScopes::Read };
    let at = |place: &Option<ClaimPath>| place.as_ref().and_then(|p| p.find(&claims));
    let identity = Identity {
        issuer: rules.name.clone(),
        subject: Arc::from(subject),
        kind: kind(&claims, subject, client.as_deref()),
        client,
        tenant: claims::text_or_integer(at(&places.tenant), "the tenant is no string or integer, or empty")?,
        plan: claims::text(at(&places.plan), "the plan is no string, or empty")?,
        scopes: claims::scopes(places.scope.find(&claims), arrays)?,
        roles: claims::roles(places.roles.find(&claims))?,
        issued_at: Some(issued_at),
        expires_at: Some(times.expires_at),
        algorithm: header.algorithm.name(),
        key_id: header.kid.map(Arc::from),
        claims: Arc::new(claims),
    };
    Ok((identity, times))
}

/// JWT-14: a token of another kind is refused even where `typ` is not required.
fn check_kind_of_token(claims: &Map<String, Value>, rule: TokenType) -> Result<(), Fault> {
    if rule == TokenType::AccessToken {
        return Ok(());
    }
    let other = Fault::new(Reason::IdentityType, "a claim says this is another kind of token");
    if FOREIGN_CLAIMS.iter().any(|name| claims.contains_key(*name)) {
        return Err(other);
    }
    // Two issuers in wide use tell their kinds of token apart by a claim of their own.
    let says = |name: &str, access: &str| {
        claims.get(name).is_none_or(|v| v.as_str().is_some_and(|v| v.eq_ignore_ascii_case(access)))
    };
    if says("typ", "Bearer") && says("token_use", "access") { Ok(()) } else { Err(other) }
}

/// `exp` and `iat` are required, `nbf` is not; the lifetime is bounded (T86).
fn times(claims: &Map<String, Value>, rules: &Rules, now: Duration) -> Result<(Times, Duration), Fault> {
    let exp = claims::date(claims, "exp", "exp is no sane number")?.ok_or(Fault::claims("exp is missing"))?;
    let iat = claims::date(claims, "iat", "iat is no sane number")?.ok_or(Fault::claims("iat is missing"))?;
    let nbf = claims::date(claims, "nbf", "nbf is no sane number")?;
    let times = Times { expires_at: exp, not_before: nbf };
    times.check(now, rules.leeway)?;
    if iat > now.saturating_add(rules.leeway) {
        return Err(Fault::new(Reason::IdentityNotYetValid, "iat has not come"));
    }
    match exp.checked_sub(iat) {
        Some(lifetime) if lifetime <= rules.lifetime_max => Ok((times, iat)),
        Some(_) => Err(Fault::new(Reason::IdentityLifetime, "exp - iat is over the lifetime allowed")),
        None => Err(Fault::new(Reason::IdentityLifetime, "exp is before iat")),
    }
}

/// Whether an application speaks for itself (JWT-9, BCP-4): RFC 9068 §5 makes `sub` the client's id then; the other
/// claims are what issuers say that do not. Everything else is a person.
fn kind(claims: &Map<String, Value>, subject: &str, client: Option<&str>) -> Kind {
    let says =
        |name: &str, words: &[&str]| claims.get(name).and_then(Value::as_str).is_some_and(|v| words.contains(&v));
    let grants = ["client_credentials", "client-credentials"];
    let is_client = client == Some(subject) || says("client_id", &[subject]) || says("azp", &[subject]);
    if is_client || says("gty", &grants) || says("grant_type", &grants) || says("idtyp", &["app"]) {
        Kind::Client
    } else {
        Kind::User
    }
}

#[cfg(test)]
pub(super) fn kind_of(claims: &Map<String, Value>) -> Kind {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    kind(claims, subject, claims.get("client_id").and_then(Value::as_str))
}
