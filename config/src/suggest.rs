// SPDX-License-Identifier: Apache-2.0
//! "Did you mean": the nearest of the words that would have been right.

/// How alike two words must be (Jaro-Winkler) before one is offered for the other.
const LIKENESS_MIN: f64 = 0.80;

/// The word of `known` that `given` was probably meant to be.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = given.to_ascii_lowercase().replace('-', "_");
    let mut best: Option<(&str, f64)> = None;
    for word in known {
        let likeness = strsim::jaro_winkler(&folded, &word.to_ascii_lowercase());
        // One slip in a word of any length counts, however Jaro-Winkler weighs it.
        let slips = strsim::osa_distance(&folded, &word.to_ascii_lowercase());
        let score = if slips <= 1 && word.len() > 2 { likeness.max(0.95) } else { likeness };
        if score >= LIKENESS_MIN && best.is_none_or(|(_, known)| score > known) {
            best = Some((word, score));
        }
    }
    best.map(|(word, _)| word)
}

/// Help for a wrong word: the nearest one, or all of them.
pub(crate) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    const LISTED_MAX: usize = 24;
    if let Some(word) = nearest(given, known.clone()) {
        return format!("did you mean `{word}`?");
    }
    let mut words: Vec<&str> = known.into_iter().collect();
    let left_out = words.len().saturating_sub(LISTED_MAX);
    words.truncate(LISTED_MAX);
    let list: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match (list.is_empty(), left_out) {
        (true, _) => "nothing is declared here".to_owned(),
        (false, 0) => format!("known here: {}", list.join(", ")),
        (false, more) => format!("known here: {} and {more} more", list.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word() {
        let words = ["openapi", "upstream", "hosts", "base_path"];
        assert_eq!(nearest("upstrem", words), Some("upstream"));
        assert_eq!(nearest("base-path", words), Some("base_path"));
        assert_eq!(nearest("OpenAPI", words), Some("openapi"));
        assert_eq!(nearest("zebra", words), None);
    }

    #[test]
    fn without_a_near_word_all_are_listed() {
        assert_eq!(did_you_mean("zebra", ["a", "b"]), "known here: `a`, `b`");
    }
}
