// SPDX-License-Identifier: Apache-2.0
//! Where a claim stands in a token, as an operator writes it.
//!
//! Three forms, told apart by their text alone, so that no token decides how a path is read: a JSON pointer when it
//! begins with `/` (`/realm_access/roles`); one member's literal name when it contains `://`
//! (`https://example.com/roles`); otherwise names joined by dots (`realm_access.roles`, `roles`).

use crate::error::IdentityError;
use serde_json::{Map, Value};

/// Most segments of a path.
const SEGMENTS_MAX: usize = 8;

/// A claim's place: the names of the members that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimPath {
    first: String,
    rest: Vec<String>,
}

impl ClaimPath {
    pub(crate) fn parse(text: &str) -> Result<Self, IdentityError> {
        let refused = || IdentityError::ClaimPath(text.to_owned());
        let segments: Vec<String> = if let Some(pointer) = text.strip_prefix('/') {
            pointer.split('/').map(unescape).collect::<Option<_>>().ok_or_else(refused)?
        } else if text.contains("://") {
            vec![text.to_owned()]
        } else {
            text.split('.').map(str::to_owned).collect()
        };
        if segments.len() > SEGMENTS_MAX || segments.iter().any(String::is_empty) {
            return Err(refused());
        }
        let mut segments = segments.into_iter();
        let first = segments.next().ok_or_else(refused)?;
        Ok(Self { first, rest: segments.collect() })
    }

    /// Whether the path is exactly this one name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.rest.is_empty() && self.first == name
    }

    /// The value there; `None` where any member on the way is missing.
    pub(crate) fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let mut value = claims.get(&self.first)?;
        for name in &self.rest {
            value = value.as_object()?.get(name)?;
        }
        Some(value)
    }
}

/// RFC 6901 §4: `~1` is `/`, `~0` is `~`, any other `~` is an error.
fn unescape(segment: &str) -> Option<String> {
    let mut text = String::with_capacity(segment.len());
    let mut chars = segment.chars();
    while let Some(c) = chars.next() {
        match c {
            '~' => text.push(match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
            _ => text.push(c),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_three_forms_find_their_claim() {
        let claims = json!({"roles": 1, "realm_access": {"roles": 2}, "https://x.example/roles": 3, "a/b": {"c~d": 4}});
        let claims = claims.as_object().unwrap();
        for (path, value) in [
            ("roles", 1),
            ("realm_access.roles", 2),
            ("/realm_access/roles", 2),
            ("https://x.example/roles", 3),
            ("/a~1b/c~0d", 4),
        ] {
            assert_eq!(ClaimPath::parse(path).unwrap().find(claims), Some(&json!(value)), "{path}");
        }
        for path in ["nothing", "roles.more", "realm_access.nothing"] {
            assert_eq!(ClaimPath::parse(path).unwrap().find(claims), None, "{path}");
        }
    }

    #[test]
    fn paths_that_mean_nothing_are_refused() {
        for path in ["", ".", "a.", ".a", "a..b", "/", "/a//b", "/a~2", "/a~", "a.b.c.d.e.f.g.h.i"] {
            assert!(ClaimPath::parse(path).is_err(), "{path}");
        }
    }
}
