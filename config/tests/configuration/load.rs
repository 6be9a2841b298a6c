// SPDX-License-Identifier: Apache-2.0
//! Files that load, and what becomes of them.

use std::net::SocketAddr;
use std::time::Duration;

use crate::scene::Scene;
use portcullis_authorize::{DenyAs, Strictness, SubjectSource, UnknownResponse, Validate, Word};
use portcullis_config::{AuditKey, Environment, IdempotencyKeys, Plaintext, UpstreamIdentity, load, schema};
use portcullis_contract::RouteMatch;
use portcullis_decision::ManualClock;
use portcullis_decision::finding::Severity;
use portcullis_identity::{Algorithm, KeySource, LIFETIME_DEFAULT, TokenType};
use portcullis_limit::{CountedBy, PlanFrom, Rate};
use portcullis_proxy::{CircuitBreaker, Concurrency, HealthCheck, Per, Retry};
use portcullis_wire::CanonicalPath;

const SMALLEST: &str = include_str!("documents/smallest.yaml");
const EVERYTHING: &str = include_str!("documents/everything.yaml");

fn rate(text: &str) -> Rate {
    text.parse().expect("a rate")
}

#[test]
fn the_smallest_useful_file_loads_with_every_default() {
    let scene = Scene::new();
    let loaded = scene.load(SMALLEST);
    assert_eq!(loaded.listen.public, SocketAddr::from(([127, 0, 0, 1], 8080)));
    assert_eq!(loaded.listen.admin, Some(SocketAddr::from(([127, 0, 0, 1], 9443))));
    assert_eq!((loaded.listen.public_url.as_deref(), loaded.listen.plaintext), (None, Plaintext::Loopback));
    let edge = &loaded.edge;
    assert_eq!((edge.head_bytes_max, edge.fields_max, edge.uri_bytes_max), (32 * 1024, 100, 8 * 1024));
    assert_eq!((edge.body_bytes_max, edge.body_depth_max, edge.body_min_rate), (1024 * 1024, 32, 1024));
    assert_eq!(
        (edge.connections_max, edge.connections_per_address, edge.requests_per_connection),
        (10_000, 100, 1_000)
    );
    assert_eq!([edge.head_timeout, edge.body_timeout, edge.idle_timeout].map(|d| d.as_secs()), [10, 30, 30]);
    assert_eq!(edge.address_rate, rate("100/s"));
    let [issuer] = &loaded.issuers[..] else { panic!("one issuer") };
    assert_eq!((&*issuer.name, &*issuer.issuer), ("default", "https://id.example.com"));
    assert_eq!(issuer.audiences, ["https://api.example.com"]);
    assert_eq!(
        (issuer.token_type, issuer.lifetime_max, issuer.leeway),
        (TokenType::AccessToken, LIFETIME_DEFAULT, Duration::from_secs(30))
    );
    assert!(matches!(issuer.keys, KeySource::Discovery) && !issuer.algorithms.contains(&Algorithm::Rs256));
    let [upstream] = &loaded.upstreams[..] else { panic!("one upstream") };
    assert_eq!(
        (&*upstream.name, &*upstream.targets[0].origin, &*upstream.targets[0].path),
        ("orders", "http://127.0.0.1:9000", "")
    );
    assert_eq!(upstream.identity, UpstreamIdentity::None);
    assert_eq!(
        (upstream.circuit_breaker, upstream.concurrency, upstream.retry, &upstream.health),
        (Some(CircuitBreaker::default()), Concurrency::default(), Retry::default(), &None)
    );
    assert_eq!(
        [upstream.connect_timeout, upstream.first_byte_timeout, upstream.total_timeout].map(|d| d.as_secs()),
        [1, 5, 15]
    );
    let [api] = &loaded.apis[..] else { panic!("one API") };
    assert_eq!((api.base_path.as_str(), api.hosts.len(), api.response_max), ("/", 0, 1024 * 1024));
    assert_eq!(api.declared.unknown_response, UnknownResponse::Drop);
    let object = &api.declared.objects[0];
    assert_eq!((&object.subject, object.deny_as, object.place.line), (&SubjectSource::Sub, DenyAs::NotFound, 8));
    let limits = &loaded.limits;
    assert_eq!((&*limits.default_plan, limits.plans.len(), limits.plans[0].rate), ("default", 1, rate("100/min")));
    assert_eq!((limits.anonymous, limits.authentication_failures), (rate("100/min"), rate("60/min")));
    assert_eq!((&limits.by[..], &limits.plan_from), (&[CountedBy::Subject][..], &PlanFrom::Identity));
    assert_eq!((loaded.idempotency.keep.as_secs(), loaded.idempotency.response_bytes_max), (86_400, 256 * 1024));
    assert_eq!(loaded.data, scene.path("./portcullis-data"));
    assert_eq!(loaded.audit.directory, loaded.data.join("audit"));
    assert_eq!(loaded.audit.key, AuditKey::Default(loaded.data.join("audit.key")));
    assert_eq!(loaded.audit.checkpoint, Duration::from_secs(1));
    assert!(loaded.revision.len() == 12 && loaded.revision.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(loaded.findings.iter().all(|finding| finding.severity < Severity::Refuse));
}

#[test]
fn every_word_this_version_obeys_arrives_where_it_belongs() {
    let scene = Scene::new();
    scene.write("audit.key", "key");
    let loaded = scene.load(EVERYTHING);
    assert_eq!(loaded.listen.public_url.as_deref(), Some("https://api.example.com"));
    assert_eq!(
        (loaded.listen.admin.map(|a| a.port()), loaded.listen.plaintext),
        (Some(0), Plaintext::BehindTlsTerminator)
    );
    let edge = &loaded.edge;
    assert_eq!((edge.head_bytes_max, edge.fields_max, edge.head_timeout.as_secs()), (16 * 1024, 50, 5));
    assert_eq!((edge.body_bytes_max, edge.body_depth_max, edge.body_min_rate), (2 * 1024 * 1024, 16, 2048));
    assert_eq!((edge.body_timeout.as_secs(), edge.uri_bytes_max, edge.idle_timeout.as_secs()), (20, 4096, 15));
    assert_eq!((edge.connections_max, edge.connections_per_address, edge.requests_per_connection), (500, 50, 100));
    let [customers, machines] = &loaded.issuers[..] else { panic!("two issuers") };
    assert!(matches!(&customers.keys, KeySource::Url(url) if url == "https://id.example.com/keys.json"));
    assert_eq!(
        (customers.algorithms.as_slice(), customers.leeway),
        (&[Algorithm::Es256, Algorithm::EdDsa][..], Duration::ZERO)
    );
    assert_eq!((&*customers.claims.scope, &*customers.claims.roles), ("scp", "realm_access.roles"));
    assert_eq!((customers.claims.tenant.as_deref(), customers.claims.plan.as_deref()), (Some("org_id"), Some("plan")));
    assert!(matches!(&machines.keys, KeySource::Hmac(secret) if secret.expose().len() == 32));
    assert_eq!(machines.algorithms, [Algorithm::Hs256]);
    let upstream = &loaded.upstreams[0];
    assert_eq!(
        (&*upstream.targets[0].path, upstream.targets[1].port, upstream.connect_timeout.as_millis()),
        ("/internal", 9001, 500)
    );
    assert_eq!(upstream.retry, Retry { attempts: 2, budget_percent: 5 });
    let breaker = CircuitBreaker {
        per: Per::Target,
        consecutive_failures: 7,
        failure_percent: 40,
        requests_min: 30,
        open: Duration::from_secs(3),
    };
    assert_eq!(upstream.circuit_breaker, Some(breaker));
    let queue_timeout = Duration::from_millis(100);
    assert_eq!(upstream.concurrency, Concurrency { max: 200, queue: 50, queue_timeout, adaptive: true });
    assert_eq!(upstream.health, Some(HealthCheck { path: "/healthz?deep=1".into(), every: Duration::from_secs(2) }));
    assert!(matches!(&upstream.identity, UpstreamIdentity::Header(name) if name == "x-auth-subject"));
    assert!(loaded.reserved().contains(&"x-auth-subject".parse().expect("a name")));
    let api = &loaded.apis[0];
    assert_eq!((api.base_path.as_str(), &*api.hosts[0], api.response_max), ("/v1", "api.example.com", 512 * 1024));
    let object = &api.declared.objects[0];
    assert_eq!((&object.subject, object.deny_as), (&SubjectSource::Claim("uid".into()), DenyAs::Forbidden));
    assert_eq!(object.rules.read.as_ref().map(|rule| rule.words.len()), Some(3));
    assert_eq!(object.rules.create.as_ref().map(|rule| rule.words.clone()), Some(vec![Word::Authenticated]));
    assert_eq!(api.declared.properties[0].write, Some(vec![Word::Never]));
    let operation = |name: &str| {
        let index = api.contract.find(name).expect("it is there");
        (&api.operations[index.to_usize()], api.declared.operations.get(&index))
    };
    let (create, declared) = operation("createOrder");
    assert_eq!((create.idempotency, create.body_bytes_max), (IdempotencyKeys::Required, 8192));
    assert_eq!(create.limits[0].by, [CountedBy::Body("/item".into()), CountedBy::Address]);
    assert_eq!((create.limits[1].by.as_slice(), create.limits[0].rate), (&[CountedBy::Subject][..], rate("5/15m")));
    assert_eq!(declared.map(|d| d.carries.len()), Some(1));
    let (statistics, declared) = operation("statistics");
    assert_eq!((statistics.public, statistics.limits[0].by.as_slice()), (true, &[CountedBy::Address][..]));
    assert!(declared.is_some_and(|d| d.touches_none && d.public));
    assert_eq!(operation("listOrders").0.concurrency.map(std::num::NonZeroU32::get), Some(4));
    assert_eq!(operation("getOrder").0.idempotency, IdempotencyKeys::Ignored);
    let plans = loaded.plan_config();
    assert_eq!((plans.operations.len(), plans.plan_from), (api.operations.len(), PlanFrom::Claim("tier".into())));
    assert_eq!(plans.plans.iter().map(|plan| plan.priority).collect::<Vec<_>>(), [9, 5]);
    assert_eq!(plans.by, [CountedBy::Subject, CountedBy::Tenant]);
    assert_eq!(loaded.limits.anonymous, rate("20/min"));
    assert!(loaded.idempotency.unquoted_keys);
    assert_eq!((loaded.audit.key.path(), loaded.audit.checkpoint.as_secs()), (&scene.path("./audit.key"), 2));
    assert_eq!(loaded.data, scene.path("./state"));
}

#[test]
fn a_waiver_that_silences_nothing_is_reported_once_everything_is_known() {
    let scene = Scene::new();
    scene.write("audit.key", "key");
    let loaded = scene.load(EVERYTHING);
    let settled = loaded.settle(Vec::new());
    let unused: Vec<_> = settled.iter().filter(|finding| finding.rule == Some("PC0602")).collect();
    assert_eq!(unused.len(), 1);
    assert_eq!(unused[0].severity, Severity::Refuse);
}

#[test]
fn a_waiver_lets_tokens_of_any_type_in_and_leaves_no_finding() {
    let any = SMALLEST.replace("  audience:", "  type: any\n  audience:");
    let waiver =
        "waivers: [{ rule: PC0104, at: identity, reason: old issuer, owner: identity-team, until: 2026-11-23 }]\n";
    let loaded = Scene::new().load(&format!("{any}{waiver}"));
    assert_eq!(loaded.issuers[0].token_type, TokenType::Any);
    assert!(loaded.settle(Vec::new()).iter().all(|finding| !matches!(finding.rule, Some("PC0104" | "PC0602"))));
}

#[test]
fn the_revision_follows_meaning_and_not_form() {
    let scene = Scene::new();
    let revision = |text: &str| scene.load(text).revision;
    let first = revision(SMALLEST);
    assert_eq!(first, revision(&format!("# a comment\n{SMALLEST}")));
    assert_ne!(first, revision(&SMALLEST.replace("100/min", "101/min")));
    scene.write("orders.yaml", &(include_str!("documents/orders.yaml").to_owned() + "\n"));
    assert_ne!(first, revision(SMALLEST), "the document is part of it");
}

#[test]
fn a_variable_stands_for_a_whole_value_and_is_never_shown() {
    let scene = Scene::new().with("LISTEN", "127.0.0.1:7070").with("RATE", "hunter2/min").with("FIELDS", "77");
    let text = SMALLEST.replace("127.0.0.1:8080", "${LISTEN}") + "edge: { head: { fields: \"${FIELDS}\" } }\n";
    let loaded = scene.load(&text);
    assert_eq!((loaded.listen.public.port(), loaded.edge.fields_max), (7070, 77));
    let refused = scene.refused(&SMALLEST.replace("100/min", "${RATE}"));
    assert!(refused.contains("`${RATE}` cannot be used here") && !refused.contains("hunter2"), "{refused}");
    // The parser of pointers repeats what it was given; what is shown does not.
    let refused = scene.refused(&SMALLEST.replace("owner: /owner", "owner: \"${RATE}\""));
    assert!(refused.contains("`${RATE}` is not a JSON pointer") && !refused.contains("hunter2"), "{refused}");
}

#[test]
fn under_systemd_the_state_directory_holds_the_data() {
    let loaded = Scene::new().with("STATE_DIRECTORY", "/var/lib/portcullis:/other").load(SMALLEST);
    assert_eq!(loaded.audit.directory, std::path::Path::new("/var/lib/portcullis/audit"));
}

#[test]
fn a_secret_comes_from_a_file_or_from_the_credentials_directory() {
    let scene = Scene::new();
    scene.write("hmac.txt", "0123456789abcdef0123456789abcdef-file\r\n");
    let directory = scene.path("").display().to_string();
    let scene = scene.with("CREDENTIALS_DIRECTORY", &directory);
    for (source, length) in
        [("{ file: hmac.txt }", 37), ("{ credential: hmac.txt }", 37), ("{ env: MACHINE_SECRET }", 32)]
    {
        let loaded = scene.load(&SMALLEST.replace("  audience:", &format!("  secret: {source}\n  audience:")));
        let KeySource::Hmac(secret) = &loaded.issuers[0].keys else { panic!("a shared secret") };
        assert_eq!(secret.expose().len(), length, "{source}");
    }
    let shown = scene.refused(&SMALLEST.replace("  audience:", "  secret: { credential: ../hmac.txt }\n  audience:"));
    assert!(shown.contains("a name, not a path"), "{shown}");
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_its_name() {
    let scene = Scene::new();
    let environment = Environment { variable: &|_| None, clock: &ManualClock::at(Duration::ZERO) };
    for (path, part) in
        [("absent.yaml", "cannot be read"), ("", "is no file"), ("broken.yaml", "is not UTF-8: byte 3 ")]
    {
        std::fs::write(scene.path("broken.yaml"), b"a: \xff").expect("written");
        let refused = load(&scene.path(path), &environment).err().expect("refused");
        let [finding] = &refused.findings[..] else { panic!("one finding: {refused}") };
        assert!(finding.message.contains(part) && finding.place.is_some(), "{finding}");
    }
    let shown = scene.refused(&SMALLEST.replace("./orders.yaml", "/dev/zero"));
    assert!(shown.contains("`/dev/zero` is no file"), "{shown}");
}

#[test]
fn a_file_is_loaded_from_where_it_stands() {
    let scene = Scene::new();
    scene.write("portcullis.yaml", SMALLEST);
    let environment = Environment { variable: &|_| None, clock: &ManualClock::at(Duration::ZERO) };
    let loaded = load(&scene.path("portcullis.yaml"), &environment).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(loaded.apis[0].contract.operations.len(), 5);
}

#[test]
fn an_operation_that_is_not_exposed_is_not_found() {
    let text = SMALLEST.replace("identity:", "    operations: { getOrder: { exposed: false } }\nidentity:");
    let loaded = Scene::new().load(&text);
    let path = CanonicalPath::parse("/orders/7").expect("a path");
    let contract = &loaded.apis[0].contract;
    assert!(matches!(contract.route(&http::Method::GET, &path), RouteMatch::Unknown));
    assert!(matches!(contract.route(&http::Method::DELETE, &path), RouteMatch::Operation(..)));
}

#[test]
fn the_schema_accepts_what_loads_and_no_word_of_a_later_version() {
    let validator = jsonschema::validator_for(&schema()).expect("a schema");
    let value = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).expect("YAML");
    for text in [SMALLEST, EVERYTHING] {
        let faults: Vec<String> =
            validator.iter_errors(&value(text)).map(|e| format!("{} {e}", e.instance_path())).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
    for wrong in ["telemetry: {}", "limit: 1", "edge: { body: { max: 0MiB } }", "audit: { durability: strict }"] {
        assert!(!validator.is_valid(&value(&format!("{SMALLEST}{wrong}\n"))), "{wrong}");
    }
}

#[test]
fn a_schema_that_is_only_observed_is_told() {
    let observe = "    validate: { request: observe, response: strict }\nidentity:";
    let loaded = Scene::new().load(&SMALLEST.replace("identity:", observe));
    let Validate { request, response } = loaded.apis[0].declared.validate;
    assert_eq!((request, response), (Strictness::Observe, Strictness::Strict));
    let told: Vec<_> = loaded.findings.iter().filter(|f| f.severity >= Severity::Medium).collect();
    let [finding] = &told[..] else { panic!("{told:?}") };
    assert_eq!((finding.severity, &*finding.at), (Severity::Medium, "apis.orders.validate.request"));
    assert_eq!(
        finding.to_string(),
        "portcullis.yaml:9:26: `observe`: requests that break their schema reach the upstream"
    );
    let both = "    validate: { request: observe, response: observe }\nidentity:";
    let loaded = Scene::new().load(&SMALLEST.replace("identity:", both));
    assert_eq!(loaded.apis[0].declared.validate.response, Strictness::Observe);
    assert_eq!(loaded.findings.iter().filter(|f| f.severity == Severity::Medium).count(), 2);
    assert_eq!(Scene::new().load(SMALLEST).apis[0].declared.validate, Validate::default());
}
