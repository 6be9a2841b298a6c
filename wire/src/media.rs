// SPDX-License-Identifier: Apache-2.0
//! Media types: one value, one reading (RFC 9110 §8.3.1, HTTP-15, T71).

use crate::fault::WireFault;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use std::borrow::Cow;
use std::fmt;

/// At most this many parameters may follow a media type.
pub const PARAMETERS_MAX: usize = 8;

/// The type nearly every request has; it costs no allocation.
const JSON: &str = "application/json";

/// A media type with its parameters. Its text is re-emitted canonically by `Display`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    essence: Cow<'static, str>,
    /// Names in lower case, values unquoted; `charset` in lower case.
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads one field value. Lists, wildcards, empty parameters and parameters that stand twice are refused
    /// with `request.content_type`.
    pub fn parse(value: &HeaderValue) -> Result<Self, WireFault> {
        if value.as_bytes() == JSON.as_bytes() {
            return Ok(Self { essence: Cow::Borrowed(JSON), parameters: Vec::new() });
        }
        let text = value.to_str().map_err(|_| WireFault::content_type("media type is not ascii"))?;
        let (essence, mut rest) = match text.find(';').and_then(|at| text.split_at_checked(at)) {
            Some((essence, rest)) => (essence, rest),
            None => (text, ""),
        };
        let essence = essence_of(essence.trim_matches([' ', '\t']))?;
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some(after) = rest.strip_prefix(';') {
            let (name, value, after) = parameter(after.trim_start_matches([' ', '\t']))?;
            if parameters.len() >= PARAMETERS_MAX {
                return Err(WireFault::content_type("too many media type parameters"));
            }
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(WireFault::content_type("a media type parameter stands twice"));
            }
            parameters.push((name, value));
            rest = after.trim_start_matches([' ', '\t']);
        }
        if !rest.is_empty() {
            return Err(WireFault::content_type("something follows the media type"));
        }
        Ok(Self { essence, parameters })
    }

    /// The `Content-Type` of a message: none, or exactly one.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, WireFault> {
        let mut lines = headers.get_all(CONTENT_TYPE).iter();
        let Some(value) = lines.next() else { return Ok(None) };
        if lines.next().is_some() {
            return Err(WireFault::content_type("several content-type lines"));
        }
        Self::parse(value).map(Some)
    }

    /// `type/subtype` in lower case.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// The charset in lower case, when one was named.
    pub fn charset(&self) -> Option<&str> {
        self.parameter("charset")
    }

    /// The value of a parameter, by its lower-case name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the charset is absent or UTF-8: nothing else is ever read.
    pub fn is_utf8(&self) -> bool {
        self.charset().is_none_or(|charset| charset == "utf-8")
    }

    /// Whether the content is JSON: `application/json` or a `+json` type.
    pub fn is_json(&self) -> bool {
        self.essence == JSON || self.essence.ends_with("+json")
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.essence)?;
        for (name, value) in &self.parameters {
            if !value.is_empty() && value.bytes().all(is_token_byte) {
                write!(f, ";{name}={value}")?;
            } else {
                let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
                write!(f, ";{name}=\"{quoted}\"")?;
            }
        }
        Ok(())
    }
}

fn essence_of(text: &str) -> Result<Cow<'static, str>, WireFault> {
    let invalid = WireFault::content_type("media type is not type/subtype");
    let (kind, subtype) = text.split_once('/').ok_or(invalid)?;
    let valid = |part: &str| !part.is_empty() && part != "*" && part.bytes().all(is_token_byte);
    if !valid(kind) || !valid(subtype) {
        return Err(invalid);
    }
    Ok(if text.eq_ignore_ascii_case(JSON) { Cow::Borrowed(JSON) } else { Cow::Owned(text.to_ascii_lowercase()) })
}

/// Reads `name=value` and gives the rest. RFC 9110 §5.6.6 knows no space around `=`.
fn parameter(text: &str) -> Result<(String, String, &str), WireFault> {
    let invalid = WireFault::content_type("media type parameter is malformed");
    let (name, rest) = text.split_once('=').ok_or(invalid)?;
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(invalid);
    }
    let name = name.to_ascii_lowercase();
    let (mut value, rest) = if let Some(quoted) = rest.strip_prefix('"') {
        quoted_string(quoted).ok_or(invalid)?
    } else {
        let end = rest.bytes().position(|byte| !is_token_byte(byte)).unwrap_or(rest.len());
        let (token, rest) = rest.split_at_checked(end).ok_or(invalid)?;
        if token.is_empty() {
            return Err(invalid);
        }
        (token.to_owned(), rest)
    };
    if name == "charset" {
        value.make_ascii_lowercase();
    }
    Ok((name, value, rest))
}

fn quoted_string(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at.checked_add(1)?..)?)),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}

/// RFC 9110 §5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<MediaType, WireFault> {
        MediaType::parse(&HeaderValue::from_str(text).expect("value"))
    }

    #[test]
    fn t71_one_media_type_has_one_reading() {
        for (text, canonical, json, utf8) in [
            ("application/json", "application/json", true, true),
            ("Application/JSON ; Charset=\"UTF-8\"", "application/json;charset=utf-8", true, true),
            ("application/json;charset=utf-16", "application/json;charset=utf-16", true, false),
            ("application/merge-patch+json", "application/merge-patch+json", true, true),
            ("text/plain", "text/plain", false, true),
            ("multipart/form-data; boundary=\"a b\\\"\"", "multipart/form-data;boundary=\"a b\\\"\"", false, true),
        ] {
            let media = parse(text).expect(text);
            assert_eq!(
                (media.to_string().as_str(), media.is_json(), media.is_utf8()),
                (canonical, json, utf8),
                "{text}"
            );
        }
        assert_eq!(parse("a/b;Boundary=Xy").expect("valid").parameter("boundary"), Some("Xy"));
    }

    #[test]
    fn t71_parameter_tricks_are_refused() {
        for text in [
            "",
            "json",
            "/json",
            "application/",
            "application/json, text/plain",
            "application/json,x",
            "*/*",
            "text/*",
            "application/json;",
            "application/json;;charset=utf-8",
            "application/json; charset",
            "a/b;charset=",
            "a/b;charset =utf-8",
            "a/b;charset= utf-8",
            "a/b;charset=utf-8;charset=utf-16",
            "a/b;x=\"",
            "a/b;x=\"\\",
            "a/b;x=\"y\"z",
            "a/b c",
            "a/b/c",
            "a/b;x=y z",
            "a/b;x=(y)",
            "application/json\t/x",
            "a/b;a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(MediaType::of(&headers), Ok(None));
        headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert!(MediaType::of(&headers).expect("one").is_some());
        headers.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert!(MediaType::of(&headers).is_err());
    }

    proptest! {
        #[test]
        fn t71_the_canonical_text_is_read_the_same(text in "[aB]/[cD+]{1,3}(; ?[xYcharset]{1,8}=([a-z0-9-]{1,4}|\"[ -~]{0,6}\")){0,3}|[ -~]{0,40}") {
            if let Ok(media) = parse(&text) {
                prop_assert_eq!(parse(&media.to_string()), Ok(media));
            }
        }
    }
}
