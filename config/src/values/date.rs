// SPDX-License-Identifier: Apache-2.0
//! Days of the calendar (proleptic Gregorian, UTC).

use std::fmt;
use std::time::Duration;

use super::ValueError;

const SECONDS_PER_DAY: u64 = 86_400;

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day {
    year: u32,
    month: u32,
    of_month: u32,
}

impl Day {
    /// Reads `YYYY-MM-DD` of a year from 1970.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let mut parts = text.split('-');
        let mut part = |width: usize| {
            let digits = parts.next().filter(|p| p.len() == width && p.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<u32>().ok()).ok_or(ValueError::Date)
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let real = year >= 1970 && (1..=days_in(year, month)).contains(&day);
        if real && parts.next().is_none() { Ok(Self { year, month, of_month: day }) } else { Err(ValueError::Date) }
    }

    /// The day, in UTC, on which this time since the Unix epoch falls.
    pub fn of(since_epoch: Duration) -> Self {
        let mut days = since_epoch.as_secs() / SECONDS_PER_DAY;
        let mut year = 1970_u32;
        // At most as many steps as years since 1970; a clock beyond the year 9999 stands still there.
        while year < 9999 && days >= days_of_year(year) {
            days -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while month < 12 && days >= u64::from(days_in(year, month)) {
            days -= u64::from(days_in(year, month));
            month += 1;
        }
        let day = u32::try_from(days).unwrap_or(30).saturating_add(1).min(31);
        Self { year, month, of_month: day }
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u32) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 0,
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.of_month)
    }
}
