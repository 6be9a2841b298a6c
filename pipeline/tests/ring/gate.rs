// SPDX-License-Identifier: Apache-2.0
//! A gate in front of the orders API, as the command line would build it, and its client.

pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod origin;
mod rules;
pub(crate) mod tokens;

use http::HeaderName;
use origin::Fake;
use portcullis_audit::{Journal, JournalConfig, Signer, query};
use portcullis_authorize::{Validate, compile};
use portcullis_decision::{Clock, ManualClock};
use portcullis_limit::idempotency::{Store, StoreConfig};
use portcullis_limit::{
    BusinessConfig, BusinessLimiter, CountedBy, EdgeConfig, EdgeLimiter, OperationLimit, OperationLimits, Plan,
    PlanConfig, PlanFrom, PlanLimiter, Rate,
};
use portcullis_pipeline::{Api, Gate, Idempotency, Lane, OperationSettings, UpstreamIdentity};
use portcullis_wire::json::JsonLimits;
use portcullis_wire::{CanonicalPath, HeadLimits, Reserved};
use serde_json::Value;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const HOST: &str = "api.example.com";
pub(crate) const PUBLIC_URL: &str = "https://api.example.com";
pub(crate) const UPSTREAM: &str = "http://10.0.0.7:9000";
/// Largest request body.
pub(crate) const BODY_BYTES_MAX: usize = 1024;
/// Largest answer that is judged.
pub(crate) const ANSWER_BYTES_MAX: usize = 4096;
const DEPTH_MAX: usize = 8;

/// What a test changes of the gate.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) base_path: Option<&'static str>,
    pub(crate) upstream_path: &'static str,
    pub(crate) plan_count: u32,
    pub(crate) plan_concurrency: Option<u32>,
    pub(crate) address_count: u32,
    pub(crate) failures_count: u32,
    pub(crate) queue_max: usize,
    pub(crate) answer_bytes_kept_max: usize,
    pub(crate) validate: Validate,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            base_path: None,
            upstream_path: "",
            plan_count: 1000,
            plan_concurrency: None,
            address_count: 1000,
            failures_count: 100,
            queue_max: 64,
            answer_bytes_kept_max: 64 * 1024,
            validate: Validate::default(),
        }
    }
}

/// A gate, its origin and its trail.
pub(crate) struct Stand {
    pub(crate) gate: Arc<Gate>,
    pub(crate) lane: Lane,
    pub(crate) origin: Fake,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<ManualClock>,
    directory: tempfile::TempDir,
}

fn rate(count: u32) -> Rate {
    Rate { count: NonZeroU32::new(count).unwrap(), per: Duration::from_mins(1), burst: None }
}

impl Stand {
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let manual = Arc::new(ManualClock::at(Duration::from_secs(tokens::NOW)));
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&manual);
        let directory = tempfile::tempdir().unwrap();
        let journal = portcullis_audit::open(JournalConfig {
            directory: directory.path().join("audit"),
            signer: Signer::generate("gate.example.com").unwrap(),
            checkpoint_every: Duration::from_mins(1),
            queue_max: setup.queue_max,
            clock: Arc::clone(&clock),
        })
        .unwrap();
        let gate = Arc::new(gate(&setup, &clock, journal.clone()));
        let (lane, relay) = gate.lane();
        tokio::runtime::Handle::current().spawn(relay);
        Self { gate, lane, origin: Fake::new(), journal, clock: manual, directory }
    }

    /// Records written so far: of every request that was answered.
    pub(crate) fn records(&self) -> Vec<Value> {
        let entries = query::newest(&self.audit_directory(), 1000).unwrap();
        let parsed = entries.iter().map(|entry| serde_json::from_str::<Value>(&entry.json).unwrap());
        parsed.filter(|value| value["schema"] == portcullis_audit::RECORD_SCHEMA).collect()
    }

    /// Every record of every request that began: closes the trail.
    pub(crate) fn final_records(&self) -> Vec<Value> {
        self.journal.close(Duration::from_secs(5)).unwrap();
        self.records()
    }

    pub(crate) fn audit_directory(&self) -> std::path::PathBuf {
        self.directory.path().join("audit")
    }
}

fn gate(setup: &Setup, clock: &Arc<dyn Clock>, journal: Journal) -> Gate {
    let api = api(setup);
    let names = api.contract.operations.iter().map(|operation| Arc::clone(&operation.id));
    let limits: Vec<OperationLimits> = names.map(limits_of).collect();
    let plan = PlanConfig {
        plans: vec![Plan {
            name: "free".into(),
            rate: rate(setup.plan_count),
            concurrency: setup.plan_concurrency.and_then(NonZeroU32::new),
            priority: 7,
        }],
        default_plan: "free".into(),
        by: vec![CountedBy::Subject],
        plan_from: PlanFrom::Default,
        anonymous: None,
        operations: limits.clone(),
        entries_max: 1000,
    };
    let edge = EdgeConfig {
        address_rate: rate(setup.address_count),
        authentication_failures: rate(setup.failures_count),
        entries_max: 1000,
    };
    let business = BusinessConfig { operations: limits, entries_max: 1000 };
    let kept = StoreConfig { response_bytes_max: setup.answer_bytes_kept_max, ..StoreConfig::default() };
    Gate {
        revision: "0123456789ab".into(),
        public_url: PUBLIC_URL.into(),
        public_scheme: "https",
        clock: Arc::clone(clock),
        head_limits: HeadLimits::default(),
        reserved: Reserved::new(&[HeaderName::from_static("x-user-id")]),
        json_limits: JsonLimits { depth_max: DEPTH_MAX, nodes_max: 1000 },
        apis: vec![api],
        authenticator: Arc::new(tokens::authenticator(Arc::clone(clock))),
        edge: Arc::new(EdgeLimiter::new(edge, Arc::clone(clock))),
        plan: Arc::new(PlanLimiter::new(plan, Arc::clone(clock)).unwrap()),
        business: Arc::new(BusinessLimiter::new(business, Arc::clone(clock)).unwrap()),
        idempotency: Arc::new(Store::new(kept, Arc::clone(clock))),
        unquoted_keys: false,
        journal,
        strict_transport_security: None,
    }
}

/// Two attempts a minute for each name.
fn limits_of(name: Arc<str>) -> OperationLimits {
    let by_name = OperationLimit { rate: rate(2), by: vec!["body:/username".parse().unwrap()] };
    let limits = if &*name == "login" { vec![by_name] } else { Vec::new() };
    OperationLimits { api: "orders".into(), name, limits, concurrency: None }
}

fn api(setup: &Setup) -> Api {
    let contract = rules::contract();
    let declared = rules::declared(&contract, ANSWER_BYTES_MAX);
    let declared = portcullis_authorize::Declared { validate: setup.validate, ..declared };
    let compiled = compile(Arc::clone(&contract), declared);
    let authorizer = compiled.authorizer;
    let operations = contract.operations.iter().enumerate().map(|(number, operation)| {
        let mut needs = authorizer.needs(operation.index);
        needs.request_body |= &*operation.id == "login";
        assert!(authorizer.served(operation.index), "{}: {:?}", operation.id, compiled.findings);
        OperationSettings {
            name: format!("orders#{}", operation.id).into(),
            number,
            public: matches!(&*operation.id, "status" | "login"),
            idempotency: match &*operation.id {
                "pay" => Idempotency::Required,
                "createOrder" | "updateOrder" | "login" | "upload" => Idempotency::Honoured,
                _ => Idempotency::Ignored,
            },
            body_bytes_max: BODY_BYTES_MAX,
            needs,
            served: true,
        }
    });
    let operations = operations.collect();
    Api {
        name: "orders".into(),
        hosts: vec![HOST.to_owned()],
        base_path: setup.base_path.map(|path| CanonicalPath::parse(path).unwrap()),
        contract: Arc::clone(&contract),
        authorizer,
        upstream: 0,
        upstream_name: "orders".into(),
        upstream_origins: vec![UPSTREAM.into()],
        upstream_path: setup.upstream_path.into(),
        upstream_identity: UpstreamIdentity::Header(HeaderName::from_static("x-user-id")),
        operations,
        answer_bytes_max: ANSWER_BYTES_MAX,
    }
}
