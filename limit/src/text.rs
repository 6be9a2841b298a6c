// SPDX-License-Identifier: Apache-2.0
//! Client text as the part of a key: spellings that people, and most upstreams, take for the same are the same
//! (T119): NFKC, full case folding, no invisible characters, trimmed.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// Longer text is not normalised: it is counted together with all other text that is too long.
pub(crate) const TEXT_BYTES_MAX: usize = 1024;

/// The one spelling of a text; `None` where it is longer than [`TEXT_BYTES_MAX`].
pub(crate) fn canonical(text: &str) -> Option<Cow<'_, str>> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let plain = |b: u8| matches!(b, b'!'..=b'~') && !b.is_ascii_uppercase();
    if text.bytes().all(plain) {
        return Some(Cow::Borrowed(text));
    }
    // As NFKC_Casefold (Unicode 3.13): folding may undo normal form and the reverse, so each runs twice.
    let folded = fold(&fold(text.nfd()).nfkc().collect::<String>());
    let normal: String = fold(folded.nfkc()).nfkc().collect();
    Some(Cow::Owned(normal.trim().to_owned()))
}

/// Full case folding by way of upper case, which joins `ß` and `ss`, `ς` and `σ`; drops invisible characters.
fn fold(text: impl IntoChars) -> String {
    text.into_chars().filter(|c| !is_ignorable(*c)).flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Text, or what is left of it in a chain of normalisations.
trait IntoChars {
    fn into_chars(self) -> impl Iterator<Item = char>;
}

impl IntoChars for &String {
    fn into_chars(self) -> impl Iterator<Item = char> {
        self.chars()
    }
}

impl<I: Iterator<Item = char>> IntoChars for unicode_normalization::Decompositions<I> {
    fn into_chars(self) -> impl Iterator<Item = char> {
        self
    }
}

impl<I: Iterator<Item = char>> IntoChars for unicode_normalization::Recompositions<I> {
    fn into_chars(self) -> impl Iterator<Item = char> {
        self
    }
}

/// `Default_Ignorable_Code_Point`, and the control characters.
fn is_ignorable(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn t119_spellings_of_one_name_are_one() {
        let alice = canonical("alice@example.com").unwrap();
        for text in [
            " Alice@Example.COM ",
            "ALICE@EXAMPLE.COM\n",
            "\u{ff41}lice@example.com",
            "al\u{200b}ice@example.com",
            "alice@example\u{ad}.com",
            "\u{feff}alice@example.com",
            "alice\u{0}@example.com",
            "ⓐlice@example.com",
        ] {
            assert_eq!(canonical(text).unwrap(), alice, "{text:?}");
        }
        for (a, b) in [("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("e\u{301}", "É"), ("ﬁ", "FI")]
        {
            assert_eq!(canonical(a), canonical(b), "{a} {b}");
        }
        for (a, b) in [("alice", "alicf"), ("a b", "ab"), ("a", "á")] {
            assert_ne!(canonical(a), canonical(b), "{a} {b}");
        }
    }

    #[test]
    fn text_that_is_too_long_is_not_normalised() {
        assert!(canonical(&"a".repeat(TEXT_BYTES_MAX)).is_some());
        assert!(canonical(&"a".repeat(TEXT_BYTES_MAX + 1)).is_none());
    }

    #[test]
    fn t119_an_iota_below_a_letter_is_one_beside_it_behind_the_marks_of_the_letter() {
        let spellings = ["\u{1ffc}\u{1e000}", "\u{3a9}\u{1e000}\u{345}", "\u{3c9}\u{1e000}\u{3b9}"];
        assert!(spellings.iter().all(|text| canonical(text).unwrap() == "\u{3c9}\u{1e000}\u{3b9}"));
    }

    proptest! {
        #[test]
        fn t119_case_and_normal_form_do_not_change_the_spelling(text in "\\PC{0,40}") {
            let once = canonical(&text).unwrap().into_owned();
            // Of the decomposed text, as Unicode has it (3.13, D145): else the iota below a letter, which upper case
            // writes beside it, stays before marks that would stand before it.
            let upper = text.nfd().collect::<String>().to_uppercase();
            prop_assert_eq!(canonical(&upper).unwrap().into_owned(), once.clone());
            prop_assert_eq!(canonical(&text.nfd().collect::<String>()).unwrap().into_owned(), once.clone());
            prop_assert_eq!(canonical(&text.nfkc().collect::<String>()).unwrap().into_owned(), once.clone());
            if once.len() <= TEXT_BYTES_MAX {
                prop_assert_eq!(canonical(&once).unwrap().into_owned(), once.clone());
            }
        }
    }
}
