// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::fixture::record;
use portcullis_decision::record::{Decision, ObjectEvidence};
use portcullis_decision::{Identity, Kind, Reason, StageName, stage};
use proptest::prelude::*;
use serde_json::Value;
use std::sync::Arc;

/// The entry of a record as the writer completes it.
fn written(record: &Record) -> Vec<u8> {
    numbered(88_213, |out| push_record(out, record, "edge-2"))
}

fn numbered(index: u64, push: impl FnOnce(&mut Vec<u8>) -> usize) -> Vec<u8> {
    let mut out = b"before".to_vec();
    let seq_at = push(&mut out);
    let mut entry = out.split_off(6);
    let after = entry.split_off(seq_at);
    entry.extend_from_slice(index.to_string().as_bytes());
    entry.extend_from_slice(&after);
    entry
}

/// RFC 8785 for what records hold (integers, ASCII text): sorted members, no white space.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            let inner: Vec<String> = names
                .iter()
                .map(|n| format!("{}:{}", Value::from(n.as_str()), canonical(&members[n.as_str()])))
                .collect();
            format!("{{{}}}", inner.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

fn identity(text: &str) -> Arc<Identity> {
    let claims = serde_json::json!({ "canary": "CANARY-claim", "sub": text });
    Arc::new(Identity {
        issuer: Arc::from("customers"),
        subject: Arc::from(text),
        client: Some(Arc::from(text)),
        kind: Kind::User,
        tenant: Some(Arc::from(text)),
        plan: Some(Arc::from("pro")),
        scopes: vec![Arc::from("orders.write")],
        roles: vec![],
        claims: Arc::new(claims.as_object().unwrap().clone()),
        issued_at: Some(Duration::from_secs(1_793_588_861 - 252)),
        expires_at: None,
        algorithm: "ES256",
        key_id: Some(Arc::from(text)),
    })
}

fn full_record(text: &str) -> Record {
    let mut record = record(0);
    record.decision = Decision::Deny;
    record.status = 404;
    record.reason = Some(Reason::ObjectNotOwner);
    record.trail.set_caller(Caller::Known(identity(text)));
    let (id, owner) = (Some(Box::from(text)), Some(Box::from(text)));
    record.trail.set_object(ObjectEvidence { kind: Arc::from("Order"), id, owner });
    let facts = Facts::none().with("owner", text.to_owned()).with("lookup", "getOrder").with("owner", text.to_owned());
    let _denial = record.trail.deny::<stage::Object>(Reason::ObjectNotOwner, facts);
    record.trail.alert(StageName::Response, Reason::ObjectForeignItem, Facts::none().with("count", -3_i64));
    record
}

#[test]
fn a_record_says_who_what_and_why() {
    let value: Value = serde_json::from_slice(&written(&full_record("u-bob"))).unwrap();
    assert_eq!(value["schema"], RECORD_SCHEMA);
    assert_eq!(value["seq"], 88_213);
    assert_eq!(value["unix_ms"], 1_793_588_861_238_u64);
    assert_eq!(value["node"], "edge-2");
    assert_eq!(value["decision"], "deny");
    assert_eq!(value["reason"], "object.not_owner");
    assert_eq!(value["who"]["subject"], "u-bob");
    assert_eq!(value["who"]["token_age_s"], 252);
    assert_eq!(value["object"], serde_json::json!({"id": "u-bob", "owner": "u-bob", "type": "Order"}));
    assert_eq!(value["stages"][2]["stage"], "object");
    assert_eq!(value["stages"][2]["verdict"], "deny");
    assert_eq!(value["stages"][2]["facts"], serde_json::json!({"lookup": "getOrder", "owner": "u-bob"}));
    assert_eq!(value["alerts"][0]["facts"]["count"], -3);
    assert_eq!(value["upstream"], serde_json::json!({"micros": 600, "name": "orders", "status": 200}));
    assert_eq!(value["request"], full_record("u-bob").request.to_string());
}

#[test]
fn what_goes_without_saying_is_left_out() {
    let mut record = record(0);
    drop(record.trail.allow::<stage::Request>(Facts::none()));
    let value: Value = serde_json::from_slice(&written(&record)).unwrap();
    assert_eq!(value["stages"][2], serde_json::json!({"stage": "request"}));
    assert!(value.get("alerts").is_none() && value.get("replayed").is_none());
    record.replayed = true;
    let value: Value = serde_json::from_slice(&written(&record)).unwrap();
    assert_eq!(value["replayed"], true);
}

#[test]
fn claims_scopes_and_other_token_content_stay_out() {
    let text = String::from_utf8(written(&full_record("u-bob"))).unwrap();
    assert!(!text.contains("CANARY") && !text.contains("orders.write"), "{text}");
}

#[test]
fn tl_8_the_longest_possible_record_fits_a_bundle() {
    let text = "\u{10ffff}".repeat(500);
    let mut record = full_record(&text);
    record.template = Some(Arc::from(text.as_str()));
    record.revision = Arc::from(text.as_str());
    record.trace = Some(Box::from(text.as_str()));
    record.upstream.name = Some(Arc::from(text.as_str()));
    record.trail.set_operation(Arc::from(text.as_str()));
    for _ in 0..100 {
        let facts = (0..40).fold(Facts::none(), |facts, at| {
            let name: &'static str = Box::leak(format!("fact_{at:03}").into_boxed_str());
            facts.with(name, text.clone())
        });
        drop(record.trail.allow::<stage::Request>(facts.clone()));
        record.trail.alert(StageName::Response, Reason::ObjectForeignItem, facts);
    }
    let entry = written(&record);
    assert!(entry.len() <= ENTRY_BYTES_MAX, "{}", entry.len());
    let value: Value = serde_json::from_slice(&entry).unwrap();
    assert_eq!(value["stages"].as_array().unwrap().len(), 48);
    assert_eq!(value["stages"][47]["facts_omitted"], 40);
    assert_eq!(value["alerts"][1]["facts_omitted"], 24);
    assert!(value["who"]["subject"].as_str().unwrap().contains("\\+"));
}

#[test]
fn integers_that_json_cannot_hold_become_text() {
    let mut record = record(0);
    let facts = Facts::none().with("large", u64::MAX).with("least", i64::MIN).with("plain", 9_007_199_254_740_991_u64);
    drop(record.trail.allow::<stage::Request>(facts));
    let value: Value = serde_json::from_slice(&written(&record)).unwrap();
    let expected = serde_json::json!({
        "large": "9223372036854775807", "least": "-9223372036854775808", "plain": 9_007_199_254_740_991_u64
    });
    assert_eq!(value["stages"][2]["facts"], expected);
}

proptest! {
    #[test]
    fn t111_whatever_the_text_the_record_is_canonical_ascii_on_one_line(text in any::<String>(), index in 0u64..1 << 50) {
        let record = full_record(&text);
        let out = numbered(index, |out| push_record(out, &record, "edge-2"));
        prop_assert!(out.iter().all(|b| (b' '..=b'~').contains(b)));
        let value: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(canonical(&value), String::from_utf8(out).unwrap());
        prop_assert_eq!(value["seq"].as_u64(), Some(index));
        prop_assert_eq!(value["who"]["subject"].as_str(), value["stages"][2]["facts"]["owner"].as_str());
    }

    #[test]
    fn t111_notes_are_canonical_too(text in any::<String>()) {
        let facts = Facts::none().with("file", text).with("bytes", 7_u64);
        let out = numbered(3, |out| push_note(out, NoteKind::TornTail, "edge-2", Duration::ZERO, &facts));
        let value: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(canonical(&value), String::from_utf8(out).unwrap());
    }
}
