// SPDX-License-Identifier: Apache-2.0
//! The six answers of the demo, each with its explanation from the signed trail.

use crate::client::Request;
use crate::gate::{Gate, verify};

#[test]
fn api1_own_order_200_foreign_order_404_and_both_are_explained() {
    let gate = Gate::demo();
    let own = gate.send(&Request::get("/orders/ord-1").bearer(&gate.token("alice")));
    assert_eq!(own.status, 200, "{own:?}");
    assert_eq!(own.json()["owner"], "alice");
    assert!(own.json().get("warehouse_shelf").is_none(), "an undeclared property left: {own:?}");
    assert!(own.json().get("margin").is_none(), "an undeclared property left: {own:?}");
    let foreign = gate.send(&Request::get("/orders/ord-1").bearer(&gate.token("bob")));
    assert_eq!(foreign.status, 404);
    assert_eq!(foreign.header("content-type"), Some("application/problem+json"));

    let why = gate.explain(own.id());
    assert_eq!((why["decision"].as_str(), why["status"].as_u64()), (Some("allow"), Some(200)), "{why}");
    assert_eq!(why["who"]["subject"], "alice");
    let why = gate.explain(foreign.id());
    assert_eq!((why["decision"].as_str(), why["status"].as_u64()), (Some("deny"), Some(404)), "{why}");
    assert_eq!(why["reason"], "object.not_owner");
    assert_eq!(why["object"]["owner"], "alice");
    assert_eq!(why["operation"], "orders#getOrder");
    let human = gate.explain_output(foreign.id(), "human");
    let human = String::from_utf8(human.stdout).unwrap();
    assert!(human.starts_with("DENIED  404 to the client (true reason: object.not_owner)"), "{human}");
}

#[test]
fn api3_mass_assignment_400_is_explained_and_never_reaches_the_upstream() {
    let gate = Gate::demo();
    let patch = Request::new("PATCH", "/orders/ord-1").bearer(&gate.token("alice")).json(r#"{"owner":"bob"}"#);
    let answer = gate.send(&patch);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.json()["errors"][0]["pointer"], "/owner");
    let why = gate.explain(answer.id());
    let reason = why["reason"].as_str().unwrap();
    assert!(["property.not_writable", "property.undeclared"].contains(&reason), "{why}");
    let own = gate.send(&Request::get("/orders/ord-1").bearer(&gate.token("alice")));
    assert_eq!(own.json()["owner"], "alice");
}

#[test]
fn st_2_no_token_401_is_explained() {
    let gate = Gate::demo();
    let answer = gate.send(&Request::get("/orders/ord-1"));
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Bearer") && !challenge.contains("error="), "{challenge}");
    assert_eq!(gate.explain(answer.id())["reason"], "identity.missing");
}

#[test]
fn st_14_too_many_requests_429_with_honest_headers() {
    let gate = Gate::demo();
    let token = gate.token("carol");
    for left in (0..5).rev() {
        let answer = gate.send(&Request::get("/orders/ord-4").bearer(&token));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"free\";q=5;w=60"));
        let limit = answer.header("ratelimit").unwrap();
        assert!(limit.starts_with(&format!("\"free\";r={left}")), "{limit}");
    }
    let answer = gate.send(&Request::get("/orders/ord-4").bearer(&token));
    assert_eq!(answer.status, 429, "{answer:?}");
    let retry: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    let limit = answer.header("ratelimit").unwrap();
    assert!(limit.starts_with("\"free\";r=0;t="), "{limit}");
    let window: u64 = limit.rsplit("t=").next().unwrap().parse().unwrap();
    assert!(retry >= window && retry >= 1, "Retry-After {retry}, t {window}");
    assert_eq!(answer.json()["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(answer.json()["violated-policies"][0], "free");
    assert_eq!(gate.explain(answer.id())["reason"], "limit.rate");
}

#[test]
fn id_5_an_idempotent_write_is_replayed_not_repeated() {
    let gate = Gate::demo();
    let create = Request::new("POST", "/orders")
        .bearer(&gate.token("alice"))
        .header("Idempotency-Key", "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"")
        .json(r#"{"item":"lamp","quantity":1}"#);
    let first = gate.send(&create);
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(first.header("idempotency-replayed"), None);
    assert!(first.header("location").unwrap().ends_with(first.json()["id"].as_str().unwrap()));
    let again = gate.send(&create);
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")), "{again:?}");
    assert_eq!(again.body, first.body);
    let why = gate.explain(again.id());
    assert_eq!((why["decision"].as_str(), why["replayed"].as_bool()), (Some("allow"), Some(true)), "{why}");
    let other = gate.send(
        &Request::new("POST", "/orders")
            .bearer(&gate.token("alice"))
            .header("Idempotency-Key", "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"")
            .json(r#"{"item":"lamp","quantity":2}"#),
    );
    assert_eq!(other.status, 422, "{other:?}");
    let stranger = gate.send(
        &Request::new("POST", "/orders")
            .bearer(&gate.token("bob"))
            .header("Idempotency-Key", "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"")
            .json(r#"{"item":"lamp","quantity":1}"#),
    );
    assert_eq!(stranger.status, 201, "another subject's key is another key: {stranger:?}");
    assert_ne!(stranger.json()["id"], first.json()["id"]);
}

#[test]
fn the_type_of_a_problem_is_a_page_and_its_reading_is_recorded() {
    let gate = Gate::demo();
    let refused = gate.send(&Request::get("/orders/ord-1").bearer(&gate.token("bob")));
    assert_eq!(refused.status, 404);
    let problem = refused.json();
    let page = problem["type"].as_str().unwrap();
    let path = page.strip_prefix(&format!("http://{}", gate.public)).unwrap_or_else(|| panic!("{page}"));
    assert_eq!(path, "/problems/not-found");
    let answer = gate.send(&Request::get(path));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    let text = String::from_utf8(answer.body.clone()).unwrap();
    assert!(text.starts_with("Not Found (404)"), "{text}");
    assert!(!text.contains("owner"), "the page tells what the status tells: {text}");
    let head = gate.send(&Request::new("HEAD", path));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), answer.header("content-length"));
    for read in [&answer, &head] {
        let why = gate.explain(read.id());
        assert_eq!((why["decision"].as_str(), why["status"].as_u64()), (Some("allow"), Some(200)), "{why}");
    }
    let unknown = gate.send(&Request::get("/problems/no-such-status"));
    assert_eq!((unknown.status, gate.explain(unknown.id())["reason"].as_str()), (404, Some("route.not_found")));
    let written = gate.send(&Request::new("POST", path).json("{}"));
    assert_eq!((written.status, written.header("connection")), (404, Some("close")), "{written:?}");
}

#[test]
fn f07_terminate_ends_with_a_trail_that_verifies() {
    let gate = Gate::demo();
    for _ in 0..20 {
        gate.send(&Request::get("/orders/ord-1").bearer(&gate.token("alice")));
    }
    let data = gate.demo_directory().join("data");
    let (code, _kept) = gate.terminate();
    assert_eq!(code, Some(0));
    let output = verify(&data);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["records"].as_u64().unwrap() >= 20, "{report}");
    assert_eq!(report["newer"], 0, "{report}");
}
