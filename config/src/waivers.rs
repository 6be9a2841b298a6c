// SPDX-License-Identifier: Apache-2.0
//! Waivers: findings somebody answers for until a date. A waiver silences a finding and changes no decision.

use std::collections::BTreeSet;
use std::sync::Mutex;

use portcullis_decision::finding::{Finding, Place, Severity};

use crate::cursor::Cursor;
use crate::rules::{self, Waivable};
use crate::suggest::did_you_mean;
use crate::values::Day;

/// One waiver that holds today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The rule.
    pub rule: &'static str,
    /// The operation or configuration path it is about, or one above it.
    pub at: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day it holds.
    pub until: Day,
    /// Where it is written.
    pub place: Place,
}

/// All waivers, and which of them were needed.
#[derive(Debug, Default)]
pub struct Waivers {
    waivers: Vec<Waiver>,
    used: Mutex<BTreeSet<usize>>,
}

impl Waivers {
    /// The waivers.
    pub fn iter(&self) -> impl Iterator<Item = &Waiver> {
        self.waivers.iter()
    }

    /// Leaves out what is waived.
    pub(crate) fn apply(&self, findings: Vec<Finding>) -> Vec<Finding> {
        let mut used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = findings.into_iter().filter(|finding| {
            let hits: Vec<usize> =
                (0..).zip(&self.waivers).filter(|(_, w)| w.covers(finding)).map(|(i, _)| i).collect();
            used.extend(&hits);
            hits.is_empty()
        });
        kept.collect()
    }

    /// `kept` (weighed before) and `found`, without what is waived, with a refusal for every waiver nothing needed.
    pub(crate) fn settle(&self, kept: Vec<Finding>, found: Vec<Finding>) -> Vec<Finding> {
        let mut findings = kept;
        for finding in self.apply(found) {
            if !findings.contains(&finding) {
                findings.push(finding);
            }
        }
        let used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (index, waiver) in (0_usize..).zip(&self.waivers) {
            if !used.contains(&index) {
                findings.push(Finding {
                    rule: Some("PC0602"),
                    severity: Severity::Refuse,
                    place: Some(waiver.place.clone()),
                    at: "waivers".to_owned(),
                    message: format!("the waiver of {} at `{}` silences nothing", waiver.rule, waiver.at),
                    help: Some("remove it, or correct `at`".to_owned()),
                });
            }
        }
        findings
    }
}

impl Waiver {
    fn covers(&self, finding: &Finding) -> bool {
        let waivable = match rules::find(self.rule).map(|rule| rule.waivable) {
            Some(Waivable::Always) => true,
            Some(Waivable::Finding) => finding.severity < Severity::Refuse,
            Some(Waivable::Never) | None => false,
        };
        waivable && finding.rule == Some(self.rule) && is_at(&finding.at, &self.at)
    }
}

/// Whether a finding's path is the waiver's, or below it; operations may be named alone or with their API.
fn is_at(found: &str, waived: &str) -> bool {
    let below = |path: &str| found.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let operation = waived.strip_prefix("apis.").and_then(|rest| rest.split_once(".operations."));
    below(waived) || operation.is_some_and(|(_, operation)| below(operation))
}

/// Reads `waivers:`; those that cannot hold are refused.
pub(crate) fn read(cursor: &Cursor<'_>, today: Day) -> Waivers {
    let mut waivers = Vec::new();
    for item in cursor.items().iter().filter(|item| item.is_map()) {
        let rule = item.word("rule");
        let number = rule.text().and_then(|text| {
            let known = rules::find(text);
            if known.is_none() {
                rule.refuse(format!("{} is no rule", rule.shown()))
                    .help(did_you_mean(text, rules::ALL.iter().map(|rule| rule.number)))
                    .rule("PC0602");
            }
            known
        });
        let until = item.word("until");
        let day = until.parse(Day::parse);
        let (at, reason, owner) = (item.word("at").text(), item.word("reason").text(), item.word("owner").text());
        if let Some(known) = number.filter(|known| known.waivable == Waivable::Never) {
            rule.refuse(format!("{} cannot be waived", known.number))
                .help("a waiver silences a finding; what this rule refuses must be corrected")
                .rule("PC0602");
            continue;
        }
        if let Some(day) = day.filter(|day| *day < today) {
            until
                .refuse(format!("this waiver expired on {day}"))
                .help("correct what it excused, or decide again and write a new date")
                .rule("PC0602");
            continue;
        }
        if let (Some(known), Some(at), Some(reason), Some(owner), Some(until)) = (number, at, reason, owner, day) {
            let (at, reason, owner) = (at.to_owned(), reason.to_owned(), owner.to_owned());
            waivers.push(Waiver { rule: known.number, at, reason, owner, until, place: item.place() });
        }
    }
    Waivers { waivers, used: Mutex::default() }
}
