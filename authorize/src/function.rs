// SPDX-License-Identifier: Apache-2.0
//! Function level authorization (API5): may this caller call this operation at all?

use crate::model::{OperationPlan, ScopeAlternatives};
use crate::word::{Rule, Word};
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use portcullis_decision::caller::{Caller, Identity};
use portcullis_decision::receipt::{Receipt, stage};
use portcullis_decision::{Denial, Facts, Reason, Trail};
use std::sync::Arc;

/// A challenge names at most this many scopes.
const CHALLENGE_SCOPES_MAX: usize = 32;

/// Judges scopes (alternatives OR, members AND), then the words of `allow`.
pub(crate) fn judge(
    plan: &OperationPlan,
    caller: &Caller,
    trail: &mut Trail,
) -> Result<Receipt<stage::Function>, Denial> {
    let Some(identity) = caller.identity() else {
        return anonymous(plan, caller, trail);
    };
    if !plan.public && !scopes_suffice(&plan.scopes, identity) {
        let needed = nearest(&plan.scopes, identity);
        let facts = Facts::none().with("needs", needed.join(" "));
        let denial = trail.deny::<stage::Function>(Reason::FunctionScope, facts);
        return Err(denial.with_header(WWW_AUTHENTICATE, challenge(&needed)));
    }
    allowed(plan, caller, trail)
}

fn anonymous(plan: &OperationPlan, caller: &Caller, trail: &mut Trail) -> Result<Receipt<stage::Function>, Denial> {
    if plan.public {
        return allowed(plan, caller, trail);
    }
    let denial = trail.deny::<stage::Function>(Reason::IdentityMissing, Facts::none());
    // RFC 6750 §3.1: no error code where no credential was sent.
    Err(denial.with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")))
}

fn allowed(plan: &OperationPlan, caller: &Caller, trail: &mut Trail) -> Result<Receipt<stage::Function>, Denial> {
    let Some(rule) = &plan.allow else {
        return Ok(trail.allow(scope_facts(&plan.scopes, caller)));
    };
    if rule.holds_without_object(caller) {
        let facts = scope_facts(&plan.scopes, caller).with("allow", Arc::clone(&rule.text));
        return Ok(trail.allow(facts));
    }
    Err(refuse::<stage::Function>(rule, caller, trail))
}

/// Refuses for a rule that looks at the caller alone, with the reason its words suggest.
pub(crate) fn refuse<S: portcullis_decision::receipt::Stage>(
    rule: &Rule,
    caller: &Caller,
    trail: &mut Trail,
) -> Denial {
    let facts = Facts::none().with("rule", Arc::clone(&rule.text));
    let scopes: Vec<&str> = rule
        .words()
        .iter()
        .filter_map(|word| match word {
            Word::Scope(scope) => Some(&**scope),
            _ => None,
        })
        .collect();
    let has_role = rule.words().iter().any(|word| matches!(word, Word::Role(_)));
    match (has_role, scopes.is_empty()) {
        _ if caller.identity().is_none() => trail
            .deny::<S>(Reason::IdentityMissing, facts)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
        (true, _) => trail.deny::<S>(Reason::FunctionRole, facts),
        (false, false) => {
            trail.deny::<S>(Reason::FunctionScope, facts).with_header(WWW_AUTHENTICATE, challenge(&scopes))
        }
        (false, true) => trail.deny::<S>(Reason::FunctionKind, facts),
    }
}

fn scopes_suffice(alternatives: &ScopeAlternatives, identity: &Identity) -> bool {
    // Nothing declared asks for an identity and nothing more (config.md §3).
    alternatives.is_empty() || alternatives.iter().any(|members| members.iter().all(|scope| identity.has_scope(scope)))
}

/// The alternative that lacks least, so that the challenge asks for no more than needed.
fn nearest<'p>(alternatives: &'p ScopeAlternatives, identity: &Identity) -> Vec<&'p str> {
    let lacking = |members: &&Vec<Arc<str>>| members.iter().filter(|scope| !identity.has_scope(scope)).count();
    let best = alternatives.iter().min_by_key(lacking);
    best.map(|members| members.iter().map(|scope| &**scope).collect()).unwrap_or_default()
}

fn scope_facts(alternatives: &ScopeAlternatives, caller: &Caller) -> Facts {
    let Some(identity) = caller.identity() else { return Facts::none().with("public", "true") };
    let satisfied = alternatives.iter().find(|members| members.iter().all(|scope| identity.has_scope(scope)));
    match satisfied.map(Vec::as_slice) {
        None | Some([]) => Facts::none(),
        Some([only]) => Facts::none().with("scope", Arc::clone(only)),
        Some(several) => Facts::none().with("scope", several.join(" ")),
    }
}

/// `WWW-Authenticate` of RFC 6750 §3.1 with the scopes that would do.
fn challenge(scopes: &[&str]) -> HeaderValue {
    // RFC 6750 §3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ); what is none cannot be asked for.
    let token =
        |scope: &&&str| !scope.is_empty() && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E));
    let list: Vec<&str> = scopes.iter().filter(token).take(CHALLENGE_SCOPES_MAX).copied().collect();
    let plain = HeaderValue::from_static("Bearer error=\"insufficient_scope\"");
    if list.is_empty() {
        return plain;
    }
    HeaderValue::try_from(format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", list.join(" "))).unwrap_or(plain)
}
