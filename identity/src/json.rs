// SPDX-License-Identifier: Apache-2.0
//! Small JSON objects (token headers, claims, key sets, metadata), read by the product's one strict reader: members
//! named twice, byte order marks, lone surrogates, U+0000, numbers that overflow and trailing bytes are refused at
//! any depth (JWT-7, T87).

use bytes::Bytes;
use portcullis_wire::json::{Document, JsonKind, JsonLimits};
use serde_json::{Map, Value};

/// Deepest nesting, and most values: a token of 8 KiB cannot hold more, and a set of [`crate::JWKS_KEYS_MAX`] keys with
/// certificate chains needs far fewer.
const LIMITS: JsonLimits = JsonLimits { depth_max: 16, nodes_max: 8192 };

/// The bytes are not one strict JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAnObject;

/// Reads one JSON object and nothing else.
pub(crate) fn object(bytes: Bytes) -> Result<Map<String, Value>, NotAnObject> {
    let document = Document::parse(bytes, &LIMITS).map_err(|_| NotAnObject)?;
    if document.root().kind() != JsonKind::Object {
        return Err(NotAnObject);
    }
    match document.to_value() {
        Value::Object(members) => Ok(members),
        _ => Err(NotAnObject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Map<String, Value>, NotAnObject> {
        object(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn t87_what_parsers_disagree_about_is_refused() {
        for text in [
            r#"{"aud":"a","aud":"b"}"#,
            r#"{"aud":"a","\u0061ud":"b"}"#,
            r#"{"x":{"y":1,"y":2}}"#,
            r#"{"x":[{"y":1,"y":2}]}"#,
            "\u{feff}{}",
            "{} ,",
            "{}{}",
            "[]",
            "1",
            "",
            r#"{"a":1e400}"#,
            r#"{"a":01}"#,
            r#"{"a":NaN}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\u0000"}"#,
            r#"{"a":1,}"#,
            r"{'a':1}",
            "{\"a\":\"\n\"}",
        ] {
            assert_eq!(read(text), Err(NotAnObject), "{text}");
        }
        assert_eq!(object(Bytes::from_static(b"{\"a\":\"\xff\"}")), Err(NotAnObject));
        let read = Value::Object(read(r#" {"a":[1,-2,2.5,true,null,"x"],"b":{"a":18446744073709551615}} "#).unwrap());
        assert_eq!(read, serde_json::json!({"a": [1, -2, 2.5, true, null, "x"], "b": {"a": u64::MAX}}));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nested(LIMITS.depth_max - 1)).is_ok());
        assert!(read(&nested(LIMITS.depth_max)).is_err());
        assert!(read(&nested(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = object(Bytes::from(bytes));
        }
    }
}
