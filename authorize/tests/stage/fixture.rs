// SPDX-License-Identifier: Apache-2.0
//! A small orders API, its declarations, its callers, and an origin that checks nothing.

use crate::gateway::Gateway;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use portcullis_authorize::{
    CarryPlace, Compiled, Declared, DenyAs, ForeignItems, IdPlace, ObjectDeclaration, OperationDeclaration, Pointer,
    PropertyDeclaration, RuleList, Rules, SubjectSource, UnknownResponse, Validate, Word, compile,
};
use portcullis_contract::{Contract, LoadOptions, Source, load};
use portcullis_decision::caller::{Caller, Identity, Kind};
use portcullis_decision::finding::Place;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, OnceLock};

pub(crate) const ORDERS: &str = include_str!("orders.yaml");

pub(crate) fn place(line: u32) -> Place {
    Place { file: "portcullis.yaml".into(), line, column: 11 }
}

pub(crate) fn words(list: &[&str]) -> Vec<Word> {
    list.iter().map(|word| Word::parse(word).unwrap()).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "rules are optional where they are written")]
pub(crate) fn rule(line: u32, list: &[&str]) -> Option<RuleList> {
    Some(RuleList { words: words(list), place: place(line) })
}

/// The orders document, loaded once: its validators are compiled on first use.
pub(crate) fn orders_contract() -> Arc<Contract> {
    static CONTRACT: OnceLock<Arc<Contract>> = OnceLock::new();
    Arc::clone(CONTRACT.get_or_init(|| contract(ORDERS)))
}

pub(crate) fn contract(document: &str) -> Arc<Contract> {
    let source = Source { name: "openapi.yaml".into(), text: document.to_owned() };
    let none = |_: &str| Err("no file".to_owned());
    Arc::new(load(source, &LoadOptions::default(), &none).unwrap())
}

pub(crate) fn object(name: &str, id: &str) -> ObjectDeclaration {
    ObjectDeclaration {
        name: name.into(),
        place: place(10),
        id: IdPlace::parse(id),
        schemas: Vec::new(),
        owner: Some(Pointer::parse("/owner").unwrap()),
        id_is_owner: false,
        subject: SubjectSource::Sub,
        issuers: Vec::new(),
        lookup: None,
        key: None,
        rules: Rules::default(),
        deny_as: DenyAs::NotFound,
    }
}

pub(crate) fn operation() -> OperationDeclaration {
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

pub(crate) fn property(schema: &str, name: &str, read: Option<&[&str]>, write: Option<&[&str]>) -> PropertyDeclaration {
    PropertyDeclaration {
        schema: schema.into(),
        property: name.into(),
        read: read.map(words),
        write: write.map(words),
        place: place(70),
    }
}

pub(crate) fn empty() -> Declared {
    Declared {
        api: "orders".into(),
        objects: Vec::new(),
        properties: Vec::new(),
        operations: HashMap::new(),
        unknown_response: UnknownResponse::Drop,
        response_max: 1 << 20,
        issuers: vec!["customers".into()],
        validate: Validate::default(),
    }
}

/// The declaration most tests begin with.
pub(crate) fn declared(contract: &Contract) -> Declared {
    let mut order = object("Order", "orderId");
    order.schemas = ["Order", "NewOrder", "OrderPatch"].map(Arc::from).to_vec();
    order.rules = Rules {
        read: rule(21, &["owner", "role:support"]),
        create: rule(22, &["authenticated"]),
        update: rule(23, &["owner"]),
        delete: rule(24, &["owner", "scope:orders.admin"]),
    };
    let mut customer = object("Customer", "customerId");
    customer.owner = None;
    customer.id_is_owner = true;
    let properties = vec![
        property("Order", "internal_margin", Some(&["role:finance"]), Some(&["never"])),
        property("Order", "status", None, Some(&["scope:orders.admin"])),
    ];
    let of = |id: &str| contract.find(id).unwrap();
    let carries = vec![("Order".into(), CarryPlace::parse("body:/ids/*").unwrap())];
    let operations = HashMap::from([
        (of("archiveMany"), OperationDeclaration { carries, ..operation() }),
        (
            of("statistics"),
            OperationDeclaration { touches_none: true, allow: rule(91, &["role:analyst"]), ..operation() },
        ),
        (of("ping"), OperationDeclaration { public: true, ..operation() }),
    ]);
    let objects = vec![order, customer];
    Declared { objects, properties, operations, issuers: vec!["customers".into()], ..empty() }
}

pub(crate) fn identity(subject: &str, scopes: &[&str], roles: &[&str]) -> Identity {
    let texts = |list: &[&str]| list.iter().map(|text| Arc::from(*text)).collect();
    Identity {
        issuer: "customers".into(),
        subject: subject.into(),
        client: Some("mobile".into()),
        kind: Kind::User,
        tenant: None,
        plan: None,
        scopes: texts(scopes),
        roles: texts(roles),
        claims: Arc::default(),
        issued_at: None,
        expires_at: None,
        algorithm: "ES256",
        key_id: None,
    }
}

pub(crate) fn known(identity: Identity) -> Caller {
    Caller::Known(Arc::new(identity))
}

pub(crate) fn user(subject: &str) -> Caller {
    known(identity(subject, &["orders.read", "orders.write"], &[]))
}

pub(crate) fn anonymous() -> Caller {
    Caller::Anonymous(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// What the origin answers.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) fn reply(status: u16, body: &Value) -> Reply {
    raw(status, "application/json", body.to_string().into_bytes())
}

pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::try_from(content_type).unwrap());
    Reply { status, headers, body: body.into() }
}

pub(crate) fn bare(status: u16) -> Reply {
    Reply { status, headers: HeaderMap::new(), body: Bytes::new() }
}

impl Reply {
    pub(crate) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }
}

pub(crate) type Handler = Box<dyn Fn(&Method, &str, &str) -> Reply + Send + Sync>;

thread_local! {
    /// The subject the gateway tells the origin, as a header would.
    pub(crate) static SUBJECT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// An origin that never checks anything.
pub(crate) fn leaky() -> Handler {
    Box::new(|method, path, body| {
        let order = |id: &str, owner: &str| json!({"id": id, "owner": owner, "item": "tea", "internal_margin": 0.40});
        let all: BTreeMap<&str, &str> = BTreeMap::from([("o-1", "alice"), ("o-2", "bob"), ("o-3", "alice")]);
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method.as_str(), segments.as_slice()) {
            ("GET", ["orders"]) => {
                let items: Vec<Value> = all.iter().map(|(id, owner)| order(id, owner)).collect();
                reply(200, &json!({"data": items, "total": 3, "next": "p2"}))
            }
            ("POST", ["orders"]) => {
                let sent: Value = serde_json::from_str(body).unwrap();
                let own = SUBJECT.with_borrow(Clone::clone);
                let owner = sent["owner"].as_str().unwrap_or(&own).to_owned();
                reply(201, &order("o-9", &owner))
            }
            ("POST", ["orders", "archive"]) => reply(200, &json!({"archived": 1})),
            ("GET", ["orders", id]) => match all.get(id) {
                Some(owner) => reply(200, &order(id, owner)).with("etag", "\"v1\""),
                None => reply(404, &json!({"message": "no such order"})),
            },
            ("PUT" | "PATCH", ["orders", id]) => reply(200, &order(id, all.get(id).copied().unwrap_or("alice"))),
            ("DELETE", ["orders", _]) | ("POST", ["orders", _, "notes"]) | ("GET", ["ping"]) => bare(204),
            ("GET", ["orders", _, "pdf"]) => raw(200, "application/pdf", "%PDF"),
            ("GET", ["customers", id]) => reply(
                200,
                &json!({"customerId": id, "name": "A", "orders": [order("o-1", "alice"), order("o-2", "bob")]}),
            ),
            ("GET", ["statistics"]) => reply(200, &json!({"orders": 3})),
            ("GET", ["whoami"]) => reply(200, &json!({"name": "you"})),
            _ => reply(404, &json!({"message": "nothing here"})),
        }
    })
}

pub(crate) fn orders() -> Gateway {
    orders_with(|_| {})
}

pub(crate) fn orders_with(change: impl FnOnce(&mut Declared)) -> Gateway {
    let contract = orders_contract();
    let mut declared = declared(&contract);
    change(&mut declared);
    gateway(contract, declared)
}

pub(crate) fn gateway(contract: Arc<Contract>, declared: Declared) -> Gateway {
    let Compiled { authorizer, .. } = compile(Arc::clone(&contract), declared);
    Gateway { contract, authorizer, origin: leaky(), calls: Mutex::default() }
}
