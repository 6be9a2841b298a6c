// SPDX-License-Identifier: Apache-2.0
//! What one admission by a plan costs, from ten to a million callers: `cargo run --release -p portcullis-limit
//! --example admit`.
//!
//! Told is the median over batches. Before a batch its callers are read once, as the gate has read an identity long
//! before it asks for the plan; so the figure holds what the limiter itself touches, not this program's list of people.

use http::HeaderMap;
use portcullis_decision::{Caller, Clock, Facts, Identity, Kind, RequestId, SystemClock, Trail, stage};
use portcullis_limit::{CountedBy, OperationLimits, Plan, PlanConfig, PlanFrom, PlanLimiter, PlanQuestion};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const BATCHES: usize = 20_000;
const BATCH: usize = 50;

fn caller(n: usize) -> Caller {
    Caller::Known(Arc::new(Identity {
        issuer: "customers".into(),
        subject: format!("u-{n:08}-7d3f0001").into(),
        client: Some("mobile-app".into()),
        kind: Kind::User,
        tenant: None,
        plan: Some("pro".into()),
        scopes: Vec::new(),
        roles: Vec::new(),
        claims: Arc::default(),
        issued_at: None,
        expires_at: None,
        algorithm: "ES256",
        key_id: None,
    }))
}

/// Every caller in turn, each far from the one before.
struct Turn<'a> {
    callers: &'a [Caller],
    at: usize,
}

impl<'a> Turn<'a> {
    fn batch(&mut self) -> Vec<&'a Caller> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            self.at = self.at.wrapping_add(7_368_787).checked_rem(self.callers.len()).unwrap_or(0);
            let Some(caller) = self.callers.get(self.at) else { continue };
            if let Some(identity) = caller.identity() {
                black_box((identity.issuer.bytes().max(), identity.subject.bytes().max(), identity.plan.clone()));
            }
            batch.push(caller);
        }
        batch
    }
}

/// The median, in nanoseconds, of what one call in a batch takes.
fn median_ns<'a>(clock: &dyn Clock, turn: &mut Turn<'a>, mut call: impl FnMut(&'a Caller)) -> u128 {
    let mut took: Vec<Duration> = Vec::with_capacity(BATCHES);
    for _ in 0..BATCHES {
        let batch = turn.batch();
        let began = clock.monotonic();
        for caller in batch {
            call(caller);
        }
        took.push(clock.monotonic().saturating_sub(began));
    }
    took.sort_unstable();
    let middle = took.get(took.len().checked_div(2).unwrap_or(0)).copied().unwrap_or_default();
    middle.as_nanos().checked_div(BATCH as u128).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let address = "192.0.2.1".parse()?;
    let open = || Trail::open(RequestId::from_parts(1, 1), Arc::clone(&clock));
    for callers in [10usize, 1_000, 100_000, 1_000_000] {
        let config = PlanConfig {
            // Slow enough that no counter is full again before the end: the map holds every caller.
            plans: vec![Plan {
                name: "pro".into(),
                rate: "1000/day burst 1000000".parse()?,
                concurrency: None,
                priority: portcullis_limit::PRIORITY_USUAL,
            }],
            default_plan: "pro".into(),
            by: vec![CountedBy::Subject],
            plan_from: PlanFrom::Identity,
            anonymous: None,
            operations: vec![OperationLimits {
                api: "orders".into(),
                name: "listOrders".into(),
                limits: Vec::new(),
                concurrency: None,
            }],
            entries_max: 2_000_000,
        };
        let limiter = PlanLimiter::new(config, Arc::clone(&clock))?;
        let all: Vec<Caller> = (0..callers).map(caller).collect();
        let refused = std::cell::Cell::new(0u32);
        let admit = |caller| {
            let mut trail = open();
            let admitted = limiter.admit(PlanQuestion { caller, address, operation: 0 }, &mut trail);
            if admitted.is_err() {
                refused.set(refused.get().saturating_add(1));
            }
            admitted.map(|(admission, receipt)| (admission, black_box(receipt))).ok()
        };
        for caller in &all {
            black_box(admit(caller).is_some());
        }
        let mut turn = Turn { callers: &all, at: 1 };
        let admit_ns = median_ns(&*clock, &mut turn, |caller| drop(black_box(admit(caller))));
        let trail_ns = median_ns(&*clock, &mut turn, |_| {
            drop(black_box(open().allow::<stage::Plan>(Facts::none().with("left", 1i64))));
        });
        let with_fields_ns = median_ns(&*clock, &mut turn, |caller| {
            if let Some((admission, _receipt)) = admit(caller) {
                let mut headers = HeaderMap::with_capacity(16);
                admission.fields.apply(&mut headers);
                drop(black_box(headers));
            }
        });
        eprintln!(
            "{callers:>9} callers: {admit_ns} ns, {trail_ns} of them the trail's; {with_fields_ns} ns with a head and \
             both fields; {} refused",
            refused.get()
        );
    }
    Ok(())
}
