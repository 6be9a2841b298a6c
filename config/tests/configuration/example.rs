// SPDX-License-Identifier: Apache-2.0
//! The example file of the contract: every word of it is obeyed, or refused as not supported yet; none is unknown.

use std::fs;
use std::path::PathBuf;

use portcullis_config::{ROOT, Section, Shape, Support};

use crate::scene::Scene;

fn example() -> Option<String> {
    let shared = std::env::var_os("PORTCULLIS_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
    fs::read_to_string(shared.join("design/portcullis.example.yaml")).ok()
}

#[test]
fn every_word_of_the_example_is_obeyed_or_not_supported_yet() {
    let Some(text) = example() else {
        println!("not run: every_word_of_the_example_is_obeyed_or_not_supported_yet");
        return;
    };
    let scene = Scene::new();
    let refused = scene.inspect(&text).err().expect("the example asks for more than there is");
    let mut later = 0;
    for finding in &refused.findings {
        let place = finding.place.as_ref().expect("a place");
        assert!(place.line > 0 && place.column > 0, "{finding}");
        assert!(!finding.message.contains("is no word of"), "unknown: {finding}");
        assert!(!finding.message.contains("is no value of"), "unknown: {finding}");
        if finding.message.contains("not supported yet") {
            later += 1;
            let line = text.lines().nth(place.line as usize - 1).expect("the line");
            let at = line.chars().skip(place.column as usize - 1).collect::<String>();
            let word = finding.message.trim_start_matches('`').split(['`', ' ']).next().expect("a word");
            assert!(
                at.starts_with(word) || finding.message.contains("target") || finding.message.contains("https"),
                "{finding}: {at}"
            );
        }
    }
    assert!(later > 25, "{later}: {refused}");
    // What is left are the files that are not there, and what TLS would have made safe.
    for finding in refused.findings.iter().filter(|finding| !finding.message.contains("not supported yet")) {
        let expected = finding.message.contains("cannot be read")
            || finding.message.contains("no signing key")
            || matches!(finding.rule, Some("PC0404"));
        assert!(expected, "{finding}");
    }
}

#[test]
fn a_word_of_a_later_version_is_refused_wherever_the_table_has_it() {
    fn later(section: &'static Section, found: &mut Vec<(&'static str, &'static str)>) {
        for word in section.words {
            if word.support == Support::NotYet {
                found.push((section.name, word.name));
            }
            let mut shape = &word.shape;
            loop {
                match shape {
                    Shape::Section(inner) | Shape::Short(_, inner) | Shape::Secret(inner) => break later(inner, found),
                    Shape::Named(inner) | Shape::List(inner) | Shape::OneOrList(inner) => shape = inner,
                    Shape::One(_) | Shape::Choice(_) | Shape::Later => break,
                }
            }
        }
    }
    let mut words = Vec::new();
    later(&ROOT, &mut words);
    assert!(words.len() > 30, "{}", words.len());
    let scene = Scene::new();
    for (_, word) in words.iter().filter(|(section, _)| *section == "the configuration") {
        let shown = scene.refused(&format!("{}{word}: {{ any: thing }}\n", include_str!("documents/smallest.yaml")));
        assert!(
            shown.contains(&format!("error: `{word}` is not supported yet\n  --> portcullis.yaml:14:1\n")),
            "{shown}"
        );
    }
}
