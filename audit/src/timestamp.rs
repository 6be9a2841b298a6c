// SPDX-License-Identifier: Apache-2.0
//! Times in records are milliseconds since the Unix epoch; people read RFC 3339 in UTC.

use std::time::Duration;

const MILLIS_PER_DAY: u64 = 86_400_000;

/// The last millisecond of the year 9999.
const LAST_OF_9999: u64 = 253_402_300_799_999;

/// `2026-11-02T03:07:41.238Z` for the milliseconds since the Unix epoch that a record holds as `unix_ms`.
pub fn rfc3339(unix_ms: u64) -> String {
    let millis = unix_ms.min(LAST_OF_9999);
    let (year, month, day) = civil(millis / MILLIS_PER_DAY);
    let of_day = millis % MILLIS_PER_DAY;
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1000)
}

/// Whole milliseconds of a time since the Unix epoch, up to the year 9999.
pub(crate) fn millis(since_epoch: Duration) -> u64 {
    u64::try_from(since_epoch.as_millis()).unwrap_or(LAST_OF_9999).min(LAST_OF_9999)
}

/// Year, month and day of a day since 1970-01-01, after Howard Hinnant's `civil_from_days`. Years stay below 10000, so
/// nothing here can overflow.
#[expect(clippy::arithmetic_side_effects, reason = "bounded by millis(): fewer than 3 million days")]
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_793_588_861_238), "2026-11-02T03:07:41.238Z");
        assert_eq!(rfc3339(4_107_542_399_999), "2100-02-28T23:59:59.999Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
