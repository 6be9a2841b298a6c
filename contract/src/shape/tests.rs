// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::Contract;
use crate::fixture::with_schemas;
use UnknownRequest::{Closed, ClosedAlways, Document};

fn request(contract: &Contract) -> ShapeSet {
    let shape = contract.operations[0].body.as_ref().unwrap().media[0].shape.unwrap();
    contract.shapes().enter(shape)
}

fn answer(contract: &Contract) -> ShapeSet {
    let shape = contract.operations[0].responses.for_status(200).unwrap().media[0].shape.unwrap();
    contract.shapes().enter(shape)
}

fn word(contract: &Contract, set: &ShapeSet, name: &str) -> &'static str {
    match contract.shapes().member(set, name) {
        Member::Declared(_) => "declared",
        Member::Open => "open",
        Member::Undeclared => "undeclared",
    }
}

#[test]
fn t74_unknown_properties_by_mode() {
    // schema, name, then the verdict of `document`, `closed`, `closed_always`, and in an answer
    let cases: [(&str, &str, [&str; 4]); 12] = [
        ("{properties: {a: {}}}", "a", ["declared"; 4]),
        ("{properties: {a: {}}}", "z", ["open", "undeclared", "undeclared", "undeclared"]),
        ("{properties: {a: {}}, additionalProperties: false}", "z", ["undeclared"; 4]),
        ("{properties: {a: {}}, additionalProperties: true}", "z", ["open", "open", "undeclared", "open"]),
        ("{properties: {a: {}}, additionalProperties: {}}", "z", ["open", "open", "undeclared", "open"]),
        (
            "{properties: {a: {}}, additionalProperties: {type: string}}",
            "z",
            ["declared", "declared", "undeclared", "declared"],
        ),
        ("{additionalProperties: {type: string}}", "z", ["declared"; 4]),
        ("{type: object}", "z", ["open"; 4]),
        ("{}", "z", ["open"; 4]),
        ("{type: object, additionalProperties: false}", "z", ["undeclared"; 4]),
        ("{patternProperties: {'^x-': {}}}", "x-1", ["declared"; 4]),
        ("{patternProperties: {'^x-': {}}}", "z", ["open", "undeclared", "undeclared", "undeclared"]),
    ];
    for (schema, name, [document, closed, always, in_answer]) in cases {
        for (mode, expected) in [(Document, document), (Closed, closed), (ClosedAlways, always)] {
            let contract = with_schemas("3.1.0", &format!("Root: {schema}"), mode);
            assert_eq!(word(&contract, &request(&contract), name), expected, "{schema} {mode:?}");
            assert_eq!(word(&contract, &answer(&contract), name), in_answer, "{schema} answer");
        }
    }
}

#[test]
fn composition_declares_together() {
    let schemas = "Root:\n  allOf: [{$ref: '#/components/schemas/Base'}, {properties: {b: {}}}]\n  oneOf: [{properties: {c: {}}}, \
                   {$ref: '#/components/schemas/Other'}]\nBase: {properties: {a: {}}}\nOther: {properties: {d: {}}}";
    let contract = with_schemas("3.1.0", schemas, Closed);
    let set = request(&contract);
    for name in ["a", "b", "c", "d"] {
        assert_eq!(word(&contract, &set, name), "declared", "{name}");
    }
    assert_eq!(word(&contract, &set, "z"), "undeclared");
    let mut names: Vec<&str> = contract.shapes().names(&set).map(|n| &**n).collect();
    names.sort_unstable();
    assert_eq!(names, ["Base", "Other", "Root"]);
}

#[test]
fn a_closed_part_of_all_of_refuses_what_only_its_neighbour_declares() {
    let schemas = "Root: {allOf: [{properties: {a: {}}, additionalProperties: false}, {properties: {b: {}}}]}";
    let contract = with_schemas("3.1.0", schemas, Document);
    assert_eq!(word(&contract, &request(&contract), "a"), "declared");
    assert_eq!(word(&contract, &request(&contract), "b"), "undeclared");
}

#[test]
fn unevaluated_properties_see_through_composition() {
    let schemas = "Root: {allOf: [{properties: {a: {}}}], unevaluatedProperties: false}";
    let contract = with_schemas("3.1.0", schemas, Document);
    assert_eq!(word(&contract, &request(&contract), "a"), "declared");
    assert_eq!(word(&contract, &request(&contract), "z"), "undeclared");
}

#[test]
fn marks_come_through_references_and_any_candidate() {
    let schemas = "Root:\n  properties:\n    id: {$ref: '#/components/schemas/Id'}\n    both: {oneOf: [{type: string}, {type: \
                   integer, writeOnly: true}]}\n    plain: {}\nId: {type: string, readOnly: true}";
    let contract = with_schemas("3.1.0", schemas, Closed);
    let set = request(&contract);
    let marks = |name: &str| match contract.shapes().member(&set, name) {
        Member::Declared(member) => contract.shapes().marks(&member),
        other => panic!("{other:?}"),
    };
    assert_eq!(marks("id"), Marks { read_only: true, write_only: false });
    assert_eq!(marks("both"), Marks { read_only: false, write_only: true });
    assert_eq!(marks("plain"), Marks::default());
}

#[test]
fn occurrences_go_through_everything_and_stop_at_recursion() {
    let schemas = "Root:\n  properties:\n    data: {type: array, items: {$ref: '#/components/schemas/Order'}}\n    map: \
                   {additionalProperties: {$ref: '#/components/schemas/Order'}}\n    pair: {prefixItems: [{type: string}, {anyOf: \
                   [{$ref: '#/components/schemas/Order'}]}]}\n    none: {type: string}\nOrder:\n  properties:\n    parent: {$ref: \
                   '#/components/schemas/Order'}\n    id: {type: string}";
    let contract = with_schemas("3.1.0", schemas, Closed);
    let shape = contract.operations[0].body.as_ref().unwrap().media[0].shape.unwrap();
    let found = |name: &str| {
        let mut patterns: Vec<String> =
            contract.shapes().occurrences(shape, &[name.into()]).iter().map(ToString::to_string).collect();
        patterns.sort();
        patterns
    };
    assert_eq!(found("Order"), ["/data/*", "/data/*/parent", "/map/*", "/map/*/parent", "/pair/*", "/pair/*/parent"]);
    assert_eq!(found("Root"), [""]);
    assert!(found("Absent").is_empty());
}

#[test]
fn elements_by_position() {
    let schemas = "Root: {prefixItems: [{$ref: '#/components/schemas/A'}], items: {$ref: '#/components/schemas/B'}}\nA: {}\nB: {}";
    let contract = with_schemas("3.1.0", schemas, Closed);
    let set = request(&contract);
    let name = |index| {
        let element = contract.shapes().element(&set, index);
        contract.shapes().names(&element).map(ToString::to_string).collect::<String>()
    };
    assert_eq!((name(0), name(1), name(9)), ("A".into(), "B".into(), "B".into()));
}

#[test]
fn kinds_meet() {
    let (integer, number, string) = (Kinds::INTEGER, Kinds::NUMBER, Kinds::STRING);
    assert_eq!(integer.meet(number), integer);
    assert_eq!(number.meet(number).names().collect::<Vec<_>>(), ["integer", "number"]);
    assert_eq!(string.with(integer).meet(string), string);
    assert_eq!(Kinds::default().meet(string), string);
}
