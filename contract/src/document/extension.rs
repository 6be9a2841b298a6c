// SPDX-License-Identifier: Apache-2.0
//! `x-portcullis` in a document: part of the contract of a later version. Until it is obeyed it is refused wherever
//! it stands, because it may carry a control somebody relies on.

use super::{Cursor, Library, Raw};
use portcullis_decision::finding::{Finding, Place};

/// The extension; also the beginning of longer names.
const NAME: &str = "x-portcullis";
/// At most this many are reported.
const REPORTED_MAX: usize = 20;
/// Members whose own members have names the author of the document chose.
const MAPS_OF_NAMES: [&str; 19] = [
    "$defs",
    "callbacks",
    "content",
    "definitions",
    "dependentRequired",
    "dependentSchemas",
    "encoding",
    "headers",
    "links",
    "mapping",
    "parameters",
    "pathItems",
    "patternProperties",
    "properties",
    "requestBodies",
    "schemas",
    "scopes",
    "securitySchemes",
    "variables",
];
/// The same, where extensions may stand between the names.
const MAPS_WITH_EXTENSIONS: [&str; 2] = ["paths", "responses"];
/// Members that hold values of the API: what is in them is data.
const DATA: [&str; 5] = ["const", "default", "enum", "example", "examples"];

/// What the keys of a map are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Words of the specification, or extensions.
    Words,
    /// Chosen names.
    Names,
    /// Chosen names between which extensions stand.
    NamesAndExtensions,
    /// Of either kind: the root of a file that is referred to.
    Any,
}

/// Every `x-portcullis` of a document and of the files it refers to, as findings that refuse it.
pub(crate) fn refused(library: &Library) -> Vec<Finding> {
    let mut found: Vec<Cursor<'_>> = Vec::new();
    for (file, root) in library.roots().enumerate() {
        let keys = if file == 0 { Keys::Words } else { Keys::Any };
        collect(root, keys, &mut found);
    }
    found.into_iter().map(|cursor| finding(library.place(cursor))).collect()
}

fn finding(place: Place) -> Finding {
    let help = "write it in the configuration file, or remove it; a later version of portcullis obeys it here";
    let refusal = super::refusal(place, format!("`{NAME}` is not supported yet"));
    Finding { help: Some(help.to_owned()), ..refusal }
}

/// INVARIANT: no deeper than the document, whose depth the readers have bounded.
fn collect<'a>(cursor: Cursor<'a>, keys: Keys, found: &mut Vec<Cursor<'a>>) {
    match &cursor.node.value {
        Raw::List(items) => items.iter().for_each(|item| collect(cursor.to(item), Keys::Words, found)),
        Raw::Map(members) => {
            for (key, member) in members.iter() {
                visit(key, cursor.to(member), keys, found);
            }
        }
        Raw::Null | Raw::Bool(_) | Raw::Number(_) | Raw::Text(_) => {}
    }
}

fn visit<'a>(key: &str, member: Cursor<'a>, keys: Keys, found: &mut Vec<Cursor<'a>>) {
    if found.len() >= REPORTED_MAX {
        return;
    }
    if keys != Keys::Names && key.get(..NAME.len()).is_some_and(|start| start.eq_ignore_ascii_case(NAME)) {
        found.push(member);
        return;
    }
    let is_extension = key.starts_with("x-");
    let below = match keys {
        // What is in other people's extensions is theirs.
        Keys::Words | Keys::NamesAndExtensions if is_extension => return,
        Keys::Words if DATA.contains(&key) => return,
        Keys::Words | Keys::Any if MAPS_OF_NAMES.contains(&key) => Keys::Names,
        Keys::Words | Keys::Any if MAPS_WITH_EXTENSIONS.contains(&key) => Keys::NamesAndExtensions,
        Keys::Words | Keys::Any | Keys::Names | Keys::NamesAndExtensions => Keys::Words,
    };
    collect(member, below, found);
}

impl Library {
    /// The roots of all files, that of the document first.
    fn roots(&self) -> impl Iterator<Item = Cursor<'_>> {
        self.nodes().enumerate().map(|(file, node)| Cursor { file, node })
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::try_load;
    use crate::{LoadOptions, Source, load};
    use portcullis_decision::finding::Severity;

    fn lines(text: &str) -> Vec<u32> {
        match try_load("openapi.yaml", text, &LoadOptions::default()) {
            Ok(_) => Vec::new(),
            Err(findings) => {
                let mut lines = Vec::new();
                for finding in findings {
                    assert_eq!(finding.message, "`x-portcullis` is not supported yet");
                    assert_eq!(finding.severity, Severity::Refuse);
                    lines.push(finding.place.unwrap().line);
                }
                lines
            }
        }
    }

    const EVERYWHERE: &str = "openapi: 3.1.0
info: { title: T, version: '1', x-portcullis: 2 }
x-portcullis: { a: 3 }
paths:
  x-portcullis: 5
  /a:
    x-portcullis: 7
    parameters: [{ name: q, in: query, x-portcullis: 8 }]
    get:
      X-Portcullis-Public: 10
      responses:
        default: { description: d, x-portcullis: 12 }
components:
  schemas:
    Order:
      x-portcullis: 16
      properties: { id: { type: string, x-portcullis: 17 } }
";

    #[test]
    fn an_unread_control_is_refused_wherever_it_stands() {
        assert_eq!(lines(EVERYWHERE), [2, 3, 5, 7, 8, 10, 12, 16, 17]);
    }

    #[test]
    fn names_and_data_that_look_like_it_are_none() {
        let text = "openapi: 3.1.0
info: { title: T, version: '1' }
x-other: { x-portcullis: 1 }
paths:
  /a:
    get:
      responses:
        '200': { description: d, headers: { x-portcullis: { schema: { type: string } } } }
components:
  schemas:
    Order: { properties: { x-portcullis: { type: string, example: { x-portcullis: 1 } } }, default: { x-portcullis: 1 } }
";
        assert_eq!(lines(text), [0_u32; 0]);
    }

    #[test]
    fn files_beside_the_document_are_read_too() {
        let text = "openapi: 3.1.0\ninfo: { title: T, version: '1' }\npaths: { /a: { $ref: 'a.yaml' } }\n".to_owned();
        let beside = |_: &str| Ok("x-portcullis: 1\nget: { responses: {} }".to_owned());
        let source = Source { name: "openapi.yaml".into(), text };
        let findings = load(source, &LoadOptions::default(), &beside).unwrap_err();
        assert_eq!(findings[0].place.as_ref().map(ToString::to_string).as_deref(), Some("a.yaml:1:15"));
    }
}
