// SPDX-License-Identifier: Apache-2.0
//! Limits by address, before anything is known of the caller: requests, and failed authentications.
//!
//! Failures are asked for only when a token was not verified before, so an attacker behind the same address cannot
//! lock out a caller who is already in; and they are counted against the address, never against the subject a bad
//! token names (RL-10).

use crate::key::{CountedBy, KeySeed};
use crate::lineage::Numbered;
use crate::policy::Policy;
use crate::rate::Rate;
use crate::rate::gcra::duration_ns;
use crate::refusal::Refusal;
use crate::store::{Class, Counters, Readings, Step};
use portcullis_decision::{Caller, Clock, Denial, Facts, Reason, Receipt, Trail, stage};
use std::net::IpAddr;
use std::sync::Arc;

/// What the edge limits.
#[derive(Clone, Copy, Debug)]
pub struct EdgeConfig {
    /// Requests of one address.
    pub address_rate: Rate,
    /// Failed authentications of one address.
    pub authentication_failures: Rate,
    /// Addresses counted at most, for each of the two.
    pub entries_max: usize,
}

/// The edge's counters.
pub struct EdgeLimiter {
    address: Policy,
    failures: Policy,
    // Two stores: addresses that only ask do not crowd out those that fail.
    requests_by_address: Arc<Counters>,
    failures_by_address: Arc<Counters>,
    config: EdgeConfig,
    rates_changed: (bool, bool),
    seed: KeySeed,
    clock: Arc<dyn Clock>,
}

impl EdgeLimiter {
    /// Empty counters.
    pub fn new(config: EdgeConfig, clock: Arc<dyn Clock>) -> Self {
        Self::succeeding(None, config, clock)
    }

    /// The counters of an earlier configuration under a new one: nobody's count begins anew (F01).
    pub fn succeeding(previous: Option<&Self>, config: EdgeConfig, clock: Arc<dyn Clock>) -> Self {
        let EdgeConfig { address_rate, authentication_failures, entries_max } = config;
        let by = || vec![CountedBy::Address];
        let rates_changed = previous.map_or((false, false), |previous| {
            let (address, failures) = previous.rates_changed;
            (
                address || previous.config.address_rate != address_rate,
                failures || previous.config.authentication_failures != authentication_failures,
            )
        });
        let (of_address, of_failures) = (Numbered::fixed(0, rates_changed.0), Numbered::fixed(1, rates_changed.1));
        Self {
            address: Policy::new(of_address, "address", &address_rate, by()),
            failures: Policy::new(of_failures, "authentication-failures", &authentication_failures, by()),
            requests_by_address: Counters::inherit(previous.map(|p| &p.requests_by_address), entries_max),
            failures_by_address: Counters::inherit(previous.map(|p| &p.failures_by_address), entries_max),
            config,
            rates_changed,
            seed: previous.map_or_else(KeySeed::random, |previous| previous.seed.clone()),
            clock,
        }
    }

    /// Counts a request of this address.
    pub fn admit(&self, address: IpAddr, trail: &mut Trail) -> Result<Receipt<stage::Edge>, Denial> {
        let charge = self.address.charge(&Caller::Anonymous(address), address, &self.seed);
        let (step, readings) = self.requests_by_address.admit(&[charge], self.now_ns());
        match step {
            Step::Admitted => {
                let left = readings.first().map_or(0, |reading| reading.available);
                Ok(trail.allow::<stage::Edge>(Facts::none().with("left", i64::from(left))))
            }
            Step::Refused => Err(Refusal::of_rates(Reason::LimitAddress, &[&self.address], &readings)
                .deny::<stage::Edge>(None, address, trail)),
        }
    }

    /// Refuses an address with too many failed authentications. Asked before a token is verified that was not seen
    /// before; charges nothing.
    pub fn check_failures(&self, address: IpAddr, trail: &mut Trail) -> Result<(), Denial> {
        let charge = self.failures.charge(&Caller::Anonymous(address), address, &self.seed);
        let reading = self.failures_by_address.peek(&charge, self.now_ns());
        if reading.admits {
            return Ok(());
        }
        let readings = Readings::from_slice(&[reading]);
        Err(Refusal::of_rates(Reason::LimitAuthFailures, &[&self.failures], &readings)
            .deny::<stage::Identity>(None, address, trail))
    }

    /// Counts a failed authentication, for failures other than a missing or an expired credential. Failures of
    /// requests that were under way together may exceed the limit; they are owed, up to one more burst.
    pub fn count_failure(&self, address: IpAddr) {
        let key = self.failures.key(&Caller::Anonymous(address), address, &self.seed);
        self.failures_by_address.charge_anyway(&self.failures.charge_key(key, Class::Open), self.now_ns());
    }

    fn now_ns(&self) -> u64 {
        duration_ns(self.clock.monotonic())
    }
}

#[cfg(test)]
mod tests;
