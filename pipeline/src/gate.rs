// SPDX-License-Identifier: Apache-2.0
//! One revision of everything a decision needs, built at load time and swapped whole.

use http::{HeaderName, HeaderValue};
use portcullis_audit::{Journal, Refusal, Relay, Slot};
use portcullis_authorize::{Authorizer, Needs};
use portcullis_contract::Contract;
use portcullis_decision::Clock;
use portcullis_identity::Authenticator;
use portcullis_limit::idempotency::IdempotencyStore;
use portcullis_limit::{BusinessLimiter, EdgeLimiter, PlanLimiter};
use portcullis_wire::json::JsonLimits;
use portcullis_wire::{CanonicalPath, HeadLimits, Reserved};
use std::sync::Arc;

/// How the upstream learns who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamIdentity {
    /// Not at all.
    Anonymous,
    /// The subject in this header.
    Header(HeaderName),
}

/// Whether an operation takes idempotency keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// The header is ignored (not POST or PATCH).
    Ignored,
    /// Used where sent.
    Honoured,
    /// A request without a key is refused.
    Required,
}

/// What the pipeline knows of one operation beside its contract and rules.
#[derive(Clone, Debug)]
pub struct OperationSettings {
    /// `api#operationId`, as written in records.
    pub name: Arc<str>,
    /// Index over all operations of the gate, dense.
    pub number: usize,
    /// Whether anybody may call it without a credential.
    pub public: bool,
    /// Idempotency keys.
    pub idempotency: Idempotency,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// What authorization needs to see.
    pub needs: Needs,
    /// `false` where the operation was refused at load.
    pub served: bool,
}

/// One API behind the gate.
pub struct Api {
    /// Name in the configuration.
    pub name: Arc<str>,
    /// Hosts it answers to, lower case; empty: any.
    pub hosts: Vec<String>,
    /// Where it is mounted; `None`: at the root.
    pub base_path: Option<CanonicalPath>,
    /// What it promises.
    pub contract: Arc<Contract>,
    /// Who may touch what.
    pub authorizer: Authorizer,
    /// Index of its upstream.
    pub upstream: usize,
    /// Name of its upstream.
    pub upstream_name: Arc<str>,
    /// The origins of its targets, such as `http://127.0.0.1:9000`.
    pub upstream_origins: Vec<Arc<str>>,
    /// The targets' own path, without a trailing slash; empty at the root.
    pub upstream_path: Arc<str>,
    /// How the upstream learns who calls.
    pub upstream_identity: UpstreamIdentity,
    /// Settings by operation index.
    pub operations: Vec<OperationSettings>,
    /// Largest answer that is judged, in bytes.
    pub answer_bytes_max: usize,
}

/// One revision of the whole.
pub struct Gate {
    /// Twelve hex digits over the configuration and its documents.
    pub revision: Arc<str>,
    /// What clients call, without a trailing slash.
    pub public_url: Arc<str>,
    /// `Forwarded` and `X-Forwarded-Proto` scheme of the public URL.
    pub public_scheme: &'static str,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Caps on the head.
    pub head_limits: HeadLimits,
    /// Headers only we may set.
    pub reserved: Reserved,
    /// Caps on JSON of clients.
    pub json_limits: JsonLimits,
    /// The APIs; hosts and base paths do not overlap.
    pub apis: Vec<Api>,
    /// Who.
    pub authenticator: Arc<Authenticator>,
    /// How hard, before anything is known.
    pub edge: Arc<EdgeLimiter>,
    /// How hard, by plan.
    pub plan: Arc<PlanLimiter>,
    /// How hard, by body.
    pub business: Arc<BusinessLimiter>,
    /// Answers kept for repeats.
    pub idempotency: Arc<dyn IdempotencyStore>,
    /// Whether unquoted idempotency keys are taken.
    pub unquoted_keys: bool,
    /// The trail on disk.
    pub journal: Journal,
    /// `Strict-Transport-Security` on every answer, where TLS ends here.
    pub strict_transport_security: Option<HeaderValue>,
}

/// One core's way to the trail: its records are acknowledged with one wake a batch.
#[derive(Clone)]
pub struct Lane {
    journal: Journal,
}

impl Lane {
    /// A place for one record.
    pub(crate) fn reserve(&self) -> Result<Slot, Refusal> {
        self.journal.reserve()
    }
}

impl Gate {
    /// A lane for the calling core, and the future that core has to run beside its requests.
    pub fn lane(&self) -> (Lane, Relay) {
        let (journal, relay) = self.journal.per_core();
        (Lane { journal }, relay)
    }
}
