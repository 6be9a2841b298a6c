// SPDX-License-Identifier: Apache-2.0
//! The counters: a bounded map, judged and charged for several policies at once.
//!
//! The map is cut into shards, each behind its own lock; one step locks the shards of all its keys in order, judges
//! every policy, and only when all admit charges every one of them. So counts are exact under any number of threads
//! (T120), and a step that is refused has charged nothing.
//!
//! It is bounded (T64). An entry whose counter is full again is the same as none, so each insertion looks at a few of
//! the oldest entries and drops those; no sweep ever stops the world. When a shard is full of counters still in use, a
//! *new* key gets no counter of its own: all such keys share the policy's **overflow counter**, with the policy's own
//! rate. So a flood of made-up keys is limited together, keys that have a counter keep it (nobody is forgotten and
//! thereby let loose), and nothing is ever unlimited. Keys that only a verified identity can make live in other shards
//! than those any client can make, so that such a flood does not touch them.

use crate::key::Key;
use crate::rate::gcra::{Gcra, Judgement, Moment};
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Policies of one step that need no allocation.
pub(crate) const STEP_POLICIES_INLINE: usize = 4;
/// Shards of each class; a power of two.
const SHARDS: usize = 64;
/// Entries looked at when a shard is full.
const RECLAIM_STEPS_MAX: usize = 8;
/// Entries looked at on any other insertion: more than one, so that the map shrinks to what is in use.
const RECLAIM_STEPS_USUAL: usize = 2;

/// Who can make keys of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Only verified identities.
    Known,
    /// Anyone.
    Open,
}

/// One policy to judge in a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Charge<'a> {
    pub(crate) gcra: &'a Gcra,
    /// The policy's number: the key of its overflow counter.
    pub(crate) policy: u32,
    pub(crate) key: Key,
    pub(crate) class: Class,
}

/// What a counter shows after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Whether this policy admits (or, after a commit, admitted).
    pub(crate) admits: bool,
    /// How many more it would admit at once.
    pub(crate) available: u32,
    /// Nanoseconds until it would admit one more.
    pub(crate) wait_ns: u64,
    /// Nanoseconds until it is full again.
    pub(crate) full_in_ns: u64,
}

/// The readings of a step, in the order of its charges.
pub(crate) type Readings = SmallVec<[Reading; STEP_POLICIES_INLINE]>;

/// Whether a step's policies all admitted; the readings say which did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// All did, and all were charged.
    Admitted,
    /// At least one did not, and none was charged.
    Refused,
}

/// Passes on the half of the key that is already a hash.
#[derive(Default)]
pub(crate) struct ByKey(u64);

impl Hasher for ByKey {
    fn write(&mut self, bytes: &[u8]) {
        // INVARIANT: `Key` writes one `u64`; this stays correct, if slow, should that change.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Two shards never share a cache line.
#[repr(align(128))]
struct Shard(Mutex<Cells>);

#[derive(Default)]
struct Cells {
    by_key: HashMap<Key, Moment, BuildHasherDefault<ByKey>>,
    /// INVARIANT: the keys of `by_key`, each once, oldest (or last looked at) first.
    hand: VecDeque<Key>,
    entries_max: usize,
}

impl Cells {
    /// Drops counters that are full again, looking at no more than `steps`; says whether there is room for one more.
    fn has_room(&mut self, now_ns: u64) -> bool {
        let steps = if self.by_key.len() < self.entries_max { RECLAIM_STEPS_USUAL } else { RECLAIM_STEPS_MAX };
        for _ in 0..steps.min(self.hand.len()) {
            let Some(key) = self.hand.pop_front() else { break };
            match self.by_key.entry(key) {
                Entry::Occupied(entry) if entry.get().has_passed(now_ns) => {
                    entry.remove();
                }
                Entry::Occupied(_) => self.hand.push_back(key),
                Entry::Vacant(_) => {}
            }
        }
        self.by_key.len() < self.entries_max
    }

    fn set(&mut self, key: Key, tat: Moment) {
        if self.by_key.insert(key, tat).is_none() {
            self.hand.push_back(key);
        }
    }
}

/// Where a charge's counter lives.
#[derive(Clone, Copy)]
enum Place {
    Cell,
    Overflow,
}

/// Bounded counters.
pub(crate) struct Counters {
    entries_max: usize,
    shards: Vec<Shard>,
    overflow: Mutex<HashMap<u32, Moment>>,
}

/// The locked shards of a step, in the order of their numbers.
struct Locked<'a> {
    numbers: SmallVec<[usize; STEP_POLICIES_INLINE]>,
    cells: SmallVec<[MutexGuard<'a, Cells>; STEP_POLICIES_INLINE]>,
}

impl Locked<'_> {
    fn of(&mut self, shard: usize) -> Option<&mut Cells> {
        let at = self.numbers.iter().position(|number| *number == shard)?;
        self.cells.get_mut(at).map(|guard| &mut **guard)
    }
}

impl Counters {
    /// At most `entries_max` counters of each class (rounded up to a multiple of the shards).
    pub(crate) fn new(entries_max: usize) -> Self {
        let shard_entries_max = entries_max.div_ceil(SHARDS).max(1);
        let shard = || Shard(Mutex::new(Cells { entries_max: shard_entries_max, ..Cells::default() }));
        Self {
            entries_max,
            shards: std::iter::repeat_with(shard).take(SHARDS.saturating_mul(2)).collect(),
            overflow: Mutex::new(HashMap::new()),
        }
    }

    /// The counters of an earlier configuration, where they have room for as many.
    pub(crate) fn inherit(previous: Option<&Arc<Self>>, entries_max: usize) -> Arc<Self> {
        let kept = previous.filter(|previous| previous.entries_max == entries_max);
        kept.map_or_else(|| Arc::new(Self::new(entries_max)), Arc::clone)
    }

    /// Judges all charges together; charges all of them or none.
    pub(crate) fn admit(&self, charges: &[Charge<'_>], now_ns: u64) -> (Step, Readings) {
        match charges {
            [one] => {
                let (step, reading) = self.admit_one(one, now_ns);
                (step, std::iter::once(reading).collect())
            }
            several => self.admit_several(several, now_ns),
        }
    }

    /// The usual case, with one lock and nothing to sort.
    fn admit_one(&self, charge: &Charge<'_>, now_ns: u64) -> (Step, Reading) {
        self.with_counter(charge, now_ns, |tat| match charge.gcra.judge(*tat, now_ns) {
            Judgement::Allow(next) => {
                *tat = next;
                (Step::Admitted, read(charge.gcra, next, now_ns, true))
            }
            Judgement::Deny => (Step::Refused, read(charge.gcra, *tat, now_ns, false)),
        })
    }

    fn admit_several(&self, charges: &[Charge<'_>], now_ns: u64) -> (Step, Readings) {
        let mut locked = self.lock(charges);
        // Taken after the shards, by everyone, and only where a counter lives there.
        let mut overflow = None;
        let mut states: SmallVec<[(Place, Moment); STEP_POLICIES_INLINE]> = SmallVec::new();
        let mut step = Step::Admitted;
        for charge in charges {
            let (place, tat) = match locked.of(shard_of(charge)) {
                Some(cells) => match cells.by_key.get(&charge.key).copied() {
                    Some(tat) => (Place::Cell, charge.gcra.settled(tat, now_ns)),
                    None if cells.has_room(now_ns) => (Place::Cell, Moment::default()),
                    None => {
                        let overflow = overflow.get_or_insert_with(|| self.overflow.lock());
                        let tat = overflow.get(&charge.policy).copied().unwrap_or_default();
                        (Place::Overflow, charge.gcra.settled(tat, now_ns))
                    }
                },
                // Every charge's shard was locked above; were it not, the shared counter is the strict answer.
                None => (Place::Overflow, Moment::at_ns(u64::MAX)),
            };
            if charge.gcra.judge(tat, now_ns) == Judgement::Deny {
                step = Step::Refused;
            }
            states.push((place, tat));
        }
        let mut readings = Readings::new();
        for (charge, (place, tat)) in charges.iter().zip(states) {
            let admits = matches!(charge.gcra.judge(tat, now_ns), Judgement::Allow(_));
            let tat = match step {
                Step::Refused => tat,
                Step::Admitted => {
                    let next = charge.gcra.charged(tat, now_ns);
                    match place {
                        Place::Cell => {
                            if let Some(cells) = locked.of(shard_of(charge)) {
                                cells.set(charge.key, next);
                            }
                        }
                        Place::Overflow => {
                            let overflow = overflow.get_or_insert_with(|| self.overflow.lock());
                            overflow.insert(charge.policy, next);
                        }
                    }
                    next
                }
            };
            readings.push(read(charge.gcra, tat, now_ns, admits));
        }
        (step, readings)
    }

    /// What a counter shows, charging nothing.
    pub(crate) fn peek(&self, charge: &Charge<'_>, now_ns: u64) -> Reading {
        let tat = self.with_counter(charge, now_ns, |tat| *tat);
        let admits = matches!(charge.gcra.judge(tat, now_ns), Judgement::Allow(_));
        read(charge.gcra, tat, now_ns, admits)
    }

    /// Counts what has already happened, admitted or not.
    pub(crate) fn charge_anyway(&self, charge: &Charge<'_>, now_ns: u64) {
        self.with_counter(charge, now_ns, |tat| *tat = charge.gcra.indebted(*tat, now_ns));
    }

    /// Runs `f` on the state of one counter; a state as good as new is not kept.
    fn with_counter<T>(&self, charge: &Charge<'_>, now_ns: u64, f: impl FnOnce(&mut Moment) -> T) -> T {
        let mut shard = self.shards.get(shard_of(charge)).map(|shard| shard.0.lock());
        if let Some(cells) = shard.as_deref_mut() {
            if let Some(tat) = cells.by_key.get_mut(&charge.key) {
                *tat = charge.gcra.settled(*tat, now_ns);
                return f(tat);
            }
            if cells.has_room(now_ns) {
                let mut tat = Moment::default();
                let answer = f(&mut tat);
                if !tat.has_passed(now_ns) {
                    cells.set(charge.key, tat);
                }
                return answer;
            }
        }
        let mut overflow = self.overflow.lock();
        let tat = overflow.entry(charge.policy).or_default();
        *tat = charge.gcra.settled(*tat, now_ns);
        f(tat)
    }

    fn lock(&self, charges: &[Charge<'_>]) -> Locked<'_> {
        let mut numbers: SmallVec<[usize; STEP_POLICIES_INLINE]> = charges.iter().map(shard_of).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let cells = numbers.iter().filter_map(|number| self.shards.get(*number)).map(|shard| shard.0.lock()).collect();
        Locked { numbers, cells }
    }

    /// Counters kept now.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().by_key.len()).sum()
    }
}

fn shard_of(charge: &Charge<'_>) -> usize {
    let within = usize::try_from(charge.key.high).unwrap_or(usize::MAX) & SHARDS.saturating_sub(1);
    match charge.class {
        Class::Known => within,
        Class::Open => within.saturating_add(SHARDS),
    }
}

fn read(gcra: &Gcra, tat: Moment, now_ns: u64, admits: bool) -> Reading {
    Reading {
        admits,
        available: gcra.available(tat, now_ns),
        wait_ns: gcra.wait_ns(tat, now_ns),
        full_in_ns: tat.remaining_ns(now_ns),
    }
}

#[cfg(test)]
mod tests;
