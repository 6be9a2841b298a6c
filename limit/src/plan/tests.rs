// SPDX-License-Identifier: Apache-2.0
//! Plans, operation limits and concurrency as one step.

use super::*;
use portcullis_decision::{Kind, ManualClock, RequestId};
use std::time::Duration;

pub(crate) fn known(subject: &str, plan: Option<&str>) -> Identity {
    Identity {
        issuer: "customers".into(),
        subject: subject.into(),
        client: None,
        kind: Kind::User,
        tenant: None,
        plan: plan.map(Into::into),
        scopes: Vec::new(),
        roles: Vec::new(),
        claims: Arc::default(),
        issued_at: None,
        expires_at: None,
        algorithm: "ES256",
        key_id: None,
    }
}

fn caller(subject: &str, plan: Option<&str>) -> Caller {
    Caller::Known(Arc::new(known(subject, plan)))
}

fn plan(name: &str, rate: &str, concurrency: u32) -> Plan {
    Plan {
        name: name.into(),
        rate: rate.parse().unwrap(),
        concurrency: NonZeroU32::new(concurrency),
        priority: PRIORITY_USUAL,
    }
}

fn operation(name: &str, limits: &[(&str, &[&str])], concurrency: u32) -> OperationLimits {
    let limit = |(rate, by): &(&str, &[&str])| OperationLimit {
        rate: rate.parse().unwrap(),
        by: by.iter().map(|word| word.parse().unwrap()).collect(),
    };
    OperationLimits {
        api: "orders".into(),
        name: name.into(),
        limits: limits.iter().map(limit).collect(),
        concurrency: NonZeroU32::new(concurrency),
    }
}

fn config(by: &[CountedBy]) -> PlanConfig {
    PlanConfig {
        plans: vec![plan("free", "3/min", 0), plan("pro", "600/min", 2)],
        default_plan: "free".into(),
        by: by.to_vec(),
        plan_from: PlanFrom::Identity,
        anonymous: None,
        operations: vec![
            operation("listOrders", &[], 0),
            operation("deleteOrder", &[("2/min", &["subject"]), ("1/h", &["body:/x"]), ("4/min", &["operation"])], 0),
            operation("report", &[], 1),
        ],
        entries_max: 1000,
    }
}

struct World {
    clock: Arc<ManualClock>,
    plans: PlanLimiter,
}

impl World {
    fn new(config: PlanConfig) -> Self {
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1_790_000_000)));
        Self { plans: PlanLimiter::new(config, clock.clone()).unwrap(), clock }
    }

    fn trail(&self) -> Trail {
        Trail::open(RequestId::from_parts(1, 1), self.clock.clone())
    }

    fn ask(&self, caller: &Caller, address: &str, operation: usize) -> Result<Admission, Denial> {
        let question = PlanQuestion { caller, address: address.parse().unwrap(), operation };
        self.plans.admit(question, &mut self.trail()).map(|(admission, _)| admission)
    }
}

fn header<'a>(denial: &'a Denial, name: &str) -> &'a str {
    denial.headers().iter().find(|(n, _)| n == name).map(|(_, v)| v.to_str().unwrap()).unwrap()
}

fn state(admission: &Admission) -> String {
    let mut headers = http::HeaderMap::new();
    admission.fields.apply(&mut headers);
    headers["ratelimit"].to_str().unwrap().to_owned()
}

const HOME: &str = "192.0.2.1";

#[test]
fn rl_03_a_plan_counts_by_subject_and_tells_what_is_left() {
    let world = World::new(config(&[CountedBy::Subject]));
    let alice = caller("u-alice", None);
    for left in [2, 1] {
        assert_eq!(state(&world.ask(&alice, HOME, 0).unwrap()), format!("\"free\";r={left};t=40"));
    }
    assert_eq!(state(&world.ask(&alice, HOME, 0).unwrap()), "\"free\";r=0;t=20");
    let denial = world.ask(&alice, "192.0.2.99", 0).unwrap_err();
    assert_eq!((denial.reason(), denial.status().as_u16()), (Reason::LimitRate, 429));
    assert_eq!(header(&denial, "ratelimit-policy"), r#""free";q=3;w=60"#);
    assert_eq!(header(&denial, "ratelimit"), r#""free";r=0;t=20"#);
    assert!((20..=25).contains(&header(&denial, "retry-after").parse::<u64>().unwrap()));
    assert!(world.ask(&caller("u-bob", None), HOME, 0).is_ok());
    world.clock.advance(Duration::from_secs(20));
    assert!(world.ask(&alice, HOME, 0).is_ok());
    assert!(world.ask(&alice, HOME, 0).is_err());
}

#[test]
fn rl_11_the_policies_that_refused_are_named_as_in_the_header() {
    let world = World::new(config(&[CountedBy::Subject]));
    let alice = caller("u-alice", Some("pro"));
    for _ in 0..2 {
        drop(world.ask(&alice, HOME, 1).unwrap());
    }
    let denial = world.ask(&alice, HOME, 1).unwrap_err();
    // The body-keyed limit is the business step's; names number all limits of the operation.
    assert_eq!(
        header(&denial, "ratelimit-policy"),
        r#""pro";q=600;w=60, "deleteOrder";q=2;w=60, "deleteOrder-3";q=4;w=60"#
    );
    assert_eq!(header(&denial, "ratelimit"), r#""pro";r=598;t=60, "deleteOrder";r=0;t=30, "deleteOrder-3";r=2;t=30"#);
    let names: Vec<&str> = denial.violated_policies().iter().map(|name| &**name).collect();
    assert_eq!(names, ["deleteOrder"]);
    // Counted by operation: all callers together.
    let bob = caller("u-bob", Some("pro"));
    for _ in 0..2 {
        drop(world.ask(&bob, HOME, 1).unwrap());
    }
    let denial = world.ask(&caller("u-carol", Some("pro")), HOME, 1).unwrap_err();
    assert_eq!(&*denial.violated_policies()[0], "deleteOrder-3");
}

#[test]
fn rl_12_what_one_policy_refuses_charges_no_other() {
    let world = World::new(config(&[CountedBy::Subject]));
    let alice = caller("u-alice", Some("pro"));
    for n in 0..50 {
        assert_eq!(world.ask(&alice, HOME, 1).is_ok(), n < 2);
    }
    assert!(state(&world.ask(&alice, HOME, 0).unwrap()).starts_with("\"pro\";r=597;"));
    // And the other way round: the plan refuses, the operation is not charged.
    let bob = caller("u-bob", None);
    for _ in 0..3 {
        drop(world.ask(&bob, HOME, 0).unwrap());
    }
    let denial = world.ask(&bob, HOME, 1).unwrap_err();
    assert!(header(&denial, "ratelimit").contains(r#""deleteOrder";r=2"#));
}

#[test]
fn an_unknown_plan_is_the_default_plan_and_an_alert() {
    let world = World::new(config(&[CountedBy::Subject]));
    let mut trail = world.trail();
    let (mallory, address) = (caller("u-m", Some("platinum")), HOME.parse().unwrap());
    for n in 0..4 {
        let question = PlanQuestion { caller: &mallory, address, operation: 0 };
        assert_eq!(world.plans.admit(question, &mut trail).is_ok(), n < 3);
    }
    assert_eq!(trail.alerts().len(), 4);
    // Naming the default plan is no second helping.
    assert!(world.ask(&caller("u-m", Some("free")), HOME, 0).is_err());
    assert!(world.ask(&caller("u-m", None), HOME, 0).is_err());
    let mut quiet = world.trail();
    let bob = caller("u-bob", None);
    let _admitted = world.plans.admit(PlanQuestion { caller: &bob, address, operation: 0 }, &mut quiet).unwrap();
    assert!(quiet.alerts().is_empty());
}

#[test]
fn a_plan_is_read_where_the_configuration_says() {
    let mut claims = serde_json::Map::new();
    claims.insert("tier".into(), "pro".into());
    claims.insert("odd".into(), 7.into());
    let identity = Identity { claims: Arc::new(claims), ..known("u-alice", Some("free")) };
    let alice = Caller::Known(Arc::new(identity));
    for (plan_from, starts) in [
        (PlanFrom::Claim("tier".into()), "\"pro\""),
        (PlanFrom::Claim("odd".into()), "\"free\""),
        (PlanFrom::Default, "\"free\""),
        (PlanFrom::Identity, "\"free\""),
    ] {
        let world = World::new(PlanConfig { plan_from, ..config(&[CountedBy::Subject]) });
        assert!(state(&world.ask(&alice, HOME, 0).unwrap()).starts_with(starts));
    }
}

#[test]
fn t119_many_subjects_of_one_client_or_tenant_share_where_the_plan_says_so() {
    for by in [CountedBy::Client, CountedBy::Tenant] {
        let world = World::new(config(std::slice::from_ref(&by)));
        let of = |n: usize| {
            let identity =
                Identity { client: Some("app".into()), tenant: Some("t1".into()), ..known(&format!("u-{n}"), None) };
            Caller::Known(Arc::new(identity))
        };
        let admitted = (0..1000).filter(|n| world.ask(&of(*n), HOME, 0).is_ok()).count();
        assert_eq!(admitted, 3, "{by}");
        // Without client or tenant a caller counts for itself: neither uncounted nor together with strangers.
        let plain = |n: usize| caller(&format!("plain-{n}"), None);
        assert_eq!((0..10).filter(|_| world.ask(&plain(1), HOME, 0).is_ok()).count(), 3);
        assert!(world.ask(&plain(2), HOME, 0).is_ok());
        // A client that calls itself as a subject is called shares nothing with it.
        let named = Identity { client: Some("plain-1".into()), tenant: Some("plain-1".into()), ..known("x", None) };
        assert!(world.ask(&Caller::Known(Arc::new(named)), HOME, 0).is_ok());
    }
    // The subject is the pair of issuer and `sub`.
    let world = World::new(config(&[CountedBy::Subject]));
    for _ in 0..3 {
        drop(world.ask(&caller("u-1", None), HOME, 0).unwrap());
    }
    let other = Identity { issuer: "partners".into(), ..known("u-1", None) };
    assert!(world.ask(&Caller::Known(Arc::new(other)), HOME, 0).is_ok());
}

#[test]
fn rl_10_anonymous_callers_are_counted_by_address() {
    let world = World::new(config(&[CountedBy::Subject]));
    let anonymous = |address: &str| Caller::Anonymous(address.parse().unwrap());
    let from = |address: &str| world.ask(&anonymous(address), address, 0);
    for n in 0..10u32 {
        assert_eq!(from(&format!("2001:db8::{n:x}")).is_ok(), n < 3, "{n}");
    }
    let denial = from("2001:db8::1").unwrap_err();
    assert_eq!(&*denial.violated_policies()[0], "anonymous");
    assert!(world.ask(&caller("u-alice", None), "2001:db8::1", 0).is_ok(), "an identity is not its address");
    let limit = AnonymousLimit { rate: "1/h".parse().unwrap(), by: vec![CountedBy::Operation] };
    let world = World::new(PlanConfig { anonymous: Some(limit), ..config(&[CountedBy::Subject]) });
    assert!(world.ask(&anonymous("192.0.2.1"), "192.0.2.1", 0).is_ok());
    assert!(world.ask(&anonymous("192.0.2.2"), "192.0.2.2", 0).is_err());
}

#[test]
fn rl_13_requests_at_a_time_by_plan_and_by_operation() {
    let world = World::new(config(&[CountedBy::Subject]));
    let (alice, bob) = (caller("u-alice", Some("pro")), caller("u-bob", Some("pro")));
    let first = world.ask(&alice, HOME, 0).unwrap();
    let _second = world.ask(&alice, HOME, 0).unwrap();
    let denial = world.ask(&alice, HOME, 0).unwrap_err();
    assert_eq!((denial.reason(), denial.status().as_u16()), (Reason::LimitConcurrency, 429));
    assert_eq!(header(&denial, "ratelimit-policy"), r#""pro-concurrency";q=2;qu="concurrent-requests""#);
    assert_eq!(&*denial.violated_policies()[0], "pro-concurrency");
    assert!(header(&denial, "retry-after").parse::<u64>().unwrap() >= 1);
    drop(first);
    // One refused was not charged to the rate: two before, and this is the third.
    let third = world.ask(&alice, HOME, 0).unwrap();
    assert!(state(&third).starts_with("\"pro\";r=597;"));
    let report = world.ask(&bob, HOME, 2).unwrap();
    let denial = world.ask(&caller("u-carol", None), HOME, 2).unwrap_err();
    assert_eq!(&*denial.violated_policies()[0], "report-concurrency");
    drop((third, report));
    // A refusal by the operation gave the plan's place back.
    for _ in 0..10 {
        drop(world.ask(&bob, HOME, 2).unwrap());
    }
}

#[test]
fn t121_a_request_given_up_is_still_counted() {
    let world = World::new(config(&[CountedBy::Subject]));
    let alice = caller("u-alice", None);
    let admitted = (0..100).filter(|_| world.ask(&alice, HOME, 0).map(drop).is_ok()).count();
    assert_eq!(admitted, 3);
}

#[test]
fn t120_64_threads_get_exactly_the_plan() {
    let mut config = config(&[CountedBy::Subject]);
    config.plans = vec![plan("free", "5000/h", 0)];
    let world = World::new(config);
    let alice = caller("u-alice", None);
    let admitted = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|threads| {
        for _ in 0..64 {
            threads.spawn(|| {
                for _ in 0..500 {
                    if world.ask(&alice, HOME, 0).is_ok() {
                        admitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 5000);
}

#[test]
fn an_operation_nobody_declared_is_not_let_through() {
    let world = World::new(config(&[CountedBy::Subject]));
    assert_eq!(world.ask(&caller("u", None), HOME, 99).unwrap_err().reason(), Reason::GateInternal);
}

#[test]
fn what_cannot_be_counted_does_not_start() {
    let error = |config: PlanConfig| PlanLimiter::new(config, Arc::new(ManualClock::at(Duration::ZERO))).err().unwrap();
    let base = || config(&[CountedBy::Subject]);
    assert!(matches!(error(PlanConfig { default_plan: "gold".into(), ..base() }), LimitError::DefaultPlan(_)));
    assert!(matches!(error(PlanConfig { by: vec![], ..base() }), LimitError::CountedByNothing(_)));
    assert!(matches!(error(config(&[CountedBy::Body("/a".into())])), LimitError::PlanByBody(_)));
    for name in ["free", "pro"] {
        let mut twice = base();
        twice.plans.push(plan(name, "1/s", 0));
        assert!(matches!(error(twice), LimitError::PlanTwice(_)));
    }
    let many = operation("x", &[("1/s", &["subject"] as &[_]); OPERATION_LIMITS_MAX + 1], 0);
    assert!(matches!(error(PlanConfig { operations: vec![many], ..base() }), LimitError::OperationLimits(_)));
    let nothing = operation("x", &[("1/s", &[] as &[_])], 0);
    assert!(matches!(error(PlanConfig { operations: vec![nothing], ..base() }), LimitError::CountedByNothing(_)));
}

/// Everything a reload may change: the order, another plan in front, another operation.
fn reordered(by: &[CountedBy], free: &str) -> PlanConfig {
    let mut changed = config(by);
    changed.plans = vec![plan("trial", "1/min", 0), plan("pro", "600/min", 2), plan("free", free, 0)];
    changed.operations.reverse();
    changed
}

#[test]
fn f01_a_reload_keeps_every_count_and_every_place() {
    let clock: Arc<ManualClock> = Arc::new(ManualClock::at(Duration::from_secs(1_790_000_000)));
    let by = [CountedBy::Subject];
    let first = PlanLimiter::new(config(&by), clock.clone()).unwrap();
    let ask = |limiter: &PlanLimiter, caller: &Caller, operation: usize| {
        let mut trail = Trail::open(RequestId::from_parts(1, 1), clock.clone());
        let address = "192.0.2.1".parse().unwrap();
        let admitted = limiter.admit(PlanQuestion { caller, address, operation }, &mut trail);
        admitted.map(|(admission, _)| admission).map_err(|denial| denial.reason())
    };
    let bob = caller("u-bob", None);
    for _ in 0..3 {
        assert!(ask(&first, &bob, 0).is_ok());
    }
    let pro = caller("u-pro", Some("pro"));
    let _report = ask(&first, &pro, 2).unwrap();
    let _other = ask(&first, &pro, 0).unwrap();
    let second = PlanLimiter::succeeding(Some(&first), reordered(&by, "3/min"), clock.clone()).unwrap();
    assert_eq!(ask(&second, &bob, 2).unwrap_err(), Reason::LimitRate, "used up before, used up now");
    assert!(ask(&second, &caller("u-new", None), 2).is_ok());
    assert_eq!(ask(&second, &pro, 2).unwrap_err(), Reason::LimitConcurrency, "two are under way since before");
    let third = PlanLimiter::succeeding(Some(&second), reordered(&by, "6/min"), clock.clone()).unwrap();
    assert_eq!(ask(&third, &bob, 2).unwrap_err(), Reason::LimitRate, "a higher rate is no pardon");
    clock.advance(Duration::from_secs(11));
    assert!(ask(&third, &bob, 2).is_ok(), "and counts from there at its own pace");
}

#[test]
fn f01_a_shorter_period_blocks_for_no_longer_than_its_own() {
    let clock: Arc<ManualClock> = Arc::new(ManualClock::at(Duration::from_secs(1_790_000_000)));
    let by = [CountedBy::Subject];
    let of = |free: &str| PlanConfig { plans: vec![plan("free", free, 0)], operations: Vec::new(), ..config(&by) };
    let with_operation = |free: &str| PlanConfig { operations: vec![operation("listOrders", &[], 0)], ..of(free) };
    let first = PlanLimiter::new(with_operation("2/day"), clock.clone()).unwrap();
    let bob = caller("u-bob", None);
    let ask = |limiter: &PlanLimiter| {
        let mut trail = Trail::open(RequestId::from_parts(1, 1), clock.clone());
        let address = "192.0.2.1".parse().unwrap();
        limiter.admit(PlanQuestion { caller: &bob, address, operation: 0 }, &mut trail).is_ok()
    };
    assert_eq!([ask(&first), ask(&first), ask(&first)], [true, true, false]);
    let second = PlanLimiter::succeeding(Some(&first), with_operation("2/s"), clock.clone()).unwrap();
    assert!(!ask(&second));
    clock.advance(Duration::from_millis(2_500));
    assert!(ask(&second), "what a day left behind is at most two bursts of the new rate");
}
