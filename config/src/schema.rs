// SPDX-License-Identifier: Apache-2.0
//! The JSON Schema of the configuration, for editors: made from the table of words.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::words::{Presence, ROOT, Section, Shape, Support, Word};

/// JSON Schema 2020-12 of `portcullis.yaml`. Words of later versions are there, described, and allow no value.
pub fn schema() -> Value {
    let mut definitions = BTreeMap::new();
    let mut root = section(&ROOT, &mut definitions);
    if let Value::Object(members) = &mut root {
        members.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        members.insert("title".to_owned(), json!("portcullis.yaml"));
        members.insert("$defs".to_owned(), Value::Object(definitions.into_iter().collect()));
    }
    root
}

type Definitions = BTreeMap<String, Value>;

fn section(section: &'static Section, definitions: &mut Definitions) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for word in section.all() {
        properties.insert(word.name.to_owned(), property(word, definitions));
    }
    for word in section.words.iter().filter(|word| word.presence == Presence::Required) {
        required.push(json!(word.name));
    }
    let mut schema = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if let (Value::Object(members), false) = (&mut schema, required.is_empty()) {
        members.insert("required".to_owned(), Value::Array(required));
    }
    schema
}

fn property(word: &'static Word, definitions: &mut Definitions) -> Value {
    let mut described = match word.support {
        Support::Supported => shape(&word.shape, definitions),
        Support::NotYet => json!({ "not": {} }),
    };
    if let Value::Object(members) = &mut described {
        let later = if word.support == Support::NotYet { " (not supported yet)" } else { "" };
        members.insert("description".to_owned(), json!(format!("{}{later}", word.about)));
    }
    described
}

fn shape(expected: &'static Shape, definitions: &mut Definitions) -> Value {
    match expected {
        Shape::One(kind) => kind.schema(),
        Shape::Choice(choices) => {
            let words: Vec<Value> = choices
                .iter()
                .filter(|choice| choice.support == Support::Supported)
                // `deny_as: 404` is a number to YAML.
                .flat_map(|choice| {
                    choice
                        .word
                        .parse::<u32>()
                        .map_or_else(|_| vec![json!(choice.word)], |n| vec![json!(n), json!(choice.word)])
                })
                .collect();
            json!({ "enum": words })
        }
        Shape::Section(inner) => reference(inner, definitions),
        Shape::Named(inner) => {
            json!({ "type": "object", "minProperties": 1, "additionalProperties": shape(inner, definitions) })
        }
        Shape::List(inner) => json!({ "type": "array", "items": shape(inner, definitions) }),
        Shape::OneOrList(inner) => {
            let item = shape(inner, definitions);
            json!({ "anyOf": [item.clone(), { "type": "array", "items": item }] })
        }
        Shape::Short(short, full) => json!({ "anyOf": [shape(short, definitions), reference(full, definitions)] }),
        Shape::Secret(full) => {
            let mut source = section(full, definitions);
            if let Value::Object(members) = &mut source {
                members.insert("minProperties".to_owned(), json!(1));
                members.insert("maxProperties".to_owned(), json!(1));
            }
            source
        }
        Shape::Later => json!({ "not": {} }),
    }
}

/// Sections become definitions, so that each is described once.
fn reference(inner: &'static Section, definitions: &mut Definitions) -> Value {
    let name: String = inner.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.trim_matches('_').to_owned();
    if !definitions.contains_key(&name) {
        // Reserves the name; no section contains itself.
        definitions.insert(name.clone(), Value::Null);
        let described = section(inner, definitions);
        definitions.insert(name.clone(), described);
    }
    json!({ "$ref": format!("#/$defs/{name}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(section: &'static Section, seen: &mut Vec<(String, *const Section)>) {
        fn inner(shape: &'static Shape, seen: &mut Vec<(String, *const Section)>) {
            match shape {
                Shape::Section(s) | Shape::Secret(s) => names(s, seen),
                Shape::Short(short, s) => {
                    inner(short, seen);
                    names(s, seen);
                }
                Shape::Named(s) | Shape::List(s) | Shape::OneOrList(s) => inner(s, seen),
                Shape::One(_) | Shape::Choice(_) | Shape::Later => {}
            }
        }
        seen.push((section.name.to_owned(), std::ptr::from_ref(section)));
        section.words.iter().for_each(|word| inner(&word.shape, seen));
    }

    #[test]
    fn sections_have_names_of_their_own() {
        let mut seen = Vec::new();
        names(&ROOT, &mut seen);
        seen.sort();
        seen.dedup();
        for pair in seen.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "two sections would share one definition");
        }
    }

    #[test]
    fn every_definition_is_there_and_none_is_empty() {
        let text = schema().to_string();
        let schema = schema();
        for part in text.split("\"#/$defs/").skip(1) {
            let name = part.split('"').next().expect("a name");
            assert!(schema["$defs"][name]["properties"].is_object(), "{name}");
        }
        assert_eq!(schema["properties"]["mode"]["not"], json!({}));
    }
}
