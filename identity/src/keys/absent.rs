// SPDX-License-Identifier: Apache-2.0
//! Key ids an issuer was asked for and does not have, so that one bad token sent again and again does not use up the
//! issuer's turns (T94). Bounded and short-lived: its members are what clients send.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most key ids remembered, and for how long.
const KIDS_MAX: usize = 128;
const AGE_MAX: Duration = Duration::from_mins(5);

/// The absent key ids of one issuer, oldest first.
#[derive(Default)]
pub(super) struct AbsentKids(Mutex<VecDeque<(Box<str>, Duration)>>);

impl AbsentKids {
    /// Whether the issuer was asked for this key a short while ago.
    pub(super) fn contains(&self, kid: &str, now: Duration) -> bool {
        let mut kids = self.lock();
        kids.retain(|(_, since)| now.saturating_sub(*since) <= AGE_MAX);
        kids.iter().any(|(known, _)| **known == *kid)
    }

    /// Remembers one more; the oldest makes room.
    pub(super) fn insert(&self, kid: &str, now: Duration) {
        let mut kids = self.lock();
        if kids.iter().any(|(known, _)| **known == *kid) {
            return;
        }
        if kids.len() >= KIDS_MAX {
            kids.pop_front();
        }
        kids.push_back((kid.into(), now));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Box<str>, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t94_absent_kids_are_bounded_and_forgotten() {
        let kids = AbsentKids::default();
        for n in 0..10_000 {
            kids.insert(&format!("k{n}"), Duration::ZERO);
            kids.insert(&format!("k{n}"), Duration::ZERO);
        }
        assert_eq!(kids.lock().len(), KIDS_MAX);
        assert!(kids.contains("k9999", AGE_MAX) && !kids.contains("k0", AGE_MAX));
        assert!(!kids.contains("k9999", AGE_MAX + Duration::from_secs(1)));
        assert!(kids.lock().is_empty());
    }
}
