// SPDX-License-Identifier: Apache-2.0
//! Answers that cannot be judged beside property rules: what would be a 502 for everybody is told when it is loaded.

use crate::fixture::{contract, declared, empty, object, operation, orders_contract, property};
use portcullis_authorize::{Compiled, Declared, OperationDeclaration, compile};
use portcullis_decision::finding::{Finding, Severity};
use std::sync::Arc;

fn weights(findings: &[Finding]) -> Vec<(Option<&'static str>, Severity)> {
    findings.iter().map(|f| (f.rule, f.severity)).collect()
}

#[test]
fn answers_that_only_some_may_have_are_told() {
    let contract = orders_contract();
    let all = compile(Arc::clone(&contract), declared(&contract)).findings;
    assert_eq!(weights(&all), [(Some("PC0502"), Severity::Medium)]);
    let message = &all[0].message;
    assert!(message.contains("`orderPdf`") && message.contains("internal_margin read: [role:finance]"), "{message}");
    let mut unrestricted = declared(&contract);
    unrestricted.properties.clear();
    assert_eq!(compile(contract, unrestricted).findings, []);
}

const RECEIPTS: &str = r##"openapi: 3.1.0
info: { title: T, version: "1" }
paths:
  /orders/{orderId}:
    get:
      operationId: getOrder
      responses:
        "200":
          description: d
          content: { application/json: { schema: { $ref: "#/components/schemas/Order" } } }
  /orders/{orderId}/receipt:
    get:
      operationId: receipt
      responses: { "200": { description: d, content: { text/plain: {} RECEIPT_JSON } } }
components:
  schemas:
    Order: { type: object, properties: { id: { type: string }, owner: { type: string }, margin: { type: number } } }
"##;

fn receipts(json: bool, read: &[&str], change: impl FnOnce(&portcullis_contract::Contract, &mut Declared)) -> Compiled {
    let also = if json { ", application/json: { schema: { $ref: \"#/components/schemas/Order\" } }" } else { "" };
    let contract = contract(&RECEIPTS.replace("RECEIPT_JSON", also));
    let mut declared = empty();
    declared.objects = vec![object("Order", "orderId")];
    declared.properties = vec![property("Order", "margin", Some(read), None)];
    change(&contract, &mut declared);
    compile(contract, declared)
}

#[test]
fn answers_that_nobody_may_have_are_refused_at_load() {
    for (read, public) in [(&["never"][..], false), (&["nobody"], false), (&["role:finance", "owner"], true)] {
        let Compiled { authorizer, findings } = receipts(false, read, |contract, declared| {
            declared.objects[0].rules.read = crate::fixture::rule(21, &["public"]);
            let receipt = OperationDeclaration { public, ..operation() };
            declared.operations.insert(contract.find("receipt").unwrap(), receipt);
        });
        assert_eq!(weights(&findings), [(Some("PC0502"), Severity::High)], "{read:?}: {findings:?}");
        let finding = &findings[0];
        assert_eq!(finding.at, "apis.orders.operations.receipt");
        for word in ["`receipt`", "`text/plain`", "margin read", "holds for nobody"] {
            assert!(finding.message.contains(word), "{}", finding.message);
        }
        assert!(finding.help.as_ref().unwrap().contains("JSON"));
        let served = |id: &str| authorizer.describe().into_iter().find(|d| *d.operation == *id).unwrap().served;
        assert!(!served("receipt") && served("getOrder"), "{read:?}");
    }
}

#[test]
fn an_owner_who_is_looked_up_first_may_have_them() {
    let Compiled { authorizer, findings } = receipts(false, &["owner"], |_, _| {});
    assert_eq!(weights(&findings), [(Some("PC0502"), Severity::Medium)]);
    assert!(authorizer.describe().iter().all(|d| d.served));
    let exempt = receipts(false, &["never"], |contract, declared| {
        let receipt = OperationDeclaration { touches_none: true, ..operation() };
        declared.operations.insert(contract.find("receipt").unwrap(), receipt);
    });
    assert!(exempt.authorizer.describe().iter().all(|d| d.served), "{:?}", exempt.findings);
}

#[test]
fn an_answer_that_may_also_be_json_is_served() {
    let Compiled { authorizer, findings } = receipts(true, &["never"], |_, _| {});
    assert_eq!(weights(&findings), [(Some("PC0502"), Severity::Low)]);
    assert!(authorizer.describe().iter().all(|d| d.served));
}
