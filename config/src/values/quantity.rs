// SPDX-License-Identifier: Apache-2.0
//! Numbers with a unit.

use std::time::Duration;

use portcullis_limit::rate::{Rate, RateError};

use super::ValueError;

/// The longest duration that is read.
const DURATION_MAX: Duration = Duration::from_hours(24 * 366);

/// The digits at the beginning of a text, and what follows.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    // A leading zero reads as octal to some; nobody needs it.
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().ok()?, unit))
}

/// `64KiB`, never zero.
pub(crate) fn size(text: &str) -> Result<u64, ValueError> {
    let (count, unit) = number(text).ok_or(ValueError::Size)?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return Err(ValueError::Size),
    };
    if count == 0 {
        return Err(ValueError::Zero);
    }
    count.checked_mul(1_u64 << shift).ok_or(ValueError::Size)
}

/// `10%`, one to a hundred.
pub(crate) fn percent(text: &str) -> Result<u32, ValueError> {
    match number(text).ok_or(ValueError::Percent)? {
        (0, "%") => Err(ValueError::Zero),
        (count, "%") if count > 100 => Err(ValueError::TooLarge("100%".to_owned())),
        (count, "%") => u32::try_from(count).map_err(|_| ValueError::Percent),
        _ => Err(ValueError::Percent),
    }
}

/// `1KiB/s`, never zero.
pub(crate) fn bytes_per_second(text: &str) -> Result<u64, ValueError> {
    let amount = text.strip_suffix("/s").ok_or(ValueError::ByteRate)?;
    size(amount).map_err(|error| if error == ValueError::Zero { error } else { ValueError::ByteRate })
}

/// `250ms`, never zero.
pub(crate) fn duration(text: &str) -> Result<Duration, ValueError> {
    let duration = duration_or_zero(text)?;
    if duration.is_zero() { Err(ValueError::Zero) } else { Ok(duration) }
}

/// `0s`, `250ms`: where zero is the strictest value.
pub(crate) fn duration_or_zero(text: &str) -> Result<Duration, ValueError> {
    let (count, unit) = number(text).ok_or(ValueError::Duration)?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(ValueError::Duration),
    };
    let duration = Duration::from_millis(count.checked_mul(unit_ms).ok_or(ValueError::Duration)?);
    if duration > DURATION_MAX { Err(ValueError::TooLarge("366d".to_owned())) } else { Ok(duration) }
}

/// A duration as an operator writes it: in the largest unit that is exact.
pub(crate) fn written(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.iter().find(|(unit, _)| ms >= *unit && ms.is_multiple_of(*unit)) {
        // `1d` reads as a calendar day to some; up to two of them are hours.
        Some((86_400_000, _)) if ms <= 172_800_000 => format!("{}h", ms / 3_600_000),
        Some((unit, name)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

/// `100/min`, `60/min burst 20`, `5/15m`.
pub(crate) fn rate(text: &str) -> Result<Rate, ValueError> {
    text.parse().map_err(|error| match error {
        RateError::Form(_) => ValueError::Rate,
        RateError::Zero(_) => ValueError::Zero,
        RateError::Period(_) => ValueError::TooLarge("366 days".to_owned()),
    })
}
