// SPDX-License-Identifier: Apache-2.0
//! Percent-encoding (RFC 3986 §2.1): decoding happens exactly once, encoding has exactly one form.

/// What `+` means while decoding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plus {
    /// Itself (paths).
    Literal,
    /// A space (form-encoded queries).
    Space,
}

/// An escape that is not `%` and two hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadEscape;

/// RFC 3986 §2.3.
pub(crate) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` without escapes and without `;`, which starts path parameters that servers read in different ways (T25).
pub(crate) const fn is_path_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@')
}

/// Decodes once.
pub(crate) fn decode(raw: &[u8], plus: Plus) -> Result<Vec<u8>, BadEscape> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = bytes.next().copied().and_then(hex_digit).ok_or(BadEscape)?;
                let low = bytes.next().copied().and_then(hex_digit).ok_or(BadEscape)?;
                high << 4 | low
            }
            b'+' if plus == Plus::Space => b' ',
            other => other,
        });
    }
    Ok(decoded)
}

/// Whether decoding once more would change something: the sign of double encoding (T27).
pub(crate) fn has_escape(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|w| matches!(w, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

/// Appends `%XX` in upper case.
pub(crate) fn push_escape(out: &mut String, byte: u8) {
    out.push('%');
    out.push(upper_hex(byte >> 4));
    out.push(upper_hex(byte & 0x0f));
}

pub(crate) const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

const fn upper_hex(nibble: u8) -> char {
    (if nibble < 10 { b'0' + nibble } else { b'A' + (nibble - 10) }) as char
}
