// SPDX-License-Identifier: Apache-2.0
//! The last step before the origin: limits keyed by the body, idempotency, and the head the upstream will see.

use crate::exchange::Exchange;
use crate::gate::{Api, Gate, Idempotency, OperationSettings};
use crate::grpc::{self, Trailers};
use crate::origin::{Destination, OriginRequest, Outgoing};
use crate::states::{Authorized, Cleared, Content, Validated};
use crate::upstream_head::{self, Writing};
use bytes::Bytes;
use http::header::TE;
use http::{HeaderValue, Method};
use portcullis_authorize::Known;
use portcullis_contract::OperationIndex;
use portcullis_decision::{Caller, Denial, Facts, Reason, stage};
use portcullis_limit::BusinessQuestion;
use portcullis_limit::idempotency::{Begin, Fingerprint, Scope, Stored};
use portcullis_wire::structured::{KeyForm, idempotency_key};
use std::sync::Arc;

/// What is needed of a request when its answer comes back.
pub struct Pending {
    pub(crate) api: usize,
    pub(crate) operation: OperationIndex,
    pub(crate) caller: Caller,
    pub(crate) known: Known,
    pub(crate) method: Method,
}

/// The end of `decide`.
pub enum Decided<B> {
    /// Call the origin.
    Forward(Cleared<B>, Pending),
    /// Answer from what was kept.
    Replay(Arc<Stored>, Pending),
}

/// Counts body-keyed limits and settles the idempotency key.
pub(crate) fn clear<B>(gate: &Gate, exchange: &mut Exchange, authorized: Authorized<B>) -> Result<Decided<B>, Denial> {
    let Some((api, settings)) = gate.target(&authorized.validated.route) else {
        return Err(exchange.broken::<stage::Business>());
    };
    let validated = &authorized.validated;
    let question = BusinessQuestion {
        caller: &validated.caller,
        address: validated.address,
        operation: settings.number,
        body: match &validated.content {
            Content::Json { document, .. } => Some(document),
            Content::Empty | Content::Bytes(_) | Content::Stream { .. } => None,
        },
    };
    let (fields, receipt) = gate.business.admit(question, exchange.trail())?;
    if let Some(fields) = fields {
        match &mut exchange.fields {
            Some(earlier) => earlier.merge(fields),
            None => exchange.fields = Some(fields),
        }
    }
    let pending = |known: Known, caller: Caller| Pending {
        api: validated.route.api,
        operation: validated.route.operation,
        caller,
        known,
        method: validated.head.method.clone(),
    };
    if let Some(stored) = settle_key(gate, exchange, settings, validated)? {
        exchange.replayed = true;
        let pending = pending(authorized.known.clone(), validated.caller.clone());
        return Ok(Decided::Replay(stored, pending));
    }
    let mut pending = pending(Known::default(), validated.caller.clone());
    let (cleared, known) =
        Cleared::prove(authorized, &receipt, |validated, known| write(gate, api, settings, exchange, validated, known))
            .map_err(|_| ())
            .map_err(|()| exchange.broken::<stage::Business>())?;
    pending.known = known;
    exchange.upstream.name = Some(Arc::clone(&api.upstream_name));
    Ok(Decided::Forward(cleared, pending))
}

/// `Some`: an answer is kept for this key. The lease of a fresh key goes to the guard.
fn settle_key<B>(
    gate: &Gate,
    exchange: &mut Exchange,
    settings: &OperationSettings,
    validated: &Validated<B>,
) -> Result<Option<Arc<Stored>>, Denial> {
    if settings.idempotency == Idempotency::Ignored {
        return Ok(None);
    }
    let required = settings.idempotency == Idempotency::Required;
    let mut keys = validated.head.headers.get_all("idempotency-key").iter();
    let header = match (keys.next(), keys.next()) {
        (None, _) if required => {
            return Err(exchange.deny::<stage::Business>(Reason::IdempotencyMissing, Facts::none()));
        }
        (None, _) => return Ok(None),
        (Some(header), None) => header,
        (Some(_), Some(_)) => {
            return Err(exchange.deny::<stage::Business>(Reason::IdempotencyMalformed, Facts::none()));
        }
    };
    let Some(identity) = validated.caller.identity() else {
        if required {
            return Err(exchange.deny::<stage::Business>(Reason::IdentityMissing, Facts::none()));
        }
        return Ok(None);
    };
    let key = idempotency_key(header, if gate.unquoted_keys { KeyForm::QuotedOrBare } else { KeyForm::Quoted })
        .map_err(|_| exchange.deny::<stage::Business>(Reason::IdempotencyMalformed, Facts::none()))?;
    let target = target_of(&validated.head);
    let body = match &validated.content {
        Content::Json { document, .. } => document.bytes().clone(),
        Content::Bytes(bytes) => bytes.clone(),
        Content::Empty | Content::Stream { .. } => Bytes::new(),
    };
    let scope = Scope::new(identity, &settings.name, &target, key.as_str());
    let print = Fingerprint::of(&validated.head.method, &target, validated.media_type.as_deref(), &body);
    let reason = match gate.idempotency.begin(scope, print) {
        Begin::Fresh(lease) => {
            exchange.lease = Some(lease);
            return Ok(None);
        }
        Begin::Replay(stored) => return Ok(Some(stored)),
        Begin::InFlight => Reason::IdempotencyInFlight,
        Begin::Mismatch => Reason::IdempotencyMismatch,
        Begin::NotKept => Reason::IdempotencyNotKept,
        Begin::Full => Reason::GateOverloaded,
    };
    Err(exchange.deny::<stage::Business>(reason, Facts::none()))
}

fn target_of(head: &portcullis_wire::Head) -> String {
    let query = head.query.to_string();
    let path = head.path.as_str();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

fn write<B>(
    gate: &Gate,
    api: &Api,
    settings: &OperationSettings,
    exchange: &mut Exchange,
    validated: Validated<B>,
    known: &Known,
) -> OriginRequest<B> {
    let Validated { head, route, caller, content, media_type, websocket, .. } = validated;
    let path = match &api.base_path {
        Some(base) => head.path.strip_base(base),
        None => None,
    };
    let mut target = path.as_ref().unwrap_or(&head.path).as_str().to_owned();
    if !head.query.is_empty() {
        target.push('?');
        target.push_str(&head.query.to_string());
    }
    let method = if settings.needs.head_as_get { Method::GET } else { head.method.clone() };
    let operation = api.contract.operation(route.operation);
    let writing = Writing { gate, api, operation, needs: &settings.needs, caller: &caller };
    let mut headers = writing.request(exchange, *head, media_type.as_ref(), known);
    if websocket.is_some() {
        upstream_head::strip_handshake(&mut headers);
    }
    if matches!(content, Content::Stream { .. }) && media_type.as_deref().is_some_and(grpc::is_grpc) {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        exchange.trailers = Trailers::Pass;
        exchange.api = Some(route.api);
    }
    let body = match content {
        Content::Empty => Outgoing::Empty,
        Content::Json { document, .. } => Outgoing::Full(document.bytes().clone()),
        Content::Bytes(bytes) => Outgoing::Full(bytes),
        Content::Stream { body, framing } => Outgoing::Stream { body, framing },
    };
    let to = Destination { upstream: api.upstream, operation: settings.number, priority: exchange.priority };
    OriginRequest { to, method, target, headers, body, websocket }
}
