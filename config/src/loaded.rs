// SPDX-License-Identifier: Apache-2.0
//! What a checked configuration is: plain values, each valid by itself and with the others.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use portcullis_authorize::Declared;
use portcullis_contract::Contract;
use portcullis_decision::finding::Finding;
use portcullis_identity::IssuerConfig;
use portcullis_limit::{CountedBy, OperationLimit, Plan, PlanFrom, Rate};
use portcullis_pki::{ClientFiles, LeafFiles, Name};
use portcullis_proxy::{CircuitBreaker, Concurrency, HealthCheck, Http, Retry, UpstreamTlsFiles};
use portcullis_wire::CanonicalPath;

use crate::text::Sources;
use crate::values::Target;
use crate::waivers::Waivers;

/// A configuration without a refusal of its own or of its documents. The rules of objects are compiled by the caller;
/// [`Loaded::settle`] then weighs all findings together.
pub struct Loaded {
    /// The version of the contract, 1.
    pub version: u32,
    /// `listen`
    pub listen: Listen,
    /// `edge`
    pub edge: Edge,
    /// `identity`
    pub issuers: Vec<IssuerConfig>,
    /// `upstreams`, those written as an address in an API included.
    pub upstreams: Vec<Upstream>,
    /// `apis`; hosts and base paths do not overlap.
    pub apis: Vec<Api>,
    /// `plans` and `limits`
    pub limits: Limits,
    /// `idempotency`
    pub idempotency: Idempotency,
    /// `audit`
    pub audit: Audit,
    /// `data`
    pub data: PathBuf,
    /// `waivers`
    pub waivers: Waivers,
    /// What was found and does not refuse, waived findings left out.
    pub findings: Vec<Finding>,
    /// 12 hex digits of SHA-256 over the configuration, after variables, and every document and key set it reads.
    pub revision: String,
    /// The texts it was made of.
    pub sources: Sources,
    /// Every file it was made of, secrets included.
    pub files: Vec<PathBuf>,
}

/// Where clients and operators connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The listener of clients.
    pub public: SocketAddr,
    /// What clients call, without a trailing slash; `None`: scheme and listen address.
    pub public_url: Option<String>,
    /// Certificates, in the order of the file; empty: plain HTTP.
    pub tls: Vec<ListenTls>,
    /// Whether something in front of us speaks TLS.
    pub plaintext: Plaintext,
    /// The admin listener, on loopback; `None`: off.
    pub admin: Option<SocketAddr>,
}

/// One certificate of the public listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenTls {
    /// The certificate and its key.
    pub leaf: LeafFiles,
    /// `names`; empty: all of the certificate.
    pub names: Vec<Name>,
    /// `client_ca`, `client_certificate` and `crl`; `None`: no client certificates.
    pub clients: Option<ClientFiles>,
}

/// Why the public listener may go without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plaintext {
    /// It is on loopback.
    Loopback,
    /// `plaintext: behind_tls_terminator`
    BehindTlsTerminator,
    /// It does not: `tls` is there.
    Tls,
}

/// Caps that hold before anything is known about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// `head.max`
    pub head_bytes_max: usize,
    /// `head.fields`
    pub fields_max: usize,
    /// `head.timeout`
    pub head_timeout: Duration,
    /// `body.max`
    pub body_bytes_max: usize,
    /// `body.depth`
    pub body_depth_max: usize,
    /// `body.min_rate`, bytes per second.
    pub body_min_rate: u64,
    /// `body.timeout`
    pub body_timeout: Duration,
    /// `uri.max`
    pub uri_bytes_max: usize,
    /// `connections.max`
    pub connections_max: usize,
    /// `connections.per_address`
    pub connections_per_address: usize,
    /// `connections.requests`
    pub requests_per_connection: u32,
    /// `connections.idle`
    pub idle_timeout: Duration,
    /// `address_rate`
    pub address_rate: Rate,
}

/// A service behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name; that of the API where it is anonymous.
    pub name: Arc<str>,
    /// Where it is; at least one.
    pub targets: Vec<Target>,
    /// How it is spoken to; `None`: plain http.
    pub tls: Option<UpstreamTlsFiles>,
    /// What is spoken to it.
    pub http: Http,
    /// What it is told about the caller.
    pub identity: UpstreamIdentity,
    /// `timeout.connect`
    pub connect_timeout: Duration,
    /// `timeout.first_byte`
    pub first_byte_timeout: Duration,
    /// `timeout.total`
    pub total_timeout: Duration,
    /// `retry`
    pub retry: Retry,
    /// `circuit_breaker`; `None`: off.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// `concurrency`
    pub concurrency: Concurrency,
    /// `health`
    pub health: Option<HealthCheck>,
}

/// What an upstream is told about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamIdentity {
    /// Nothing.
    None,
    /// The subject, in this header.
    Header(HeaderName),
}

/// One protected API.
pub struct Api {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is mounted; `/` at the root.
    pub base_path: CanonicalPath,
    /// The hosts it answers for, lower case; empty: any.
    pub hosts: Vec<String>,
    /// Index of its upstream.
    pub upstream: usize,
    /// What it promises; operations with `exposed: false` are hidden in it.
    pub contract: Arc<Contract>,
    /// Who may touch what.
    pub declared: Declared,
    /// `response.max` in bytes.
    pub response_max: usize,
    /// Settings of its operations, by operation index.
    pub operations: Vec<OperationSettings>,
    /// The gateway-wide number of its first operation; the others follow.
    pub first_operation: usize,
}

/// What is asked of one operation beside its contract and its rules.
#[derive(Clone, Debug)]
pub struct OperationSettings {
    /// `public: true`
    pub public: bool,
    /// `exposed`; `false`: it does not exist.
    pub exposed: bool,
    /// Idempotency keys.
    pub idempotency: IdempotencyKeys,
    /// `body.max` in bytes, `edge.body.max` where nothing is said.
    pub body_bytes_max: usize,
    /// `limits`
    pub limits: Vec<OperationLimit>,
    /// `concurrency`
    pub concurrency: Option<NonZeroU32>,
}

/// Whether an operation takes idempotency keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdempotencyKeys {
    /// Not POST or PATCH: the header means nothing.
    Ignored,
    /// Used where sent.
    Honoured,
    /// No call without one.
    Required,
}

/// Plans, and the limits beside them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The plans; at least one.
    pub plans: Vec<Plan>,
    /// The plan of those without one.
    pub default_plan: Arc<str>,
    /// What plans are counted by.
    pub by: Vec<CountedBy>,
    /// Where a caller's plan stands; the issuer's `claims.plan` where nothing is said.
    pub plan_from: PlanFrom,
    /// Callers of public operations, by address.
    pub anonymous: Rate,
    /// Failed authentications of an address.
    pub authentication_failures: Rate,
}

/// How long answers to keyed requests are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// `keep`
    pub keep: Duration,
    /// `max_response` in bytes.
    pub response_bytes_max: usize,
    /// `unquoted_keys`
    pub unquoted_keys: bool,
}

/// The signed trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Where it is.
    pub directory: PathBuf,
    /// The signing key's file.
    pub key: AuditKey,
    /// How often it is sealed.
    pub checkpoint: Duration,
}

/// Where the signing key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditKey {
    /// Named by the operator: it must be there.
    Named(PathBuf),
    /// Beside the trail: made at first start, mode 0600.
    Default(PathBuf),
}

impl AuditKey {
    /// The file.
    pub fn path(&self) -> &PathBuf {
        match self {
            Self::Named(path) | Self::Default(path) => path,
        }
    }
}

impl Loaded {
    /// Weighs what the caller found besides (the rules of objects) with the waivers: waived findings go, waivers that
    /// nothing needed are PC0602. What remains and is [`Refuse`](portcullis_decision::finding::Severity::Refuse)
    /// stops the start.
    pub fn settle(&self, found: Vec<Finding>) -> Vec<Finding> {
        self.waivers.settle(self.findings.clone(), found)
    }
}
