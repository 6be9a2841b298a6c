// SPDX-License-Identifier: Apache-2.0
//! `plans` and `limits`: how hard a caller may push.

use std::sync::Arc;

use portcullis_decision::finding::Severity;
use portcullis_identity::IssuerConfig;
use portcullis_limit::{CountedBy, PRIORITY_USUAL, Plan, PlanFrom, Rate};

use super::edge::per_minute;
use crate::cursor::Cursor;
use crate::loaded::Limits;
use crate::suggest::did_you_mean;
use crate::values::rate;

/// The plan's name where `limits.default` is the only one.
const DEFAULT: &str = "default";
/// Where nothing is said: the rate of the smallest useful file.
const DEFAULT_PER_MINUTE: u32 = 100;
const FAILURES_PER_MINUTE: u32 = 60;
/// The most plans.
const PLANS_MAX: usize = 256;
/// The highest priority of a plan.
const PRIORITY_HIGHEST: u32 = 9;

pub(super) fn read(root: &Cursor<'_>, issuers: &[IssuerConfig]) -> Limits {
    let cursor = root.word("limits");
    let plans = plans(root, &cursor);
    let default_plan = default_plan(&cursor, &plans, root);
    let default_rate =
        plans.iter().find(|plan| plan.name == default_plan).map_or(per_minute(DEFAULT_PER_MINUTE), |p| p.rate);
    let by = counted_by(&cursor.word("by"), issuers);
    let plan_from = cursor.word("plan_from").parse(|text| match text.strip_prefix("claim:") {
        Some(claim) if !claim.trim().is_empty() => Ok(Arc::<str>::from(claim)),
        _ => Err("write `claim:NAME`"),
    });
    Limits {
        default_plan,
        by,
        plan_from: plan_from.map_or(PlanFrom::Identity, PlanFrom::Claim),
        anonymous: by_address(&cursor.word("anonymous")).unwrap_or(default_rate),
        authentication_failures: by_address(&cursor.word("authentication_failures"))
            .unwrap_or(per_minute(FAILURES_PER_MINUTE)),
        plans,
    }
}

fn plans(root: &Cursor<'_>, limits: &Cursor<'_>) -> Vec<Plan> {
    let declared = root.word("plans");
    let mut plans: Vec<Plan> = Vec::new();
    for (name, section) in declared.entries() {
        let rate = section.word("rate").parse(rate);
        if !is_plan_name(name) {
            section
                .refuse(format!("`{}` cannot name a plan", crate::words::judge::clean(name)))
                .help("plan names stand in `RateLimit` headers: ASCII letters, digits and `-_.`, at most 64");
        }
        // A faulty rate was reported; the plan exists all the same.
        let priority = section.word("priority").count(PRIORITY_HIGHEST).and_then(|p| u8::try_from(p).ok());
        plans.push(Plan {
            priority: priority.unwrap_or(PRIORITY_USUAL),
            ..plan(name, rate.unwrap_or(per_minute(DEFAULT_PER_MINUTE)))
        });
    }
    if plans.len() > PLANS_MAX {
        declared.refuse(format!("more than {PLANS_MAX} plans"));
    }
    let short = limits.word(DEFAULT);
    if let Some(rate) = short.parse(rate) {
        if plans.iter().any(|plan| &*plan.name == DEFAULT) {
            short.refuse("`plans.default` is there already").help("write the plan called `default` in one place");
        } else {
            plans.push(plan(DEFAULT, rate));
        }
    }
    if plans.is_empty() {
        if !short.is_present() && !limits.sink().refuses() {
            let message = format!("no limit is written: every subject may call {DEFAULT_PER_MINUTE} times a minute");
            limits
                .sink()
                .report(limits.spot(), "limits", message, Severity::Info)
                .help("write `limits.default: RATE`")
                .done();
        }
        plans.push(plan(DEFAULT, per_minute(DEFAULT_PER_MINUTE)));
    }
    plans
}

fn plan(name: &str, rate: Rate) -> Plan {
    Plan { name: name.into(), rate, concurrency: None, priority: PRIORITY_USUAL }
}

fn is_plan_name(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(word)
}

fn default_plan(limits: &Cursor<'_>, plans: &[Plan], root: &Cursor<'_>) -> Arc<str> {
    let cursor = limits.word("default_plan");
    if let Some(name) = cursor.text() {
        if let Some(plan) = plans.iter().find(|plan| *plan.name == *name) {
            return plan.name.clone();
        }
        cursor
            .refuse(format!("there is no plan {}", cursor.shown()))
            .help(did_you_mean(name, plans.iter().map(|plan| &*plan.name)));
    } else if !plans.iter().any(|plan| &*plan.name == DEFAULT) {
        let plans_place = root.word("plans");
        plans_place
            .refuse("nothing says which plan holds for callers without one")
            .help("write `limits.default_plan: NAME`");
    }
    DEFAULT.into()
}

/// What plans are counted by; PC0301 where no token says it.
fn counted_by(cursor: &Cursor<'_>, issuers: &[IssuerConfig]) -> Vec<CountedBy> {
    let items = cursor.items();
    let mut by: Vec<CountedBy> =
        items.iter().filter_map(|item| item.text().and_then(|text| text.parse().ok())).collect();
    if by.contains(&CountedBy::Tenant) && issuers.iter().all(|issuer| issuer.claims.tenant.is_none()) {
        cursor
            .refuse("plans are counted by tenant, and no issuer says where the tenant stands")
            .help("write `claims: { tenant: CLAIM }` for an issuer")
            .rule("PC0301");
    }
    if cursor.is_present() && items.is_empty() {
        cursor.refuse("a limit is counted by something").help("write `by: [subject]`");
    }
    if by.is_empty() {
        by.push(CountedBy::Subject);
    }
    by
}

/// A rate, or `{ rate, by: [address] }`.
fn by_address(cursor: &Cursor<'_>) -> Option<Rate> {
    if !cursor.is_map() {
        return cursor.parse(rate);
    }
    // There is one value it may have; the table saw to that.
    for item in cursor.word("by").items() {
        item.text();
    }
    cursor.word("rate").parse(rate)
}
