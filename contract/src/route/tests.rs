// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::fixture;
use portcullis_wire::CanonicalPath;
use proptest::prelude::*;
use std::fmt::Write;

fn contract(routes: &[(&str, &str)]) -> crate::Contract {
    let mut text = String::from("openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n");
    let mut templates: Vec<&str> = routes.iter().map(|(_, t)| *t).collect();
    templates.dedup();
    for template in templates {
        let _ = writeln!(text, "  '{template}':");
        for (method, _) in routes.iter().filter(|(_, t)| *t == template) {
            let _ = writeln!(
                text,
                "    {}: {{operationId: '{method} {template}', responses: {{}}}}",
                method.to_lowercase()
            );
        }
    }
    fixture::contract(&text)
}

fn route(contract: &crate::Contract, request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    match contract.route(&method.parse().unwrap(), &CanonicalPath::parse(path).unwrap()) {
        RouteMatch::Operation(index, captures) => {
            let captures: Vec<String> = captures.iter().map(|(n, v)| format!("{n}={v}")).collect();
            format!("{} [{}]", contract.operation(index).unwrap().id, captures.join(" "))
        }
        RouteMatch::Method(allow) => format!("405 {}", allow.to_str().unwrap()),
        RouteMatch::Unknown => "404".to_owned(),
    }
}

#[test]
fn text_beats_mixed_beats_parameter_and_dead_ends_fall_back() {
    let contract = contract(&[
        ("GET", "/users/me"),
        ("GET", "/users/{id}"),
        ("DELETE", "/users/{id}"),
        ("GET", "/users/{id}/keys"),
        ("GET", "/users/u-{number}"),
        ("GET", "/"),
    ]);
    for (request, expected) in [
        ("GET /users/me", "GET /users/me []"),
        ("GET /users/7", "GET /users/{id} [id=7]"),
        ("GET /users/u-7", "GET /users/u-{number} [number=7]"),
        ("GET /users/u-", "GET /users/{id} [id=u-]"),
        ("GET /users/me/keys", "GET /users/{id}/keys [id=me]"),
        ("GET /users/a%20b", "GET /users/{id} [id=a b]"),
        ("GET /", "GET / []"),
        ("GET /Users/me", "404"),
        ("GET /users", "404"),
        ("GET /users/", "404"),
        ("GET /users/me/", "404"),
        ("GET /users/7/keys/8", "404"),
        ("POST /users/7", "405 DELETE, GET"),
        ("HEAD /users/7", "405 DELETE, GET"),
        ("OPTIONS /users/7", "405 DELETE, GET"),
        // The strongest template alone answers: this is not `DELETE /users/{id}`.
        ("DELETE /users/me", "405 GET"),
    ] {
        assert_eq!(route(&contract, request), expected, "{request}");
    }
}

#[test]
fn several_parameters_in_one_segment_have_one_reading_or_none() {
    let contract = contract(&[
        ("GET", "/compare/{base}...{head}"),
        ("GET", "/files/{name}.{ext}"),
        ("GET", "/thumbnail.{ext}"),
        ("POST", "/things/{id}:publish"),
        ("GET", "/things/{id}"),
    ]);
    for (request, expected) in [
        ("GET /compare/main...v1.2", "GET /compare/{base}...{head} [base=main head=v1.2]"),
        ("GET /compare/main...", "404"),
        ("GET /compare/...main", "404"),
        ("GET /compare/a...b...c", "404"),
        ("GET /compare/a....b", "404"),
        ("GET /files/a.png", "GET /files/{name}.{ext} [name=a ext=png]"),
        ("GET /files/a.tar.gz", "404"),
        ("GET /files/.png", "404"),
        ("GET /thumbnail.png", "GET /thumbnail.{ext} [ext=png]"),
        ("POST /things/7:publish", "POST /things/{id}:publish [id=7]"),
        ("GET /things/7", "GET /things/{id} [id=7]"),
    ] {
        assert_eq!(route(&contract, request), expected, "{request}");
    }
}

#[test]
fn a_trailing_slash_is_part_of_the_path() {
    let contract = contract(&[("GET", "/a/{id}/"), ("GET", "/b/{id}")]);
    assert_eq!(route(&contract, "GET /a/1/"), "GET /a/{id}/ [id=1]");
    assert_eq!(route(&contract, "GET /a/1"), "404");
    assert_eq!(route(&contract, "GET /b/1/"), "404");
}

#[test]
fn what_is_taken_away_wins_over_every_template() {
    let mut contract = contract(&[
        ("GET", "/{any}"),
        ("POST", "/{any}"),
        ("GET", "/orders/{id}"),
        ("DELETE", "/orders/{id}"),
        ("GET", "/orders/open"),
        ("GET", "/{area}/report"),
    ]);
    contract.hide(&Method::GET, "/debug");
    contract.hide(&Method::DELETE, "/orders/{orderId}");
    contract.hide(&Method::GET, "/{x}/secret");
    for (request, expected) in [
        ("GET /debug", "404"),
        ("POST /debug", "404"),
        ("GET /other", "GET /{any} [any=other]"),
        ("DELETE /orders/7", "404"),
        ("PUT /orders/7", "405 GET"),
        ("GET /orders/7", "GET /orders/{id} [id=7]"),
        ("GET /orders/open", "GET /orders/open []"),
        ("GET /orders/secret", "404"),
        ("GET /a/secret", "404"),
        ("GET /a/report", "GET /{area}/report [area=a]"),
    ] {
        assert_eq!(route(&contract, request), expected, "{request}");
    }
    contract.hide(&Method::GET, "no-slash");
    assert!(contract.findings.iter().any(|f| f.at == "GET no-slash"));
}

#[test]
fn paths_no_request_can_match_are_reported_and_not_served() {
    for template in
        ["/a/{x}{y}", "/a/{x", "/a/{}", "/a/{x}/b/{x}", "/a#b", "/a?b=c", "/a//b", "/a/../b", "/a/{?q}", "a"]
    {
        let contract = contract(&[("GET", template), ("GET", "/ok")]);
        let operation = &contract.operations[0];
        assert!(!operation.is_served(), "{template}");
        let finding = contract.findings.iter().find(|f| f.rule == Some("PC0502")).unwrap();
        assert_eq!(finding.place.as_ref().unwrap().line, 5, "{template}");
        assert_eq!(route(&contract, "GET /ok"), "GET /ok []");
    }
}

#[test]
fn ambiguous_templates_are_reported() {
    let overlapping = contract(&[("GET", "/{a}/x"), ("GET", "/b/{c}")]);
    assert!(overlapping.findings.iter().any(|f| f.message.contains("can match both `/b/{c}` and `/{a}/x`")));
    let twins = contract(&[("GET", "/a/{x}"), ("GET", "/a/{y}"), ("PUT", "/a/{z}")]);
    let served: Vec<bool> = twins.operations.iter().map(crate::Operation::is_served).collect();
    assert_eq!(served, [true, false, true]);
    assert_eq!(route(&twins, "PUT /a/1"), "PUT /a/{z} [z=1]");
    let plain = contract(&[("GET", "/a/{x}"), ("GET", "/a/b"), ("GET", "/a/{x}/c")]);
    assert!(plain.findings.iter().all(|f| !f.message.contains("can match both")));
}

#[test]
fn ten_thousand_operations_are_searched_in_as_many_steps_as_ten() {
    // The tree's depth and the width searched at each node do not grow with the document.
    let mut table = Table::default();
    for n in 0..10_000 {
        table.insert(&Template::parse(&format!("/r{n}/{{id}}/sub/{{other}}")).unwrap());
    }
    assert!(table.branches.iter().all(|b| b.mixed.is_empty()));
    assert_eq!(table.depth_max, 4);
    let found = table.find(&["r9999", "1", "sub", "2"]).unwrap();
    assert_eq!(&*found.leaf.template, "/r9999/{id}/sub/{other}");
}

/// The specification of matching, segment by segment, slowly.
fn naive(templates: &[&str], path: &[&str]) -> Option<usize> {
    let weight = |t: &str, s: &str| {
        if t == s {
            Some(0)
        } else if t.starts_with('{') && !s.is_empty() {
            Some(1)
        } else {
            None
        }
    };
    let fits = templates.iter().enumerate().filter_map(|(i, template)| {
        let segments: Vec<&str> = template.split('/').skip(1).collect();
        if segments.len() != path.len() {
            return None;
        }
        let weights: Option<Vec<i32>> = segments.iter().zip(path).map(|(t, s)| weight(t, s)).collect();
        weights.map(|w| (w, i))
    });
    fits.min().map(|(_, i)| i)
}

proptest! {
    #[test]
    fn agrees_with_the_naive_matcher(
        templates in prop::collection::hash_set(prop::collection::vec(prop::sample::select(vec!["a", "b", "{p}"]), 1..5), 1..12),
        path in prop::collection::vec(prop::sample::select(vec!["a", "b", "c", ""]), 1..5),
    ) {
        // Parameter names must differ inside one template.
        let texts: Vec<String> = templates
            .iter()
            .map(|t| t.iter().enumerate().map(|(i, s)| if s.starts_with('{') { format!("/{{p{i}}}") } else { format!("/{s}") }).collect())
            .collect();
        let mut table = Table::default();
        for text in &texts {
            table.insert(&Template::parse(text).unwrap());
        }
        let names: Vec<&str> = texts.iter().map(String::as_str).collect();
        let expected = naive(&names, &path).map(|i| names[i].to_owned());
        prop_assert_eq!(table.find(&path).map(|f| f.leaf.template.to_string()), expected);
    }
}
