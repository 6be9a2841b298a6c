// SPDX-License-Identifier: Apache-2.0
//! The words of the configuration contract: one table, from which the errors about unknown and not yet supported
//! words, the "did you mean", and the JSON Schema are all made.

pub(crate) mod judge;
mod kind;
mod table;

pub use kind::Kind;
pub use table::ROOT;

/// Whether a word is understood by this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// Read and obeyed.
    Supported,
    /// Part of the contract, refused by this version: ignoring it would be a control that silently does not hold.
    NotYet,
}

/// Whether a word must be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has a default, or its absence means something.
    Optional,
    /// The section means nothing without it.
    Required,
}

/// One key of a section.
#[derive(Debug)]
pub struct Word {
    /// As written.
    pub name: &'static str,
    /// What may stand behind it.
    pub shape: Shape,
    /// Whether this version obeys it.
    pub support: Support,
    /// Whether it must be there.
    pub presence: Presence,
    /// One line for people and editors.
    pub about: &'static str,
}

/// One value of a closed list.
#[derive(Debug)]
pub struct Choice {
    /// As written.
    pub word: &'static str,
    /// Whether this version obeys it.
    pub support: Support,
}

/// A mapping with a fixed set of keys.
#[derive(Debug)]
pub struct Section {
    /// What it is, as in "`x` is no word of NAME".
    pub name: &'static str,
    /// Its keys.
    pub words: &'static [Word],
    /// A section whose keys may stand here too, as the short form of one entry of it.
    pub also: Option<&'static Section>,
}

/// What may stand behind a key.
#[derive(Debug)]
pub enum Shape {
    /// One scalar.
    One(Kind),
    /// One of some words.
    Choice(&'static [Choice]),
    /// A mapping with known keys.
    Section(&'static Section),
    /// A mapping from names the operator chooses.
    Named(&'static Shape),
    /// A sequence.
    List(&'static Shape),
    /// A sequence, or a single item standing for a sequence of one.
    OneOrList(&'static Shape),
    /// A short form (anything that is no mapping), or the mapping it abbreviates.
    Short(&'static Shape, &'static Section),
    /// `{ file: }`, `{ env: }` or `{ credential: }`; an inline value is PC0401.
    Secret(&'static Section),
    /// Not described: words of a later version.
    Later,
}

impl Word {
    pub(crate) const fn required(mut self) -> Self {
        self.presence = Presence::Required;
        self
    }
}

pub(crate) const fn word(name: &'static str, shape: Shape, about: &'static str) -> Word {
    Word { name, shape, support: Support::Supported, presence: Presence::Optional, about }
}

pub(crate) const fn later(name: &'static str, about: &'static str) -> Word {
    Word { name, shape: Shape::Later, support: Support::NotYet, presence: Presence::Optional, about }
}

pub(crate) const fn choice(word: &'static str) -> Choice {
    Choice { word, support: Support::Supported }
}

pub(crate) const fn later_choice(word: &'static str) -> Choice {
    Choice { word, support: Support::NotYet }
}

impl Section {
    /// Every key, those of the short form included.
    pub fn all(&self) -> impl Iterator<Item = &'static Word> + Clone + use<> {
        self.words.iter().chain(self.also.map_or(&[][..], |also| also.words).iter())
    }

    /// The word of this name.
    pub fn find(&self, name: &str) -> Option<&'static Word> {
        self.all().find(|word| word.name == name)
    }
}
