// SPDX-License-Identifier: Apache-2.0
//! Hostile text: whatever is loaded ends with values or with findings.

use std::fmt::Write as _;

use portcullis_config::{FINDINGS_MAX, render_all};
use portcullis_decision::finding::Severity;
use proptest::prelude::*;

use crate::scene::Scene;

const SMALLEST: &str = include_str!("documents/smallest.yaml");
const EVERYTHING: &str = include_str!("documents/everything.yaml");

fn survives(scene: &Scene, text: &str) {
    if let Err(refused) = scene.inspect(text) {
        assert!(
            refused.findings.iter().any(|finding| finding.severity == Severity::Refuse),
            "refused for nothing: {text}"
        );
        assert!(refused.findings.len() <= FINDINGS_MAX);
        for finding in &refused.findings {
            assert!(finding.place.is_some(), "{finding}");
            assert!(!finding.message.ends_with('.'), "{finding}");
        }
        assert!(!render_all(&refused.findings, &refused.sources).is_empty());
    }
}

/// One edit: where (as a fraction), how many bytes go, what comes.
fn edits() -> impl Strategy<Value = Vec<(f64, usize, String)>> {
    let inserted = prop_oneof![
        Just(String::new()),
        "[a-z_]{1,8}",
        "[:\\-{}\\[\\],&*!|>'\"#\n ]{1,4}",
        Just("~".to_owned()),
        Just("0".to_owned()),
        Just("${X}".to_owned()),
        Just("é\u{202e}".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("{ file: / }".to_owned()),
        "\\PC{0,6}",
    ];
    prop::collection::vec((0.0..1.0_f64, 0_usize..12, inserted), 1..4)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a fraction of a length"
)]
fn edited(text: &str, edits: &[(f64, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, gone, inserted) in edits {
        let from = (at * chars.len() as f64) as usize;
        let to = (from + gone).min(chars.len());
        chars.splice(from..to, inserted.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_text_panics(text in "\\PC{0,300}") {
        survives(&Scene::new(), &text);
    }

    #[test]
    fn no_edit_of_a_good_file_panics(edits in edits()) {
        let scene = Scene::new();
        survives(&scene, &edited(SMALLEST, &edits));
        survives(&scene, &edited(EVERYTHING, &edits));
    }

    #[test]
    fn no_value_in_any_place_panics(line in 0_usize..80, value in prop_oneof!["\\PC{0,12}", Just("[]".to_owned()), Just("{}".to_owned()), Just("[[1]]".to_owned()), Just("{a: {b: c}}".to_owned())]) {
        let text: Vec<String> = EVERYTHING
            .lines()
            .enumerate()
            .map(|(index, text)| match text.split_once(": ") {
                Some((key, _)) if index == line => format!("{key}: {value}"),
                _ => text.to_owned(),
            })
            .collect();
        survives(&Scene::new(), &text.join("\n"));
    }
}

#[test]
fn a_file_full_of_faults_is_refused_without_filling_memory() {
    let mut text = String::from(SMALLEST);
    for index in 0..20_000 {
        writeln!(text, "word{index}: 1").expect("written");
    }
    let refused = Scene::new().inspect(&text).err().expect("refused");
    assert_eq!(refused.findings.len(), FINDINGS_MAX);
}
