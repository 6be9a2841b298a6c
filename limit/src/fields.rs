// SPDX-License-Identifier: Apache-2.0
//! `RateLimit-Policy`, `RateLimit` and `Retry-After` (the `RateLimit` fields, draft 11; rows RL-1 … RL-11).
//!
//! `r` is what is available now; `t` is the *effective window*, within which no more than `r` may be used. It is never
//! shorter than the sustained rate needs for `r`, nor than the time until the counter is full, so that `r/t` never
//! promises more than the policy does (RL-8); where `r` is 0, `t` is the wait until one more is admitted (RL-3, RL-7).

mod upstream;

use crate::policy::PolicyText;
use crate::store::Reading;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

/// `RateLimit-Policy`.
pub const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// `RateLimit`.
pub const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Jitter of `Retry-After`: at most a quarter of the wait …
const JITTER_DIVISOR: u64 = 4;
/// … and at most this.
const JITTER_MAX_S: u64 = 10;

/// What a policy shows a client.
#[derive(Clone, Debug)]
struct Shown {
    text: Arc<PolicyText>,
    available: u64,
    /// `t`; none for policies without a window.
    window_s: Option<u64>,
}

/// The policies that applied to a request, with what is left of each.
#[derive(Clone, Debug, Default)]
pub struct RateFields {
    shown: SmallVec<[Shown; 2]>,
}

impl RateFields {
    pub(crate) fn push_rate(&mut self, text: &Arc<PolicyText>, reading: &Reading) {
        // A policy that refused shows nothing left; one that would admit one more never shows less than that.
        let available = if reading.admits { u64::from(reading.available) } else { 0 };
        let window_s = match available {
            0 => seconds_up(reading.wait_ns),
            _ => seconds_up(reading.full_in_ns).max(sustained_s(available, text)),
        };
        self.shown.push(Shown { text: Arc::clone(text), available, window_s: Some(window_s.max(1)) });
    }

    pub(crate) fn push_concurrency(&mut self, text: &Arc<PolicyText>) {
        self.shown.push(Shown { text: Arc::clone(text), available: 0, window_s: None });
    }

    /// Adds the policies of a later step.
    pub fn merge(&mut self, later: RateFields) {
        self.shown.extend(later.shown);
    }

    /// Writes both fields. Fields of the origin are never made more permissive (RL-9): its items stay beside ours,
    /// renamed where the names clash; what is not a list of strings is removed, since it would spoil ours.
    pub fn apply(&self, headers: &mut HeaderMap) {
        if self.shown.is_empty() {
            return;
        }
        let (mut policy, mut state) = (self.policy_value(), self.state_value());
        if headers.contains_key(RATELIMIT_POLICY) || headers.contains_key(RATELIMIT) {
            policy = self.beside(headers, &RATELIMIT_POLICY, policy);
            state = self.beside(headers, &RATELIMIT, state);
        }
        for (name, value) in [(RATELIMIT_POLICY, policy), (RATELIMIT, state)] {
            match value {
                Some(value) => drop(headers.insert(name, value)),
                None => drop(headers.remove(name)),
            }
        }
    }

    /// Both fields, for a refusal.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let policy = self.policy_value().map(|value| (RATELIMIT_POLICY, value));
        let state = self.state_value().map(|value| (RATELIMIT, value));
        policy.into_iter().chain(state)
    }

    fn policy_value(&self) -> Option<HeaderValue> {
        match self.shown.as_slice() {
            [] => None,
            [one] => one.text.policy_header.clone(),
            several => {
                let mut items = String::with_capacity(several.len().saturating_mul(48));
                for shown in several {
                    separate(&mut items);
                    items.push_str(&shown.text.policy_items);
                }
                HeaderValue::from_maybe_shared(bytes::Bytes::from(items)).ok()
            }
        }
    }

    fn state_value(&self) -> Option<HeaderValue> {
        if self.shown.is_empty() {
            return None;
        }
        let mut items = String::with_capacity(self.shown.len().saturating_mul(64));
        for shown in &self.shown {
            push_item(&mut items, &shown.text, "", (shown.available.min(shown.text.quota), shown.window_s));
            if let Some(burst) = shown.text.burst {
                push_item(&mut items, &shown.text, "-burst", (shown.available.min(burst), shown.window_s));
            }
        }
        HeaderValue::from_maybe_shared(bytes::Bytes::from(items)).ok()
    }

    fn beside(&self, headers: &HeaderMap, name: &HeaderName, ours: Option<HeaderValue>) -> Option<HeaderValue> {
        let ours = ours?;
        let taken = |name: &str| {
            self.shown.iter().any(|shown| {
                *shown.text.name == *name
                    || (shown.text.burst.is_some() && name.strip_suffix("-burst") == Some(&*shown.text.name))
            })
        };
        match upstream::items(headers, name, taken) {
            Some(theirs) => {
                let mut both = ours.to_str().ok()?.to_owned();
                separate(&mut both);
                both.push_str(&theirs);
                HeaderValue::from_maybe_shared(bytes::Bytes::from(both)).ok()
            }
            None => Some(ours),
        }
    }
}

/// `Retry-After` in seconds: never earlier than `t` (RL-7), at least 1, and spread by a hash of the subject over at
/// most a quarter more (10 s), so that callers refused together do not come back together (RL-8).
pub fn retry_after(t_s: u64, subject: &[u8]) -> u64 {
    let t_s = t_s.max(1);
    let spread_s = t_s.checked_div(JITTER_DIVISOR).unwrap_or(0).clamp(1, JITTER_MAX_S);
    let mut hasher = DefaultHasher::new();
    hasher.write(subject);
    let jitter_s = hasher.finish().checked_rem(spread_s.saturating_add(1)).unwrap_or(0);
    t_s.saturating_add(jitter_s)
}

/// Whole seconds, rounded up.
pub(crate) fn seconds_up(ns: u64) -> u64 {
    ns.div_ceil(1_000_000_000)
}

/// In how many seconds the sustained rate yields this many.
fn sustained_s(available: u64, text: &PolicyText) -> u64 {
    let window_s = text.window_s.unwrap_or(1);
    available
        .saturating_mul(window_s)
        .checked_add(text.quota.saturating_sub(1))
        .map_or(u64::MAX, |n| n.checked_div(text.quota).unwrap_or(u64::MAX))
}

fn separate(items: &mut String) {
    if !items.is_empty() {
        items.push_str(", ");
    }
}

fn push_item(items: &mut String, text: &PolicyText, suffix: &str, (available, window_s): (u64, Option<u64>)) {
    separate(items);
    items.push('"');
    text.push_escaped_name(items);
    items.push_str(suffix);
    items.push_str("\";r=");
    push_number(items, available);
    if let Some(window_s) = window_s {
        items.push_str(";t=");
        push_number(items, window_s);
    }
}

/// Decimal digits without the formatting machinery: this runs for every answer.
fn push_number(out: &mut String, mut number: u64) {
    let mut digits: SmallVec<[u8; 20]> = SmallVec::new();
    loop {
        let digit = u8::try_from(number.checked_rem(10).unwrap_or(0)).unwrap_or(0);
        digits.push(b'0'.saturating_add(digit));
        number = number.checked_div(10).unwrap_or(0);
        if number == 0 {
            break;
        }
    }
    out.extend(digits.iter().rev().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests;
