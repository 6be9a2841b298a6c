// SPDX-License-Identifier: Apache-2.0
//! Writing a List of String Items with parameters: what can go wrong goes wrong when names are made at load time,
//! so that writing per answer cannot fail.

use http::HeaderValue;
use std::fmt::Write;

/// The largest Integer of RFC 9651 §3.3.1.
pub const INTEGER_MAX: u64 = 999_999_999_999_999;

/// Why a name cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StructuredFault {
    /// RFC 9651 §3.3.3: a String holds visible ASCII and spaces.
    #[error("a structured string holds only visible ascii characters and spaces")]
    NotAString,
    /// RFC 9651 §3.1.2.
    #[error("a structured key starts with a lower-case letter or `*` and holds letters, digits and `_-.*`")]
    NotAKey,
}

/// A String, serialised once with quotes and escapes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StringItem(Box<str>);

impl StringItem {
    /// Serialises the text (RFC 9651 §4.1.6).
    pub fn new(text: &str) -> Result<Self, StructuredFault> {
        let mut quoted = String::with_capacity(text.len().saturating_add(2));
        quoted.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => quoted.extend(['\\', c]),
                ' '..='~' => quoted.push(c),
                _ => return Err(StructuredFault::NotAString),
            }
        }
        quoted.push('"');
        Ok(Self(quoted.into()))
    }

    /// The serialised text, with quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(std::borrow::Cow<'static, str>);

impl Key {
    /// `q`: the quota of a policy (RL-2).
    pub const QUOTA: Self = Self(std::borrow::Cow::Borrowed("q"));
    /// `w`: the window of a policy in seconds (RL-2).
    pub const WINDOW: Self = Self(std::borrow::Cow::Borrowed("w"));
    /// `qu`: the unit of a quota (RL-2).
    pub const QUOTA_UNIT: Self = Self(std::borrow::Cow::Borrowed("qu"));
    /// `r`: the available quota (RL-3).
    pub const REMAINING: Self = Self(std::borrow::Cow::Borrowed("r"));
    /// `t`: the effective window in seconds (RL-3).
    pub const EFFECTIVE_WINDOW: Self = Self(std::borrow::Cow::Borrowed("t"));

    /// Another name.
    pub fn new(name: &str) -> Result<Self, StructuredFault> {
        let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '*');
        let holds =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*');
        if starts && name.bytes().all(holds) {
            Ok(Self(std::borrow::Cow::Owned(name.to_owned())))
        } else {
            Err(StructuredFault::NotAKey)
        }
    }
}

/// Writes a List of Items.
#[derive(Debug, Default)]
pub struct ListWriter {
    text: String,
}

/// Adds parameters to the Item just written. A key must be given once only: a later one would win.
#[derive(Debug)]
pub struct ItemWriter<'a> {
    text: &'a mut String,
}

impl ListWriter {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member.
    pub fn item(&mut self, value: &StringItem) -> ItemWriter<'_> {
        if !self.text.is_empty() {
            self.text.push_str(", ");
        }
        self.text.push_str(value.as_str());
        ItemWriter { text: &mut self.text }
    }

    /// The field value; `None` for the empty List, which is written by leaving the field out (RFC 9651 §4.1).
    pub fn finish(self) -> Option<HeaderValue> {
        if self.text.is_empty() { None } else { HeaderValue::try_from(self.text).ok() }
    }
}

impl ItemWriter<'_> {
    /// Adds an Integer parameter; a larger value is written as [`INTEGER_MAX`].
    #[expect(clippy::needless_pass_by_value, reason = "keys are constants; a reference at each call says nothing")]
    pub fn integer(&mut self, key: Key, value: u64) -> &mut Self {
        // Writing into a `String` cannot fail.
        let _ = write!(self.text, ";{}={}", key.0, value.min(INTEGER_MAX));
        self
    }

    /// Adds a String parameter.
    #[expect(clippy::needless_pass_by_value, reason = "keys are constants; a reference at each call says nothing")]
    pub fn string(&mut self, key: Key, value: &StringItem) -> &mut Self {
        let _ = write!(self.text, ";{}={}", key.0, value.as_str());
        self
    }
}
