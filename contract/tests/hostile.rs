// SPDX-License-Identifier: Apache-2.0
//! Documents are hostile input too: whatever is in one, loading ends, with a contract or with findings.

use portcullis_contract::{Captures, LoadOptions, RouteMatch, Source, load};
use portcullis_decision::finding::Finding;
use portcullis_wire::CanonicalPath;
use proptest::prelude::*;
use serde_json::{Value, json};

fn valid() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "T", "version": "1" },
        "security": [{ "o": ["read"] }],
        "paths": {
            "/orders/{id}": {
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 1 } }],
                "get": { "operationId": "g", "responses": { "200": { "description": "d", "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Order" } } } }, "4XX": { "$ref": "#/components/responses/E" } } },
                "put": { "operationId": "p", "requestBody": { "$ref": "#/components/requestBodies/B" }, "responses": {} },
            },
            "/compare/{base}...{head}": { "get": { "parameters": [{ "$ref": "#/components/parameters/Q" }], "responses": {} } },
        },
        "components": {
            "securitySchemes": { "o": { "type": "oauth2", "flows": {} } },
            "parameters": { "Q": { "name": "q", "in": "query", "schema": { "type": "array", "items": { "type": "string" } } } },
            "requestBodies": { "B": { "required": true, "content": { "application/json": { "schema": {
                "$ref": "#/components/schemas/Order" } } } } },
            "responses": { "E": { "description": "e", "headers": { "X-A": {} } } },
            "schemas": {
                "Order": { "type": "object", "required": ["id"], "properties": {
                    "id": { "type": "integer", "readOnly": true }, "parent": { "$ref": "#/components/schemas/Order" },
                    "lines": { "type": "array", "items": { "oneOf": [{ "$ref": "#/components/schemas/Line" }, { "type": "null" }] } },
                    "tag": { "type": "string", "pattern": "^[a-z]+$", "maxLength": 9 } }, "additionalProperties": false },
                "Line": { "allOf": [{ "properties": { "sku": { "enum": ["a", "b"] } } }], "unevaluatedProperties": false,
                    "patternProperties": { "^x-": { "type": "number", "multipleOf": 0.5 } } },
            },
        },
    })
}

/// Every place of a value, as pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    match value {
        Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| places(v, &format!("{at}/{i}"), out)),
        Value::Object(members) => members.iter().for_each(|(k, v)| {
            places(v, &format!("{at}/{}", k.replace('~', "~0").replace('/', "~1")), out);
        }),
        _ => {}
    }
}

fn junk() -> impl Strategy<Value = Value> {
    let words = vec![
        "#/components/schemas/Order",
        "#/components/schemas/Line",
        "#/paths",
        "#",
        "",
        "https://x/y",
        "../x",
        "(?=a)",
        "((((",
        "a{99999}",
        "object",
        "null",
        "\u{0}",
        "/{",
        "deepObject",
        "#/components/schemas/Order/properties/parent",
        "%zz",
        "form",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(1e300)),
        prop::sample::select(words.clone()).prop_map(Value::from),
        prop::sample::select(words).prop_map(|w| json!({ "$ref": w })),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}, null, "x"])),
        Just(json!({ "allOf": [{ "$ref": "#/components/schemas/Order" }], "unevaluatedProperties": false })),
        Just(
            json!({ "required": ["id", "id"], "dependentRequired": { "id": ["a", "a"] }, "enum": [], "type": ["object", "object"] })
        ),
        Just(
            json!({ "minItems": 1e30, "maximum": "9", "exclusiveMaximum": true, "const": null, "items": [true, false] })
        ),
        Just(
            json!({ "minimum": -1e300, "multipleOf": 1e-300, "maxLength": 3.0, "exclusiveMinimum": true, "if": false, "then": {} })
        ),
        Just(json!({ "not": { "$ref": "#/components/schemas/Line" }, "unevaluatedItems": { "type": "string" } })),
    ]
}

/// Loads a document and uses all of what came out.
fn exercise(name: &str, text: String) -> Result<(), Vec<Finding>> {
    let none = |_: &str| Err("absent".to_owned());
    let contract = load(Source { name: name.into(), text }, &LoadOptions::default(), &none)?;
    let values = [
        json!({ "id": 1, "parent": { "id": "x", "z": 1 }, "lines": [{ "sku": "c", "x-1": 0.3 }] }),
        json!([1, "a"]),
        json!(null),
    ];
    for operation in &contract.operations {
        for media in
            operation.body.iter().flat_map(|b| &b.media).chain(operation.responses.iter().flat_map(|r| &r.media))
        {
            if let Some(validator) = &media.validator {
                for value in &values {
                    let valid = validator.is_valid(value);
                    let violations = validator.violations(value, 5);
                    assert_eq!(valid, violations.is_empty());
                    // Whatever is served was found to compile at load time.
                    let checked = violations.iter().all(|v| v.detail != "cannot be checked");
                    assert!(checked || !operation.is_served(), "{contract:?}");
                    validator.undeclared(value, 5);
                }
            }
            if let Some(shape) = media.shape {
                let shapes = contract.shapes();
                let set = shapes.enter(shape);
                shapes.member(&set, "id");
                shapes.element(&set, 1);
                shapes.marks(&set);
                shapes.occurrences(shape, &["Order".into(), "Line".into()]);
            }
        }
    }
    for path in ["/orders/7", "/compare/a...b", "/x"] {
        let path = CanonicalPath::parse(path).map_err(|_| Vec::new())?;
        if let RouteMatch::Operation(index, captures) = contract.route(&http::Method::GET, &path) {
            assert!(contract.operation(index).is_some_and(portcullis_contract::Operation::is_served));
            assert_ne!(captures, Captures::default());
        }
    }
    Ok(())
}

#[test]
fn the_unchanged_document_is_served_whole() {
    exercise("a.json", valid().to_string()).unwrap();
    let none = |_: &str| Err("absent".to_owned());
    let contract =
        load(Source { name: "a.json".into(), text: valid().to_string() }, &LoadOptions::default(), &none).unwrap();
    assert!(contract.operations.iter().all(portcullis_contract::Operation::is_served), "{:?}", contract.findings);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn t75_any_change_of_a_document_ends_in_a_contract_or_in_findings(
        changes in prop::collection::vec((any::<prop::sample::Index>(), junk()), 1..4)
    ) {
        let mut document = valid();
        for (index, value) in changes {
            let mut pointers = Vec::new();
            places(&document, "", &mut pointers);
            if let Some(slot) = document.pointer_mut(&pointers[index.index(pointers.len())]) {
                *slot = value;
            }
        }
        let _ = exercise("a.json", document.to_string());
    }

    #[test]
    fn t75_any_cut_or_flip_of_the_text_ends_in_a_contract_or_in_findings(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(), yaml in any::<bool>()
    ) {
        let mut bytes = valid().to_string().into_bytes();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if let Ok(text) = String::from_utf8(bytes) {
            let _ = exercise(if yaml { "a.yaml" } else { "a.json" }, text);
        }
    }
}
