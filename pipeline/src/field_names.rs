// SPDX-License-Identifier: Apache-2.0
//! Sets of field names that are looked for in every message. Few of them are there as a rule, so looking must cost
//! next to nothing: most names are ruled out by their length alone.

use http::{HeaderMap, HeaderName};
use smallvec::SmallVec;

/// No name of a set is as long as this.
const LENGTH_END: usize = 64;

/// A fixed set of field names.
pub(crate) struct FieldNames<const N: usize> {
    names: [&'static str; N],
    /// Bit `n` is set when a name of the set has `n` characters.
    lengths: u64,
}

impl<const N: usize> FieldNames<N> {
    /// The names, in lower case and shorter than 64 characters; anything else does not compile.
    pub(crate) const fn new(names: [&'static str; N]) -> Self {
        let mut lengths = 0;
        let mut rest: &[&str] = &names;
        while let [first, more @ ..] = rest {
            assert!(first.len() < LENGTH_END, "a field name is too long");
            lengths |= 1_u64 << first.len();
            rest = more;
        }
        Self { names, lengths }
    }

    /// Whether this is one of them.
    pub(crate) fn has(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        name.len() < LENGTH_END && self.lengths >> name.len() & 1 == 1 && self.names.contains(&name)
    }
}

/// Removes every field whose name is `doomed`.
pub(crate) fn strip(headers: &mut HeaderMap, doomed: impl Fn(&HeaderName) -> bool) {
    let there: SmallVec<[HeaderName; 4]> = headers.keys().filter(|name| doomed(name)).cloned().collect();
    for name in there {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_set_has_its_names_and_no_others() {
        let set = FieldNames::new(["etag", "x-a"]);
        let has = |name: &'static str| set.has(&HeaderName::from_static(name));
        assert!(has("etag") && has("x-a"));
        assert!(!has("date") && !has("x-b") && !has("x-ab") && !has("e"));
        assert!(!set.has(&HeaderName::from_bytes("x".repeat(200).as_bytes()).unwrap()));
    }

    #[test]
    fn every_line_of_a_doomed_name_goes() {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("x-b", "2"), ("x-a", "3")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        strip(&mut headers, |name| name == "x-a");
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-b"]);
    }
}
