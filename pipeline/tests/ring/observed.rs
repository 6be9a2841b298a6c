// SPDX-License-Identifier: Apache-2.0
//! `validate.request: observe`: what breaks a schema goes on with an alert; what later stages rely on is enforced.

use crate::gate::client::Reply;
use crate::gate::{Setup, Stand, tokens};
use portcullis_authorize::{Strictness, Validate};
use serde_json::{Value, json};

fn stand() -> Stand {
    let validate = Validate { request: Strictness::Observe, response: Strictness::Strict };
    Stand::with(Setup { validate, ..Setup::default() })
}

fn alerts(stand: &Stand) -> Vec<(String, String)> {
    let records = stand.records();
    let alerts = records.last().and_then(|record| record["alerts"].as_array().cloned()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    alerts.iter().map(|alert| (text(&alert["stage"]), text(&alert["reason"]))).collect()
}

async fn pay(stand: &Stand, body: &str) -> Reply {
    let key = format!("\"{:032x}\"", rand::random::<u128>());
    let call = stand.call("POST", "/payments").user("alice").header("idempotency-key", &key);
    call.raw("application/json", body).send().await
}

#[tokio::test]
async fn a_body_that_breaks_its_schema_goes_on_with_an_alert() {
    for body in [r#"{"amount":"7"}"#, "{}", r#"{"amount":7.5}"#, r#"{"amount":null}"#] {
        let stand = stand();
        pay(&stand, body).await;
        let seen = stand.origin.seen();
        assert_eq!(seen.len(), 1, "{body}: {:?}", stand.records());
        assert_eq!(seen[0].body, body.as_bytes(), "{body}");
        assert_eq!(alerts(&stand), [("request".to_owned(), "request.body".to_owned())], "{body}");
    }
    let stand = stand();
    pay(&stand, r#"{"amount":7}"#).await;
    assert_eq!((stand.origin.seen().len(), alerts(&stand).len()), (1, 0));
}

#[tokio::test]
async fn what_later_stages_rely_on_in_a_body_is_enforced() {
    for (body, status, reason) in [
        (r#"{"amount":7,"amount":8}"#, 400, "request.json"),
        (r#"{"amount":7"#, 400, "request.json"),
        (r#"{"amount":[[[[[[[[[[1]]]]]]]]]]}"#, 400, "payload.too_deep"),
        (r#"{"amount":{"value":1}}"#, 400, "request.body"),
        (r#"[{"amount":7}]"#, 400, "request.body"),
        (r#"{"amount":"7","debug":1}"#, 400, "property.undeclared"),
        ("", 400, "request.body"),
    ] {
        let stand = stand();
        let reply = pay(&stand, body).await;
        stand.refused(&reply, status, reason);
    }
    let stand = stand();
    let key = ("idempotency-key", "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"");
    let call = || stand.call("POST", "/payments").user("alice").header(key.0, key.1);
    stand.refused(&call().raw("text/plain", "{}").send().await, 415, "request.content_type");
    let coded = call().raw("application/json", "{}").header("content-encoding", "gzip").send().await;
    stand.refused(&coded, 415, "request.content_encoding");
    let order = json!({"item": 7, "created": "now"});
    let read_only = stand.call("POST", "/orders").user("alice").json(&order).send().await;
    stand.refused(&read_only, 400, "property.not_writable");
}

#[tokio::test]
async fn a_parameter_that_breaks_its_schema_goes_on_with_an_alert() {
    let stand = stand();
    stand.call("GET", "/orders?limit=1000").user("alice").send().await;
    let seen = stand.origin.seen();
    assert_eq!(seen.len(), 1, "{:?}", stand.records());
    assert_eq!(alerts(&stand)[0], ("request".to_owned(), "request.parameter".to_owned()));
    for path in ["/orders?limit=1&limit=2", "/orders?debug=1", "/orders?limit=x&debug=1"] {
        let stand = self::stand();
        let reply = stand.call("GET", path).user("alice").send().await;
        stand.refused(&reply, 400, "request.parameter");
    }
}

#[tokio::test]
async fn what_is_not_asked_for_stays_strict() {
    let stand = Stand::new();
    stand.refused(&stand.call("GET", "/orders?limit=1000").user("alice").send().await, 400, "request.parameter");
    stand.refused(&pay(&stand, r#"{"amount":"7"}"#).await, 400, "request.body");
    let token = tokens::token("alice", "orders.read", &[]);
    assert_eq!(stand.call("GET", "/orders").token(&token).send().await.status / 100, 2);
}
