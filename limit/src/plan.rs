// SPDX-License-Identifier: Apache-2.0
//! Limits by who the caller is: the plan's rate, the operation's own limits that need no body, requests at a time.
//!
//! All of them are one step: a request refused by its operation's limit does not use up its plan, and the reverse.
//! Charged at admission and never given back when a client leaves (T121).

use crate::LimitError;
use crate::OPERATION_LIMITS_MAX;
use crate::concurrency::{Concurrency, NoPermit, Permit};
use crate::fields::RateFields;
use crate::key::{CountedBy, KeySeed};
use crate::lineage::{Heirs, Lineage, Numbered, PolicyId, PolicyKind};
use crate::policy::{Policy, PolicyText};
use crate::rate::Rate;
use crate::rate::gcra::duration_ns;
use crate::refusal::Refusal;
use crate::store::{Charge, Counters, Reading, STEP_POLICIES_INLINE, Step};
use portcullis_decision::{Caller, Clock, Denial, Facts, Identity, Reason, Receipt, StageName, Trail, stage};
use serde_json::Value;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

/// A tier.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name, in tokens and in `RateLimit-Policy`.
    pub name: Arc<str>,
    /// Its rate.
    pub rate: Rate,
    /// Requests at a time.
    pub concurrency: Option<NonZeroU32>,
    /// 1 to 9: when an upstream has few places the lowest waits, and is refused first.
    pub priority: u8,
}

/// The priority of a plan that names none.
pub const PRIORITY_USUAL: u8 = 5;
/// The priority of callers without identity.
pub const PRIORITY_ANONYMOUS: u8 = 1;

/// Where a caller's plan name stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanFrom {
    /// `Identity::plan`, as the issuer's `claims.plan` says.
    Identity,
    /// A claim of the token that is text.
    Claim(Arc<str>),
    /// Nowhere: everybody has the default plan.
    Default,
}

/// The limit of callers without identity.
#[derive(Clone, Debug)]
pub struct AnonymousLimit {
    /// Its rate.
    pub rate: Rate,
    /// What it is counted by; whatever needs an identity is the address.
    pub by: Vec<CountedBy>,
}

/// One limit of an operation.
#[derive(Clone, Debug)]
pub struct OperationLimit {
    /// Its rate.
    pub rate: Rate,
    /// What it is counted by, all of it together.
    pub by: Vec<CountedBy>,
}

impl OperationLimit {
    /// Whether the body must be parsed first: counted by the business step, else by the plan step.
    pub fn needs_body(&self) -> bool {
        self.by.iter().any(CountedBy::needs_body)
    }
}

/// The limits of an operation. The plan and the business limiter are given the same list and take each its own.
#[derive(Clone, Debug)]
pub struct OperationLimits {
    /// The API it belongs to: with the id, what the operation is over reloads.
    pub api: Arc<str>,
    /// The operation's id: the policies are called `NAME`, `NAME-2`, ….
    pub name: Arc<str>,
    /// The limits.
    pub limits: Vec<OperationLimit>,
    /// Requests at a time, of all callers together.
    pub concurrency: Option<NonZeroU32>,
}

impl OperationLimits {
    /// The policies of one step.
    pub(crate) fn policies(&self, heirs: &mut Heirs<'_>, with_body: bool) -> Result<Vec<Policy>, LimitError> {
        if self.limits.len() > OPERATION_LIMITS_MAX {
            return Err(LimitError::OperationLimits(self.name.to_string()));
        }
        let mut policies = Vec::new();
        for (index, limit) in self.limits.iter().enumerate() {
            if limit.by.is_empty() {
                return Err(LimitError::CountedByNothing(self.name.to_string()));
            }
            if limit.needs_body() == with_body {
                let name = match index {
                    0 => self.name.to_string(),
                    _ => format!("{}-{}", self.name, index.saturating_add(1)),
                };
                let numbered = heirs.number(self.id(PolicyKind::Operation, limit.by.clone()), &limit.rate);
                policies.push(Policy::new(numbered, &name, &limit.rate, limit.by.clone()));
            }
        }
        Ok(policies)
    }

    fn id(&self, kind: PolicyKind, by: Vec<CountedBy>) -> PolicyId {
        PolicyId { kind, api: Arc::clone(&self.api), name: Arc::clone(&self.name), by }
    }
}

/// What plans limit.
#[derive(Clone, Debug)]
pub struct PlanConfig {
    /// The plans.
    pub plans: Vec<Plan>,
    /// The plan of callers that name none, or an unknown one.
    pub default_plan: Arc<str>,
    /// What plans are counted by.
    pub by: Vec<CountedBy>,
    /// Where the plan's name stands.
    pub plan_from: PlanFrom,
    /// The limit of anonymous callers; the default plan's rate by address, where it says nothing.
    pub anonymous: Option<AnonymousLimit>,
    /// Every operation by its number (dense over the whole gateway).
    pub operations: Vec<OperationLimits>,
    /// Callers counted at most, of those known and of those anonymous.
    pub entries_max: usize,
}

/// Whom to count, and for what.
#[derive(Clone, Copy, Debug)]
pub struct PlanQuestion<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// The client's address.
    pub address: IpAddr,
    /// The operation's number.
    pub operation: usize,
}

/// What an admitted request takes along.
#[derive(Debug)]
pub struct Admission {
    /// For the answer's head.
    pub fields: RateFields,
    /// To be held until the last byte of the answer.
    pub permit: Permit,
    /// The plan's.
    pub priority: u8,
}

/// A plan, ready to count.
struct Tier {
    policy: Policy,
    priority: u8,
    concurrency: Option<Places>,
}

/// A maximum of requests at a time.
struct Places {
    /// Its key: a policy that is never charged.
    policy: Policy,
    text: Arc<PolicyText>,
    requests_max: u32,
}

/// An operation, ready to count.
struct Own {
    policies: Vec<Policy>,
    concurrency: Option<Places>,
}

/// The plans' counters.
pub struct PlanLimiter {
    tiers: HashMap<Arc<str>, Tier>,
    default_plan: Arc<str>,
    default_tier: Tier,
    plan_from: PlanFrom,
    anonymous: Policy,
    operations: Vec<Own>,
    counters: Arc<Counters>,
    lineage: Lineage,
    concurrency: Arc<Concurrency>,
    seed: KeySeed,
    clock: Arc<dyn Clock>,
}

type Policies<'a> = SmallVec<[&'a Policy; STEP_POLICIES_INLINE]>;

impl PlanLimiter {
    /// Empty counters.
    pub fn new(config: PlanConfig, clock: Arc<dyn Clock>) -> Result<Self, LimitError> {
        Self::succeeding(None, config, clock)
    }

    /// The counters of an earlier configuration under a new one: plans and operations that stand in both keep what was
    /// counted, and requests under way go on counting (F01).
    pub fn succeeding(previous: Option<&Self>, config: PlanConfig, clock: Arc<dyn Clock>) -> Result<Self, LimitError> {
        check(&config)?;
        let mut heirs = Lineage::after(previous.map(|previous| &previous.lineage));
        let Tiers { named, default, default_rate } = Tiers::new(&config, &mut heirs)?;
        let anonymous =
            config.anonymous.unwrap_or_else(|| AnonymousLimit { rate: default_rate, by: vec![CountedBy::Address] });
        let id = plan_id(PolicyKind::Anonymous, "anonymous", &anonymous.by);
        let anonymous = Policy::new(heirs.number(id, &anonymous.rate), "anonymous", &anonymous.rate, anonymous.by);
        let operations = config.operations.iter().map(|operation| Own::new(operation, &mut heirs));
        Ok(Self {
            tiers: named,
            default_plan: config.default_plan,
            default_tier: default,
            plan_from: config.plan_from,
            anonymous,
            operations: operations.collect::<Result<_, _>>()?,
            counters: Counters::inherit(previous.map(|previous| &previous.counters), config.entries_max),
            lineage: heirs.done(),
            concurrency: previous.map_or_else(Concurrency::new, |previous| Arc::clone(&previous.concurrency)),
            seed: previous.map_or_else(KeySeed::random, |previous| previous.seed.clone()),
            clock,
        })
    }

    /// Counts a request by its caller's plan and its operation's own limits: all of them or none.
    pub fn admit(
        &self,
        question: PlanQuestion<'_>,
        trail: &mut Trail,
    ) -> Result<(Admission, Receipt<stage::Plan>), Denial> {
        let PlanQuestion { caller, address, operation } = question;
        let Some(own) = self.operations.get(operation) else {
            // An operation nobody told us of has no limits we know: it is not let through uncounted.
            return Err(
                trail.deny::<stage::Plan>(Reason::GateInternal, Facts::none().with("cause", "unknown operation"))
            );
        };
        let tier = caller.identity().map(|identity| self.tier(identity, trail));
        let main = tier.map_or(&self.anonymous, |tier| &tier.policy);
        let places = tier.and_then(|tier| tier.concurrency.as_ref()).into_iter().chain(own.concurrency.as_ref());
        let permit = self.permit(places, question, trail)?;

        let policies: Policies<'_> = std::iter::once(main).chain(&own.policies).collect();
        let charges: SmallVec<[Charge<'_>; STEP_POLICIES_INLINE]> =
            policies.iter().map(|policy| policy.charge(caller, address, &self.seed)).collect();
        let (step, readings) = self.counters.admit(&charges, duration_ns(self.clock.monotonic()));
        if step == Step::Refused {
            // Dropping the permit here gives its places back.
            return Err(Refusal::of_rates(Reason::LimitRate, &policies, &readings).deny::<stage::Plan>(
                Some(caller),
                address,
                trail,
            ));
        }
        let mut fields = RateFields::default();
        for (policy, reading) in policies.iter().zip(&readings) {
            fields.push_rate(&policy.text, reading);
        }
        let receipt = trail.allow::<stage::Plan>(facts(main, readings.first()));
        let priority = tier.map_or(PRIORITY_ANONYMOUS, |tier| tier.priority);
        Ok((Admission { fields, permit, priority }, receipt))
    }

    /// The plan of an identity. An unknown name is the default plan, and somebody should hear of it.
    fn tier(&self, identity: &Identity, trail: &mut Trail) -> &Tier {
        let named = match &self.plan_from {
            PlanFrom::Identity => identity.plan.as_deref(),
            PlanFrom::Claim(claim) => identity.claims.get(&**claim).and_then(Value::as_str),
            PlanFrom::Default => None,
        };
        match named {
            None => &self.default_tier,
            Some(name) if *name == *self.default_plan => &self.default_tier,
            Some(name) => self.tiers.get(name).unwrap_or_else(|| {
                let facts = Facts::none()
                    .with("cause", "unknown plan")
                    .with("plan", name.chars().take(PLAN_NAME_CHARS_MAX).collect::<String>())
                    .with("used", Arc::clone(&self.default_plan));
                trail.alert(StageName::Plan, Reason::LimitRate, facts);
                &self.default_tier
            }),
        }
    }

    fn permit<'a>(
        &self,
        places: impl Iterator<Item = &'a Places>,
        question: PlanQuestion<'_>,
        trail: &mut Trail,
    ) -> Result<Permit, Denial> {
        let PlanQuestion { caller, address, .. } = question;
        let mut permit = Permit::default();
        for places in places {
            let key = places.policy.key(caller, address, &self.seed);
            match self.concurrency.take(&mut permit, key, places.requests_max) {
                Ok(()) => {}
                Err(NoPermit::Busy) => {
                    return Err(Refusal::of_concurrency(&places.text).deny::<stage::Plan>(
                        Some(caller),
                        address,
                        trail,
                    ));
                }
                Err(NoPermit::Full) => {
                    let facts = Facts::none().with("cause", "too many callers at a time");
                    return Err(trail.deny::<stage::Plan>(Reason::GateOverloaded, facts));
                }
            }
        }
        Ok(permit)
    }
}

/// At most so much of an unknown plan's name is kept for the alert.
const PLAN_NAME_CHARS_MAX: usize = 64;

/// The plans, ready to count.
struct Tiers {
    named: HashMap<Arc<str>, Tier>,
    default: Tier,
    default_rate: Rate,
}

impl Tiers {
    fn new(config: &PlanConfig, heirs: &mut Heirs<'_>) -> Result<Self, LimitError> {
        let mut named = HashMap::new();
        let mut default = None;
        for plan in &config.plans {
            let tier = Tier::new(plan, &config.by, heirs);
            // The default plan's counters are the same, whether a token names the plan or not.
            if plan.name == config.default_plan {
                default = Some((tier, plan.rate));
            } else if named.insert(Arc::clone(&plan.name), tier).is_some() {
                return Err(LimitError::PlanTwice(plan.name.to_string()));
            }
        }
        let (default, default_rate) =
            default.ok_or_else(|| LimitError::DefaultPlan(config.default_plan.to_string()))?;
        Ok(Self { named, default, default_rate })
    }
}

fn plan_id(kind: PolicyKind, name: &str, by: &[CountedBy]) -> PolicyId {
    PolicyId { kind, api: "".into(), name: name.into(), by: by.to_vec() }
}

impl Tier {
    fn new(plan: &Plan, by: &[CountedBy], heirs: &mut Heirs<'_>) -> Self {
        let numbered = heirs.number(plan_id(PolicyKind::Plan, &plan.name, by), &plan.rate);
        Self {
            policy: Policy::new(numbered, &plan.name, &plan.rate, by.to_vec()),
            priority: plan.priority,
            concurrency: plan.concurrency.map(|requests_max| {
                let id = plan_id(PolicyKind::PlanPlaces, &plan.name, by);
                Places::new(heirs.number(id, &plan.rate), &plan.name, requests_max, by.to_vec())
            }),
        }
    }
}

impl Own {
    fn new(operation: &OperationLimits, heirs: &mut Heirs<'_>) -> Result<Self, LimitError> {
        let policies = operation.policies(heirs, false)?;
        let concurrency = operation.concurrency.map(|requests_max| {
            let by = vec![CountedBy::Operation];
            let numbered =
                heirs.number(operation.id(PolicyKind::OperationPlaces, by.clone()), &places_rate(requests_max));
            Places::new(numbered, &operation.name, requests_max, by)
        });
        Ok(Self { policies, concurrency })
    }
}

/// A number of places has no rate; this one only gives it words.
fn places_rate(requests_max: NonZeroU32) -> Rate {
    Rate { count: requests_max, per: std::time::Duration::from_secs(1), burst: None }
}

impl Places {
    fn new(numbered: Numbered, name: &str, requests_max: NonZeroU32, by: Vec<CountedBy>) -> Self {
        Self {
            policy: Policy::new(numbered, name, &places_rate(requests_max), by),
            text: Arc::new(PolicyText::of_concurrency(name, requests_max.get())),
            requests_max: requests_max.get(),
        }
    }
}

fn facts(policy: &Policy, reading: Option<&Reading>) -> Facts {
    let (left, full_in_ns) = reading.map_or((0, 0), |reading| (reading.available, reading.full_in_ns));
    Facts::none()
        .with("plan", Arc::clone(&policy.text.name))
        .with("rate", Arc::clone(&policy.rate_words))
        .with("left", i64::from(left))
        .with("resets_s", crate::fields::seconds_up(full_in_ns))
}

fn check(config: &PlanConfig) -> Result<(), LimitError> {
    let anonymous = config.anonymous.as_ref().map_or(&[] as &[_], |limit| &limit.by);
    for (name, by, may_be_empty) in
        [("limits.by", config.by.as_slice(), false), ("limits.anonymous", anonymous, config.anonymous.is_none())]
    {
        if by.is_empty() && !may_be_empty {
            return Err(LimitError::CountedByNothing(name.to_owned()));
        }
        if by.iter().any(CountedBy::needs_body) {
            return Err(LimitError::PlanByBody(name.to_owned()));
        }
    }
    let mut named = config.plans.iter().filter(|plan| plan.name == config.default_plan);
    match (named.next(), named.next()) {
        (Some(_), Some(_)) => Err(LimitError::PlanTwice(config.default_plan.to_string())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
