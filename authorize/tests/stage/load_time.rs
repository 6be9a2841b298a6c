// SPDX-License-Identifier: Apache-2.0
//! What is refused at load time, and what `check` is told.

use crate::fixture::{ORDERS, contract, declared, empty, object, operation, orders_contract, place, property, rule};
use portcullis_authorize::{
    Authorizer, CarryPlace, Compiled, Declared, KnownBy, OperationDeclaration, Pointer, compile,
};
use portcullis_contract::Contract;
use portcullis_decision::finding::{Finding, Severity};
use std::sync::Arc;

fn built(document: &str, change: impl FnOnce(&Contract, &mut Declared)) -> (Arc<Contract>, Authorizer, Vec<Finding>) {
    let contract = if document == ORDERS { orders_contract() } else { contract(document) };
    let mut declared = if document == ORDERS { declared(&contract) } else { empty() };
    change(&contract, &mut declared);
    let Compiled { authorizer, mut findings } = compile(Arc::clone(&contract), declared);
    // The document's PDF and the rule of `internal_margin` have tests of their own in `unjudged`.
    findings.retain(|finding| !finding.message.contains("`application/pdf` cannot be judged"));
    (contract, authorizer, findings)
}

fn findings(change: impl FnOnce(&Contract, &mut Declared)) -> Vec<(Option<&'static str>, Severity, String)> {
    built(ORDERS, change).2.into_iter().map(|f| (f.rule, f.severity, f.message)).collect()
}

fn one(document: &str, paths: &str) -> String {
    let head = "openapi: 3.1.0\ninfo: { title: T, version: \"1\" }\npaths:\n";
    format!("{head}{paths}\ncomponents:\n{document}")
}

#[test]
fn the_orders_api_compiles_without_a_finding() {
    assert_eq!(findings(|_, _| {}), []);
}

#[test]
fn what_was_decided_is_described() {
    let (_, authorizer, _) = built(ORDERS, |_, _| {});
    let told: Vec<(String, String)> = authorizer
        .describe()
        .into_iter()
        .flat_map(|d| {
            d.objects.into_iter().map(move |o| {
                (
                    d.operation.to_string(),
                    format!("{} {} by {}{}", o.object, o.action, o.known, if o.interval { " (interval)" } else { "" }),
                )
            })
        })
        .collect();
    for (operation, text) in [
        ("listOrders", "Order read by the answer"),
        ("createOrder", "Order create by made by the caller"),
        ("getOrder", "Order read by the answer"),
        ("headOrder", "Order read by the answer"),
        ("replaceOrder", "Order update by look-up getOrder"),
        ("updateOrder", "Order update by look-up getOrder"),
        ("deleteOrder", "Order delete by look-up getOrder"),
        ("orderPdf", "Order read by look-up getOrder"),
        ("addNote", "Order update by look-up getOrder (interval)"),
        ("archiveMany", "Order update by look-up getOrder (interval)"),
        ("getCustomer", "Customer read by the id"),
        ("getCustomer", "Order read by the answer"),
    ] {
        assert!(told.contains(&(operation.to_owned(), text.to_owned())), "{operation}: {text}\n{told:#?}");
    }
    let get = authorizer.describe().into_iter().find(|d| &*d.operation == "getOrder").unwrap();
    assert_eq!(&*get.objects[0].rule, "portcullis.yaml:21:11 read: [owner, role:support]");
    assert_eq!(get.objects[0].known, KnownBy::Answer);
}

#[test]
fn needs_tell_the_host_what_to_prepare() {
    let (contract, authorizer, _) = built(ORDERS, |_, _| {});
    let needs = |id: &str| authorizer.needs(contract.find(id).unwrap());
    assert!(needs("headOrder").head_as_get && !needs("getOrder").head_as_get);
    assert!(needs("updateOrder").request_body && !needs("deleteOrder").request_body);
    assert!(needs("deleteOrder").known_before && needs("orderPdf").known_before);
    assert!(!needs("getOrder").known_before && !needs("listOrders").known_before);
    assert_eq!(needs("getOrder").narrow_accept.unwrap(), "application/json");
    assert_eq!(needs("ping").guard, portcullis_authorize::Guard::Pass);
    assert_eq!(needs("whoami").guard, portcullis_authorize::Guard::Buffered, "its schema is checked");
}

#[test]
fn pc0202_no_way_to_know_the_owner_is_not_served() {
    let document = one(
        "  schemas: { Order: { type: object, properties: { id: { type: string }, owner: { type: string } } } }",
        "  /orders/{orderId}:\n    parameters: [{ name: orderId, in: path, required: true, schema: { type: string } }]\n    delete: { operationId: del, responses: { \"204\": { description: x } } }\n    put:\n      operationId: put\n      requestBody: { content: { application/json: { schema: { $ref: \"#/components/schemas/Order\" } } } }\n      responses: { \"204\": { description: x } }",
    );
    let (contract, authorizer, findings) = built(&document, |_, d| d.objects.push(object("Order", "orderId")));
    let rules: Vec<_> = findings.iter().map(|f| (f.rule, f.severity, f.at.as_str())).collect();
    let refused = |id| (Some("PC0202"), Severity::High, id);
    assert_eq!(rules, [refused("apis.orders.operations.put"), refused("apis.orders.operations.del")]);
    assert!(findings[0].place.as_ref().is_some_and(|p| p.line > 0));
    assert!(!authorizer.served(contract.find("del").unwrap()));
    let (contract, authorizer, findings) = built(&document, |_, d| {
        let mut order = object("Order", "orderId");
        order.rules.delete = rule(5, &["role:admin"]);
        d.objects.push(order);
    });
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(authorizer.served(contract.find("del").unwrap()), "no word needs the object");
}

#[test]
fn pc0202_an_answer_that_hides_the_owner_is_not_served() {
    let document = one(
        "  schemas: { Order: { type: object, properties: { id: { type: string }, owner: { type: string } } }, Row: { type: object, properties: { id: { type: string } } } }",
        "  /orders/{orderId}:\n    get:\n      operationId: get\n      parameters: [{ name: orderId, in: path, required: true, schema: { type: string } }]\n      responses: { \"200\": { description: x, content: { application/json: { schema: { $ref: \"#/components/schemas/Order\" } } } } }\n  /orders:\n    get:\n      operationId: list\n      responses: { \"200\": { description: x, content: { application/json: { schema: { type: array, items: { $ref: \"#/components/schemas/Row\" } } } } } }",
    );
    let (contract, authorizer, findings) = built(&document, |_, d| {
        let mut order = object("Order", "orderId");
        order.schemas = vec!["Order".into(), "Row".into()];
        d.objects.push(order);
    });
    assert_eq!(findings.iter().map(|f| f.rule).collect::<Vec<_>>(), [Some("PC0202")]);
    assert!(!authorizer.served(contract.find("list").unwrap()) && authorizer.served(contract.find("get").unwrap()));
}

#[test]
fn pc0203_what_looks_like_an_object_and_is_not_declared_is_not_served() {
    let without_customer = |d: &mut Declared| {
        d.objects.pop();
    };
    let (contract, authorizer, findings) = built(ORDERS, |_, d| without_customer(d));
    assert_eq!(findings.iter().map(|f| (f.rule, f.severity)).collect::<Vec<_>>(), [(Some("PC0203"), Severity::High)]);
    assert!(!authorizer.served(contract.find("getCustomer").unwrap()));
    let (_, _, findings) = built(ORDERS, |contract, d| {
        without_customer(d);
        let index = contract.find("getCustomer").unwrap();
        d.operations.insert(index, OperationDeclaration { touches_none: true, ..operation() });
    });
    assert_eq!(findings, []);
    let (contract, authorizer, findings) = built(ORDERS, |_, d| {
        d.objects[0].schemas.retain(|schema| &**schema != "Order");
        d.objects[0].owner = Some(Pointer::parse("/owner").unwrap());
    });
    assert!(findings.iter().any(|f| f.rule == Some("PC0203") && f.message.contains("`/data/*`")), "{findings:#?}");
    assert!(!authorizer.served(contract.find("listOrders").unwrap()));
}

#[test]
fn pc0201_without_objects_an_id_is_told() {
    let (contract, authorizer, findings) = built(ORDERS, |_, d| *d = empty());
    assert!(findings.iter().all(|f| f.rule == Some("PC0201")), "{findings:?}");
    assert_eq!(findings.len(), 8);
    assert!(authorizer.served(contract.find("getOrder").unwrap()), "a finding, not a refusal");
}

#[test]
fn pc0204_a_public_operation_needs_a_public_rule() {
    let public = |contract: &Contract, d: &mut Declared| {
        d.operations.insert(contract.find("getOrder").unwrap(), OperationDeclaration { public: true, ..operation() });
    };
    let (contract, authorizer, findings) = built(ORDERS, public);
    assert_eq!(findings.iter().map(|f| f.rule).collect::<Vec<_>>(), [Some("PC0204")]);
    assert!(!authorizer.served(contract.find("getOrder").unwrap()));
    let (contract, authorizer, findings) = built(ORDERS, |c, d| {
        public(c, d);
        d.objects[0].rules.read = rule(21, &["owner", "public"]);
    });
    assert_eq!(findings, []);
    assert!(authorizer.is_public(contract.find("getOrder").unwrap()));
}

#[test]
fn pc0205_several_issuers_must_be_named() {
    let told = findings(|_, d| d.issuers.push("partners".into()));
    assert_eq!(
        told.iter().map(|(rule, severity, _)| (*rule, *severity)).collect::<Vec<_>>(),
        [(Some("PC0205"), Severity::Refuse), (Some("PC0205"), Severity::Refuse),]
    );
    let told = findings(|_, d| {
        d.issuers.push("partners".into());
        d.objects.iter_mut().for_each(|o| o.issuers = vec!["customers".into()]);
    });
    assert_eq!(told, []);
    assert!(findings(|_, d| d.objects[0].issuers = vec!["nobody".into()])[0].2.contains("no issuer `nobody`"));
}

#[test]
fn pc0502_bodies_that_cannot_be_judged_are_not_served() {
    for media in ["application/json-patch+json", "application/x-www-form-urlencoded", "application/xml"] {
        let document = ORDERS.replace("application/merge-patch+json", media);
        let contract = contract(&document);
        let Compiled { authorizer, findings } = compile(Arc::clone(&contract), declared(&contract));
        assert!(
            findings.iter().any(|f| f.rule == Some("PC0502") && f.message.contains(media)),
            "{media}: {findings:?}"
        );
        assert!(!authorizer.served(contract.find("updateOrder").unwrap()), "{media}");
    }
}

#[test]
fn declarations_that_match_nothing_are_errors_with_their_place() {
    type Change = fn(&Contract, &mut Declared);
    let cases: [(Change, &str); 9] = [
        (|_, d| d.objects[0].id = portcullis_authorize::IdPlace::parse("nope"), "`id: nope` matches nothing"),
        (|_, d| d.objects[0].owner = Some(Pointer::parse("/nope").unwrap()), "`owner: /nope` matches nothing"),
        (|_, d| d.objects[0].key = Some(Pointer::parse("/nope").unwrap()), "`key: /nope` matches nothing"),
        (|_, d| d.objects[0].schemas.push("Nope".into()), "schema `Nope`"),
        (|_, d| d.objects[0].lookup = Some("nope".to_owned()), "`lookup: nope` names no operation"),
        (|_, d| d.objects[1].rules.delete = rule(33, &["owner"]), "the rule `delete` of `Customer` matches nothing"),
        (|_, d| d.properties.push(property("Order", "nope", None, Some(&["never"]))), "a property `nope`"),
        (|_, d| d.properties.push(property("Nope", "x", None, Some(&["never"]))), "neither an object nor a schema"),
        (
            |c, d| {
                let carries = vec![("Order".into(), CarryPlace::parse("query:nope").unwrap())];
                d.operations.insert(c.find("whoami").unwrap(), OperationDeclaration { carries, ..operation() });
            },
            "matches nothing in the document",
        ),
    ];
    for (change, text) in cases {
        let (_, _, findings) = built(ORDERS, change);
        let found =
            findings.iter().find(|f| f.message.contains(text)).unwrap_or_else(|| panic!("{text}: {findings:#?}"));
        assert_eq!(found.severity, Severity::Refuse, "{text}");
        assert!(found.place.as_ref().is_some_and(|p| &*p.file == "portcullis.yaml"), "{text}");
    }
}

#[test]
fn two_types_with_one_id_name_are_an_error_that_names_both() {
    let told = findings(|_, d| {
        let mut twin = object("Parcel", "orderId");
        twin.place = place(44);
        twin.schemas = vec!["Order".into()];
        d.objects.push(twin);
    });
    let (_, severity, message) = told.first().unwrap();
    assert_eq!(*severity, Severity::Refuse);
    assert!(
        message.contains("`Order` at portcullis.yaml:10:11") && message.contains("`Parcel` at portcullis.yaml:44:11"),
        "{message}"
    );
}

#[test]
fn a_rule_that_asks_for_an_owner_needs_one() {
    let told = findings(|_, d| d.objects[0].owner = None);
    assert!(
        told.iter().any(|(rule, severity, _)| *rule == Some("PC0201") && *severity == Severity::Refuse),
        "{told:?}"
    );
}
