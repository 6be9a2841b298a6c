// SPDX-License-Identifier: Apache-2.0
//! The words rules are made of (config.md §4): a list of words, any of which suffices.

use crate::owner::Ownership;
use portcullis_decision::caller::Caller;
use portcullis_decision::finding::Place;
use std::fmt;
use std::sync::Arc;

/// One word of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// The caller owns the object.
    Owner,
    /// `role:R`
    Role(Arc<str>),
    /// `scope:S`
    Scope(Arc<str>),
    /// `client:C`: the credential was issued to this client.
    Client(Arc<str>),
    /// `plan:P`: the credential names this plan.
    Plan(Arc<str>),
    /// Any verified identity.
    Authenticated,
    /// Anybody.
    Public,
    /// Nobody, for a rule.
    Nobody,
    /// Nobody, for a property.
    Never,
}

/// The text is no word of a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordError {
    /// No such word.
    #[error("`{0}` is no word of a rule")]
    Unknown(String),
    /// `role:` and its like need a name.
    #[error("`{0}` names nothing after the colon")]
    Blank(String),
}

impl Word {
    /// The words without an argument, for "did you mean".
    pub const PLAIN: &[&str] = &["owner", "authenticated", "public", "nobody", "never"];
    /// The prefixes of the words with an argument.
    pub const PREFIXES: &[&str] = &["role:", "scope:", "client:", "plan:"];

    /// Reads a word.
    pub fn parse(text: &str) -> Result<Self, WordError> {
        match text {
            "owner" => return Ok(Self::Owner),
            "authenticated" => return Ok(Self::Authenticated),
            "public" => return Ok(Self::Public),
            "nobody" => return Ok(Self::Nobody),
            "never" => return Ok(Self::Never),
            _ => {}
        }
        let Some((kind, name)) = text.split_once(':') else {
            return Err(WordError::Unknown(text.to_owned()));
        };
        if name.trim().is_empty() {
            return Err(WordError::Blank(text.to_owned()));
        }
        match kind {
            "role" => Ok(Self::Role(name.into())),
            "scope" => Ok(Self::Scope(name.into())),
            "client" => Ok(Self::Client(name.into())),
            "plan" => Ok(Self::Plan(name.into())),
            _ => Err(WordError::Unknown(text.to_owned())),
        }
    }

    /// Whether the word can only be judged with the object at hand.
    pub fn needs_object(&self) -> bool {
        matches!(self, Self::Owner)
    }

    /// Whether the word holds for a caller, whatever the object is.
    fn holds_for(&self, caller: &Caller) -> bool {
        let identity = caller.identity();
        match self {
            Self::Public => true,
            Self::Authenticated => identity.is_some(),
            Self::Role(role) => identity.is_some_and(|i| i.has_role(role)),
            Self::Scope(scope) => identity.is_some_and(|i| i.has_scope(scope)),
            Self::Client(client) => identity.and_then(|i| i.client.as_ref()).is_some_and(|c| c == client),
            Self::Plan(plan) => identity.and_then(|i| i.plan.as_ref()).is_some_and(|p| p == plan),
            Self::Owner | Self::Nobody | Self::Never => false,
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner => f.write_str("owner"),
            Self::Role(name) => write!(f, "role:{name}"),
            Self::Scope(name) => write!(f, "scope:{name}"),
            Self::Client(name) => write!(f, "client:{name}"),
            Self::Plan(name) => write!(f, "plan:{name}"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Public => f.write_str("public"),
            Self::Nobody => f.write_str("nobody"),
            Self::Never => f.write_str("never"),
        }
    }
}

/// A rule ready to be judged, with the text that records and explanations show.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    words: Vec<Word>,
    /// `portcullis.yaml:57:11 update: [owner]`.
    pub(crate) text: Arc<str>,
}

impl Rule {
    /// A rule somebody wrote.
    pub(crate) fn written(label: &str, words: &[Word], place: &Place) -> Self {
        Self { words: words.to_vec(), text: format!("{place} {label}: {}", list(words)).into() }
    }

    /// A rule nobody wrote.
    pub(crate) fn default(label: &str, words: Vec<Word>) -> Self {
        let text = format!("default {label}: {}", list(&words)).into();
        Self { words, text }
    }

    /// The words.
    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    /// Whether some word needs the object.
    pub(crate) fn needs_object(&self) -> bool {
        self.words.iter().any(Word::needs_object)
    }

    /// Whether a word holds whatever the object is.
    pub(crate) fn holds_without_object(&self, caller: &Caller) -> bool {
        self.words.iter().any(|word| word.holds_for(caller))
    }

    /// Whether the rule holds for a caller who stands so to the object.
    pub(crate) fn holds(&self, caller: &Caller, ownership: &Ownership) -> bool {
        self.holds_without_object(caller) || (self.needs_object() && matches!(ownership, Ownership::Own))
    }

    /// Whether anybody at all is let in.
    pub(crate) fn is_public(&self) -> bool {
        self.words.contains(&Word::Public)
    }
}

fn list(words: &[Word]) -> String {
    let words: Vec<String> = words.iter().map(Word::to_string).collect();
    format!("[{}]", words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for text in Word::PLAIN.iter().copied().chain(["role:r", "scope:orders.read", "client:c:1", "plan:pro"]) {
            assert_eq!(Word::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "Owner", "role:", "role: ", "group:x", "tenant", "owner "] {
            assert!(Word::parse(text).is_err(), "{text}");
        }
    }
}
