// SPDX-License-Identifier: Apache-2.0
//! A writer of RFC 8785 canonical JSON: no white space, members in order, integers only.
//!
//! The order of members is the caller's duty, because the members of a record are known when this is compiled; tests
//! compare what is written with a canonical form made from the parsed value. Every member is written with a comma in
//! front, so that a key is one piece known when this is compiled; the first comma becomes the brace.

use crate::text::{push_decimal, push_text, push_word};

/// The largest integer that every JSON reader holds exactly (RFC 7493 section 2.2).
pub(crate) const INTEGER_MAX: u64 = (1 << 53) - 1;

/// A member's name as it is written: `,"name":`. Made by [`key!`] from printable ASCII without quotes and backslashes.
#[derive(Clone, Copy)]
pub(crate) struct Key(pub(crate) &'static [u8]);

/// The [`Key`] of a name.
macro_rules! key {
    ($name:literal) => {
        $crate::canonical::Key(concat!(",\"", $name, "\":").as_bytes())
    };
}
pub(crate) use key;

/// An object that is being written.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Object<'a> {
    /// Opens an object at the end of `out`.
    #[inline]
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// Closes it.
    #[inline]
    pub(crate) fn close(self) {
        close(self.out, self.start, [b'{', b'}']);
    }

    /// Bytes written so far, with everything before the object.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.out.len()
    }

    /// A text from outside: cut and escaped.
    #[inline]
    pub(crate) fn text(&mut self, key: Key, value: &str) {
        push_text(self.key(key), value);
    }

    /// A word of ours: printable ASCII without quotes and backslashes.
    #[inline]
    pub(crate) fn word(&mut self, key: Key, value: &'static str) {
        self.quoted(key, |out| out.extend_from_slice(value.as_bytes()));
    }

    /// Text that `write` appends; it must need no escape.
    #[inline]
    pub(crate) fn quoted(&mut self, key: Key, write: impl FnOnce(&mut Vec<u8>)) {
        let out = self.key(key);
        out.push(b'"');
        write(out);
        out.push(b'"');
    }

    /// An integer; text when it is too large for JSON's numbers.
    #[inline]
    pub(crate) fn number(&mut self, key: Key, value: u64) {
        push_integer(self.key(key), false, value);
    }

    /// A member whose value is written later, at the position this answers with.
    #[inline]
    pub(crate) fn later(&mut self, key: Key) -> usize {
        self.key(key).len()
    }

    /// `true`.
    #[inline]
    pub(crate) fn is_true(&mut self, key: Key) {
        self.key(key).extend_from_slice(b"true");
    }

    /// An object inside.
    #[inline]
    pub(crate) fn object(&mut self, key: Key, write: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::open(self.key(key));
        write(&mut inner);
        inner.close();
    }

    /// An array of objects.
    #[inline]
    pub(crate) fn array<T>(
        &mut self,
        key: Key,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Object<'_>, T),
    ) {
        let out = self.key(key);
        let start = out.len();
        for item in items {
            out.push(b',');
            let mut object = Object::open(out);
            write(&mut object, item);
            object.close();
        }
        close(out, start, [b'[', b']']);
    }

    /// A text from outside under a name of ours.
    #[inline]
    pub(crate) fn foreign_text(&mut self, name: &'static str, value: &str) {
        self.foreign_key(name);
        push_text(self.out, value);
    }

    /// A word of ours under a name of ours.
    #[inline]
    pub(crate) fn foreign_word(&mut self, name: &'static str, value: &'static str) {
        self.foreign_key(name);
        push_word(self.out, value);
    }

    /// A signed integer under such a name.
    #[inline]
    pub(crate) fn foreign_signed(&mut self, name: &'static str, value: i64) {
        self.foreign_key(name);
        push_integer(self.out, value < 0, value.unsigned_abs());
    }

    #[inline]
    fn key(&mut self, key: Key) -> &mut Vec<u8> {
        self.out.extend_from_slice(key.0);
        self.out
    }

    #[inline]
    fn foreign_key(&mut self, name: &'static str) {
        self.out.push(b',');
        push_word(self.out, name);
        self.out.push(b':');
    }
}

/// Puts brackets around the members from `start` on, the opening one in place of the first comma.
#[inline]
fn close(out: &mut Vec<u8>, start: usize, [open, close]: [u8; 2]) {
    match out.get_mut(start) {
        Some(comma) => *comma = open,
        None => out.push(open),
    }
    out.push(close);
}

#[inline]
fn push_integer(out: &mut Vec<u8>, negative: bool, magnitude: u64) {
    let as_text = magnitude > INTEGER_MAX;
    if as_text {
        out.push(b'"');
    }
    if negative {
        out.push(b'-');
    }
    push_decimal(out, magnitude);
    if as_text {
        out.push(b'"');
    }
}
