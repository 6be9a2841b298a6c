// SPDX-License-Identifier: Apache-2.0
//! When certificates and lists end, and when somebody should be told (F24).

use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A certificate of ours: without it nothing is served, or no upstream reached.
    Leaf,
    /// An authority that vouches for others.
    Authority,
    /// A revocation list: past its end everybody it speaks of is denied (F25).
    Revocations,
}

/// When something ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ends {
    /// What.
    pub what: What,
    /// The file it stands in.
    pub file: String,
    /// Since 1970-01-01T00:00:00Z.
    pub at: Duration,
}

/// How near the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// Nobody needs to act.
    Later,
    /// Thirty days or less.
    Days30,
    /// Seven days or less.
    Days7,
    /// One day or less.
    Day1,
    /// It has passed.
    Ended,
}

impl Ends {
    /// How near the end is at `wall`. Lists are renewed often: only their last day counts.
    pub fn due(&self, wall: Duration) -> Due {
        let Some(left) = self.at.checked_sub(wall).filter(|left| !left.is_zero()) else { return Due::Ended };
        let due = match left {
            left if left <= DAY => Due::Day1,
            left if left <= DAY.saturating_mul(7) => Due::Days7,
            left if left <= DAY.saturating_mul(30) => Due::Days30,
            _ => Due::Later,
        };
        if self.what == What::Revocations && due < Due::Day1 { Due::Later } else { due }
    }

    /// One line for people, such as `the certificate `edge.pem` ends in 6 days`.
    pub fn tell(&self, wall: Duration) -> String {
        let what = match self.what {
            What::Leaf => "the certificate",
            What::Authority => "a certificate authority in",
            What::Revocations => "the revocation list",
        };
        let file = &self.file;
        match self.at.checked_sub(wall).filter(|left| !left.is_zero()) {
            None => format!("{what} `{file}` has ended"),
            Some(left) if left < DAY => format!("{what} `{file}` ends in {} hours", left.as_secs() / 3600),
            Some(left) => format!("{what} `{file}` ends in {} days", left.as_secs() / DAY.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f24_warns_at_30_7_and_1_days_and_says_when_it_is_over() {
        let at = DAY * 100;
        let ends = Ends { what: What::Leaf, file: "edge.pem".to_owned(), at };
        let before = |days: u32| ends.due(at.saturating_sub(DAY * days));
        assert_eq!(
            [before(31), before(30), before(8), before(7), before(2), before(1), before(0)],
            [Due::Later, Due::Days30, Due::Days30, Due::Days7, Due::Days7, Due::Day1, Due::Ended]
        );
        assert_eq!(ends.tell(at.saturating_sub(DAY * 6)), "the certificate `edge.pem` ends in 6 days");
        assert_eq!(ends.tell(at.saturating_sub(DAY / 2)), "the certificate `edge.pem` ends in 12 hours");
        assert_eq!(ends.tell(at), "the certificate `edge.pem` has ended");
        let list = Ends { what: What::Revocations, ..ends };
        assert_eq!(list.due(at.saturating_sub(DAY * 2)), Due::Later);
        assert_eq!(list.due(at), Due::Ended);
    }
}
