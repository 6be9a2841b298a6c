// SPDX-License-Identifier: Apache-2.0
//! Addresses are limited as sources, and failures without locking anybody in out.

use super::*;
use portcullis_decision::{ManualClock, RequestId};
use std::time::Duration;

struct World {
    clock: Arc<ManualClock>,
    edge: EdgeLimiter,
}

impl World {
    fn new(address_rate: &str, failures: &str, entries_max: usize) -> Self {
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1_790_000_000)));
        let config = EdgeConfig {
            address_rate: address_rate.parse().unwrap(),
            authentication_failures: failures.parse().unwrap(),
            entries_max,
        };
        Self { edge: EdgeLimiter::new(config, clock.clone()), clock }
    }

    fn trail(&self) -> Trail {
        Trail::open(RequestId::from_parts(1, 1), self.clock.clone())
    }

    fn admit(&self, address: &str) -> Result<Receipt<stage::Edge>, Denial> {
        self.edge.admit(address.parse().unwrap(), &mut self.trail())
    }

    fn check(&self, address: &str) -> Result<(), Denial> {
        self.edge.check_failures(address.parse().unwrap(), &mut self.trail())
    }
}

fn header<'a>(denial: &'a Denial, name: &str) -> &'a str {
    denial.headers().iter().find(|(n, _)| n == name).map(|(_, v)| v.to_str().unwrap()).unwrap()
}

#[test]
fn t119_rotating_within_a_64_or_by_mapped_spelling_gains_nothing() {
    let world = World::new("10/s", "60/min", 1000);
    let mut admitted = 0;
    for n in 0..100_000u32 {
        admitted += u32::from(world.admit(&format!("2001:db8:0:1::{:x}:{:x}", n >> 16, n & 0xffff)).is_ok());
    }
    assert_eq!(admitted, 10);
    for n in 0..20 {
        let address = if n % 2 == 0 { "192.0.2.1" } else { "::ffff:192.0.2.1" };
        assert_eq!(world.admit(address).is_ok(), n < 10);
    }
    assert!(world.admit("192.0.2.2").is_ok());
}

#[test]
fn rl_07_a_refused_address_is_told_when_to_come_back() {
    let world = World::new("2/min", "60/min", 1000);
    for _ in 0..2 {
        assert!(world.admit("192.0.2.1").is_ok());
    }
    let mut trail = world.trail();
    let denial = world.edge.admit("192.0.2.1".parse().unwrap(), &mut trail).map(drop).unwrap_err();
    assert_eq!((denial.reason(), denial.status().as_u16()), (Reason::LimitAddress, 429));
    assert_eq!(header(&denial, "ratelimit-policy"), r#""address";q=2;w=60"#);
    assert_eq!(header(&denial, "ratelimit"), r#""address";r=0;t=30"#);
    let retry: u64 = header(&denial, "retry-after").parse().unwrap();
    assert!((30..=37).contains(&retry), "{retry}");
    assert_eq!(&*denial.violated_policies()[0], "address");
    assert_eq!(trail.evaluations().len(), 1, "the refusal is in the trail");
    world.clock.advance(Duration::from_secs(30));
    assert!(world.admit("192.0.2.1").is_ok());
}

#[test]
fn t123_failures_of_an_address_close_it_for_tokens_not_seen_before() {
    let world = World::new("1000000/s", "60/min", 1000);
    let mut guesses = 0;
    for _ in 0..100_000 {
        if world.check("198.51.100.9").is_ok() {
            guesses += 1;
            world.edge.count_failure("198.51.100.9".parse().unwrap());
        }
    }
    assert_eq!(guesses, 60);
    let denial = world.check("198.51.100.9").unwrap_err();
    assert_eq!(denial.reason(), Reason::LimitAuthFailures);
    assert_eq!(header(&denial, "ratelimit"), r#""authentication-failures";r=0;t=1"#);
    // Asking costs nothing, other addresses are not concerned, and requests are not refused for it.
    assert!(world.check("198.51.100.10").is_ok());
    assert!(world.admit("198.51.100.9").is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert!(world.check("198.51.100.9").is_ok());
    assert!(world.check("198.51.100.9").is_ok(), "a question is no failure");
}

#[test]
fn t123_failures_that_were_under_way_together_are_owed() {
    let world = World::new("100/s", "10/min", 1000);
    assert!(world.check("192.0.2.1").is_ok());
    for _ in 0..15 {
        world.edge.count_failure("192.0.2.1".parse().unwrap());
    }
    world.clock.advance(Duration::from_secs(30));
    assert!(world.check("192.0.2.1").is_err(), "five too many: half a minute longer");
    world.clock.advance(Duration::from_secs(6));
    assert!(world.check("192.0.2.1").is_ok());
}

#[test]
fn t64_a_million_addresses_stay_bounded_and_never_get_through_uncounted() {
    let world = World::new("1/h", "1/h", 5_000);
    let mut trail = world.trail();
    let mut admitted = 0u32;
    for n in 0..1_000_000u64 {
        let address = IpAddr::from(std::net::Ipv6Addr::from(u128::from(n) << 64 | 1));
        admitted += u32::from(world.edge.admit(address, &mut trail).is_ok());
        world.edge.count_failure(address);
    }
    assert!(world.edge.requests_by_address.len() <= 5_056);
    assert!(world.edge.failures_by_address.len() <= 5_056);
    assert!(admitted <= 5_057, "{admitted}");
    // With the table full, one who never came before is judged together with the flood.
    assert!(world.check("192.0.2.1").is_err());
}

#[test]
fn f01_a_reload_resets_no_attackers_counters() {
    let clock: Arc<ManualClock> = Arc::new(ManualClock::at(Duration::from_secs(1_790_000_000)));
    let rate = |text: &str| text.parse().unwrap();
    let config = EdgeConfig { address_rate: rate("2/min"), authentication_failures: rate("2/min"), entries_max: 100 };
    let attacker: IpAddr = "192.0.2.66".parse().unwrap();
    let trail = || Trail::open(RequestId::from_parts(1, 1), clock.clone());
    let mut edge = EdgeLimiter::new(config, clock.clone());
    assert!(edge.admit(attacker, &mut trail()).is_ok() && edge.admit(attacker, &mut trail()).is_ok());
    edge.count_failure(attacker);
    edge.count_failure(attacker);
    for changed in [config, EdgeConfig { authentication_failures: rate("3/min"), ..config }] {
        edge = EdgeLimiter::succeeding(Some(&edge), changed, clock.clone());
        assert!(edge.admit(attacker, &mut trail()).is_err());
        assert!(edge.check_failures(attacker, &mut trail()).is_err());
    }
}
