// SPDX-License-Identifier: Apache-2.0
//! The guard of one request: it owns the trail and what must live until the last byte, and it writes the record on
//! every way out, a panic and a client that leaves included.

use crate::body::FaultMemo;
use crate::gate::{Gate, UpstreamIdentity};
use crate::grpc::Trailers;
use crate::handshake::Handshake;
use http::{HeaderName, Method};
use portcullis_audit::{Slot, Ticket};
use portcullis_decision::record::{Decision, Record, UpstreamEvidence};
use portcullis_decision::{Denial, Facts, Reason, RequestId, Stage, Trail};
use portcullis_limit::idempotency::Lease;
use portcullis_limit::{PRIORITY_USUAL, Permit, RateFields};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    decision: Decision,
    status: u16,
    reason: Option<Reason>,
}

impl Ending {
    /// The origin's answer leaves.
    pub(crate) fn allow(status: http::StatusCode) -> Self {
        Self { decision: Decision::Allow, status: status.as_u16(), reason: None }
    }

    /// A problem leaves.
    pub(crate) fn deny(denial: &Denial) -> Self {
        Self { decision: Decision::Deny, status: denial.status().as_u16(), reason: Some(denial.reason()) }
    }

    /// The answer was under way and is broken off, which is known of its client.
    pub(crate) fn cut(status: http::StatusCode, reason: Reason) -> Self {
        Self { decision: Decision::Aborted, status: status.as_u16(), reason: Some(reason) }
    }

    /// The answer is broken off.
    pub(crate) fn abort(reason: Reason) -> Self {
        Self { decision: Decision::Aborted, status: 0, reason: Some(reason) }
    }
}

/// The guard of one request.
pub struct Exchange {
    gate: Arc<Gate>,
    /// `None` once the record was handed over.
    slot: Option<Slot>,
    trail: Trail,
    address: IpAddr,
    pub(crate) method: Method,
    pub(crate) template: Option<Arc<str>>,
    pub(crate) trace: Option<Box<str>>,
    pub(crate) upstream: UpstreamEvidence,
    pub(crate) replayed: bool,
    pub(crate) fields: Option<RateFields>,
    pub(crate) permit: Option<Permit>,
    /// The caller's plan's.
    pub(crate) priority: u8,
    pub(crate) lease: Option<Lease>,
    /// The client sends a body, and nobody knows yet that it was read to its end.
    pub(crate) body_unread: bool,
    /// What was settled under TLS on the request's connection.
    pub(crate) handshake: Option<Arc<Handshake>>,
    /// Whether the connection is to become a WebSocket.
    pub(crate) websocket: Asked,
    /// What the answer's trailers are worth.
    pub(crate) trailers: Trailers,
    /// Index of the API it is for, once known.
    pub(crate) api: Option<usize>,
    body_fault: FaultMemo,
}

/// How far a request for a WebSocket got. What a client sends behind one is not read as HTTP (T15).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    /// The client asks for one.
    pub(crate) asked: bool,
    /// The operation has one.
    pub(crate) offered: bool,
}

impl Exchange {
    /// On the heap, because it goes from hand to hand until the last byte.
    pub(crate) fn open(gate: Arc<Gate>, slot: Slot, trail: Trail, address: IpAddr, method: Method) -> Box<Self> {
        Box::new(Self {
            gate,
            slot: Some(slot),
            trail,
            address,
            method,
            template: None,
            trace: None,
            upstream: UpstreamEvidence::default(),
            replayed: false,
            fields: None,
            permit: None,
            priority: PRIORITY_USUAL,
            lease: None,
            body_unread: false,
            handshake: None,
            websocket: Asked::default(),
            trailers: Trailers::default(),
            api: None,
            body_fault: FaultMemo::default(),
        })
    }

    /// The gate the request was decided by, whatever was swapped in since.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The evidence so far.
    pub(crate) fn trail(&mut self) -> &mut Trail {
        &mut self.trail
    }

    /// The request's id.
    pub(crate) fn request(&self) -> RequestId {
        self.trail.request()
    }

    /// Until when its caller may be answered, since the Unix epoch; `None`: for as long as it takes.
    pub(crate) fn accepted_until(&self) -> Option<Duration> {
        let identity = self.trail.caller()?.identity()?;
        self.gate.authenticator.accepted_until(identity)
    }

    /// The header that tells the upstream who calls.
    pub(crate) fn identity_header(&self) -> Option<&HeaderName> {
        match &self.gate.apis.get(self.api?)?.upstream_identity {
            UpstreamIdentity::Header(name) => Some(name),
            UpstreamIdentity::Anonymous => None,
        }
    }

    /// The client's address.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// Where a streamed body notes why it failed.
    pub(crate) fn fault_memo(&self) -> FaultMemo {
        self.body_fault.clone()
    }

    /// A refusal at stage `S`.
    pub(crate) fn deny<S: Stage>(&mut self, reason: Reason, facts: Facts) -> Denial {
        self.trail.deny::<S>(reason, facts)
    }

    /// Receipts were mixed up: the order is broken, so nothing may go on.
    pub(crate) fn broken<S: Stage>(&mut self) -> Denial {
        self.deny::<S>(Reason::GateInternal, Facts::none().with("cause", "a receipt of another request"))
    }

    /// Hands the record to the writer; the ticket resolves when it has left the process. `None`: handed over before.
    pub(crate) fn close(&mut self, ending: Ending) -> Option<Ticket> {
        let slot = self.slot.take()?;
        let took = self.trail.elapsed();
        Some(slot.submit(Record {
            at: Duration::from_millis(self.trail.request().millis()).saturating_add(took),
            request: self.trail.request(),
            decision: ending.decision,
            status: ending.status,
            reason: ending.reason,
            address: self.address,
            method: std::mem::take(&mut self.method),
            template: self.template.take(),
            revision: Arc::clone(&self.gate.revision),
            trace: self.trace.take(),
            took,
            upstream: std::mem::take(&mut self.upstream),
            replayed: self.replayed,
            trail: self.trail.take(),
        }))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let reason = if std::thread::panicking() { Reason::GateInternal } else { Reason::ClientAborted };
        // Nobody waits for this record: there is no answer left to hold back.
        drop(self.close(Ending::abort(reason)));
    }
}
