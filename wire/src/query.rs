// SPDX-License-Identifier: Apache-2.0
//! The query: read once into decoded pairs, written again in one form (T32).

use crate::fault::WireFault;
use crate::percent::{self, Plus};
use std::fmt;

/// Decoded query parameters in the order they were sent. An empty query costs no allocation.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads the text after `?`. Empty pieces between `&` are dropped but counted; `+` is a space; a name without
    /// `=` has the empty value.
    pub fn parse(raw: &str, parameters_max: usize) -> Result<Self, WireFault> {
        if raw.is_empty() {
            return Ok(Self::default());
        }
        if !raw.bytes().all(may_stand_raw) {
            return Err(WireFault::malformed("character that may not stand in a query"));
        }
        let pieces = memchr::memchr_iter(b'&', raw.as_bytes()).count().saturating_add(1);
        if pieces > parameters_max {
            return Err(WireFault::malformed("too many query parameters"));
        }
        let mut pairs = Vec::with_capacity(pieces);
        for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self { pairs })
    }

    /// Names and values, decoded, in order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Every value of this name. Names are compared byte by byte.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether there is no parameter.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl fmt::Display for Query {
    /// The one written form: `name=value` joined by `&`; a space is `%20`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(self.pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum());
        for (index, (name, value)) in self.pairs.iter().enumerate() {
            if index > 0 {
                text.push('&');
            }
            encode(&mut text, name);
            text.push('=');
            encode(&mut text, value);
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for Query {
    /// Shows no name and no value: queries carry tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query").field("parameters", &self.pairs.len()).finish()
    }
}

/// RFC 3986 §3.4, and the brackets, braces and bars that browsers leave bare and that the `OpenAPI` styles
/// `deepObject` and `pipeDelimited` use. They have one reading here and are written encoded.
fn may_stand_raw(byte: u8) -> bool {
    percent::is_path_plain(byte) || matches!(byte, b'%' | b'/' | b'?' | b';' | b'[' | b']' | b'{' | b'}' | b'|')
}

fn decode(raw: &str) -> Result<String, WireFault> {
    let text = if memchr::memchr2(b'%', b'+', raw.as_bytes()).is_none() {
        raw.to_owned()
    } else {
        let bytes = percent::decode(raw.as_bytes(), Plus::Space)
            .map_err(|_| WireFault::malformed("bad percent escape in the query"))?;
        String::from_utf8(bytes).map_err(|_| WireFault::malformed("query is not utf-8"))?
    };
    // Text of several lines is data; other control characters only serve to confuse readers.
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err(WireFault::malformed("control character in the query"));
    }
    Ok(text)
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if percent::is_unreserved(byte) || matches!(byte, b'!' | b'$' | b'(' | b')' | b'*' | b',' | b'/' | b':' | b'@')
        {
            out.push(char::from(byte));
        } else {
            percent::push_escape(out, byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(raw: &str) -> Vec<(String, String)> {
        Query::parse(raw, 100).expect(raw).pairs().to_vec()
    }

    #[test]
    fn t32_a_query_has_one_reading_and_one_written_form() {
        let query = Query::parse("a=1+2&b=%26%3D%2B&a=x;y&c&&f[k]=%E2%82%AC&=v", 100).expect("valid");
        let read: Vec<_> = query.pairs().iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let expected = [("a", "1 2"), ("b", "&=+"), ("a", "x;y"), ("c", ""), ("f[k]", "€"), ("", "v")];
        assert_eq!(read, expected);
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1 2", "x;y"]);
        assert_eq!(query.to_string(), "a=1%202&b=%26%3D%2B&a=x%3By&c=&f%5Bk%5D=%E2%82%AC&=v");
        assert!(Query::parse("", 0).expect("empty").is_empty());
        assert_eq!(format!("{query:?}"), "Query { parameters: 6 }");
    }

    #[test]
    fn t32_a_query_is_bounded_and_strict() {
        assert_eq!(pairs(&vec!["a=1"; 100].join("&")).len(), 100);
        for raw in [&vec!["a=1"; 101].join("&"), &"&".repeat(100)] {
            assert_eq!(Query::parse(raw, 100), Err(WireFault::malformed("too many query parameters")));
        }
        for raw in [
            "a=%", "a=%2", "a=%zz", "a=%00", "a=%1b", "a=%c0%ae", "a=%ff", "a=é", "a=\\", "a=#", "a b", "a=\"",
            "%u002f",
        ] {
            assert!(Query::parse(raw, 100).is_err(), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn t32_writing_and_reading_again_changes_nothing(raw in "[a-c=&+%0-9A-F\\[;/?]{0,60}|\\PC{0,40}") {
            if let Ok(query) = Query::parse(&raw, 100) {
                let again = Query::parse(&query.to_string(), 100).expect("own form");
                prop_assert_eq!(again.pairs(), query.pairs());
                prop_assert_eq!(again.to_string(), query.to_string());
            }
        }
    }
}
