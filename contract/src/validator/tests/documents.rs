// SPDX-License-Identifier: Apache-2.0
//! A document is judged in place as the value built from it is judged.

use super::{answer, request};
use crate::Contract;
use crate::UnknownRequest::{Closed, Document as AsDocumented};
use crate::fixture::with_schemas;
use portcullis_wire::json::{Document, JsonLimits, NodeId, NodeRef};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Every keyword a validator may hold, over members `a` to `e`.
const SCHEMAS: &[&str] = &[
    "{type: object, properties: {a: {type: integer}, b: {type: string, maxLength: 3}, c: {type: array}}}",
    "{type: object, required: [a], properties: {a: true, b: {type: number, minimum: 0, multipleOf: 0.5}}}",
    "{type: object, required: [a, b, c]}",
    "{type: object, required: [a, b, c, d], minProperties: 2, maxProperties: 3}",
    "{properties: {a: {enum: [x, é, 1, null, [1], {a: 1}]}, b: {const: 1}, c: {const: {a: [0, -0.0]}}}}",
    "{type: array, items: {type: [integer, string]}, minItems: 1, maxItems: 2, uniqueItems: true}",
    "{type: array, uniqueItems: true}",
    "{prefixItems: [{type: integer}, {type: string}], items: {type: object}}",
    "{contains: {type: integer}, minContains: 1, maxContains: 2}",
    "{oneOf: [{required: [a]}, {required: [b]}, {type: array}]}",
    "{anyOf: [{type: string, minLength: 2}, {type: number, exclusiveMaximum: 7}, {$ref: '#/components/schemas/Node'}]}",
    "{not: {properties: {a: {type: integer}}, required: [a]}}",
    "{if: {required: [a]}, then: {required: [b]}, else: {required: [c]}}",
    "{propertyNames: {pattern: '^[a-c]$', maxLength: 1}}",
    "{propertyNames: {enum: [a, b, é]}}",
    "{patternProperties: {'^[ab]': {type: integer}}, additionalProperties: {type: string}}",
    "{properties: {a: true}, additionalProperties: false}",
    "{oneOf: [{properties: {a: true}, additionalProperties: false}, {properties: {b: true}, additionalProperties: false}]}",
    "{allOf: [{properties: {a: true}}], unevaluatedProperties: {type: integer}}",
    "{prefixItems: [true], unevaluatedItems: {type: string}}",
    "{dependentRequired: {a: [b]}, dependentSchemas: {c: {required: [d], maxProperties: 3}}}",
    "{$ref: '#/components/schemas/Node'}",
    "{type: string, pattern: '^[a-z]{2}$'}",
    "{type: string, minLength: 1, maxLength: 2}",
    "{type: integer}",
    "{type: [number, 'null'], maximum: 100}",
    "{type: boolean}",
    "false",
];

static CONTRACTS: LazyLock<Vec<Contract>> = LazyLock::new(|| {
    let node = "\nNode: {type: object, properties: {a: {$ref: '#/components/schemas/Node'}, b: {type: integer}}, required: [b]}";
    let load = |schema: &&str, unknown| with_schemas("3.1.0", &format!("Root: {schema}{node}"), unknown);
    SCHEMAS.iter().flat_map(|schema| [load(schema, Closed), load(schema, AsDocumented)]).collect()
});

fn parse(text: &str) -> Option<Document> {
    Document::parse(text.to_owned().into(), &JsonLimits::default()).ok()
}

fn judged_alike(document: &Document, without: &[NodeId]) -> usize {
    let value = document.to_value_without(without);
    let mut accepted = 0;
    for contract in CONTRACTS.iter() {
        for validator in [request(contract), answer(contract)] {
            let verdict = validator.is_valid(&value);
            assert_eq!(validator.accepts(document, without), verdict, "{contract:?} {value} {without:?}");
            accepted += usize::from(verdict);
        }
    }
    accepted
}

fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1",
            "1.0",
            "1e0",
            "-3",
            "7.5",
            "1e2",
            "18446744073709551615",
            "1e300",
            "0.1",
            "[]",
            "{}"
        ])
        .prop_map(str::to_owned),
        "\"([a-cxé😀]|\\\\u0078|\\\\n){0,4}\"",
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let member = ("([a-e]|\\\\u006[1-5]|é|x)", inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6).prop_map(|members| {
                format!("{{{}}}", members.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn documents_are_judged_as_their_values(
        text in json_text(), picks in prop::collection::vec(any::<prop::sample::Index>(), 0..3)
    ) {
        let Some(document) = parse(&text) else { return Ok(()) };
        judged_alike(&document, &[]);
        let mut ids = vec![document.root().id()];
        let mut next = 0;
        while let Some(id) = ids.get(next).copied() {
            ids.extend(document.node(id).unwrap().values().map(NodeRef::id));
            next += 1;
        }
        let without: Vec<NodeId> = picks.iter().map(|pick| ids[pick.index(ids.len())]).collect();
        judged_alike(&document, &without);
    }
}

#[test]
fn t75_a_wide_object_is_judged_as_its_value() {
    for members in [63, 64, 65, 300] {
        let text = (0..members).map(|n| format!("\"a{n}\":{n}")).collect::<Vec<_>>().join(",");
        assert!(judged_alike(&parse(&format!("{{{text}}}")).unwrap(), &[]) > 0);
    }
}

#[test]
fn documents_of_every_kind_are_judged_and_some_accepted() {
    for text in [
        "null",
        "1",
        "1.0",
        "\"ab\"",
        "\"\\u0061b\"",
        "[1,\"a\"]",
        "[1,1.0]",
        "{\"a\":1,\"b\":1}",
        "{\"\\u0061\":{\"b\":0},\"b\":2}",
    ] {
        assert!(judged_alike(&parse(text).unwrap(), &[]) > 0, "{text}");
    }
}
