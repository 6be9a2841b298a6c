// SPDX-License-Identifier: Apache-2.0
//! Numbers: RFC 8259 §6, bounded, and only those that every careful reader understands alike (T68).

use super::{JsonKind, NUMBER_CHARS_MAX};

/// Reads the number at the start of `bytes`; gives its kind and length.
pub(super) fn read(bytes: &[u8]) -> Result<(JsonKind, usize), &'static str> {
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at = match bytes.get(at) {
        Some(b'0') => at.saturating_add(1),
        Some(b'1'..=b'9') => digits(bytes, at),
        _ => return Err("number without digits"),
    };
    let mut integer = true;
    if bytes.get(at) == Some(&b'.') {
        integer = false;
        at = some_digits(bytes, at.saturating_add(1))?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        integer = false;
        at = at.saturating_add(1);
        if let Some(b'+' | b'-') = bytes.get(at) {
            at = at.saturating_add(1);
        }
        at = some_digits(bytes, at)?;
    }
    let lexeme = bytes.get(..at).unwrap_or_default();
    if lexeme.len() > NUMBER_CHARS_MAX {
        return Err("number is too long");
    }
    Ok((kind(lexeme, integer)?, at))
}

fn kind(lexeme: &[u8], integer: bool) -> Result<JsonKind, &'static str> {
    let text = std::str::from_utf8(lexeme).map_err(|_| "number is not ascii")?;
    if integer && text != "-0" {
        return if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
            Ok(JsonKind::Integer)
        } else {
            Err("integer does not fit 64 bits")
        };
    }
    let value: f64 = text.parse().map_err(|_| "number cannot be read")?;
    if !value.is_finite() {
        return Err("number is too large");
    }
    let mantissa = lexeme.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    if value == 0.0 && mantissa.copied().any(|byte| matches!(byte, b'1'..=b'9')) {
        return Err("number is too small");
    }
    Ok(JsonKind::Float)
}

/// The place behind the run of digits that starts at `at`.
fn digits(bytes: &[u8], at: usize) -> usize {
    let run = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
    at.saturating_add(run)
}

fn some_digits(bytes: &[u8], at: usize) -> Result<usize, &'static str> {
    match digits(bytes, at) {
        end if end > at => Ok(end),
        _ => Err("number ends in the middle"),
    }
}
