// SPDX-License-Identifier: Apache-2.0
//! Limits keyed by what stands in the body (`body:/username`), counted after it was parsed and judged.
//!
//! A value that is missing, or is no text and no whole number, is counted under one key shared by all such requests of
//! that limit; text that is too long under another. So leaving the value out is no way around the limit.

use crate::LimitError;
use crate::fields::RateFields;
use crate::key::{CountedBy, KeyBuilder, KeySeed, Tag};
use crate::lineage::Lineage;
use crate::plan::OperationLimits;
use crate::policy::Policy;
use crate::rate::gcra::duration_ns;
use crate::refusal::Refusal;
use crate::store::{Charge, Class, Counters, STEP_POLICIES_INLINE, Step};
use crate::text;
use portcullis_decision::{Caller, Clock, Denial, Facts, Reason, Receipt, Trail, stage};
use portcullis_wire::json::Document;
use smallvec::SmallVec;
use std::net::IpAddr;
use std::sync::Arc;

/// What is limited by the body.
#[derive(Clone, Debug)]
pub struct BusinessConfig {
    /// Every operation by its number: the same list as the plan limiter's.
    pub operations: Vec<OperationLimits>,
    /// Counters kept at most.
    pub entries_max: usize,
}

/// Whom to count, and for what.
#[derive(Clone, Copy)]
pub struct BusinessQuestion<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// The client's address.
    pub address: IpAddr,
    /// The operation's number.
    pub operation: usize,
    /// The body, where it is JSON and was parsed.
    pub body: Option<&'a Document>,
}

/// The counters by body.
pub struct BusinessLimiter {
    operations: Vec<Vec<Policy>>,
    counters: Arc<Counters>,
    lineage: Lineage,
    seed: KeySeed,
    clock: Arc<dyn Clock>,
}

impl BusinessLimiter {
    /// Empty counters.
    pub fn new(config: BusinessConfig, clock: Arc<dyn Clock>) -> Result<Self, LimitError> {
        Self::succeeding(None, config, clock)
    }

    /// The counters of an earlier configuration under a new one: what is limited in both keeps its counts (F01).
    #[expect(clippy::needless_pass_by_value, reason = "as `new`: a configuration is used up by what it builds")]
    pub fn succeeding(
        previous: Option<&Self>,
        config: BusinessConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LimitError> {
        let mut heirs = Lineage::after(previous.map(|previous| &previous.lineage));
        let operations = config.operations.iter().map(|operation| operation.policies(&mut heirs, true));
        Ok(Self {
            operations: operations.collect::<Result<_, _>>()?,
            counters: Counters::inherit(previous.map(|previous| &previous.counters), config.entries_max),
            lineage: heirs.done(),
            seed: previous.map_or_else(KeySeed::random, |previous| previous.seed.clone()),
            clock,
        })
    }

    /// Whether an operation's body must be parsed for its limits.
    pub fn needs_body(&self, operation: usize) -> bool {
        self.operations.get(operation).is_some_and(|policies| !policies.is_empty())
    }

    /// Counts a request by all its operation's limits that need the body, or by none.
    pub fn admit(
        &self,
        question: BusinessQuestion<'_>,
        trail: &mut Trail,
    ) -> Result<(Option<RateFields>, Receipt<stage::Business>), Denial> {
        let Some(policies) = self.operations.get(question.operation) else {
            let facts = Facts::none().with("cause", "unknown operation");
            return Err(trail.deny::<stage::Business>(Reason::GateInternal, facts));
        };
        if policies.is_empty() {
            return Ok((None, trail.allow::<stage::Business>(Facts::none())));
        }
        let charges: SmallVec<[Charge<'_>; STEP_POLICIES_INLINE]> =
            policies.iter().map(|policy| self.charge(policy, &question)).collect();
        let (step, readings) = self.counters.admit(&charges, duration_ns(self.clock.monotonic()));
        if step == Step::Refused {
            let policies: SmallVec<[&Policy; STEP_POLICIES_INLINE]> = policies.iter().collect();
            return Err(Refusal::of_rates(Reason::LimitRate, &policies, &readings).deny::<stage::Business>(
                Some(question.caller),
                question.address,
                trail,
            ));
        }
        let mut fields = RateFields::default();
        let mut facts = Facts::none();
        for (policy, reading) in policies.iter().zip(&readings) {
            fields.push_rate(&policy.text, reading);
        }
        if let (Some(policy), Some(reading)) = (policies.first(), readings.first()) {
            facts = facts
                .with("policy", Arc::clone(&policy.text.name))
                .with("rate", Arc::clone(&policy.rate_words))
                .with("left", i64::from(reading.available));
        }
        Ok((Some(fields), trail.allow::<stage::Business>(facts)))
    }

    fn charge<'a>(&self, policy: &'a Policy, question: &BusinessQuestion<'_>) -> Charge<'a> {
        let key = policy.key_with(question.caller, question.address, &self.seed, |builder| {
            let pointers = policy.by().iter().filter_map(|by| match by {
                CountedBy::Body(pointer) => Some(pointer),
                _ => None,
            });
            for pointer in pointers {
                add_value(builder, question.body, pointer);
            }
        });
        policy.charge_key(key, Class::Open)
    }
}

fn add_value(builder: &mut KeyBuilder, body: Option<&Document>, pointer: &str) {
    let value = body.and_then(|body| body.root().pointer(pointer));
    match value.as_ref().and_then(|value| value.canonical_text()) {
        None => builder.part(Tag::BodyAbsent, &[]),
        Some(value) => match text::canonical(&value) {
            None => builder.part(Tag::BodyOversize, &[]),
            // Nothing but blanks is nothing.
            Some(value) if value.is_empty() => builder.part(Tag::BodyAbsent, &[]),
            Some(value) => builder.part(Tag::BodyText, value.as_bytes()),
        },
    }
}

#[cfg(test)]
mod tests;
