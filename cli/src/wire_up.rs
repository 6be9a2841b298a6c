// SPDX-License-Identifier: Apache-2.0
//! Builds every object from a checked configuration. The one place that knows all crates.

use crate::keys::host_name;
use anyhow::{Context, Result};
use http::{HeaderName, HeaderValue};
use portcullis_audit::{Journal, JournalConfig, Signer};
use portcullis_authorize::{self as authorize, Compiled};
use portcullis_config::{self as config, AuditKey, IdempotencyKeys, Loaded};
use portcullis_decision::fetch::Fetch;
use portcullis_decision::finding::Finding;
use portcullis_decision::{Clock, SystemClock};
use portcullis_identity::Authenticator;
use portcullis_limit::idempotency::Store;
use portcullis_limit::{BusinessLimiter, EdgeLimiter, PlanLimiter};
use portcullis_pipeline::{self as pipeline, Gate};
use portcullis_proxy as proxy;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Requests that may be waiting for their record at once; more are refused with 503 `gate.overloaded`.
const JOURNAL_QUEUE_MAX: usize = 65_536;

/// The system's clocks, shared by everything.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// Compiles the rules of every API; what they find belongs to `check` as much as to `run`.
pub(crate) fn compile(loaded: &Loaded) -> (Vec<Compiled>, Vec<Finding>) {
    let mut found = Vec::new();
    let compiled: Vec<Compiled> = loaded
        .apis
        .iter()
        .map(|api| {
            let mut compiled = authorize::compile(Arc::clone(&api.contract), api.declared.clone());
            found.append(&mut compiled.findings);
            compiled
        })
        .collect();
    (compiled, found)
}

/// Opens the trail, making its key at the first start where the operator named none.
pub(crate) fn open_journal(loaded: &Loaded, clock: &Arc<dyn Clock>) -> Result<Journal> {
    let path = loaded.audit.key.path();
    let signer = match &loaded.audit.key {
        AuditKey::Default(path) if !path.exists() => {
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).with_context(|| format!("making `{}`", parent.display()))?;
            }
            let signer = Signer::generate(&host_name())?;
            signer.save(path).with_context(|| format!("writing the audit key `{}`", path.display()))?;
            signer
        }
        AuditKey::Default(_) | AuditKey::Named(_) => {
            Signer::load(path).with_context(|| format!("reading the audit key `{}`", path.display()))?
        }
    };
    portcullis_audit::open(JournalConfig {
        directory: loaded.audit.directory.clone(),
        signer,
        checkpoint_every: loaded.audit.checkpoint,
        queue_max: JOURNAL_QUEUE_MAX,
        clock: Arc::clone(clock),
    })
    .with_context(|| format!("opening the audit trail `{}`", loaded.audit.directory.display()))
}

/// ASVS 3.4.1: a year, with what is below.
const STRICT_TRANSPORT_SECURITY: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// The certificates of the public listener, as its own entries; none: plain HTTP.
pub(crate) fn tls_entries(loaded: &Loaded) -> Vec<proxy::TlsEntry> {
    let entry = |entry: &config::ListenTls| proxy::TlsEntry {
        leaf: entry.leaf.clone(),
        names: entry.names.clone(),
        clients: entry.clients.clone(),
    };
    loaded.listen.tls.iter().map(entry).collect()
}

/// Reads the certificates of the public listener.
pub(crate) fn tls(loaded: &Loaded, clock: &Arc<dyn Clock>) -> Result<Option<Arc<proxy::TlsListener>>> {
    let entries = tls_entries(loaded);
    if entries.is_empty() {
        return Ok(None);
    }
    Ok(Some(proxy::TlsListener::load(entries, Arc::clone(clock)).context("the certificates of `listen.public.tls`")?))
}

/// What a gate is built from beside the configuration.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journal: Journal,
    pub(crate) fetch: Arc<dyn Fetch>,
    /// Answers kept for repeats, whatever configuration is in force.
    pub(crate) kept: Arc<Store>,
    /// The address clients reach, once it is bound.
    pub(crate) public: SocketAddr,
    /// Threads that serve.
    pub(crate) cores: NonZeroUsize,
}

/// What clients call.
fn public_url(loaded: &Loaded, public: SocketAddr) -> String {
    loaded.listen.public_url.clone().unwrap_or_else(|| {
        let scheme = if loaded.listen.tls.is_empty() { "http" } else { "https" };
        format!("{scheme}://{public}")
    })
}

/// Who verifies credentials; takes the issuers, whose secrets exist once.
pub(crate) fn authenticator(
    loaded: &mut Loaded,
    public: SocketAddr,
    (fetch, clock): (Arc<dyn Fetch>, Arc<dyn Clock>),
    previous: Option<&Authenticator>,
) -> Result<Arc<Authenticator>> {
    let resource = public_url(loaded, public);
    let identity = loaded.take_identity_config(resource);
    Ok(Arc::new(Authenticator::succeeding(previous, identity, fetch, clock)?))
}

/// Builds the gate and its upstreams. What was counted, kept, verified and pooled under `previous` goes on.
pub(crate) fn build(
    loaded: &Loaded,
    compiled: Vec<Compiled>,
    authenticator: Arc<Authenticator>,
    parts: &Parts,
    previous: Option<&proxy::Revision>,
) -> Result<proxy::Revision> {
    let Parts { clock, journal, kept, public, cores, .. } = parts.clone();
    let before = previous.map(|previous| &*previous.gate);
    let public_url: Arc<str> = public_url(loaded, public).into();
    let plan = Arc::new(PlanLimiter::succeeding(before.map(|g| &*g.plan), loaded.plan_config(), Arc::clone(&clock))?);
    let business = before.map(|g| &*g.business);
    let business = Arc::new(BusinessLimiter::succeeding(business, loaded.business_config(), Arc::clone(&clock))?);
    let targets = loaded.upstreams.iter().map(|u| upstream(u, &clock)).collect::<Result<_>>()?;
    let apis = loaded.apis.iter().zip(compiled);
    let apis = apis.map(|(api, compiled)| gate_api(&loaded.upstreams, &business, api, compiled)).collect();
    let gate = Gate {
        revision: loaded.revision.as_str().into(),
        public_scheme: if public_url.starts_with("https:") { "https" } else { "http" },
        public_url,
        head_limits: loaded.head_limits(),
        reserved: loaded.reserved(),
        json_limits: loaded.json_limits(),
        apis,
        authenticator,
        edge: Arc::new(EdgeLimiter::succeeding(before.map(|g| &*g.edge), loaded.edge_config(), Arc::clone(&clock))),
        plan,
        business,
        idempotency: Arc::new(Store::succeeding(Some(&kept), loaded.idempotency_config(), Arc::clone(&clock))),
        unquoted_keys: loaded.idempotency.unquoted_keys,
        journal,
        strict_transport_security: (!loaded.listen.tls.is_empty()).then_some(STRICT_TRANSPORT_SECURITY),
        clock,
    };
    let operations = loaded.apis.iter().map(|api| api.operations.len()).sum();
    let previous = previous.map(|previous| &*previous.upstreams);
    let upstreams = proxy::Upstreams::build(targets, operations, cores, previous);
    Ok(proxy::Revision { gate: Arc::new(gate), upstreams: Arc::new(upstreams) })
}

/// Where kept answers begin: none yet.
pub(crate) fn no_kept_answers(loaded: &Loaded, clock: &Arc<dyn Clock>) -> Arc<Store> {
    Arc::new(Store::new(loaded.idempotency_config(), Arc::clone(clock)))
}

/// The largest body of any operation.
pub(crate) fn body_bytes_max(loaded: &Loaded) -> usize {
    let of_operations = loaded.apis.iter().flat_map(|api| &api.operations).map(|o| o.body_bytes_max).max();
    of_operations.unwrap_or(0).max(loaded.edge.body_bytes_max)
}

/// Threads that serve: one for each core this process may use.
pub(crate) fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// The proxy's own settings.
pub(crate) fn proxy_config(loaded: &Loaded, clock: Arc<dyn Clock>, events: proxy::Events) -> proxy::Config {
    let edge = &loaded.edge;
    let mut config = proxy::Config::new(loaded.listen.public, clock, events);
    config.cores = cores();
    config.connections.total_max = edge.connections_max;
    config.connections.per_address_max = edge.connections_per_address;
    config.connections.requests_max = edge.requests_per_connection;
    config.connections.idle = edge.idle_timeout;
    config.head.timeout = edge.head_timeout;
    config.body.bytes_max = body_bytes_max(loaded) as u64;
    config.body.rate_min = edge.body_min_rate;
    config.body.timeout = edge.body_timeout;
    config
}

fn upstream(upstream: &config::Upstream, clock: &Arc<dyn Clock>) -> Result<proxy::UpstreamConfig> {
    let target = |target: &config::Target| {
        proxy::Target::parse(&format!("{}{}", target.origin, target.path))
            .with_context(|| format!("upstream `{}`", upstream.name))
    };
    let targets = upstream.targets.iter().map(target).collect::<Result<_>>()?;
    let mut config = proxy::UpstreamConfig::new(Arc::clone(&upstream.name), targets);
    let secured = upstream.tls.clone().map(|files| proxy::UpstreamTls::load(files, Arc::clone(clock)));
    config.tls = secured.transpose().with_context(|| format!("`upstreams.{}.tls`", upstream.name))?;
    config.http = upstream.http;
    config.connect = upstream.connect_timeout;
    config.first_byte = upstream.first_byte_timeout;
    config.total = upstream.total_timeout;
    config.circuit_breaker = upstream.circuit_breaker;
    config.concurrency = upstream.concurrency;
    config.retry = upstream.retry;
    config.health.clone_from(&upstream.health);
    Ok(config)
}

fn identity_header(upstream: &config::Upstream) -> Option<HeaderName> {
    match &upstream.identity {
        config::UpstreamIdentity::None => None,
        config::UpstreamIdentity::Header(name) => Some(name.clone()),
    }
}

fn gate_api(
    upstreams: &[config::Upstream],
    business: &BusinessLimiter,
    api: &config::Api,
    compiled: Compiled,
) -> pipeline::Api {
    let authorizer = compiled.authorizer;
    let mut operations = Vec::with_capacity(api.operations.len());
    for ((operation, settings), number) in
        api.contract.operations.iter().zip(&api.operations).zip(api.first_operation..)
    {
        let mut needs = authorizer.needs(operation.index);
        needs.request_body |= business.needs_body(number);
        operations.push(pipeline::OperationSettings {
            name: format!("{}#{}", api.name, operation.id).into(),
            number,
            public: settings.public,
            idempotency: match settings.idempotency {
                IdempotencyKeys::Ignored => pipeline::Idempotency::Ignored,
                IdempotencyKeys::Honoured => pipeline::Idempotency::Honoured,
                IdempotencyKeys::Required => pipeline::Idempotency::Required,
            },
            body_bytes_max: settings.body_bytes_max,
            needs,
            served: settings.exposed && authorizer.served(operation.index),
        });
    }
    let upstream = upstreams.get(api.upstream);
    let targets = upstream.map_or(&[][..], |upstream| &upstream.targets);
    let root = api.base_path.segments().next().is_none();
    pipeline::Api {
        name: Arc::clone(&api.name),
        hosts: api.hosts.clone(),
        base_path: if root { None } else { Some(api.base_path.clone()) },
        contract: Arc::clone(&api.contract),
        authorizer,
        upstream: api.upstream,
        upstream_name: upstream.map_or_else(|| "".into(), |u| Arc::clone(&u.name)),
        upstream_origins: targets.iter().map(|target| target.origin.as_str().into()).collect(),
        // The same for all of them.
        upstream_path: targets.first().map_or("", |target| target.path.trim_end_matches('/')).into(),
        upstream_identity: match upstream.and_then(identity_header) {
            None => pipeline::UpstreamIdentity::Anonymous,
            Some(name) => pipeline::UpstreamIdentity::Header(name),
        },
        operations,
        answer_bytes_max: api.response_max,
    }
}
