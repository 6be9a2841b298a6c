// SPDX-License-Identifier: Apache-2.0
//! Findings for people: what is wrong, where, the line itself with a caret, and what to do.

use std::fmt::Write as _;

use portcullis_decision::finding::{Finding, Severity};

use crate::text::Sources;

/// The longest part of a line that is shown.
const EXCERPT_CHARS_MAX: usize = 160;

/// One finding as text, ending with a line end.
///
/// ```text
/// error: `upstrem` is no word of an API
///   --> portcullis.yaml:6:5
///    |
///  6 |     upstrem: http://127.0.0.1:9000
///    |     ^
///   help: did you mean `upstream`?
/// ```
pub fn render(finding: &Finding, sources: &Sources) -> String {
    let word = match finding.severity {
        Severity::Refuse => "error",
        severity => severity.word(),
    };
    let rule = finding.rule.map_or_else(String::new, |rule| format!("[{rule}]"));
    let mut text = format!("{word}{rule}: {}\n", finding.message);
    if let Some(place) = &finding.place {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  --> {place}");
        // PC0401 is about a secret: its line goes to no terminal and no build log.
        let line = if finding.rule == Some("PC0401") { None } else { sources.line(&place.file, place.line) };
        if let Some(line) = line {
            excerpt(&mut text, line, place.line, place.column);
        }
    }
    if !finding.at.is_empty() && !finding.message.contains(&format!("`{}`", finding.at)) {
        let _ = writeln!(text, "  at:   {}", finding.at);
    }
    if let Some(help) = &finding.help {
        let _ = writeln!(text, "  help: {help}");
    }
    text
}

/// All findings, and a last line that counts them and names the next command.
pub fn render_all(findings: &[Finding], sources: &Sources) -> String {
    let mut text: String = findings.iter().map(|finding| render(finding, sources) + "\n").collect();
    let refusals = findings.iter().filter(|finding| finding.severity == Severity::Refuse).count();
    let _ = match (refusals, findings.len()) {
        (0, 0) => writeln!(text, "no findings"),
        (0, all) => writeln!(text, "{all} findings; see `portcullis rule NUMBER` for each"),
        (refusals, all) => {
            writeln!(
                text,
                "{refusals} errors, {} other findings; correct them and run `portcullis check`",
                all - refusals
            )
        }
    };
    text
}

/// A number, the line, and a caret below the column. Control characters and long lines are made harmless.
fn excerpt(text: &mut String, line: &str, number: u32, column: u32) {
    let column = usize::try_from(column).unwrap_or(0).saturating_sub(1);
    // A minified document has one line: show what is around the place.
    let from = if column < EXCERPT_CHARS_MAX { 0 } else { column - EXCERPT_CHARS_MAX / 2 };
    let shown: String = line
        .chars()
        .skip(from)
        .take(EXCERPT_CHARS_MAX)
        .map(|c| match c {
            '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect();
    let number = number.to_string();
    let margin = " ".repeat(number.len());
    let _ = writeln!(text, " {margin} |\n {number} | {}", shown.trim_end());
    if column <= from + shown.chars().count() {
        let _ = writeln!(text, " {margin} | {}^", " ".repeat(column - from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_decision::finding::Place;
    use proptest::prelude::*;

    fn finding(line: u32, column: u32) -> Finding {
        let place = Some(Place { file: "f".into(), line, column });
        let (message, help) = ("wrong".to_owned(), Some("right".to_owned()));
        Finding { rule: Some("PC0101"), severity: Severity::Refuse, place, at: "a.b".into(), message, help }
    }

    #[test]
    fn the_caret_stands_below_the_column() {
        let mut sources = Sources::default();
        sources.keep("f".into(), "a: 1\nbé: 2\n".into());
        let text = render(&finding(2, 5), &sources);
        assert_eq!(
            text,
            "error[PC0101]: wrong\n  --> f:2:5\n   |\n 2 | bé: 2\n   |     ^\n  at:   a.b\n  help: right\n"
        );
    }

    #[test]
    fn a_minified_document_shows_what_is_around_the_place() {
        let mut sources = Sources::default();
        sources.keep("f".into(), format!("{}HERE{}", "x".repeat(5000), "y".repeat(5000)).as_str().into());
        let text = render(&finding(1, 5001), &sources);
        assert!(text.contains("HERE") && text.lines().all(|line| line.len() < 200), "{text}");
    }

    proptest! {
        #[test]
        fn no_place_panics(text in "\\PC{0,80}", line in 0_u32..5, column in 0_u32..400) {
            let mut sources = Sources::default();
            sources.keep("f".into(), text.as_str().into());
            prop_assert!(render(&finding(line, column), &sources).starts_with("error"));
        }
    }
}
