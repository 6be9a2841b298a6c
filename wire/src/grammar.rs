// SPDX-License-Identifier: Apache-2.0
//! Which bytes may stand where in a head (RFC 9110 §5, RFC 9112 §5; T07, T09, HTTP-10).

/// `tchar` (RFC 9110 §5.6.2).
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

/// A token: methods.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// What may stand in the name of a field: `tchar` without `_`, which servers fold into `-` (T09, T38).
pub(crate) const fn is_name_byte(byte: u8) -> bool {
    is_token_byte(byte) && byte != b'_'
}

/// The name of a field.
pub(crate) fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_name_byte)
}

/// What may stand in a line: visible ASCII, space and tab. No `obs-text`: it has as many readings as readers.
pub(crate) const fn is_text_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t')
}

/// The value of a field. Looks at every byte, so that it is done many at a time.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().fold(0_u8, |foreign, byte| foreign | u8::from(!is_text_byte(*byte))) == 0
}

/// A value without the blanks around it (`OWS`, RFC 9110 §5.6.3): where it starts and where it ends.
pub(crate) fn trim(bytes: &[u8]) -> (usize, usize) {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let end = bytes.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last.saturating_add(1));
    let start = bytes.iter().position(|byte| !blank(byte)).unwrap_or(end);
    (start.min(end), end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t07_all_256_bytes_in_names_and_values() {
        for byte in 0..=255_u8 {
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(is_token(&[b'a', byte]), token, "{byte:#x}");
            assert_eq!(is_name(&[b'a', byte]), token && byte != b'_', "{byte:#x}");
            assert_eq!(is_text(&[b'a', byte, b'b']), byte == b'\t' || (0x20..0x7f).contains(&byte), "{byte:#x}");
        }
        assert!(!is_name(b"") && !is_token(b"") && is_text(b""));
    }

    #[test]
    fn blanks_around_a_value_are_none_of_it() {
        for (value, trimmed) in [(" a ", "a"), ("a", "a"), ("\t a b\t ", "a b"), ("", ""), (" \t ", "")] {
            let (start, end) = trim(value.as_bytes());
            assert_eq!(&value.as_bytes()[start..end], trimmed.as_bytes(), "{value:?}");
        }
    }
}
