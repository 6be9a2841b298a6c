// SPDX-License-Identifier: Apache-2.0
//! The structured-field cases of the HTTP working group, where that data is at hand.

// A module, so that the lints know the functions beside the tests as test code.
#[cfg(test)]
mod vectors {
    use http::HeaderValue;
    use portcullis_wire::structured::{
        IDEMPOTENCY_KEY_BYTES_MAX, IdempotencyKey, Key, KeyForm, ListWriter, StringItem, idempotency_key,
    };
    use serde_json::Value;
    use std::path::PathBuf;

    fn cases(name: &str, file: &str) -> Option<Vec<Value>> {
        let shared = std::env::var_os("PORTCULLIS_SHARED")
            .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")), PathBuf::from);
        let path = shared.join("vectors/structured-fields").join(file);
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("not run: {name}: {file} is not at hand; set PORTCULLIS_SHARED");
            return None;
        };
        Some(serde_json::from_str(&text).expect("a list of cases"))
    }

    /// What the case says: `Some(text)` for one String item, `None` for all that is no key.
    fn expected(case: &Value) -> Option<&str> {
        if case["must_fail"] == true || case["header_type"] != "item" {
            return None;
        }
        case["expected"][0].as_str().filter(|text| (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len()))
    }

    #[test]
    fn id_1_items_of_the_working_group_are_read_as_expected() {
        let name = "id_1_items_of_the_working_group_are_read_as_expected";
        let (mut keys, mut refusals) = (0, 0);
        for file in [
            "string.json",
            "string-generated.json",
            "item.json",
            "token.json",
            "number.json",
            "boolean.json",
            "binary.json",
        ] {
            let Some(cases) = cases(name, file) else { return };
            for case in cases {
                // Only one field line can be a key; several are refused before.
                let [Value::String(raw)] = case["raw"].as_array().expect("raw").as_slice() else { continue };
                let Ok(value) = HeaderValue::from_bytes(raw.as_bytes()) else { continue };
                if case["header_type"] != "item" {
                    continue;
                }
                let read = idempotency_key(&value, KeyForm::Quoted).ok();
                assert_eq!(read.as_ref().map(IdempotencyKey::as_str), expected(&case), "{file}: {}", case["name"]);
                if read.is_some() { keys += 1 } else { refusals += 1 }
            }
        }
        assert!(keys >= 90 && refusals >= 90, "{keys} keys, {refusals} refusals");
    }

    #[test]
    fn rl_1_strings_of_the_working_group_are_written_as_expected() {
        let name = "rl_1_strings_of_the_working_group_are_written_as_expected";
        let (mut written, mut refused) = (0, 0);
        for file in ["string.json", "string-generated.json", "serialisation-tests/string-generated.json"] {
            let Some(cases) = cases(name, file) else { return };
            for case in cases.iter().filter(|case| case["header_type"] == "item") {
                let Some(text) = case["expected"][0].as_str() else { continue };
                let canonical = case["canonical"][0].as_str().or(case["raw"][0].as_str());
                if let Ok(item) = StringItem::new(text) {
                    assert_eq!(Some(item.as_str()), canonical, "{file}: {}", case["name"]);
                    written += 1;
                } else {
                    assert_eq!(case["must_fail"], true, "{file}: {}", case["name"]);
                    refused += 1;
                }
            }
        }
        assert!(written >= 90 && refused >= 30, "{written} written, {refused} refused");
    }

    #[test]
    fn rl_2_keys_of_the_working_group_are_judged_as_expected() {
        let name = "rl_2_keys_of_the_working_group_are_judged_as_expected";
        let Some(cases) = cases(name, "serialisation-tests/key-generated.json") else { return };
        let mut judged = 0;
        for case in cases.iter().filter(|case| case["header_type"] == "dictionary") {
            let Some(text) = case["expected"][0][0].as_str() else { continue };
            assert_eq!(Key::new(text).is_err(), case["must_fail"] == true, "{}", case["name"]);
            judged += 1;
        }
        let mut list = ListWriter::new();
        list.item(&StringItem::new("p").expect("string")).integer(Key::new("a").expect("key"), 1);
        assert_eq!(list.finish().expect("value"), "\"p\";a=1");
        assert!(judged >= 90, "{judged} judged");
    }
}
