// SPDX-License-Identifier: Apache-2.0
//! Which of several targets gets a request: of two taken at random the one with less to do, where less is requests
//! under way times latency (power of two choices).
//!
//! A target that failed too often or is not well gets nothing; when its time is up exactly one request tries it; then
//! its share grows (F32). When failures have put out more than half of the targets and nobody asked for a breaker per
//! target, they are used all the same: the rest would only be the next to fall.

use crate::upstream::circuit_breaker::{Closed, Entry, Per, Standing};
use crate::upstream::endpoint::Endpoint;

/// Most targets of one upstream.
pub const TARGETS_MAX: usize = 32;

/// A set of targets by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tried(u32);

impl Tried {
    /// One more.
    pub(crate) fn with(self, index: usize) -> Self {
        Self(self.0 | bit(index))
    }

    /// How many.
    pub(crate) fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    fn has(self, index: usize) -> bool {
        self.0 & bit(index) != 0
    }
}

fn bit(index: usize) -> u32 {
    u32::try_from(index).ok().and_then(|index| 1_u32.checked_shl(index)).unwrap_or(0)
}

/// What a choice is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) now_ms: u64,
    pub(crate) per: Option<Per>,
    /// How many requests the whole upstream may have under way.
    pub(crate) whole: usize,
    /// Not these, if there are others.
    pub(crate) tried: Tried,
    pub(crate) random: u64,
}

/// Chooses; an error says why nobody can be asked.
pub(crate) fn choose(endpoints: &[Endpoint], choice: Choice) -> Result<(usize, Entry), Closed> {
    let mut standing: u32 = 0;
    let mut well: u32 = 0;
    let mut shortest_ms = u64::MAX;
    let share = choice.whole.checked_div(endpoints.len()).unwrap_or(1).max(1);
    for (index, endpoint) in endpoints.iter().enumerate().take(TARGETS_MAX) {
        if !endpoint.health.is_down() {
            well |= bit(index);
        }
        match endpoint.standing(choice.now_ms) {
            Standing::Percent(_) => standing |= bit(index),
            Standing::Out { for_ms } => shortest_ms = shortest_ms.min(for_ms),
            Standing::Due if choice.tried.has(index) => {}
            Standing::Due => {
                if let Ok(entry) = endpoint.circuit.enter(choice.now_ms, share) {
                    return Ok((index, entry));
                }
            }
        }
    }
    let panics =
        choice.per != Some(Per::Target) && (standing.count_ones() as usize).saturating_mul(2) < endpoints.len();
    let of = if panics { standing | well } else { standing };
    let untried = of & !choice.tried.0;
    let of = if untried == 0 { of } else { untried };
    let Some(chosen) = two(endpoints, of, choice) else {
        return Err(Closed::ForMs(if shortest_ms == u64::MAX { 1_000 } else { shortest_ms }));
    };
    let endpoint = endpoints.get(chosen).ok_or(Closed::Ramp)?;
    match endpoint.circuit.enter(choice.now_ms, share) {
        Ok(entry) => Ok((chosen, entry)),
        Err(_) if panics => Ok((chosen, Entry::Free)),
        Err(_) => another(endpoints, of & !bit(chosen), choice.now_ms, share),
    }
}

/// The places of the chosen one are taken (slow start): whoever has one.
fn another(endpoints: &[Endpoint], of: u32, now_ms: u64, share: usize) -> Result<(usize, Entry), Closed> {
    members(of)
        .find_map(|index| Some((index, endpoints.get(index)?.circuit.enter(now_ms, share).ok()?)))
        .ok_or(Closed::Ramp)
}

fn two(endpoints: &[Endpoint], of: u32, choice: Choice) -> Option<usize> {
    let count = of.count_ones();
    if count <= 1 {
        return members(of).next();
    }
    let half = |shift: u32| u32::try_from(choice.random >> shift & u64::from(u32::MAX)).unwrap_or(0);
    let (low, high) = (half(0), half(32));
    let first = nth(of, scaled(low, count))?;
    let second = nth(of & !bit(first), scaled(high, count.saturating_sub(1)))?;
    let load = |index: usize| endpoints.get(index).map_or(u64::MAX, |endpoint| endpoint.load(choice.now_ms));
    // A difference that may be chance decides nothing: the first is as random as can be.
    let clearly_less = load(second).saturating_mul(4) < load(first).saturating_mul(3);
    let (better, other) = if clearly_less { (second, first) } else { (first, second) };
    // A slow start takes its share of what would have been its own.
    match endpoints.get(better)?.standing(choice.now_ms) {
        Standing::Percent(percent) if u64::from(scaled(low.rotate_left(16) ^ high, 100)) >= percent => Some(other),
        _ => Some(better),
    }
}

/// 0 to `below`, evenly.
fn scaled(random: u32, below: u32) -> u32 {
    u32::try_from(u64::from(random).wrapping_mul(u64::from(below)) >> 32).unwrap_or(0)
}

fn nth(of: u32, n: u32) -> Option<usize> {
    members(of).nth(n as usize)
}

fn members(of: u32) -> impl Iterator<Item = usize> {
    (0..TARGETS_MAX).filter(move |index| of & bit(*index) != 0)
}

#[cfg(test)]
mod tests;
