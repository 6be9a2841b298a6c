// SPDX-License-Identifier: Apache-2.0
//! Which policy is which when the configuration is loaded again.
//!
//! Counters are keyed by a policy's number. A policy that stands in the new configuration under the same name and is
//! counted by the same keeps its number and so everything that was counted: a reload forgives nobody (F01). A number is
//! never used for another policy. Where only the rate changed, what was used up stays used up, within the bounds of the
//! new rate.

use crate::key::CountedBy;
use crate::rate::Rate;
use std::collections::HashMap;
use std::sync::Arc;

/// What kind of policy it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PolicyKind {
    /// A plan's rate.
    Plan,
    /// A plan's requests at a time.
    PlanPlaces,
    /// The rate of anonymous callers.
    Anonymous,
    /// A limit of an operation.
    Operation,
    /// An operation's requests at a time.
    OperationPlaces,
}

/// A policy by what lasts of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PolicyId {
    pub(crate) kind: PolicyKind,
    /// The API of an operation; empty for plans.
    pub(crate) api: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) by: Vec<CountedBy>,
}

/// A policy's number, and whether its counters may have been charged at another rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) number: u32,
    pub(crate) rate_changed: bool,
}

impl Numbered {
    /// A policy that is the same in every configuration.
    pub(crate) fn fixed(number: u32, rate_changed: bool) -> Self {
        Self { number, rate_changed }
    }
}

struct Known {
    numbered: Numbered,
    rate: Rate,
}

/// The numbers of one limiter's policies.
#[derive(Default)]
pub(crate) struct Lineage {
    /// The second part tells policies apart that are alike in everything else.
    known: HashMap<(PolicyId, u32), Known>,
    next: u32,
}

impl Lineage {
    /// Gives every policy of a configuration its number: that of `previous`, or a new one.
    pub(crate) fn after(previous: Option<&Self>) -> Heirs<'_> {
        let next = previous.map_or(0, |previous| previous.next);
        Heirs { previous, lineage: Self { known: HashMap::new(), next } }
    }
}

/// A lineage that is being made.
pub(crate) struct Heirs<'a> {
    previous: Option<&'a Lineage>,
    lineage: Lineage,
}

impl Heirs<'_> {
    /// The number of a policy.
    pub(crate) fn number(&mut self, id: PolicyId, rate: &Rate) -> Numbered {
        let mut key = (id, 0_u32);
        while self.lineage.known.contains_key(&key) {
            key.1 = key.1.saturating_add(1);
        }
        let before = self.previous.and_then(|previous| previous.known.get(&key));
        let numbered = if let Some(Known { numbered, rate: charged_at }) = before {
            Numbered { rate_changed: numbered.rate_changed || charged_at != rate, ..*numbered }
        } else {
            let number = self.lineage.next;
            self.lineage.next = number.saturating_add(1);
            Numbered { number, rate_changed: false }
        };
        self.lineage.known.insert(key, Known { numbered, rate: *rate });
        numbered
    }

    /// All numbers given.
    pub(crate) fn done(self) -> Lineage {
        self.lineage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> PolicyId {
        PolicyId { kind: PolicyKind::Operation, api: "orders".into(), name: name.into(), by: vec![CountedBy::Subject] }
    }

    #[test]
    fn f01_a_policy_keeps_its_number_and_a_number_its_policy() {
        let rate: Rate = "5/min".parse().unwrap();
        let other: Rate = "6/min".parse().unwrap();
        let mut first = Lineage::after(None);
        let (a, b, b_again) =
            (first.number(id("a"), &rate), first.number(id("b"), &rate), first.number(id("b"), &rate));
        assert_eq!([a.number, b.number, b_again.number], [0, 1, 2]);
        let first = first.done();
        let mut second = Lineage::after(Some(&first));
        assert_eq!(second.number(id("c"), &rate), Numbered { number: 3, rate_changed: false });
        assert_eq!(second.number(id("b"), &other), Numbered { number: 1, rate_changed: true });
        let second = second.done();
        let mut third = Lineage::after(Some(&second));
        assert_eq!(third.number(id("b"), &other), Numbered { number: 1, rate_changed: true });
        assert_eq!(third.number(id("a"), &rate), Numbered { number: 4, rate_changed: false });
    }
}
