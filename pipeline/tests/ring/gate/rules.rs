// SPDX-License-Identifier: Apache-2.0
//! Who may do what with an order.

use portcullis_authorize::{
    Declared, DenyAs, ForeignItems, IdPlace, ObjectDeclaration, OperationDeclaration, Pointer, PropertyDeclaration,
    RuleList, Rules, SubjectSource, UnknownResponse, Word,
};
use portcullis_contract::{Contract, LoadOptions, Source, load};
use portcullis_decision::finding::Place;
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) fn contract() -> Arc<Contract> {
    let source = Source { name: "openapi.yaml".into(), text: include_str!("orders.yaml").to_owned() };
    let none = |_: &str| Err("no file".to_owned());
    Arc::new(load(source, &LoadOptions::default(), &none).unwrap())
}

fn place(line: u32) -> Place {
    Place { file: "portcullis.yaml".into(), line, column: 11 }
}

fn words(list: &[&str]) -> Vec<Word> {
    list.iter().map(|word| Word::parse(word).unwrap()).collect()
}

fn rule(line: u32, list: &[&str]) -> Option<RuleList> {
    (line > 0).then(|| RuleList { words: words(list), place: place(line) })
}

fn property(name: &str, read: Option<&[&str]>, write: &[&str]) -> PropertyDeclaration {
    PropertyDeclaration {
        schema: "Order".into(),
        property: name.into(),
        read: read.map(words),
        write: Some(words(write)),
        place: place(70),
    }
}

fn operation() -> OperationDeclaration {
    OperationDeclaration {
        public: false,
        touches_none: false,
        carries: Vec::new(),
        returns: Vec::new(),
        action: None,
        allow: None,
        foreign_items: ForeignItems::Drop,
        place: place(90),
    }
}

pub(crate) fn declared(contract: &Contract, response_max: usize) -> Declared {
    let order = ObjectDeclaration {
        name: "Order".into(),
        place: place(10),
        id: IdPlace::parse("orderId"),
        schemas: ["Order", "NewOrder", "OrderPatch"].map(Arc::from).to_vec(),
        owner: Some(Pointer::parse("/owner").unwrap()),
        id_is_owner: false,
        subject: SubjectSource::Sub,
        issuers: Vec::new(),
        lookup: None,
        key: None,
        rules: Rules {
            read: rule(21, &["owner", "role:support"]),
            create: rule(22, &["authenticated"]),
            update: rule(23, &["owner"]),
            delete: rule(24, &["owner", "scope:orders.admin"]),
        },
        deny_as: DenyAs::NotFound,
    };
    let of = |id: &str| contract.find(id).unwrap();
    let operations = HashMap::from([
        (
            of("statistics"),
            OperationDeclaration { touches_none: true, allow: rule(91, &["role:analyst"]), ..operation() },
        ),
        (of("status"), OperationDeclaration { public: true, ..operation() }),
        (of("login"), OperationDeclaration { public: true, ..operation() }),
    ]);
    Declared {
        api: "orders".into(),
        objects: vec![order],
        properties: vec![
            property("internal_margin", Some(&["role:finance"]), &["never"]),
            property("status", None, &["scope:orders.admin"]),
        ],
        operations,
        unknown_response: UnknownResponse::Drop,
        response_max,
        issuers: vec!["customers".into()],
        validate: portcullis_authorize::Validate::default(),
    }
}
