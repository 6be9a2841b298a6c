// SPDX-License-Identifier: Apache-2.0
//! Text from outside, made safe to keep: cut to a maximum and escaped to printable ASCII (threat T111).
//!
//! RFC 8785 forbids `\u` escapes for what JSON can hold as it is, and a log must hold nothing but printable ASCII. Both
//! hold when the *value* is escaped before JSON sees it: a backslash is doubled, any other character outside printable
//! ASCII becomes `\u{HEX}`, and `\+N` at the end says that N more bytes were cut. [`readable`] is the way back.

/// At most this many bytes of a text from outside are kept.
pub const TEXT_BYTES_MAX: usize = 128;

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let kept = if text.len() <= TEXT_BYTES_MAX {
        text
    } else {
        text.split_at_checked(text.floor_char_boundary(TEXT_BYTES_MAX)).map_or("", |(kept, _)| kept)
    };
    // Without a way out early the compiler looks at many bytes at once, and nearly all text is plain.
    if kept.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        out.extend_from_slice(kept.as_bytes());
    } else {
        kept.chars().for_each(|c| push_char(out, c));
    }
    let cut = text.len().saturating_sub(kept.len());
    if cut > 0 {
        out.extend_from_slice(b"\\\\+");
        push_decimal(out, u64::try_from(cut).unwrap_or(u64::MAX));
    }
    out.push(b'"');
}

/// Appends a word of this workspace as a JSON string: a literal of the source, never from outside. Looking at its bytes
/// for every record would cost more than writing them.
#[inline]
pub(crate) fn push_word(out: &mut Vec<u8>, word: &'static str) {
    debug_assert!(word.len() <= TEXT_BYTES_MAX && word.bytes().all(is_plain), "{word:?} needs escapes");
    out.push(b'"');
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

/// Whether the byte stands for itself in the value and in JSON.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn push_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        // One backslash of the value is two of the escaped value, each written as two in JSON.
        '\\' => out.extend_from_slice(b"\\\\\\\\"),
        ' '..='~' => out.push(u8::try_from(c).unwrap_or(b'?')),
        other => {
            out.extend_from_slice(b"\\\\u{");
            push_hex(out, u32::from(other));
            out.push(b'}');
        }
    }
}

fn push_hex(out: &mut Vec<u8>, value: u32) {
    let digits = (0..8).rev().map(|place| (value >> (place << 2)) & 15).skip_while(|digit| *digit == 0);
    let before = out.len();
    out.extend(digits.filter_map(|digit| char::from_digit(digit, 16)).filter_map(|c| u8::try_from(c).ok()));
    if out.len() == before {
        out.push(b'0');
    }
}

/// Appends a number in decimal digits.
#[inline]
pub(crate) fn push_decimal(out: &mut Vec<u8>, value: u64) {
    if let Ok(digit @ 0..=9) = u8::try_from(value) {
        return out.push(b'0'.saturating_add(digit));
    }
    push_digits(out, value);
}

fn push_digits(out: &mut Vec<u8>, value: u64) {
    let mut digits = [b'0'; 20];
    let mut rest = value;
    let mut used = 0_usize;
    for place in digits.iter_mut().rev() {
        *place = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
        used = used.saturating_add(1);
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len().saturating_sub(used)..).unwrap_or_default());
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The way back from a kept text to what a person reads: the characters themselves, `…` where it was cut. Control
/// characters and everything that can move a terminal's cursor stay escaped.
pub fn readable(kept: &str) -> String {
    let mut shown = String::with_capacity(kept.len());
    let mut rest = kept;
    while let Some((plain, escape)) = rest.split_once('\\') {
        shown.push_str(plain);
        if let Some(after) = escape.strip_prefix('\\') {
            shown.push('\\');
            rest = after;
        } else if escape.starts_with('+') {
            shown.push('…');
            rest = "";
        } else if let Some((hex, after)) = escape.strip_prefix("u{").and_then(|e| e.split_once('}')) {
            match u32::from_str_radix(hex, 16).ok().and_then(char::from_u32).filter(|c| c.is_alphanumeric()) {
                Some(c) => shown.push(c),
                None => shown.extend(["\\u{", hex, "}"]),
            }
            rest = after;
        } else {
            shown.push('\\');
            rest = escape;
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        let mut out = Vec::new();
        push_text(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn t111_control_characters_terminal_codes_and_separators_become_ascii() {
        assert_eq!(written("a\r\nb"), r#""a\\u{d}\\u{a}b""#);
        assert_eq!(written("\u{1b}[2J"), r#""\\u{1b}[2J""#);
        assert_eq!(written("\u{2028}\u{202e}"), r#""\\u{2028}\\u{202e}""#);
        assert_eq!(written(r#"","fake":""#), r#""\",\"fake\":\"""#);
        assert_eq!(written("a\\u{d}"), r#""a\\\\u{d}""#);
        assert_eq!(written("\0"), r#""\\u{0}""#);
    }

    #[test]
    fn t111_long_text_is_cut_and_says_so() {
        let long = "x".repeat(1_000_000);
        assert_eq!(written(&long), format!("\"{}\\\\+999872\"", "x".repeat(128)));
        assert_eq!(readable(&format!("{}\\+999872", "x".repeat(128))), format!("{}…", "x".repeat(128)));
    }

    proptest! {
        #[test]
        fn t111_any_text_is_printable_ascii_json_that_reads_back(text in any::<String>()) {
            let json = written(&text);
            prop_assert!(json.bytes().all(|b| (b' '..=b'~').contains(&b)));
            prop_assert!(json.len() <= TEXT_BYTES_MAX * 8 + 32);
            let value: String = serde_json::from_str(&json).unwrap();
            if text.len() <= TEXT_BYTES_MAX && text.chars().all(|c| c.is_alphanumeric() || (' '..='~').contains(&c)) {
                prop_assert_eq!(readable(&value), text);
            }
        }

        #[test]
        fn decimals_are_those_of_the_standard_library(n: u64) {
            let mut out = Vec::new();
            push_decimal(&mut out, n);
            prop_assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
        }
    }
}
