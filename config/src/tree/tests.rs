// SPDX-License-Identifier: Apache-2.0
//! What becomes of texts, good and bad.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Node, Vec<Finding>> {
    parse(&"t.yaml".into(), text)
}

fn first_error(text: &str) -> String {
    read(text).expect_err("an error").first().expect("one").to_string()
}

#[test]
fn places_are_those_of_the_text() {
    let root = read("a: 1\nlist:\n  - x\n  - { k: 'v' }\n").expect("valid");
    let list = root.entry("list").expect("list");
    assert_eq!(list.spot, Spot { line: 2, column: 1 });
    let Value::List(items) = &list.value.value else { panic!("a list") };
    assert_eq!(items[0].spot, Spot { line: 3, column: 5 });
    let entry = items[1].entry("k").expect("k");
    assert_eq!((entry.spot, entry.value.spot), (Spot { line: 4, column: 7 }, Spot { line: 4, column: 10 }));
}

#[test]
fn every_duplicate_key_is_reported_with_the_line_of_the_first() {
    let errors = read("a: 1\nb: {x: 1, x: 2}\na: 2\n").expect_err("duplicates");
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["t.yaml:2:11: the key `x` is already at line 2", "t.yaml:3:1: the key `a` is already at line 1"]
    );
}

#[test]
fn scalars_follow_the_core_schema_and_not_yaml_1_1() {
    for (text, kind) in [
        ("yes", ScalarKind::Text),
        ("off", ScalarKind::Text),
        ("true", ScalarKind::Flag(true)),
        ("0755", ScalarKind::Integer(755)),
        ("0x10", ScalarKind::Integer(16)),
        ("1_000", ScalarKind::Text),
        ("12:30", ScalarKind::Text),
        ("1e3", ScalarKind::Float),
        ("~", ScalarKind::Null),
        ("99999999999999999999", ScalarKind::Float),
        ("infinity", ScalarKind::Text),
        (".inf", ScalarKind::Float),
    ] {
        assert_eq!(plain_kind(text), kind, "{text}");
    }
}

#[test]
fn anchors_work_within_their_budget_and_bombs_do_not() {
    let root = read("a: &x [1, 2]\nb: *x\n").expect("valid");
    assert!(matches!(&root.entry("b").expect("b").value.value, Value::List(items) if items.len() == 2));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        use std::fmt::Write as _;
        let below = format!("*a{}, ", level - 1).repeat(7);
        writeln!(bomb, "a{level}: &a{level} [{below}]").expect("written");
    }
    let error = first_error(&bomb);
    assert!(error.contains("more than"), "{error}");
    assert!(first_error("a: &x [*x]\n").contains("inside the value it names"));
}

#[test]
fn what_is_no_configuration_is_refused_with_a_place() {
    assert!(first_error("").contains("the file is empty"));
    assert!(first_error("a: 1\n---\nb: 2\n").contains("t.yaml:2:1: a second document"));
    assert!(first_error("a: [1\n").contains("not YAML"));
    assert!(first_error("? [a]\n: 1\n").contains("a key is a plain word"));
    assert!(first_error("a: !secret x\n").contains("the tag `!secret` means nothing here"));
    assert!(first_error(&format!("a: {}1{}\n", "[".repeat(40), "]".repeat(40))).contains("nested deeper than 32"));
    let large = format!("a: {}\n", "x".repeat(1024 * 1024));
    assert!(first_error(&large).contains("t.yaml:1:1: the file is larger than 1048576 bytes"));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn no_yaml_like_text_panics(text in "[a-c:\\-\\[\\]{}&*!|>'\"#%@`, \n0-9?~\t]{0,120}") {
        if let Err(errors) = read(&text) {
            prop_assert!(!errors.is_empty());
        }
    }
}
