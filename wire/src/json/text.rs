// SPDX-License-Identifier: Apache-2.0
//! Strings: checked once while reading, unescaped only when somebody asks (RFC 8259 §7, T67, T70).

use crate::percent::hex_digit;
use std::borrow::Cow;

/// Reads the string whose opening quote is the first byte; gives its length with both quotes and whether it holds
/// an escape. The bytes are UTF-8 already.
pub(super) fn read(bytes: &[u8]) -> Result<(usize, bool), (usize, &'static str)> {
    let mut at = 1_usize;
    let mut escaped = false;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).unwrap_or(rest.len());
        at = at.saturating_add(plain);
        match bytes.get(at) {
            Some(b'"') => return Ok((at.saturating_add(1), escaped)),
            Some(b'\\') => {
                escaped = true;
                let tail = bytes.get(at.saturating_add(1)..).unwrap_or_default();
                let (_, length) = escape(tail).map_err(|detail| (at, detail))?;
                at = at.saturating_add(1).saturating_add(length);
            }
            Some(_) => return Err((at, "control character in a string")),
            None => return Err((at, "string does not end")),
        }
    }
}

/// Reads what follows a backslash; gives the character and the length.
fn escape(tail: &[u8]) -> Result<(char, usize), &'static str> {
    let simple = match tail.first() {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(tail),
        _ => return Err("unknown escape"),
    };
    Ok((simple, 1))
}

fn unicode_escape(tail: &[u8]) -> Result<(char, usize), &'static str> {
    let unit = code_unit(tail.get(1..5)).ok_or("bad unicode escape")?;
    match unit {
        0 => Err("escaped nul"),
        0xd800..=0xdbff => {
            let low = match tail.get(5..7) {
                Some(b"\\u") => code_unit(tail.get(7..11)).filter(|unit| (0xdc00..=0xdfff).contains(unit)),
                _ => None,
            };
            let low = low.ok_or("lone surrogate")?;
            let scalar = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            char::from_u32(scalar).map(|c| (c, 11)).ok_or("lone surrogate")
        }
        _ => char::from_u32(unit).map(|c| (c, 5)).ok_or("lone surrogate"),
    }
}

fn code_unit(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0_u32, |unit, digit| Some(unit << 4 | u32::from(hex_digit(*digit)?)))
}

/// The text between the quotes of a string that [`read`] accepted.
pub(super) fn unescape(quoted: &[u8], escaped: bool) -> Cow<'_, str> {
    let inner = match quoted {
        [b'"', inner @ .., b'"'] => inner,
        _ => &[],
    };
    // INVARIANT: the document was checked to be UTF-8 and quotes are ASCII, so this slice is UTF-8.
    let inner = std::str::from_utf8(inner).unwrap_or_default();
    if !escaped {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, tail)) = rest.split_once('\\') {
        text.push_str(plain);
        // INVARIANT: `read` accepted every escape, so the error arm is never taken.
        let (c, length) = escape(tail.as_bytes()).unwrap_or((char::REPLACEMENT_CHARACTER, 1));
        text.push(c);
        rest = tail.get(length..).unwrap_or_default();
    }
    text.push_str(rest);
    Cow::Owned(text)
}
