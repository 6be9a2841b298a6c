// SPDX-License-Identifier: Apache-2.0
//! JSON pointers (RFC 6901) with `*` for "every element of the array here" (config.md §4).

use portcullis_wire::json::NodeRef;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// At most this many steps in one pointer.
pub const POINTER_STEPS_MAX: usize = 16;
/// At most this many values are followed from one pointer with `*`.
pub(crate) const POINTER_VALUES_MAX: usize = 10_000;

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A member of an object, or an element of an array by its number.
    Name(Arc<str>),
    /// Every element of an array.
    Any,
}

/// A place in a JSON document.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pointer {
    steps: SmallVec<[Step; 4]>,
}

/// The text is no pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It does not begin with `/`.
    #[error("`{0}` is not a JSON pointer: it begins with `/`")]
    Slash(String),
    /// `~` is followed by something else than `0` or `1`.
    #[error("`{0}` is not a JSON pointer: `~` is written `~0`, `/` inside a name `~1`")]
    Tilde(String),
    /// Too many steps.
    #[error("`{0}` has more than {POINTER_STEPS_MAX} steps")]
    Long(String),
}

impl Pointer {
    /// Reads `/a/b`, `/data/*`, or the empty text for the whole document.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Ok(Self { steps: SmallVec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PointerError::Slash(text.to_owned()));
        };
        let mut steps = SmallVec::new();
        for part in rest.split('/') {
            if steps.len() == POINTER_STEPS_MAX {
                return Err(PointerError::Long(text.to_owned()));
            }
            steps.push(if part == "*" { Step::Any } else { Step::Name(unescape(part, text)?.into()) });
        }
        Ok(Self { steps })
    }

    /// A pointer to one member of the object it is applied to.
    pub fn member(name: &str) -> Self {
        Self { steps: SmallVec::from_iter([Step::Name(name.into())]) }
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether a plain JSON pointer names a value that stands there, or one inside it.
    pub(crate) fn leads_to(&self, pointer: &str) -> bool {
        let mut tokens = pointer.split('/').skip(1);
        self.steps.iter().all(|step| {
            let Some(token) = tokens.next() else { return false };
            match step {
                Step::Any => true,
                Step::Name(name) => unescape(token, pointer).is_ok_and(|token| *token == **name),
            }
        })
    }

    /// Whether more than one value may stand there.
    pub fn is_many(&self) -> bool {
        self.steps.contains(&Step::Any)
    }

    /// The first step's name, where it is one: the property of the object that the pointer goes through.
    pub fn head(&self) -> Option<&Arc<str>> {
        match self.steps.first() {
            Some(Step::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// The values that stand there. Nothing that is missing stands there.
    pub fn values<'d>(&self, from: NodeRef<'d>) -> SmallVec<[NodeRef<'d>; 1]> {
        let mut here: SmallVec<[NodeRef<'d>; 1]> = SmallVec::from_iter([from]);
        for step in &self.steps {
            let mut next = SmallVec::new();
            for node in here {
                match step {
                    Step::Name(name) => next.extend(child(node, name)),
                    Step::Any => next.extend(node.elements().take(POINTER_VALUES_MAX.saturating_sub(next.len()))),
                }
            }
            here = next;
        }
        here
    }

    /// The one value that stands there, where the pointer has no `*`.
    pub fn value<'d>(&self, from: NodeRef<'d>) -> Option<NodeRef<'d>> {
        if self.is_many() { None } else { self.values(from).first().copied() }
    }
}

fn child<'d>(node: NodeRef<'d>, name: &str) -> Option<NodeRef<'d>> {
    node.get(name).or_else(|| {
        // RFC 6901 §4: array indices have no leading zero.
        let plain = name == "0" || (!name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit()));
        if plain { name.parse().ok().and_then(|index| node.elements().nth(index)) } else { None }
    })
}

fn unescape<'t>(part: &'t str, whole: &str) -> Result<Cow<'t, str>, PointerError> {
    if !part.contains('~') {
        return Ok(Cow::Borrowed(part));
    }
    let mut out = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '~' { chars.next() } else { None }) {
            ('~', Some('0')) => out.push('~'),
            ('~', Some('1')) => out.push('/'),
            ('~', _) => return Err(PointerError::Tilde(whole.to_owned())),
            (other, _) => out.push(other),
        }
    }
    Ok(Cow::Owned(out))
}

/// Writes one name as a pointer token (RFC 6901 §3).
pub(crate) fn push_token(out: &mut String, name: &str) {
    out.push('/');
    for c in name.chars() {
        match c {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            other => out.push(other),
        }
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for step in &self.steps {
            match step {
                Step::Name(name) => push_token(&mut text, name),
                Step::Any => text.push_str("/*"),
            }
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_is_no_pointer() {
        assert!(matches!(Pointer::parse("owner"), Err(PointerError::Slash(_))));
        assert!(matches!(Pointer::parse("/a~2"), Err(PointerError::Tilde(_))));
        assert!(matches!(Pointer::parse("/a~"), Err(PointerError::Tilde(_))));
        assert!(matches!(Pointer::parse(&"/a".repeat(17)), Err(PointerError::Long(_))));
    }

    #[test]
    fn a_star_is_every_element_and_an_escaped_name_is_one_name() {
        let pointer = Pointer::parse("/data/*/a~1b").unwrap();
        assert!(pointer.is_many());
        assert_eq!(pointer.steps().len(), 3);
        assert_eq!(pointer.steps()[2], Step::Name("a/b".into()));
        assert_eq!(pointer.head().map(|n| &**n), Some("data"));
    }

    proptest! {
        #[test]
        fn text_round_trips(names in proptest::collection::vec("[a-z~/*]{0,5}", 0..6)) {
            let mut text = String::new();
            for name in &names {
                push_token(&mut text, name);
            }
            let pointer = Pointer::parse(&text).unwrap();
            prop_assert_eq!(pointer.to_string(), text);
        }
    }
}
