// SPDX-License-Identifier: Apache-2.0
//! A policy: a rate with a name, what it is counted by, and its words in `RateLimit-Policy`, made once at load.

use crate::key::{CountedBy, Key, KeyBuilder, KeySeed};
use crate::lineage::Numbered;
use crate::rate::Rate;
use crate::rate::gcra::Gcra;
use crate::store::{Charge, Class};
use http::HeaderValue;
use portcullis_decision::Caller;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

/// The words of a policy in headers and problems.
#[derive(Debug)]
pub(crate) struct PolicyText {
    /// The name as problems and records say it.
    pub(crate) name: Arc<str>,
    /// Its items in `RateLimit-Policy`: `"pro";q=600;w=60`, and `"pro-burst"` where a burst differs.
    pub(crate) policy_items: Box<str>,
    /// The same as a header, for the usual case of one policy.
    pub(crate) policy_header: Option<HeaderValue>,
    /// `q`, and `w` where the policy is a rate.
    pub(crate) quota: u64,
    pub(crate) window_s: Option<u64>,
    /// The burst, where it differs from `q`.
    pub(crate) burst: Option<u64>,
}

impl PolicyText {
    /// The words of a rate. A window is a whole number of seconds (RL-2): a rate per fraction of a second is told per
    /// second, rounded down.
    pub(crate) fn of_rate(name: &str, rate: &Rate) -> Self {
        let whole_ns = rate.per.as_nanos().max(1);
        let window_s = u64::try_from(whole_ns.div_ceil(1_000_000_000)).unwrap_or(u64::MAX);
        let quota = u128::from(rate.count.get())
            .saturating_mul(u128::from(window_s))
            .saturating_mul(1_000_000_000)
            .checked_div(whole_ns)
            .and_then(|quota| u64::try_from(quota).ok())
            .unwrap_or(u64::MAX);
        let quota = quota.clamp(1, INTEGER_MAX);
        let window_s = window_s.min(INTEGER_MAX);
        let burst = u64::from(rate.burst_or_count().get());
        let name = sf_text(name);
        let mut items = format!("\"{}\";q={quota};w={window_s}", escaped(&name));
        if burst != quota {
            let until_full = whole_ns.saturating_mul(u128::from(burst)).div_ceil(u128::from(rate.count.get()));
            let refill_s = u64::try_from(until_full.div_ceil(1_000_000_000)).unwrap_or(u64::MAX).min(INTEGER_MAX);
            let _infallible = write!(items, ", \"{}-burst\";q={burst};w={refill_s}", escaped(&name));
        }
        Self::new(name, items, quota, Some(window_s), (burst != quota).then_some(burst))
    }

    /// The words of a maximum of requests at a time (`qu`, RL-2).
    pub(crate) fn of_concurrency(name: &str, requests_max: u32) -> Self {
        let name = format!("{}-concurrency", sf_text(name));
        let items = format!("\"{}\";q={requests_max};qu=\"concurrent-requests\"", escaped(&name));
        Self::new(name, items, u64::from(requests_max), None, None)
    }

    fn new(name: String, items: String, quota: u64, window_s: Option<u64>, burst: Option<u64>) -> Self {
        Self {
            name: name.into(),
            policy_header: HeaderValue::from_str(&items).ok(),
            policy_items: items.into(),
            quota,
            window_s,
            burst,
        }
    }

    /// The name between the quotes of a structured string.
    pub(crate) fn push_escaped_name(&self, out: &mut String) {
        push_escaped(&self.name, out);
    }
}

/// Structured integers have at most 15 digits (RFC 9651 §3.3.1).
const INTEGER_MAX: u64 = 999_999_999_999_999;

/// A name as printable ASCII, so that it can be a structured string; other bytes are percent-encoded (and `%` too, so
/// that two names stay two).
fn sf_text(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => text.push(char::from(byte)),
            _ => {
                let _infallible = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

fn push_escaped(name: &str, out: &mut String) {
    for c in name.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}

fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    push_escaped(name, &mut out);
    out
}

/// A rate that is counted.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) text: Arc<PolicyText>,
    pub(crate) gcra: Gcra,
    /// The rate as the operator wrote it, for the record.
    pub(crate) rate_words: Arc<str>,
    /// Unique within its limiter.
    number: u32,
    by: Vec<CountedBy>,
    of_identity: bool,
}

impl Policy {
    pub(crate) fn new(numbered: Numbered, name: &str, rate: &Rate, by: Vec<CountedBy>) -> Self {
        let Numbered { number, rate_changed } = numbered;
        let gcra = Gcra::new(rate);
        Self {
            text: Arc::new(PolicyText::of_rate(name, rate)),
            gcra: if rate_changed { gcra.of_changed_rate() } else { gcra },
            rate_words: rate.to_string().into(),
            number,
            of_identity: by.iter().all(CountedBy::is_of_identity),
            by,
        }
    }

    /// What it is counted by.
    pub(crate) fn by(&self) -> &[CountedBy] {
        &self.by
    }

    /// The key of a caller, without the body's parts.
    pub(crate) fn key(&self, caller: &Caller, address: IpAddr, seed: &KeySeed) -> Key {
        self.key_with(caller, address, seed, |_| {})
    }

    /// The key of a caller; `more` adds the body's parts. The builder is filled where it stands: it is large.
    #[inline]
    pub(crate) fn key_with(
        &self,
        caller: &Caller,
        address: IpAddr,
        seed: &KeySeed,
        more: impl FnOnce(&mut KeyBuilder),
    ) -> Key {
        let mut builder = KeyBuilder::new();
        builder.policy(self.number);
        for by in &self.by {
            builder.caller(by, caller, address);
        }
        more(&mut builder);
        builder.finish(seed)
    }

    /// The charge of a caller, where no part comes from the body.
    pub(crate) fn charge(&self, caller: &Caller, address: IpAddr, seed: &KeySeed) -> Charge<'_> {
        let known = self.of_identity && caller.identity().is_some();
        let class = if known { Class::Known } else { Class::Open };
        self.charge_key(self.key(caller, address, seed), class)
    }

    /// The charge of a key.
    pub(crate) fn charge_key(&self, key: Key, class: Class) -> Charge<'_> {
        Charge { gcra: &self.gcra, policy: self.number, key, class }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rl_02_windows_are_whole_seconds_and_bursts_stand_apart() {
        for (rate, items) in [
            ("600/min", r#""pro";q=600;w=60"#),
            ("60/min burst 20", r#""pro";q=60;w=60, "pro-burst";q=20;w=20"#),
            ("10/s burst 25", r#""pro";q=10;w=1, "pro-burst";q=25;w=3"#),
            ("5/15m", r#""pro";q=5;w=900"#),
            ("5/250ms", r#""pro";q=20;w=1, "pro-burst";q=5;w=1"#),
            ("3/1500ms", r#""pro";q=4;w=2, "pro-burst";q=3;w=2"#),
        ] {
            let text = PolicyText::of_rate("pro", &rate.parse().unwrap());
            assert_eq!(&*text.policy_items, items, "{rate}");
        }
        let text = PolicyText::of_concurrency("pro", 50);
        assert_eq!(&*text.policy_items, r#""pro-concurrency";q=50;qu="concurrent-requests""#);
    }

    #[test]
    fn names_become_structured_strings_and_stay_two() {
        assert_eq!(sf_text("größe\n"), "gr%C3%B6%C3%9Fe%0A");
        assert_ne!(sf_text("%0A"), sf_text("\n"));
        assert_eq!(escaped(r#"a"b\"#), r#"a\"b\\"#);
    }
}
