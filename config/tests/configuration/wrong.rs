// SPDX-License-Identifier: Apache-2.0
//! Wrong configurations and what a person reads about each: a golden file per kind.
//!
//! `UPDATE_GOLDEN=1` writes them anew; read the difference before committing it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::scene::Scene;

const SMALLEST: &str = include_str!("documents/smallest.yaml");
const EVERYTHING: &str = include_str!("documents/everything.yaml");

/// A name, and what is replaced by what in the smallest file.
const SMALL: &[(&str, &str, &str)] = &[
    ("unknown word at the root", "limits:", "limit:"),
    ("unknown word of an API", "upstream: http", "upstrem: http"),
    ("unknown word of an object", "owner: /owner", "ownr: /owner"),
    ("word of a later version", "      Order: { id", "      Order: { relations: { shared: { at: /x } }, id"),
    ("section of a later version", "limits:", "telemetry: { otlp: x }\nlimits:"),
    ("value of a later version", "identity:", "identity:\n  sender_constrained: required"),
    ("duplicate key", "limits:", "listen: 127.0.0.1:1\nlimits:"),
    ("not YAML", "objects:", "objects: ["),
    ("tab indentation", "    openapi:", "\topenapi:"),
    ("version missing", "version: 1\n", ""),
    ("version of another contract", "version: 1", "version: 2"),
    ("version as text", "version: 1", "version: \"1\""),
    ("audience missing", "  audience: https://api.example.com\n", ""),
    ("audience blank", "https://api.example.com", "\"\""),
    ("audience empty list", "https://api.example.com", "[]"),
    ("issuer over plain http", "https://id.example.com", "http://id.example.com"),
    ("issuer with a password", "https://id.example.com", "https://u:p@id.example.com"),
    ("algorithms mixed", "  audience:", "  algorithms: [ES256, HS256]\n  audience:"),
    ("algorithm none", "  audience:", "  algorithms: [none]\n  audience:"),
    ("type any without a waiver", "  audience:", "  type: any\n  audience:"),
    ("secret inline", "  audience:", "  secret: hunter2hunter2\n  audience:"),
    ("secret variable unset", "  audience:", "  secret: { env: NOT_SET }\n  audience:"),
    ("secret too short", "  audience:", "  secret: { env: SHORT }\n  audience:"),
    (
        "secret and key set",
        "  audience:",
        "  jwks: https://id.example.com/k\n  secret: { env: MACHINE_SECRET }\n  audience:",
    ),
    ("key set with a weak key", "  audience:", "  jwks: { file: weak.json }\n  audience:"),
    ("key set missing", "  audience:", "  jwks: { file: absent.json }\n  audience:"),
    ("lifetime too long", "  audience:", "  lifetime: 30d\n  audience:"),
    ("public address without TLS", "127.0.0.1:8080", "0.0.0.0:8080"),
    ("listen on a name", "127.0.0.1:8080", "localhost:8080"),
    ("admin in public", "listen: 127.0.0.1:8080", "listen: { admin: 0.0.0.0:9443 }"),
    ("rate without a period", "100/min", "100"),
    ("rate of zero", "100/min", "0/min"),
    ("size without a unit", "limits:", "edge: { body: { max: 1048576 } }\nlimits:"),
    ("size of zero", "limits:", "edge: { body: { max: 0MiB } }\nlimits:"),
    ("duration without a unit", "limits:", "edge: { head: { timeout: 10 } }\nlimits:"),
    ("count of zero", "limits:", "edge: { head: { fields: 0 } }\nlimits:"),
    ("list instead of a section", "limits:\n  default: 100/min", "limits: [100/min]"),
    ("variable in the middle", "http://127.0.0.1:9000", "http://${HOST}:9000"),
    ("variable not set", "http://127.0.0.1:9000", "${UPSTREAM}"),
    ("document missing", "./orders.yaml", "./absent.yaml"),
    ("upstream unknown", "http://127.0.0.1:9000", "ordrs"),
    ("pointer without a slash", "owner: /owner", "owner: owner"),
    ("rule word unknown", "owner: /owner", "owner: /owner, rules: { read: [owner, rol:support] }"),
    ("rule word of properties", "owner: /owner", "owner: /owner, rules: { update: never }"),
    ("plan of a rule unknown", "owner: /owner", "owner: /owner, rules: { read: [plan:gold] }"),
    ("lookup unknown", "owner: /owner", "owner: /owner, lookup: getOrders"),
    ("lookup that writes", "owner: /owner", "owner: /owner, lookup: createOrder"),
    ("subject of a later version", "owner: /owner", "owner: /owner, subject: \"attribute:user_id\""),
    ("issuer of an object unknown", "owner: /owner", "owner: /owner, issuers: [customer]"),
    ("operation unknown", "identity:", "    operations: { listOrder: { concurrency: 1 } }\nidentity:"),
    (
        "operation public against the document",
        "identity:",
        "    operations: { listOrders: { public: true } }\nidentity:",
    ),
    (
        "limit by a body that is not there",
        "identity:",
        "    operations: { listOrders: { limits: [{ rate: 1/s, by: [\"body:/a\"] }] } }\nidentity:",
    ),
    ("idempotency of a GET", "identity:", "    operations: { listOrders: { idempotency: required } }\nidentity:"),
    ("body larger than the edge", "identity:", "    operations: { createOrder: { body: { max: 2MiB } } }\nidentity:"),
    ("hosts with a wildcard", "    objects:", "    hosts: [\"*.example.com\"]\n    objects:"),
    ("base path that climbs", "    objects:", "    base_path: /a/../b\n    objects:"),
    (
        "APIs that overlap",
        "identity:",
        "  copies: { openapi: ./orders.yaml, upstream: http://127.0.0.1:9001, base_path: /v2 }\nidentity:",
    ),
    ("default plan missing", "limits:\n  default: 100/min", "plans: { free: { rate: 1/s } }"),
    ("default plan unknown", "limits:\n", "limits:\n  default_plan: defalt\n"),
    ("tenants that nobody names", "limits:\n", "limits:\n  by: [tenant]\n"),
    ("audit key missing", "limits:", "audit: { key: { file: absent.key } }\nlimits:"),
    (
        "waiver of an unknown rule",
        "limits:",
        "waivers: [{ rule: PC9999, at: x, reason: r, owner: o, until: 2027-01-01 }]\nlimits:",
    ),
    (
        "waiver of what cannot be waived",
        "limits:",
        "waivers: [{ rule: PC0202, at: x, reason: r, owner: o, until: 2027-01-01 }]\nlimits:",
    ),
    (
        "waiver expired",
        "limits:",
        "waivers: [{ rule: PC0104, at: identity, reason: r, owner: o, until: 2026-11-22 }]\nlimits:",
    ),
    (
        "waiver without a reason",
        "limits:",
        "waivers: [{ rule: PC0104, at: identity, reason: \" \", owner: o, until: 2027-02-30 }]\nlimits:",
    ),
];

/// The same for the file with every word.
const LARGE: &[(&str, &str, &str)] = &[
    ("object with an empty list of issuers", "issuers: [customers]", "issuers: []"),
    ("targets with different paths", "9001/internal]", "9001/other]"),
    ("target twice", "9001/internal]", "9000/internal]"),
    ("retry budget above a tenth", "budget: 5%", "budget: 20%"),
    ("retry budget without attempts", "attempts: 2, ", ""),
    ("share without a unit", "failure_ratio: 40%", "failure_ratio: 0.4"),
    ("queue timeout without a queue", "queue: 50, ", ""),
    ("health check too often", "every: 2s", "every: 100ms"),
    ("health check without a path", "path: /healthz?deep=1, ", ""),
    ("priority above nine", "priority: 9", "priority: 10"),
    ("upstream over https and http", "http://127.0.0.1:9001/internal]", "https://127.0.0.1:9001/internal]"),
    ("tls of an upstream over http", "    timeout:", "    tls: { server_name: orders.internal }\n    timeout:"),
    ("header that means something else", "x-auth-subject", "authorization"),
    ("timeouts that contradict", "total: 4s", "total: 1s"),
    ("issuer twice", "http://127.0.0.1:4444", "https://id.example.com"),
    ("public operation with allow", "public: true,", "public: true, allow: [role:x],"),
    ("limit of a public operation by subject", "limits: [{ rate: 1/s }]", "limits: [{ rate: 1/s, by: [subject] }]"),
    (
        "touches none beside returns",
        "returns: { Order: \"/data/*\" }",
        "touches: none, returns: { Order: \"/data/*\" }",
    ),
    ("operation written twice", "GET /orders/{orderId}: { exposed: true }", "GET /orders: { exposed: true }"),
    ("strict durability", "durability: committed", "durability: strict"),
];

fn scene() -> Scene {
    let scene = Scene::new().with("SHORT", "too-short");
    scene.write("audit.key", "key");
    let weak = format!(r#"{{"keys": [{{"kty": "RSA", "kid": "old", "e": "AQAB", "n": "{}"}}]}}"#, "v".repeat(171));
    scene.write("weak.json", &weak);
    scene
}

#[test]
fn wrong_configurations_read_as_recorded() {
    let scene = scene();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configuration/wrong");
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut faults = String::new();
    let cases = SMALL.iter().map(|case| (SMALLEST, case)).chain(LARGE.iter().map(|case| (EVERYTHING, case)));
    for (text, (name, from, to)) in cases {
        assert!(text.contains(from), "{name}: the file does not hold `{from}`");
        let shown = scene.refused(&text.replacen(from, to, 1));
        let file = folder.join(format!("{}.txt", name.replace(' ', "_")));
        if update {
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(&file, &shown).expect("written");
        }
        let recorded = fs::read_to_string(&file).unwrap_or_default();
        if recorded != shown {
            let _ = writeln!(faults, "== {name}\n-- recorded\n{recorded}-- now\n{shown}");
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

#[test]
fn every_fault_of_a_file_is_reported_at_once() {
    let text = "version: 2\nlisten: here\nidentity: { isuer: x }\napis: { a: { openapi: no.yaml } }\nlimits: { default: fast }\n";
    let shown = scene().refused(text);
    for part in ["1:10", "2:9", "3:13", "4:", "5:20"] {
        assert!(shown.contains(&format!("--> portcullis.yaml:{part}")), "{part} is missing:\n{shown}");
    }
}

#[test]
fn no_secret_stands_in_a_finding() {
    let shown = scene().refused(&SMALLEST.replace("  audience:", "  secret: hunter2hunter2\n  audience:"));
    assert!(shown.contains("PC0401") && !shown.contains("hunter2"), "{shown}");
    let shown = scene().refused(&SMALLEST.replace("https://id", "https://admin:hunter2@id"));
    assert!(shown.contains("PC0401") && !shown.contains("hunter2"), "{shown}");
}
