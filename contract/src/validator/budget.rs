// SPDX-License-Identifier: Apache-2.0
//! The budget of one check: steps and depth (T75). A step is one value handed from one unit to another.
//!
//! The budget lives in a thread-local, because the validator library gives its keywords no context. A check never
//! waits, so it never changes threads.

use serde_json::Value;
use std::cell::Cell;

/// Steps every check has.
const STEPS_MIN: u64 = 20_000;
/// Further steps for each value inside the checked one.
const STEPS_PER_VALUE: u64 = 64;
/// At most this many units may be open one inside another.
const DEPTH_MAX: u32 = 400;

#[derive(Clone, Copy)]
struct Budget {
    steps: u64,
    depth: u32,
    within: bool,
}

thread_local! {
    static BUDGET: Cell<Budget> = const { Cell::new(Budget { steps: 0, depth: 0, within: true }) };
}

/// Whether the running check is still within its budget.
pub(super) fn within() -> bool {
    BUDGET.get().within
}

/// Begins a check of so many values.
pub(super) fn open(values: u64) {
    let steps = STEPS_MIN.saturating_add(values.saturating_mul(STEPS_PER_VALUE));
    BUDGET.set(Budget { steps, depth: 0, within: true });
}

/// One unit's turn; ends when dropped.
pub(super) struct Step(());

impl Drop for Step {
    fn drop(&mut self) {
        let budget = BUDGET.get();
        BUDGET.set(Budget { depth: budget.depth.saturating_sub(1), ..budget });
    }
}

/// Takes one step, or ends the check.
pub(super) fn step() -> Option<Step> {
    let budget = BUDGET.get();
    if budget.steps == 0 || budget.depth >= DEPTH_MAX || !budget.within {
        BUDGET.set(Budget { within: false, ..budget });
        return None;
    }
    BUDGET.set(Budget { steps: budget.steps - 1, depth: budget.depth + 1, within: true });
    Some(Step(()))
}

/// The values inside a value, itself included.
pub(super) fn count(value: &Value) -> u64 {
    let mut total: u64 = 0;
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        total = total.saturating_add(1);
        match value {
            Value::Array(items) => pending.extend(items),
            Value::Object(members) => pending.extend(members.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    total
}
