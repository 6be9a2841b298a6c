// SPDX-License-Identifier: Apache-2.0
//! T25–T32: a target has one reading, and the upstream gets that one (SM-19).

use crate::case::{Case, SMUGGLED, Sees, Table, get, head};
use crate::corpus;
use crate::origin;

/// Every spelling of a dot segment, before, inside and after what is protected.
fn t25() -> Vec<Case> {
    let mut table = Table::new("T25");
    for dots in [
        "..",
        ".",
        "%2e%2e",
        "%2E%2E",
        "%2e%2E",
        ".%2e",
        "%2e.",
        "%2e",
        "..;",
        ".;",
        "..;a=b",
        ";",
        ";a=b",
        "..;/..",
        "%2e%2e;",
        "..%3b",
        "..%2f..",
        "..%5c..",
        "%2e%2e%2f",
        "..%00",
        "..\\",
    ] {
        for path in [
            format!("/{dots}/v1/private/1"),
            format!("/v1/{dots}/private/1"),
            format!("/v1/{dots}/v1/private/1"),
            format!("/v1/items/{dots}/private/1"),
            format!("/v1/items/{dots}"),
            format!("/v1/items/1/{dots}/{dots}/private/1"),
            format!("/v1/private/1/{dots}"),
            format!("/v1/private/{dots}/1"),
        ] {
            table.refuse(400, &path, get(&path));
        }
    }
    for path in [
        "/v1/items/1;a=b",
        "/v1/items;a=b/1",
        "/v1;a/items/1",
        "/v1/items/;1",
        "/v1/items/1;",
        "/v1/items/1%3Ba=b",
        "/;/v1/items/1",
    ] {
        table.refuse(400, path, get(path) + SMUGGLED);
    }
    for (path, target) in [
        ("/v1/items/...", "/items/..."),
        ("/v1/items/.a", "/items/.a"),
        ("/v1/items/a..b", "/items/a..b"),
        ("/v1/items/a.", "/items/a."),
    ] {
        table.serve(path, get(path), &[Sees::Target(target.into())]);
    }
    table.cases
}

fn t26_t27_t28() -> Vec<Case> {
    let mut table = Table::new("T26");
    for path in [
        "/v1%2fprivate/1",
        "/v1%2Fprivate%2F1",
        "/v1/private%2f1",
        "/v1/items/a%2fb",
        "/v1/items/%2f",
        "/v1/items%5c1",
        "/v1/items/a%5Cb",
        "/v1\\private\\1",
        "/v1/items/a\\b",
        "/v1/items/..%2fprivate%2f1",
        "/%2fv1/private/1",
        "/v1/%2fprivate/1",
        "%2fv1/private/1",
        "/v1/items/1%2f",
        "/v1/items/1%5c",
        "/v1/items/%5c%5cmallory",
    ] {
        table.refuse(400, path, get(path));
    }
    let mut cases = table.cases;
    let mut table = Table::new("T27");
    for path in [
        "/v1/items/%252e%252e/private/1",
        "/v1/items/%25%32%65",
        "/v1/items/%25%32%66",
        "/v1/items/%252f",
        "/v1/items/%2531",
        "/v1/items/%25%33%31",
        "/v1/%2570rivate/1",
        "/v1/items/%255c",
        "/v1/items/%2500",
        "/v1/items/%u002f",
        "/v1/items/%u0031",
        "/v1/items/%25252e",
        "/v1/items/%%32e",
        "/v1/items/%2%65",
        "/v1/items/%25zz%2541",
    ] {
        table.refuse(400, path, get(path));
    }
    table.serve("a percent sign", get("/v1/items/100%25"), &[Sees::Target("/items/100%25".into())]);
    cases.append(&mut table.cases);
    let mut table = Table::new("T28");
    for path in [
        "//v1/private/1",
        "///v1/items/1",
        "/v1//private/1",
        "/v1/private//1",
        "/v1//items/1",
        "/v1/items//1",
        "/v1///items/1",
        "/v1/items/1//",
        "/v1//",
        "//",
        "/v1/items/1//private/1",
        "//v1//items//1",
    ] {
        table.refuse(400, path, get(path));
    }
    cases.append(&mut table.cases);
    cases
}

/// Perturbed paths are other paths: served as they stand, or unknown.
fn t29() -> Vec<Case> {
    let mut table = Table::new("T29");
    for path in [
        "/V1/items/1",
        "/v1/Items/1",
        "/v1/ITEMS/1",
        "/v1/items/1/",
        "/v1/items",
        "/v1/items/",
        "/v1/items./1",
        "/v1/.items/1",
        "/v1/xitems/1",
        "/v1/itemsx/1",
        "/v1/items/1/2",
        "/v1",
        "/v1/",
        "/",
        "/v1.items/1",
        "/v1/search/",
        "/v1/uploads/1",
        "/v2/items/1",
        "/items/1",
        "/v1/v1/items/1",
        "/v1/items/1/items/1",
        "/v1items/1",
        "/v1/items%20/1",
        "/v1/items+/1",
        "/v1/pr%69vate",
        "/private/1",
        "/v1/\u{ff49}tems/1",
    ] {
        let encoded: String =
            path.chars().map(|c| if c.is_ascii() { c.to_string() } else { "%EF%BD%89".to_owned() }).collect();
        let case = table.case(path, get(&encoded)).or(&[404], crate::case::End::Any).or(&[405], crate::case::End::Any);
        table.add(case);
    }
    for path in ["/v1/private/1", "/v1/%70rivate/1", "/%76%31/private/%31", "/v1/p%72ivate/1", "/v1/private/%2d"] {
        table.deny(401, path, get(path));
    }
    table.cases
}

fn t30() -> Vec<Case> {
    let mut table = Table::new("T30");
    for path in [
        "/v1/items/%00",
        "/v1/items/a%00b",
        "/v1/items/1%00.json",
        "/v1/items/%0a",
        "/v1/items/%0d%0aX-A:b",
        "/v1/items/%09",
        "/v1/items/%1b%5b2J",
        "/v1/items/%7f",
        "/v1/items/%c0%ae",
        "/v1/items/%c0%af",
        "/v1/items/%e0%80%af",
        "/v1/items/%f0%80%80%af",
        "/v1/items/%ff",
        "/v1/items/%80",
        "/v1/items/%c3",
        "/v1/items/%c3%28",
        "/v1/items/%ed%a0%80",
        "/v1/items/%f4%90%80%80",
        "/v1/items/%fe%ff",
        "/v1/items/%zz",
        "/v1/items/%",
        "/v1/items/%4",
        "/v1/items/%g1",
        "/v1/items/%-1",
        "/v1/items/% 1",
        "/v1/items/é",
        "/v1/items/\u{ff0f}",
        "/v1/items/e%cc%81",
        "/v1/items/%c2%85",
        "/v1/items/%c2%80",
        "/v1/items/\u{2028}",
    ] {
        table.refuse(400, path, get(path) + SMUGGLED);
    }
    for (path, target) in [
        ("/v1/items/%c3%a9", "/items/%C3%A9"),
        ("/v1/items/%31", "/items/1"),
        ("/v1/items/%7e", "/items/~"),
        ("/v1/items/%ef%bc%8fa", "/items/%EF%BC%8Fa"),
        ("/v1/items/a%20b", "/items/a%20b"),
        ("/v1/items/%E2%84%AA", ""),
    ] {
        // The Kelvin sign is not in normal form C.
        if target.is_empty() {
            table.refuse(400, path, get(path));
        } else {
            table.serve(path, get(path), &[Sees::Target(target.into())]);
        }
    }
    table.cases
}

/// The base path is taken off the path that was judged.
fn t31() -> Vec<Case> {
    let mut table = Table::new("T31");
    for (path, target) in [
        ("/v1/items/v1", "/items/v1"),
        ("/%76%31/items/1", "/items/1"),
        ("/v%31/%69tems/%2541".replace("%2541", "%41").as_str(), "/items/A"),
        ("/v1/items/%76%31", "/items/v1"),
        ("/v1/items/a%3Fb", "/items/a%3Fb"),
        ("/v1/items/a%23b", "/items/a%23b"),
        ("/v1/items/http:", "/items/http:"),
        ("/v1/items/a%26b=c", "/items/a&b=c"),
        ("/v1/items/a?q=1", ""),
    ] {
        if target.is_empty() {
            table.deny(400, path, get(path));
        } else {
            table.serve(path, get(path), &[Sees::Target(target.into())]);
        }
    }
    table.cases
}

fn t32() -> Vec<Case> {
    let mut table = Table::new("T32");
    for query in [
        "q=a&q=b",
        "q=a&Q=b",
        "q=a&q%3D=b",
        "q=a&%71=b",
        "q[]=a",
        "q[0]=a",
        "q=a&admin=1",
        "admin=1",
        "Q=a",
        "q%00=a",
        "n=1&n=2",
        "n=1;n=2",
        "n=01",
        "n=+1",
        "n=1.0",
        "n=1e1",
        "n=-0",
        "n=101",
        "n=",
        "n=a",
        "n=%31%00",
        "_method=DELETE",
        "access_token=a",
        "access%5ftoken=a",
        "ACCESS_TOKEN=a",
        "tag=a&tag=b&tag=c&tag=d&tag=e&tag=f",
        "q=%ff",
        "q=%c0%ae",
        "q=%1b",
        "__proto__=1",
        "constructor=1",
        "q.a=1",
        "%20q=a",
        "q%20=a",
        "q+=a",
    ] {
        table.deny(400, query, get(&format!("/v1/search?{query}")));
    }
    let many = (0..101).map(|n| format!("tag=a{n}")).collect::<Vec<_>>().join("&");
    table.deny(400, "101 parameters", get(&format!("/v1/search?{many}")));
    table.refuse_any(&[400, 414], "10000 parameters", get(&format!("/v1/search?{}", "q=a&".repeat(10_000))));
    for (query, target) in [
        ("q=a%26admin%3d1", "/search?q=a%26admin%3D1"),
        ("q=a+b", "/search?q=a%20b"),
        ("q=a%20b", "/search?q=a%20b"),
        ("q=a;admin=1", "/search?q=a%3Badmin%3D1"),
        ("%71=a", "/search?q=a"),
        ("q=%C3%A9", "/search?q=%C3%A9"),
        ("q=a=b", "/search?q=a%3Db"),
        ("&&q=a&&", "/search?q=a"),
        ("q=%2541", "/search?q=%2541"),
        ("n=5", "/search?n=5"),
        ("q=a%23b", "/search?q=a%23b"),
        ("q=http%3A%2F%2Fa%2F", "/search?q=http://a/"),
    ] {
        table.serve(query, get(&format!("/v1/search?{query}")), &[Sees::Target(target.into())]);
    }
    table.serve(
        "fields are no parameters",
        head("GET /v1/search?q=a", "q: b\r\n"),
        &[Sees::Target("/search?q=a".into())],
    );
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    [t25(), t26_t27_t28(), t29(), t30(), t31(), t32()].concat()
}

#[test]
fn t25_t26_t27_t28_t29_t30_t31_t32_a_target_has_one_reading() {
    corpus::run(&all(), origin::echo);
}
