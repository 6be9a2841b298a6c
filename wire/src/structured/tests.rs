// SPDX-License-Identifier: Apache-2.0
//! Tests of the structured fields; another parser reads what is written here.

use super::*;
use http::HeaderValue;
use portcullis_decision::Reason;
use proptest::prelude::*;
use sfv::{BareItem, List, ListEntry, Parser};

fn key(text: &str, form: KeyForm) -> Result<String, Reason> {
    let value = HeaderValue::from_bytes(text.as_bytes()).expect("value");
    idempotency_key(&value, form).map(|key| key.as_str().to_owned()).map_err(|fault| fault.reason)
}

#[test]
fn id_1_a_key_is_one_quoted_string() {
    let read = |text: &str| key(text, KeyForm::Quoted);
    assert_eq!(read("\"8e03978e-40d5-43e8-bc93-6894a57f9324\"").as_deref(), Ok("8e03978e-40d5-43e8-bc93-6894a57f9324"));
    assert_eq!(read(" \"a\\\"b\" ").as_deref(), Ok("a\"b"));
    assert_eq!(read("\"a\";p=1").as_deref(), Ok("a"));
    let long = "k".repeat(255);
    assert_eq!(read(&format!("\"{long}\"")), Ok(long.clone()));
    for text in [
        "",
        "\"\"",
        "abc",
        "1",
        "?1",
        ":YQ==:",
        "\"a",
        "a\"",
        "\"a\\n\"",
        "\"a\", \"b\"",
        "(\"a\")",
        "\"a\"b",
        "\"\u{e9}\"",
        "\"a\tb\"",
        &format!("\"{long}k\""),
        &format!("\"{}\"", "k".repeat(10_000)),
    ] {
        assert_eq!(read(text), Err(Reason::IdempotencyMalformed), "{text}");
    }
}

#[test]
fn id_1_bare_keys_are_read_where_the_operator_says_so() {
    let read = |text: &str| key(text, KeyForm::QuotedOrBare);
    assert_eq!(read("8e03978e").as_deref(), Ok("8e03978e"));
    assert_eq!(read("\"8e03978e\"").as_deref(), Ok("8e03978e"));
    for text in ["", "a b", "a,b", "a;b", "a\"b", "a\\b", "\"a", "\"\"", &"k".repeat(256)] {
        assert_eq!(read(text), Err(Reason::IdempotencyMalformed), "{text}");
    }
}

#[test]
fn rl_1_rl_2_rl_3_lists_are_written_as_the_draft_shows_them() {
    let (burst, daily) = (StringItem::new("burst").expect("name"), StringItem::new("daily").expect("name"));
    let mut policies = ListWriter::new();
    policies.item(&burst).integer(Key::QUOTA, 100).integer(Key::WINDOW, 60);
    policies.item(&daily).integer(Key::QUOTA, 1000).integer(Key::WINDOW, 86_400);
    assert_eq!(policies.finish().expect("value"), "\"burst\";q=100;w=60, \"daily\";q=1000;w=86400");
    let mut state = ListWriter::new();
    state.item(&burst).integer(Key::REMAINING, 50).integer(Key::EFFECTIVE_WINDOW, 30);
    assert_eq!(state.finish().expect("value"), "\"burst\";r=50;t=30");
    let mut units = ListWriter::new();
    let unit = StringItem::new("concurrent-requests").expect("unit");
    units.item(&burst).integer(Key::QUOTA, u64::MAX).string(Key::QUOTA_UNIT, &unit);
    assert_eq!(units.finish().expect("value"), "\"burst\";q=999999999999999;qu=\"concurrent-requests\"");
    assert_eq!(ListWriter::new().finish(), None);
}

#[test]
fn rl_2_names_that_cannot_be_written_are_refused_when_made() {
    for text in ["é", "a\n", "\u{7f}", "\0"] {
        assert_eq!(StringItem::new(text), Err(StructuredFault::NotAString));
    }
    for text in ["", "Q", "1", "-a", "a b", "é", "a;"] {
        assert_eq!(Key::new(text), Err(StructuredFault::NotAKey), "{text}");
    }
    assert!(Key::new("acme-cost").is_ok() && Key::new("*a_1.x").is_ok());
}

proptest! {
    #[test]
    fn rl_1_what_is_written_is_read_by_a_structured_field_parser(
        items in proptest::collection::vec(("[ -~]{0,12}", 0..=INTEGER_MAX), 1..5),
    ) {
        let mut list = ListWriter::new();
        for (name, quota) in &items {
            list.item(&StringItem::new(name).expect("printable")).integer(Key::QUOTA, *quota);
        }
        let read: List = Parser::new(list.finish().expect("value").as_bytes()).parse().expect("structured");
        prop_assert_eq!(read.len(), items.len());
        for (entry, (name, quota)) in read.iter().zip(&items) {
            let ListEntry::Item(item) = entry else { panic!("an inner list") };
            prop_assert!(matches!(&item.bare_item, BareItem::String(text) if text.as_str() == name));
            let quota = i64::try_from(*quota).expect("fits");
            prop_assert!(matches!(item.params.get("q"), Some(BareItem::Integer(n)) if i64::from(*n) == quota));
        }
    }

    #[test]
    fn id_1_any_value_is_judged_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), bare in any::<bool>()) {
        let Ok(value) = HeaderValue::from_bytes(&bytes) else { return Ok(()) };
        let form = if bare { KeyForm::QuotedOrBare } else { KeyForm::Quoted };
        if let Ok(key) = idempotency_key(&value, form) {
            prop_assert!((1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.as_str().len()));
            prop_assert!(key.as_str().bytes().all(|b| matches!(b, b' '..=b'~')));
        }
    }
}
