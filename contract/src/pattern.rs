// SPDX-License-Identifier: Apache-2.0
//! Patterns of the document: linear-time only (T65).
//!
//! Look-around and back-references are refused by their syntax, before any engine sees them; the rest is compiled
//! by the same engine and options the validators use, so that what is accepted here compiles there.

use serde_json::{Value, json};
use std::sync::Arc;

/// A compiled pattern may take at most this much memory.
const COMPILED_BYTES_MAX: usize = 2 * 1024 * 1024;
/// A pattern may be at most this long.
const PATTERN_BYTES_MAX: usize = 16 * 1024;

/// The one pattern engine: linear in the text, bounded in memory.
pub(crate) fn options() -> jsonschema::PatternOptions<jsonschema::Regex> {
    jsonschema::PatternOptions::regex().size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX)
}

/// Compiles a pattern, or says why it cannot be enforced.
pub(crate) fn compile(pattern: &str) -> Result<jsonschema::Validator, String> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!("a pattern is longer than {PATTERN_BYTES_MAX} bytes"));
    }
    if let Some(what) = beyond_regular(pattern) {
        return Err(format!("the pattern `{}` uses {what}, which no linear-time engine matches", shown(pattern)));
    }
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .offline()
        .with_pattern_options(options())
        .build(&json!({ "pattern": pattern }))
        .map_err(|_| {
            format!(
                "the pattern `{}` is not understood by the linear-time engine, or takes too much memory",
                shown(pattern)
            )
        })
}

/// A pattern for property names (`patternProperties`).
#[derive(Clone)]
pub(crate) struct NamePattern {
    text: Arc<str>,
    compiled: Arc<jsonschema::Validator>,
}

impl NamePattern {
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.into(), compiled: Arc::new(compile(text)?) })
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        self.compiled.is_valid(&Value::String(name.to_owned()))
    }
}

impl std::fmt::Debug for NamePattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("NamePattern").field(&self.text).finish()
    }
}

fn shown(pattern: &str) -> String {
    pattern.chars().take(120).collect()
}

/// What in a pattern is beyond regular languages.
fn beyond_regular(pattern: &str) -> Option<&'static str> {
    let mut rest = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('1'..='9' | 'k') if !in_class => return Some("a back-reference"),
                _ => {}
            },
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class && rest.peek() == Some(&'?') => {
                let ahead: Vec<char> = rest.clone().skip(1).take(2).collect();
                match ahead.as_slice() {
                    ['=' | '!', ..] | ['<', '=' | '!'] => return Some("look-around"),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t65_what_is_not_linear_is_refused() {
        for pattern in ["(?=a)b", "(?!x)", "(?<=a)b", "(?<!a)b", r"(a)\1", r"(?<n>a)\k<n>", "^(?=.*[A-Z]).{8,}$"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
        assert!(compile("(unclosed").is_err());
        assert!(compile("((a{1000}){1000}){1000}").is_err());
    }

    #[test]
    fn ordinary_patterns_match() {
        for (pattern, yes, no) in [
            ("^[a-z]+$", "abc", "ABC"),
            (r"^[(?=]$", "?", "a"),
            (r"^\d{4}$", "2026", "x026"),
            (r"^(?<year>\d+)$", "12", "a"),
        ] {
            let pattern = NamePattern::new(pattern).unwrap();
            assert!(pattern.matches(yes) && !pattern.matches(no), "{pattern:?}");
        }
    }

    #[test]
    fn t65_nested_repetition_is_matched_in_linear_time() {
        let pattern = NamePattern::new("^(a+)+$").unwrap();
        assert!(!pattern.matches(&format!("{}b", "a".repeat(1_000_000))));
    }
}
