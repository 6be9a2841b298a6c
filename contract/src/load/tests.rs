// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::Declared;
use crate::fixture::{contract, no_files, try_load};
use std::fmt::Write;

const HEAD: &str = "openapi: 3.1.0\ninfo: {title: Shop, version: '2'}\n";

fn refused(name: &str, text: &str) -> String {
    let findings = try_load(name, text, &LoadOptions::default()).map(|_| ()).unwrap_err();
    assert_eq!(findings[0].severity, Severity::Refuse);
    findings[0].to_string()
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    for (name, text, expected) in [
        (
            "a.json",
            "{\"openapi\": \"3.1.0\",\n  \"openapi\": \"3.1.0\"}",
            "a.json:2:3: not a JSON document: a member stands twice",
        ),
        ("a.json", "{\"a\": 1, \"\\u0061\": 2}", "a.json:1:10: not a JSON document: a member stands twice"),
        ("a.json", "{\"a\": [1,]}", "a.json:1:10: not a JSON document: a value is expected"),
        ("a.json", "{} {}", "a.json:1:4: not a JSON document: something follows the document"),
        (
            "a.yaml",
            "swagger: '2.0'",
            "a.yaml:1:10: Swagger 2.0 is not read; convert the document to OpenAPI 3.0 or 3.1",
        ),
        ("a.yaml", "openapi: 4.0.0", "a.yaml:1:10: only OpenAPI 3.0 and 3.1 are read"),
        ("a.yaml", "- 1", "a.yaml:1:1: an OpenAPI document is an object"),
        ("a.yaml", "title: x", "a.yaml:1:1: not an OpenAPI document: `openapi` is missing"),
    ] {
        assert_eq!(refused(name, text), expected);
    }
    assert!(refused("a.yaml", "openapi: 3.1.0\npaths: {}\npaths: {}").starts_with("a.yaml:3:1: not a YAML document"));
    assert!(refused("a.yaml", "responses:\n  200: a\n  '200': b").contains("duplicate"));
}

#[test]
fn t75_documents_have_a_depth() {
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    assert!(refused("a.json", &deep).contains("too deep"));
    assert!(refused("a.yaml", &deep).contains("not a YAML document"));
    let mut aliases = "b0: &b0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let before = format!("*b{}, ", n - 1);
        let _ = writeln!(aliases, "b{n}: &b{n} [{}]", before.repeat(10).trim_end_matches(", "));
    }
    assert!(refused("a.yaml", &aliases).contains("not a YAML document"));
}

#[test]
fn json_and_yaml_say_the_same() {
    let yaml =
        format!("{HEAD}paths:\n  /a/{{id}}:\n    get: {{operationId: g, responses: {{200: {{description: d}}}}}}\n");
    let json = "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Shop\",\"version\":\"2\"},\"paths\":{\"/a/{id}\":{\n  \"get\": \
                {\"operationId\":\"g\",\"responses\":{\"200\":{\"description\":\"d\"}}}}}}";
    let json_in_yaml_file = try_load("a.yaml", json, &LoadOptions::default()).unwrap();
    let json = try_load("a.json", json, &LoadOptions::default()).unwrap();
    let yaml = contract(&yaml);
    for one in [&json, &yaml, &json_in_yaml_file] {
        assert_eq!((one.title.as_str(), one.version.as_str(), one.operations.len()), ("Shop", "2", 1));
        assert!(one.operations[0].responses.for_status(200).is_some());
    }
    let place = |c: &Contract| (c.operations[0].place.line, c.operations[0].place.column);
    assert_eq!((place(&json), place(&yaml)), ((2, 10), (5, 10)));
}

#[test]
fn operations_without_an_id_are_named_and_reported() {
    let contract = contract(&format!(
        "{HEAD}paths:\n  /a:\n    get: {{responses: {{}}}}\n    put: {{operationId: x, responses: {{}}}}\n    post: {{operationId: x, responses: {{}}}}\n"
    ));
    let ids: Vec<&str> = contract.operations.iter().map(|o| &*o.id).collect();
    assert_eq!(ids, ["GET /a", "x", "POST /a"]);
    let info = contract.findings.iter().find(|f| f.at == "GET /a" && f.message.contains("operationId")).unwrap();
    assert_eq!((info.severity, info.place.as_ref().unwrap().line), (Severity::Info, 5));
    assert_eq!(contract.find("x"), Some(contract.operations[1].index));
    assert_eq!(contract.find("put /a"), Some(contract.operations[1].index));
    assert_eq!(contract.find("DELETE /a"), None);
}

#[test]
fn security_is_or_of_ands_and_only_scopes_matter() {
    let contract = contract(&format!(
        "{HEAD}security: [{{o: [read]}}]\ncomponents:\n  securitySchemes:\n    o: {{type: oauth2, flows: {{}}}}\n    k: {{type: apiKey, in: header, \
         name: x}}\n    b: {{type: http, scheme: bearer}}\npaths:\n  /a:\n    get: {{operationId: inherits, responses: {{}}}}\n    put: {{operationId: \
         several, security: [{{o: [w], k: [ignored]}}, {{b: [s]}}], responses: {{}}}}\n    post: {{operationId: nothing, security: [], responses: \
         {{}}}}\n    patch: {{operationId: optional, security: [{{}}, {{o: [w]}}], responses: {{}}}}\n    delete: {{operationId: unknown, security: \
         [{{x: [s]}}], responses: {{}}}}\n"
    ));
    let security = |id: &str| &contract.operation(contract.find(id).unwrap()).unwrap().security;
    let scopes = |id: &str| -> Vec<Vec<Vec<String>>> {
        let alternatives = security(id).alternatives.iter();
        alternatives.map(|a| a.iter().map(|n| n.scopes.iter().map(ToString::to_string).collect()).collect()).collect()
    };
    assert_eq!(security("inherits").declared, Declared::Some);
    assert_eq!(scopes("inherits"), [[["read"]]]);
    assert_eq!(scopes("several"), [vec![vec!["w".to_owned()], vec![]], vec![vec!["s".to_owned()]]]);
    assert_eq!(security("nothing").declared, Declared::Empty);
    assert_eq!(security("optional").declared, Declared::Empty);
    assert_eq!(scopes("unknown"), [[["s"]]]);
    let reported = |id: &str, text: &str| contract.findings.iter().any(|f| f.at == id && f.message.contains(text));
    assert!(
        reported("nothing", "public: true")
            && reported("optional", "public: true")
            && reported("unknown", "does not declare")
    );
    let silent =
        crate::fixture::contract(&format!("{HEAD}paths: {{/a: {{get: {{operationId: g, responses: {{}}}}}}}}"));
    assert_eq!(silent.operations[0].security.declared, Declared::Nothing);
    assert!(silent.findings.iter().any(|f| f.at == "g" && f.message.contains("authentication is required")));
}

#[test]
fn t65_t75_operations_that_cannot_be_enforced_are_not_served_and_keep_their_path() {
    for schema in [
        "{type: string, pattern: '(?=a)b'}",
        "{type: string, pattern: '(a)\\1'}",
        "{type: object, patternProperties: {'(?!a)': {}}}",
        "{$ref: 'https://example.com/schema.json'}",
        "{$ref: '../outside.yaml'}",
        "{$ref: '/etc/passwd'}",
        "{$ref: './absent.yaml#/A'}",
        "{$ref: '#/components/schemas/Absent'}",
        "{$ref: '#anchor'}",
        "{$ref: '#/components/schemas/Loop'}",
        "{allOf: [{$ref: '#/components/schemas/Chain'}]}",
        "{$dynamicRef: '#x'}",
        "{type: strnig}",
        "{minLength: -1}",
        "{properties: []}",
        "{required: a}",
        "{multipleOf: 0}",
        "{properties: {a: {items: {anyOf: []}}}}",
        "5",
    ] {
        let contract = contract(&format!(
            "{HEAD}components:\n  schemas:\n    Loop: {{$ref: '#/components/schemas/Loop'}}\n    Chain: {{anyOf: [{{$ref: \
             '#/components/schemas/Chain'}}]}}\npaths:\n  /a/b:\n    post:\n      operationId: bad\n      requestBody: {{content: \
             {{application/json: {{schema: {schema}}}}}}}\n      responses: {{}}\n  /a/{{id}}:\n    post: {{operationId: good, responses: {{}}}}\n"
        ));
        let finding = contract.findings.iter().find(|f| f.rule == Some("PC0502")).unwrap_or_else(|| panic!("{schema}"));
        assert_eq!((finding.at.as_str(), finding.severity), ("bad", Severity::High), "{schema}");
        assert!(finding.place.as_ref().unwrap().line > 2, "{schema}");
        let route =
            |path: &str| contract.route(&http::Method::POST, &portcullis_wire::CanonicalPath::parse(path).unwrap());
        assert_eq!(route("/a/b"), crate::RouteMatch::Unknown, "{schema}");
        assert!(matches!(route("/a/c"), crate::RouteMatch::Operation(..)), "{schema}");
    }
}

#[test]
fn local_files_are_followed_inside_the_directory() {
    let files = |name: &str| match name {
        "schemas/Order.yaml" => Ok("type: object\nproperties:\n  item: {$ref: './parts/item.json#/Item'}\n".to_owned()),
        "schemas/parts/item.json" => Ok("{\"Item\": {\"type\": \"string\", \"pattern\": \"(?=x)\"}}".to_owned()),
        other => Err(format!("{other} is absent")),
    };
    let text = format!(
        "{HEAD}paths:\n  /a:\n    post:\n      operationId: p\n      requestBody: {{content: {{application/json: {{schema: {{$ref: \
         './schemas/Order.yaml'}}}}}}}}\n      responses: {{}}\n"
    );
    let source = Source { name: "api/openapi.yaml".into(), text };
    let contract = load(source, &LoadOptions::default(), &files).unwrap();
    let finding = contract.findings.iter().find(|f| f.rule == Some("PC0502")).unwrap();
    assert_eq!(finding.place.as_ref().unwrap().to_string(), "api/schemas/parts/item.json:1:10");
    let shape = contract.operations[0].body.as_ref().unwrap().media[0].shape.unwrap();
    let set = contract.shapes().enter(shape);
    assert_eq!(contract.shapes().names(&set).next().unwrap().as_ref(), "Order");
}

#[test]
fn the_gateways_own_paths_refuse_the_document() {
    for (path, base, refused) in [
        ("/problems/{name}", "", true),
        ("/.well-known/oauth-protected-resource", "/", true),
        ("/.well-known/portcullis/jwks.json", "", true),
        ("/.well-known/openid-configuration", "", false),
        ("/problems", "/api", false),
        ("/oauth-protected-resource", "/.well-known", true),
        ("/problemset", "", false),
    ] {
        let text = format!("{HEAD}paths: {{'{path}': {{get: {{responses: {{}}}}}}}}");
        let options = LoadOptions { base_path: base.to_owned(), ..LoadOptions::default() };
        let source = Source { name: "a.yaml".into(), text };
        assert_eq!(load(source, &options, &no_files).is_err(), refused, "{path}");
    }
}

#[test]
fn bodies_and_answers() {
    let contract = contract(&format!(
        "{HEAD}paths:\n  /a:\n    post:\n      operationId: p\n      requestBody:\n        required: true\n        content:\n          \
         'Application/JSON; charset=utf-8': {{schema: {{type: object}}}}\n          image/*: {{schema: {{type: string}}}}\n      responses:\n        \
         200: {{description: d, headers: {{X-Total: {{}}}}, content: {{application/vnd.x+json: {{schema: {{type: array}}}}}}}}\n        4XX: \
         {{description: d}}\n        default: {{description: d}}\n"
    ));
    let operation = &contract.operations[0];
    let body = operation.body.as_ref().unwrap();
    let media =
        |text: &'static str| portcullis_wire::media::MediaType::parse(&http::HeaderValue::from_static(text)).unwrap();
    let choose = |text: &'static str| body.choose(Some(&media(text))).map(|m| m.media_type.to_string());
    assert!(body.required && body.media[0].validator.is_some() && body.media[1].validator.is_none());
    assert_eq!(choose("application/json"), Ok("application/json".to_owned()));
    assert_eq!(choose("image/png"), Ok("image/*".to_owned()));
    assert_eq!(choose("text/plain"), Err(crate::MediaFault::Undeclared));
    assert_eq!(choose("application/json;charset=utf-16"), Err(crate::MediaFault::Charset));
    assert!(matches!(body.choose(None), Err(crate::MediaFault::Missing)));
    assert_eq!(body.accept(), "application/json, image/*");
    let status = |code| operation.responses.for_status(code).map(|r| r.status);
    assert_eq!(status(200), Some(crate::StatusKey::Exact(200)));
    assert_eq!(status(404), Some(crate::StatusKey::Range(4)));
    assert_eq!(status(500), Some(crate::StatusKey::Default));
    let answer = operation.responses.for_status(200).unwrap();
    assert!(answer.media[0].is_json && answer.media[0].validator.is_some());
    assert_eq!(answer.headers, ["x-total"]);
}
