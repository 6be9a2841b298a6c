// SPDX-License-Identifier: Apache-2.0
//! Tests of the JSON reader: a table of the usual mines, and properties against another reader.

use super::*;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::HashSet;

mod differential;
mod first_reader;

fn parse(text: impl Into<Vec<u8>>) -> Result<Document, JsonFault> {
    Document::parse(Bytes::from(text.into()), &JsonLimits::default())
}

fn document(text: &str) -> Document {
    parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn without(text: &str, pointers: &[&str]) -> String {
    let document = document(text);
    let ids: HashSet<NodeId> = pointers.iter().map(|p| document.root().pointer(p).expect(p).id()).collect();
    let bytes = document.without(&ids);
    assert_eq!(serde_json::from_slice::<Value>(&bytes).expect("json"), document.to_value_without(&ids), "{text}");
    String::from_utf8(bytes.to_vec()).expect("utf-8")
}

#[test]
fn a_document_is_walked_by_reference() {
    let document = document("  {\"a\": [1, {\"b/~\": \"x\\u00e9\"}], \"\\u0063\" : -0, \"d\":true,\"e\":null}\n");
    let root = document.root();
    assert_eq!((root.kind(), root.len(), document.node_count()), (JsonKind::Object, 4, 8));
    let keys: Vec<String> = root.members().map(|(key, _)| key.into_owned()).collect();
    assert_eq!(keys, ["a", "c", "d", "e"]);
    let deep = root.pointer("/a/1/b~1~0").expect("deep");
    assert_eq!(deep.text().as_deref(), Some("xé"));
    assert_eq!(deep.lexeme(), "\"x\\u00e9\"");
    assert_eq!(deep.key().as_deref(), Some("b/~"));
    assert_eq!(document.node(deep.id()).map(NodeRef::span), Some(deep.span()));
    assert_eq!(root.get("c").map(NodeRef::lexeme), Some("-0"));
    assert_eq!(root.get("d").and_then(NodeRef::as_bool), Some(true));
    for pointer in ["a", "/a/2", "/a/01", "/a/-", "/a/+1", "/x", "/a/0/0", "/a/1/b/~"] {
        assert!(root.pointer(pointer).is_none(), "{pointer}");
    }
    assert_eq!(document.bytes().len(), 67);
    assert_eq!(format!("{document:?}"), "Document { bytes: 67, nodes: 8, .. }");
}

#[test]
fn only_strings_and_integers_have_a_canonical_text() {
    for (text, expected) in [
        ("\"u-1\"", Some("u-1")),
        ("\"\\u0075-1\"", Some("u-1")),
        ("42", Some("42")),
        ("-7", Some("-7")),
        ("0", Some("0")),
        ("18446744073709551615", Some("18446744073709551615")),
        ("\"\"", None),
        ("-0", None),
        ("1.0", None),
        ("4e1", None),
        ("null", None),
        ("true", None),
        ("{}", None),
        ("[1]", None),
    ] {
        assert_eq!(document(text).root().canonical_text().as_deref(), expected, "{text}");
    }
}

#[test]
fn t67_duplicates_are_refused_after_unescaping_and_normalising() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"role":1,"r\u006fle":2}"#,
        r#"{"x":{"a":1,"b":2,"a":3}}"#,
        r#"[{"":1,"":2}]"#,
        r#"{"\/":1,"/":2}"#,
        "{\"\u{e9}\":1,\"e\u{301}\":2}",
        r#"{"\u00e9":1,"e\u0301":2}"#,
        r#"{"\ud83d\ude00":1,"😀":2}"#,
    ] {
        let fault = parse(text).expect_err(text);
        assert_eq!((fault.reason, fault.detail), (Reason::RequestJson, "duplicate member"), "{text}");
    }
    let wide = (0..40).map(|n| format!("\"k{n}\":{n},")).collect::<Vec<_>>().concat();
    assert!(parse(format!("{{{wide}\"z\":1}}")).is_ok());
    assert_eq!(parse(format!("{{{wide}\"k\\u0037\":1}}")).expect_err("sorted search").detail, "duplicate member");
    assert!(parse(r#"{"a":{"a":1},"A":{"a":2},"b":[{"a":1},{"a":1}]}"#).is_ok());
}

#[test]
fn t68_numbers_that_two_readers_could_understand_differently_are_refused() {
    for text in [
        "1e400",
        "-1e400",
        "1E1000000",
        "1e-400",
        "18446744073709551616",
        "-9223372036854775809",
        "100000000000000000000",
        &"9".repeat(10_000),
        &format!("0.{}", "1".repeat(63)),
        "+1",
        "01",
        "-01",
        "1.",
        ".5",
        "-",
        "1e",
        "1e+",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "-Infinity",
        "１",
    ] {
        let fault = parse(text).expect_err(text);
        assert_eq!(fault.reason, Reason::RequestJson, "{text}");
    }
    for text in [
        "0",
        "-0",
        "-0.0",
        "0e999999",
        "9007199254740993",
        "18446744073709551615",
        "-9223372036854775808",
        "1.0",
        "1e308",
        "1.5E+2",
        "0.1e-2",
        &format!("0.{}", "1".repeat(62)),
    ] {
        let document = document(text);
        assert_eq!(document.to_value(), serde_json::from_str::<Value>(text).expect(text), "{text}");
        assert_eq!(document.root().lexeme(), text);
    }
}

#[test]
fn t69_depth_and_width_are_bounded_without_recursion() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(32)).is_ok());
    let deep = parse(nested(33)).expect_err("too deep");
    assert_eq!((deep.reason, deep.offset), (Reason::PayloadTooDeep, 32));
    assert_eq!(parse("[".repeat(100_000)).expect_err("bomb").reason, Reason::PayloadTooDeep);
    assert_eq!(parse("{\"a\":".repeat(33)).expect_err("bomb").reason, Reason::PayloadTooDeep);
    let wide = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
    assert!(parse(wide(100_000)).is_ok());
    assert_eq!(parse(wide(100_001)).expect_err("wide").reason, Reason::PayloadTooLarge);
    let roomy = JsonLimits { depth_max: usize::MAX, nodes_max: usize::MAX };
    let read = std::thread::Builder::new().stack_size(64 * 1024).spawn(move || {
        let document = Document::parse(Bytes::from(nested(100_000)), &roomy).expect("deep");
        let inner = document.root().elements().next().map(NodeRef::id).expect("inner");
        assert_eq!(&document.without(&[inner])[..], b"[]");
        document.node_count()
    });
    assert_eq!(read.expect("thread").join().expect("no overflow"), 100_000);
}

/// The mines every reader steps on: `y` is read, `n` is not, `i` is where RFC 8259 leaves the choice and ours is told.
const MINES: &[(&str, bool, &[u8])] = &[
    ("y_array_empty", true, b"[]"),
    ("y_array_ending_with_newline", true, b"[\"a\"]\n"),
    ("y_array_with_leading_space", true, b" [1]"),
    ("y_number_minus_zero", true, b"[-0]"),
    ("y_number_real_capital_e_neg_exp", true, b"[1E-2]"),
    ("y_object_empty_key", true, b"{\"\":0}"),
    ("y_object_escaped_key", true, b"{\"foo\\tbar\":42}"),
    ("y_string_accepted_surrogate_pair", true, b"[\"\\uD801\\udc37\"]"),
    ("y_string_allowed_escapes", true, b"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    ("y_string_backslash_and_u_escaped_zero", true, b"[\"\\\\u0000\"]"),
    ("y_string_del_character", true, b"[\"a\x7fa\"]"),
    ("y_string_escaped_noncharacter", true, b"[\"\\uFFFF\"]"),
    ("y_string_nonchar_u10ffff", true, b"[\"\xf4\x8f\xbf\xbf\"]"),
    ("y_string_u2028_line_separator", true, b"[\"\xe2\x80\xa8\"]"),
    ("y_structure_lonely_string", true, b"\"asd\""),
    ("y_structure_whitespace_array", true, b" \t\r\n[] "),
    // Four that RFC 8259 allows and this reader refuses on purpose (T67, T70).
    ("y_object_duplicated_key", false, b"{\"a\":\"b\",\"a\":\"c\"}"),
    ("y_object_duplicated_key_and_value", false, b"{\"a\":\"b\",\"a\":\"b\"}"),
    ("y_object_escaped_null_in_key", false, b"{\"foo\\u0000bar\":42}"),
    ("y_string_null_escape", false, b"[\"\\u0000\"]"),
    ("n_array_colon_instead_of_comma", false, b"[\"\":1]"),
    ("n_array_comma_and_number", false, b"[,1]"),
    ("n_array_double_comma", false, b"[1,,2]"),
    ("n_array_extra_close", false, b"[\"x\"]]"),
    ("n_array_extra_comma", false, b"[\"\",]"),
    ("n_array_incomplete", false, b"[\"x\""),
    ("n_array_inner_array_no_comma", false, b"[3[4]]"),
    ("n_array_just_comma", false, b"[,]"),
    ("n_array_newlines_unclosed", false, b"[\"a\",\n4\n,1,"),
    ("n_incomplete_true", false, b"[tru]"),
    ("n_literal_with_tail", false, b"[truefalse]"),
    ("n_multidigit_number_then_00", false, b"123\0"),
    ("n_number_double_minus", false, b"[--1]"),
    ("n_number_hex", false, b"[0x42]"),
    ("n_number_then_letter", false, b"[1.2a-3]"),
    ("n_object_bad_value", false, b"[\"x\", truth]"),
    ("n_object_bracket_key", false, b"{[: \"x\"}\n"),
    ("n_object_comma_instead_of_colon", false, b"{\"x\", null}"),
    ("n_object_garbage_at_end", false, b"{\"a\":\"a\" 123}"),
    ("n_object_missing_value", false, b"{\"a\":"),
    ("n_object_non_string_key", false, b"{1:1}"),
    ("n_object_single_quote", false, b"{'a':0}"),
    ("n_object_trailing_comma", false, b"{\"id\":0,}"),
    ("n_object_trailing_comment", false, b"{\"a\":\"b\"}/**/"),
    ("n_object_line_comment", false, b"{\"a\":\"b\"}//"),
    ("n_object_two_commas", false, b"{\"a\":\"b\",,\"c\":\"d\"}"),
    ("n_object_unquoted_key", false, b"{a: \"b\"}"),
    ("n_single_space", false, b" "),
    ("n_string_1_surrogate_then_escape_u", false, b"[\"\\uD800\\u\"]"),
    ("n_string_escape_x", false, b"[\"\\x00\"]"),
    ("n_string_escaped_control", false, b"[\"\\\x00\"]"),
    ("n_string_incomplete_escape", false, b"[\"\\\"]"),
    ("n_string_incomplete_unicode", false, b"[\"\\u00A\"]"),
    ("n_string_invalid_utf8_after_escape", false, b"[\"\\\xe5\"]"),
    ("n_string_raw_nul", false, b"[\"a\0a\"]"),
    ("n_string_raw_newline", false, b"[\"new\nline\"]"),
    ("n_string_raw_tab", false, b"[\"\t\"]"),
    ("n_string_plus_in_unicode", false, b"[\"\\u+123\"]"),
    ("n_structure_angle", false, b"<.>"),
    ("n_structure_close_unopened", false, b"1]"),
    ("n_structure_double_array", false, b"[][]"),
    ("n_structure_empty", false, b""),
    ("n_structure_form_feed", false, b"[\x0ca]"),
    ("n_structure_mismatch", false, b"[1}"),
    ("n_structure_mismatch_object", false, b"{\"a\":1]"),
    ("n_structure_nbsp", false, b"[\xc2\xa0]"),
    ("n_structure_number_with_garbage", false, b"2@"),
    ("n_structure_open_object_string", false, b"{\"a"),
    ("n_structure_utf8_bom_no_data", false, b"\xef\xbb\xbf"),
    ("i_number_huge_exp", false, b"[0.4e00669999999999999999999999999999999999999999999999]"),
    ("i_number_real_underflow", false, b"[123e-10000000]"),
    ("i_number_too_big_pos_int", false, b"[100000000000000000000]"),
    ("i_object_key_lone_surrogate", false, b"{\"\\uDFAA\":0}"),
    ("i_string_1st_surrogate_but_2nd_missing", false, b"[\"\\uDADA\"]"),
    ("i_string_inverted_surrogates", false, b"[\"\\uDd1e\\uD834\"]"),
    ("i_string_invalid_utf8", false, b"[\"\xff\"]"),
    ("i_string_overlong_sequence", false, b"[\"\xc0\xaf\"]"),
    ("i_string_utf8_surrogate", false, b"[\"\xed\xa0\x80\"]"),
    ("i_string_utf16le_with_bom", false, b"\xff\xfe[\0\"\0\xe9\0\"\0]\0"),
    ("i_string_utf16be_no_bom", false, b"\0[\0\"\0\xe9\0\"\0]"),
    ("i_structure_utf8_bom_empty_object", false, b"\xef\xbb\xbf{}"),
];

#[test]
fn t70_mines_are_stepped_around() {
    for (name, accepted, bytes) in MINES {
        let read = parse(*bytes);
        assert_eq!(read.is_ok(), *accepted, "{name}: {read:?}");
        if let Ok(document) = read {
            assert_eq!(document.to_value(), serde_json::from_slice::<Value>(bytes).expect(name), "{name}");
        }
    }
}

#[test]
fn leaving_out_keeps_every_other_byte() {
    let text = "{ \"a\" : 1.00 ,\n  \"b\" : [ 1 , 2 , 3 ] ,\t\"c\":{\"d\":1e0} }";
    assert_eq!(without(text, &[]), text);
    assert_eq!(without(text, &["/a"]), "{ \"b\" : [ 1 , 2 , 3 ] ,\t\"c\":{\"d\":1e0} }");
    assert_eq!(without(text, &["/b"]), "{ \"a\" : 1.00 ,\t\"c\":{\"d\":1e0} }");
    assert_eq!(without(text, &["/c"]), "{ \"a\" : 1.00 ,\n  \"b\" : [ 1 , 2 , 3 ] }");
    assert_eq!(without(text, &["/a", "/b"]), "{ \"c\":{\"d\":1e0} }");
    assert_eq!(without(text, &["/a", "/b", "/c"]), "{  }");
    assert_eq!(without(text, &["/b/0", "/b/2", "/c/d"]), "{ \"a\" : 1.00 ,\n  \"b\" : [ 2 ] ,\t\"c\":{} }");
    assert_eq!(without(text, &["/a", "/c", "/c/d", "/b/1"]), "{ \"b\" : [ 1 , 3 ] }");
    assert_eq!(without(text, &[""]), "null");
    let document = document(text);
    assert_eq!(document.without(&[NodeId(99)]), document.bytes());
}

fn json_text() -> impl Strategy<Value = String> {
    let space = "[ \n]{0,2}";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        "-?[1-9][0-9]{0,3}\\.[0-9]{1,4}([eE][+-]?[0-9]{1,2})?",
        "\"([a-z é😀]|\\\\[nt\"/\\\\]|\\\\u00[4-6][0-9a-f]){0,6}\"",
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let items = proptest::collection::vec((space, inner.clone(), space), 0..5);
        let members = proptest::collection::vec((space, "([a-c]|\\\\u006[1-5]){1,2}", space, inner), 0..5);
        prop_oneof![
            items.prop_map(|v| format!(
                "[{}]",
                v.iter().map(|(a, x, b)| format!("{a}{x}{b}")).collect::<Vec<_>>().join(",")
            )),
            members.prop_map(|v| {
                format!(
                    "{{{}}}",
                    v.iter().map(|(a, k, b, x)| format!("{a}\"{k}\"{b}:{x}")).collect::<Vec<_>>().join(" ,")
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn t70_any_bytes_are_judged_without_a_panic_and_never_more_leniently(bytes in "[\\[\\]{},:\"\\\\u0-9a-e. -]{0,40}|\\PC{0,20}") {
        if let Ok(document) = parse(bytes.clone()) {
            prop_assert_eq!(document.to_value(), serde_json::from_str::<Value>(&bytes).expect("accepted by both"));
        }
    }

    #[test]
    fn t70_any_octets_are_judged_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert_eq!(parse(bytes.clone()).is_ok() && serde_json::from_slice::<Value>(&bytes).is_err(), false);
    }

    #[test]
    fn t67_accepted_documents_mean_the_same_to_another_reader(text in json_text()) {
        let other: Value = serde_json::from_str(&text).expect("generated json");
        match parse(text.clone()) {
            Ok(document) => prop_assert_eq!(document.to_value(), other),
            Err(fault) => prop_assert_eq!(fault.detail, "duplicate member"),
        }
    }

    #[test]
    fn leaving_out_equals_leaving_out_of_the_value(text in json_text(), picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let Ok(document) = parse(text) else { return Ok(()) };
        let removed: HashSet<NodeId> =
            picks.iter().map(|pick| NodeId(u32::try_from(pick.index(document.node_count())).expect("small"))).collect();
        let expected = expected_without(document.root(), &removed).unwrap_or(Value::Null);
        let bytes = document.without(&removed);
        prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).expect("json"), expected.clone());
        prop_assert_eq!(document.to_value_without(&removed), expected);
        let again = parse(bytes.to_vec()).expect("own output");
        let kept = document.root().members().filter(|(_, m)| !removed.contains(&m.id())).count();
        prop_assert!(removed.contains(&NodeId::ROOT) || again.root().members().count() == kept);
    }
}

/// The same by the plain recursive definition.
fn expected_without(node: NodeRef<'_>, removed: &HashSet<NodeId>) -> Option<Value> {
    if removed.contains(&node.id()) {
        return None;
    }
    Some(match node.kind() {
        JsonKind::Object => {
            node.members().filter_map(|(k, v)| Some((k.into_owned(), expected_without(v, removed)?))).collect()
        }
        JsonKind::Array => node.elements().filter_map(|v| expected_without(v, removed)).collect(),
        _ => serde_json::from_str(node.lexeme()).expect("scalar"),
    })
}
