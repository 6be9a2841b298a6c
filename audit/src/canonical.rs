// SPDX-License-Identifier: Apache-2.0
//! A writer of RFC 8785 canonical JSON: no white space, members in order, integers only.
//!
//! The order of members is the caller's duty, because the members of a record are known when this is compiled; tests
//! compare what is written with a canonical form made from the parsed value.

use crate::text::{push_decimal, push_text};

/// The largest integer that every JSON reader holds exactly (RFC 7493 section 2.2).
pub(crate) const INTEGER_MAX: u64 = (1 << 53) - 1;

/// An object that is being written.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
    names: Names,
}

/// Whose names the members have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Words of this crate, written as they are.
    Ours,
    /// Words from all over the workspace: escaping them costs little and cannot be forgotten.
    Foreign,
}

impl<'a> Object<'a> {
    /// Opens an object at the end of `out`.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true, names: Names::Ours }
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    /// Bytes written so far, with everything before the object.
    pub(crate) fn position(&self) -> usize {
        self.out.len()
    }

    /// A text from outside: cut and escaped.
    pub(crate) fn text(&mut self, key: &'static str, value: &str) {
        push_text(self.key(key), value);
    }

    /// A word of ours: printable ASCII without quotes and backslashes.
    pub(crate) fn word(&mut self, key: &'static str, value: &'static str) {
        let out = self.key(key);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    }

    /// Text that `write` appends; it must need no escape.
    pub(crate) fn quoted(&mut self, key: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        let out = self.key(key);
        out.push(b'"');
        write(out);
        out.push(b'"');
    }

    /// An integer; text when it is too large for JSON's numbers.
    pub(crate) fn number(&mut self, key: &'static str, value: u64) {
        let out = self.key(key);
        if value <= INTEGER_MAX {
            push_decimal(out, value);
        } else {
            out.push(b'"');
            push_decimal(out, value);
            out.push(b'"');
        }
    }

    /// A signed integer.
    pub(crate) fn signed(&mut self, key: &'static str, value: i64) {
        if value >= 0 {
            self.number(key, value.unsigned_abs());
        } else if value.unsigned_abs() <= INTEGER_MAX {
            let out = self.key(key);
            out.push(b'-');
            push_decimal(out, value.unsigned_abs());
        } else {
            self.quoted(key, |out| {
                out.push(b'-');
                push_decimal(out, value.unsigned_abs());
            });
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, key: &'static str, value: bool) {
        self.key(key).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// An object inside.
    pub(crate) fn object(&mut self, key: &'static str, write: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::open(self.key(key));
        write(&mut inner);
        inner.close();
    }

    /// An object inside, whose members are not named by this crate.
    pub(crate) fn foreign_object(&mut self, key: &'static str, write: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::open(self.key(key));
        inner.names = Names::Foreign;
        write(&mut inner);
        inner.close();
    }

    /// An array of objects.
    pub(crate) fn array<T>(
        &mut self,
        key: &'static str,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Object<'_>, T),
    ) {
        let out = self.key(key);
        out.push(b'[');
        for (at, item) in items.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let mut object = Object::open(out);
            write(&mut object, item);
            object.close();
        }
        out.push(b']');
    }

    fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
        match self.names {
            Names::Ours => {
                self.out.push(b'"');
                self.out.extend_from_slice(key.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            Names::Foreign => {
                push_text(self.out, key);
                self.out.push(b':');
            }
        }
        self.out
    }
}
