// SPDX-License-Identifier: Apache-2.0
//! Rates as the operator writes them (`600/min`, `5/15m`, `60/min burst 20`).

pub(crate) mod gcra;

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// The longest period a rate may name.
pub const PERIOD_MAX: Duration = Duration::from_hours(24 * 366);

/// `count` per `per`; admits `burst` at once (`count`, where it says nothing).
///
/// A period of zero would mean "no limit": it is never made by parsing, and where it is made by hand the burst is
/// never refilled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In what time.
    pub per: Duration,
    /// How many at once.
    pub burst: Option<NonZeroU32>,
}

impl Rate {
    /// How many are admitted at once after a long silence.
    pub fn burst_or_count(&self) -> NonZeroU32 {
        self.burst.unwrap_or(self.count)
    }
}

/// The text is not a rate.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RateError {
    /// Not of the form `N/T` or `N/T burst B`.
    #[error("`{0}` is not a rate: write `100/min`, `5/10s` or `60/min burst 20`")]
    Form(String),
    /// Zero would mean "no limit" or "nothing at all".
    #[error("`{0}` holds a zero, which would mean no limit")]
    Zero(String),
    /// The period is longer than [`PERIOD_MAX`].
    #[error("`{0}` has a period longer than 366 days")]
    Period(String),
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let form = || RateError::Form(text.to_owned());
        let mut words = text.split_ascii_whitespace();
        let (count, per) = words.next().and_then(|rate| rate.split_once('/')).ok_or_else(form)?;
        let burst = match (words.next(), words.next(), words.next()) {
            (None, _, _) => None,
            (Some("burst"), Some(burst), None) => Some(positive(burst, text)?),
            _ => return Err(form()),
        };
        let per = period(per).ok_or_else(form)?;
        if per.is_zero() {
            return Err(RateError::Zero(text.to_owned()));
        }
        if per > PERIOD_MAX {
            return Err(RateError::Period(text.to_owned()));
        }
        Ok(Self { count: positive(count, text)?, per, burst })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.per.as_nanos();
        match nanos {
            1_000_000_000 => write!(f, "{}/s", self.count)?,
            60_000_000_000 => write!(f, "{}/min", self.count)?,
            3_600_000_000_000 => write!(f, "{}/h", self.count)?,
            86_400_000_000_000 => write!(f, "{}/day", self.count)?,
            _ if nanos.is_multiple_of(60_000_000_000) => write!(f, "{}/{}m", self.count, self.per.as_secs() / 60)?,
            _ if nanos.is_multiple_of(1_000_000_000) => write!(f, "{}/{}s", self.count, self.per.as_secs())?,
            _ => write!(f, "{}/{}ms", self.count, self.per.as_millis())?,
        }
        match self.burst {
            Some(burst) => write!(f, " burst {burst}"),
            None => Ok(()),
        }
    }
}

fn positive(digits: &str, text: &str) -> Result<NonZeroU32, RateError> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RateError::Form(text.to_owned()));
    }
    let number: u32 = digits.parse().map_err(|_| RateError::Form(text.to_owned()))?;
    NonZeroU32::new(number).ok_or_else(|| RateError::Zero(text.to_owned()))
}

/// `s`, `min`, `h`, `day`, or a number of `ms`, `s`, `m`, `min`, `h`, `d`, `day`.
fn period(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (digits, unit) = text.split_at_checked(unit_at)?;
    let number: u64 = match (digits, unit) {
        ("", "s" | "min" | "h" | "day") => 1,
        ("", _) => return None,
        _ => digits.parse().ok()?,
    };
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" | "day" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit_ms).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written_as_documented() {
        for (text, count, per_ms, burst) in [
            ("100/s", 100, 1_000, None),
            ("600/min", 600, 60_000, None),
            ("60/min burst 20", 60, 60_000, Some(20)),
            ("5/15m", 5, 900_000, None),
            ("5/10s", 5, 10_000, None),
            ("7/250ms", 7, 250, None),
            ("10/h", 10, 3_600_000, None),
            ("3/day", 3, 86_400_000, None),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(
                (rate.count.get(), rate.per, rate.burst.map(NonZeroU32::get)),
                (count, Duration::from_millis(per_ms), burst)
            );
            assert_eq!(rate.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "100",
            "/s",
            "x/s",
            "-1/s",
            "+1/s",
            "1/",
            "1/5",
            "1/ms",
            "1/week",
            "1/s burst",
            "1/s burst 2 3",
            "1.5/s",
            "1/s rush 2",
            "99999999999/s",
            "1/99999999999999999999s",
            "1/é",
        ] {
            assert!(matches!(text.parse::<Rate>(), Err(RateError::Form(_))), "{text}");
        }
        for text in ["0/s", "1/0s", "1/s burst 0"] {
            assert!(matches!(text.parse::<Rate>(), Err(RateError::Zero(_))), "{text}");
        }
        assert!(matches!("1/400d".parse::<Rate>(), Err(RateError::Period(_))));
    }
}
