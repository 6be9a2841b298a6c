// SPDX-License-Identifier: Apache-2.0
//! Strings: checked once while reading, unescaped only when somebody asks (RFC 8259 §7, T67, T70).

use crate::percent::hex_digit;
use std::borrow::Cow;

/// A string that was read.
pub(super) struct Quoted {
    /// With both quotes.
    pub(super) length: usize,
    /// It holds an escape.
    pub(super) escaped: bool,
    /// The first eight bytes behind the opening quote; zeros from the closing quote on. No string holds a zero.
    pub(super) head: u64,
}

/// Bytes looked through at once.
const WORD: usize = size_of::<u64>();
const ONES: u64 = u64::from_ne_bytes([0x01; WORD]);
const QUOTES: u64 = u64::from_ne_bytes([b'"'; WORD]);
const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; WORD]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; WORD]);

/// The high bit of the first byte of a word that ends a plain run: a quote, a backslash or a control character. Bits
/// of bytes behind that one may be set, too.
fn stops(word: u64) -> u64 {
    let quotes = word ^ QUOTES;
    let backslashes = word ^ BACKSLASHES;
    let zero_bytes = |x: u64| x.wrapping_sub(ONES) & !x;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (zero_bytes(quotes) | zero_bytes(backslashes) | control) & HIGH_BITS
}

/// Reads the string whose opening quote is the first byte. The bytes are UTF-8 already.
pub(super) fn read(bytes: &[u8]) -> Result<Quoted, (usize, &'static str)> {
    let mut at = 1_usize;
    let mut escaped = false;
    let mut head = None;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (run, word) = match rest.first_chunk::<WORD>() {
            Some(chunk) => {
                let word = u64::from_le_bytes(*chunk);
                let stops = stops(word);
                let first = (stops.trailing_zeros() / 8) as usize;
                // The bits of the bytes before the first stop, or of all.
                let before = if stops == 0 { u64::MAX } else { (stops & stops.wrapping_neg()).wrapping_sub(1) >> 7 };
                (first, word & before)
            }
            None => short_run(rest),
        };
        let head = *head.get_or_insert(word);
        at = at.wrapping_add(run);
        if run == WORD {
            continue;
        }
        match bytes.get(at) {
            Some(b'"') => return Ok(Quoted { length: at.wrapping_add(1), escaped, head }),
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

/// The plain run at the end of a document, which has less than a word left, and its bytes.
fn short_run(rest: &[u8]) -> (usize, u64) {
    let plain = rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f));
    plain
        .zip([0, 8, 16, 24, 32, 40, 48, 56])
        .fold((0, 0), |(run, word), (byte, shift)| (run.wrapping_add(1), word | u64::from(*byte) << shift))
}

/// Reads what follows a backslash; gives the character and the length.
pub(super) fn escape(tail: &[u8]) -> Result<(char, usize), &'static str> {
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
#[inline]
pub(super) fn unescape(quoted: &str, escaped: bool) -> Cow<'_, str> {
    let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if escaped { Cow::Owned(unescaped(inner)) } else { Cow::Borrowed(inner) }
}

fn unescaped(inner: &str) -> String {
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
    text
}
