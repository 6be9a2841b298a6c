// SPDX-License-Identifier: Apache-2.0
//! Claims by type: a value of another type than the standard's is refused, never converted (T86).

use crate::challenge::is_scope_token;
use crate::fault::Fault;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// Most scopes or roles of one token.
pub(super) const WORDS_MAX: usize = 256;
/// Most audiences of one token.
const AUDIENCES_MAX: usize = 64;
/// The last second of the year 9999; later dates are mistakes or attacks on arithmetic.
const DATE_MAX_S: u64 = 253_402_300_799;

/// A string that must be there and say something.
pub(super) fn required<'a>(claims: &'a Map<String, Value>, name: &str, detail: &'static str) -> Result<&'a str, Fault> {
    match claims.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(Fault::claims(detail)),
    }
}

/// A string that may be absent.
pub(super) fn text(value: Option<&Value>, detail: &'static str) -> Result<Option<Arc<str>>, Fault> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(Arc::from(text.as_str()))),
        Some(_) => Err(Fault::claims(detail)),
    }
}

/// A string, or an integer by its canonical decimal text (the comparison rule of owners and tenants).
pub(super) fn text_or_integer(value: Option<&Value>, detail: &'static str) -> Result<Option<Arc<str>>, Fault> {
    match value {
        Some(Value::Number(n)) if n.is_i64() || n.is_u64() => Ok(Some(n.to_string().into())),
        other => text(other, detail),
    }
}

/// RFC 7519 §2 `NumericDate`: a JSON number of seconds, fractions allowed; finite, not negative, not absurd (JWT-19).
pub(super) fn date(claims: &Map<String, Value>, name: &str, detail: &'static str) -> Result<Option<Duration>, Fault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let Value::Number(number) = value else { return Err(Fault::claims(detail)) };
    let date = match (number.as_u64(), number.as_f64()) {
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, Some(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
        (None, None) => None,
    };
    date.filter(|d| d.as_secs() <= DATE_MAX_S).map(Some).ok_or(Fault::claims(detail))
}

/// `aud`: one string or an array of strings (AT-4).
pub(super) fn audiences(claims: &Map<String, Value>) -> Result<Vec<&str>, Fault> {
    let wrong = Fault::claims("aud is no string and no array of strings");
    match claims.get("aud") {
        Some(Value::String(one)) => Ok(vec![one]),
        Some(Value::Array(several)) if !several.is_empty() && several.len() <= AUDIENCES_MAX => {
            several.iter().map(|a| a.as_str().ok_or(wrong)).collect()
        }
        _ => Err(wrong),
    }
}

/// Scopes: one string, words separated by spaces (AT-7). An array only where the operator named another claim than
/// `scope`, for issuers that predate RFC 9068.
pub(super) fn scopes(value: Option<&Value>, arrays: ArrayOfScopes) -> Result<Vec<Arc<str>>, Fault> {
    let words: Vec<&str> = match (value, arrays) {
        (None, _) => Vec::new(),
        (Some(Value::String(text)), _) => text.split(' ').filter(|w| !w.is_empty()).collect(),
        (Some(Value::Array(words)), ArrayOfScopes::Read) => strings(words, "a scope is not a string")?,
        (Some(_), _) => return Err(Fault::claims("scope is not one string")),
    };
    if words.len() > WORDS_MAX || !words.iter().all(|w| is_scope_token(w)) {
        return Err(Fault::claims("a scope has characters no scope has, or there are too many"));
    }
    Ok(words.into_iter().map(Arc::from).collect())
}

/// Whether scopes may stand in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ArrayOfScopes {
    /// They may.
    Read,
    /// They may not.
    Refuse,
}

/// Roles: an array of strings, or one string that is one role; never split.
pub(super) fn roles(value: Option<&Value>) -> Result<Vec<Arc<str>>, Fault> {
    let words = match value {
        None => Vec::new(),
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(words)) => strings(words, "a role is not a string")?,
        Some(_) => return Err(Fault::claims("roles are no array of strings")),
    };
    if words.len() > WORDS_MAX || words.iter().any(|w| w.is_empty()) {
        return Err(Fault::claims("a role is empty, or there are too many"));
    }
    Ok(words.into_iter().map(Arc::from).collect())
}

fn strings<'a>(values: &'a [Value], detail: &'static str) -> Result<Vec<&'a str>, Fault> {
    values.iter().map(|v| v.as_str().ok_or(Fault::claims(detail))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn exp(text: &str) -> Result<Option<Duration>, Fault> {
        date(&crate::json::object(format!(r#"{{"exp":{text}}}"#).into()).unwrap(), "exp", "wrong")
    }

    #[test]
    fn t86_jwt_19_dates_are_sane_numbers() {
        assert_eq!(exp("1700000000"), Ok(Some(Duration::from_secs(1_700_000_000))));
        assert_eq!(exp("1700000000.5"), Ok(Some(Duration::from_millis(1_700_000_000_500))));
        assert_eq!(exp("1.7e9"), Ok(Some(Duration::from_secs(1_700_000_000))));
        assert!(crate::json::object(r#"{"exp":18446744073709551616}"#.into()).is_err());
        for wrong in [
            r#""1700000000""#,
            r#""never""#,
            "-1",
            "-0.5",
            "1e30",
            "1e308",
            "253402300800",
            "null",
            "true",
            "[1700000000]",
            "{}",
            "9223372036854775808",
        ] {
            assert!(exp(wrong).is_err(), "{wrong}");
        }
        assert_eq!(date(json!({}).as_object().unwrap(), "exp", "wrong"), Ok(None));
    }

    #[test]
    fn at_7_scope_is_one_string() {
        let words = |v: Value, a| scopes(Some(&v), a).map(|s| s.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(words(json!("a b"), ArrayOfScopes::Refuse), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(words(json!(""), ArrayOfScopes::Refuse), Ok(vec![]));
        assert!(words(json!(["a"]), ArrayOfScopes::Refuse).is_err());
        assert_eq!(words(json!(["a", "b"]), ArrayOfScopes::Read), Ok(vec!["a".into(), "b".into()]));
        for wrong in [json!(["a b"]), json!([1]), json!([""]), json!(1), json!(null), json!({"a": 1}), json!("a\"b")] {
            assert!(words(wrong.clone(), ArrayOfScopes::Read).is_err(), "{wrong}");
        }
        assert!(words(json!("a ".repeat(WORDS_MAX + 1)), ArrayOfScopes::Refuse).is_err());
    }

    #[test]
    fn roles_are_never_split() {
        assert_eq!(roles(Some(&json!("admin staff"))).unwrap().len(), 1);
        assert_eq!(roles(Some(&json!(["admin", "staff"]))).unwrap().len(), 2);
        for wrong in [json!([1]), json!([""]), json!(""), json!(null), json!({"admin": true}), json!([["admin"]])] {
            assert!(roles(Some(&wrong)).is_err(), "{wrong}");
        }
    }
}
