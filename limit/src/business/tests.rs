// SPDX-License-Identifier: Apache-2.0
//! Limits by what stands in the body.

use super::*;
use crate::plan::OperationLimit;
use bytes::Bytes;
use portcullis_decision::{ManualClock, RequestId};
use portcullis_wire::json::JsonLimits;
use std::time::Duration;

struct World {
    clock: Arc<ManualClock>,
    business: BusinessLimiter,
}

fn limit(rate: &str, by: &[&str]) -> OperationLimit {
    OperationLimit { rate: rate.parse().unwrap(), by: by.iter().map(|word| word.parse().unwrap()).collect() }
}

impl World {
    fn new(limits: Vec<OperationLimit>) -> Self {
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1_790_000_000)));
        let login = OperationLimits { api: "orders".into(), name: "login".into(), limits, concurrency: None };
        let config = BusinessConfig { operations: vec![login], entries_max: 1000 };
        Self { business: BusinessLimiter::new(config, clock.clone()).unwrap(), clock }
    }

    fn ask(&self, address: &str, body: Option<&str>) -> Result<Option<RateFields>, Denial> {
        let document =
            body.map(|text| Document::parse(Bytes::copy_from_slice(text.as_bytes()), &JsonLimits::default()).unwrap());
        let address: IpAddr = address.parse().unwrap();
        let question =
            BusinessQuestion { caller: &Caller::Anonymous(address), address, operation: 0, body: document.as_ref() };
        let mut trail = Trail::open(RequestId::from_parts(1, 1), self.clock.clone());
        self.business.admit(question, &mut trail).map(|(fields, _)| fields)
    }

    fn name(&self, username: &str) -> bool {
        let body = serde_json::json!({ "username": username }).to_string();
        self.ask("192.0.2.1", Some(&body)).is_ok()
    }
}

#[test]
fn t123_guesses_at_one_account_are_limited_from_whatever_address() {
    let world = World::new(vec![limit("5/15m", &["body:/username"])]);
    let body = r#"{"username":"alice","password":"x"}"#;
    let admitted = (0..200).filter(|n| world.ask(&format!("198.51.100.{n}"), Some(body)).is_ok()).count();
    assert_eq!(admitted, 5);
    assert!(world.name("bob"));
    world.clock.advance(Duration::from_mins(3));
    assert!(world.name("alice"));
    assert!(!world.name("alice"));
}

#[test]
fn t119_spelling_a_name_otherwise_gains_nothing() {
    let world = World::new(vec![limit("3/h", &["body:/username"])]);
    let spellings = ["alice", "ALICE", " alice ", "Alice\t", "\u{ff41}lice", "al\u{200b}ice", "alic\u{ad}e"];
    assert_eq!(spellings.iter().filter(|name| world.name(name)).count(), 3);
    assert!(world.ask("192.0.2.1", Some(r#"{"username":"\u0061lice"}"#)).is_err());
}

#[test]
fn t119_leaving_the_value_out_or_hiding_it_is_counted_together() {
    let world = World::new(vec![limit("2/h", &["body:/username"])]);
    let bodies = [
        None,
        Some("{}"),
        Some("[]"),
        Some(r#"{"username":null}"#),
        Some(r#"{"username":["alice"]}"#),
        Some(r#"{"username":{"x":1}}"#),
        Some(r#"{"username":true}"#),
        Some(r#"{"username":""}"#),
        Some(r#"{"username":"   "}"#),
        Some(r#"{"username":1.5}"#),
    ];
    assert_eq!(bodies.iter().filter(|body| world.ask("192.0.2.1", **body).is_ok()).count(), 2);
    // Names too long to be names share another counter, whatever they are.
    let long = (0..20).filter(|n| world.name(&format!("{}{n}", "x".repeat(2_000)))).count();
    assert_eq!(long, 2);
    assert!(world.name("alice"));
}

#[test]
fn t101_two_values_are_two_parts() {
    let world = World::new(vec![limit("1/h", &["body:/a", "body:/b"])]);
    for (n, body) in
        [r#"{"a":"x|y","b":"z"}"#, r#"{"a":"x","b":"y|z"}"#, r#"{"a":"x"}"#, r#"{"b":"x"}"#].iter().enumerate()
    {
        assert!(world.ask("192.0.2.1", Some(body)).is_ok(), "{n}");
        assert!(world.ask("192.0.2.1", Some(body)).is_err(), "{n}");
    }
}

#[test]
fn rl_11_limits_by_body_and_address_and_their_names() {
    let world = World::new(vec![
        limit("10/min", &["address"]),
        limit("2/h", &["body:/username", "address"]),
        limit("3/h", &["body:/username"]),
    ]);
    assert!(world.business.needs_body(0));
    let body = r#"{"username":"alice"}"#;
    let fields = world.ask("192.0.2.1", Some(body)).unwrap().unwrap();
    let mut headers = http::HeaderMap::new();
    fields.apply(&mut headers);
    assert_eq!(headers["ratelimit-policy"], r#""login-2";q=2;w=3600, "login-3";q=3;w=3600"#);
    assert_eq!(headers["ratelimit"], r#""login-2";r=1;t=1800, "login-3";r=2;t=2400"#);
    assert!(world.ask("192.0.2.1", Some(body)).is_ok());
    let denial = world.ask("192.0.2.1", Some(body)).unwrap_err();
    assert_eq!(denial.reason(), Reason::LimitRate);
    assert_eq!(&*denial.violated_policies()[0], "login-2");
    assert!(world.ask("192.0.2.2", Some(body)).is_ok());
    let denial = world.ask("192.0.2.3", Some(body)).unwrap_err();
    assert_eq!(&*denial.violated_policies()[0], "login-3");
    assert!(denial.headers().iter().any(|(name, _)| name == "retry-after"));
}

#[test]
fn operations_without_such_limits_cost_nothing_and_unknown_ones_do_not_pass() {
    let world = World::new(vec![limit("1/h", &["address"])]);
    assert!(!world.business.needs_body(0));
    for _ in 0..5 {
        assert!(world.ask("192.0.2.1", None).unwrap().is_none());
    }
    let mut trail = Trail::open(RequestId::from_parts(1, 1), world.clock.clone());
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    let question = BusinessQuestion { caller: &Caller::Anonymous(address), address, operation: 7, body: None };
    let denial = world.business.admit(question, &mut trail).map(drop).unwrap_err();
    assert_eq!(denial.reason(), Reason::GateInternal);
}
