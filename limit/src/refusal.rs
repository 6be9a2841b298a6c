// SPDX-License-Identifier: Apache-2.0
//! The one form of every 429: `Retry-After`, both `RateLimit` fields, and the names of the policies that refused.

use crate::fields::{RateFields, retry_after};
use crate::policy::{Policy, PolicyText};
use crate::store::Readings;
use http::HeaderValue;
use http::header::RETRY_AFTER;
use portcullis_decision::{Caller, Denial, Facts, Reason, Stage, Trail};
use smallvec::SmallVec;
use std::net::IpAddr;
use std::sync::Arc;

/// What a refusal says.
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) fields: RateFields,
    violated: SmallVec<[Arc<PolicyText>; 2]>,
    wait_s: u64,
    facts: Facts,
}

impl Refusal {
    /// By rates: every policy is shown, those that refused are named.
    pub(crate) fn of_rates(reason: Reason, policies: &[&Policy], readings: &Readings) -> Self {
        let mut refusal =
            Self { reason, fields: RateFields::default(), violated: SmallVec::new(), wait_s: 1, facts: Facts::none() };
        for (policy, reading) in policies.iter().zip(readings) {
            refusal.fields.push_rate(&policy.text, reading);
            if !reading.admits {
                if refusal.violated.is_empty() {
                    refusal.facts = Facts::none()
                        .with("policy", Arc::clone(&policy.text.name))
                        .with("rate", Arc::clone(&policy.rate_words));
                }
                refusal.violated.push(Arc::clone(&policy.text));
                refusal.wait_s = refusal.wait_s.max(crate::fields::seconds_up(reading.wait_ns));
            }
        }
        refusal
    }

    /// By the number of requests at a time.
    pub(crate) fn of_concurrency(text: &Arc<PolicyText>) -> Self {
        let mut fields = RateFields::default();
        fields.push_concurrency(text);
        let facts = Facts::none().with("policy", Arc::clone(&text.name)).with("requests_max", text.quota);
        let violated = std::iter::once(Arc::clone(text)).collect();
        Self { reason: Reason::LimitConcurrency, fields, violated, wait_s: 1, facts }
    }

    /// The denial, recorded.
    pub(crate) fn deny<S: Stage>(self, caller: Option<&Caller>, address: IpAddr, trail: &mut Trail) -> Denial {
        let retry_s = match caller.and_then(Caller::identity) {
            Some(identity) => retry_after(self.wait_s, identity.subject.as_bytes()),
            None => retry_after(self.wait_s, &crate::address::prefix(address)),
        };
        let mut denial = trail
            .deny::<S>(self.reason, self.facts.with("retry_after_s", retry_s))
            .with_header(RETRY_AFTER, HeaderValue::from(retry_s));
        for (name, value) in self.fields.headers() {
            denial = denial.with_header(name, value);
        }
        denial.with_violated_policies(self.violated.iter().map(|text| Arc::clone(&text.name)).collect())
    }
}
