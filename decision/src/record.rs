// SPDX-License-Identifier: Apache-2.0
//! What is remembered of a request when it is over: plain data, written down by `audit`.

use crate::caller::Caller;
use crate::reason::Reason;
use crate::receipt::StageName;
use crate::request_id::RequestId;
use crate::trail::{Facts, Trail};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What one stage said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Stop.
    Deny,
}

/// One stage's verdict with its facts.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The stage.
    pub stage: StageName,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why not, where it said no.
    pub reason: Option<Reason>,
    /// What it saw.
    pub facts: Facts,
    /// How long it took, with the stages before it that are too short to be timed (those say zero).
    pub took: Duration,
}

/// Something found on the way that did not stop the request.
#[derive(Clone, Debug)]
pub struct Alert {
    /// The stage that saw it.
    pub stage: StageName,
    /// What it is.
    pub reason: Reason,
    /// What was seen.
    pub facts: Facts,
}

/// The object a request touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEvidence {
    /// Object type.
    pub kind: Arc<str>,
    /// Its id, as asked for.
    pub id: Option<Box<str>>,
    /// Its owner, where one was read.
    pub owner: Option<Box<str>>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The answer of the origin (or its replay) left.
    Allow,
    /// A problem left.
    Deny,
    /// The answer broke off: the client went away, the origin failed, or the answer might not go on.
    Aborted,
}

impl Decision {
    /// The word used in records.
    pub fn word(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
            Decision::Aborted => "aborted",
        }
    }
}

/// The upstream's part in a request.
#[derive(Clone, Debug, Default)]
pub struct UpstreamEvidence {
    /// Upstream name; `None`: not called.
    pub name: Option<Arc<str>>,
    /// Its status, once it answered.
    pub status: Option<u16>,
    /// Time to its answer's head.
    pub took: Option<Duration>,
}

/// The facts of a finished request.
pub struct Record {
    /// Wall time at the end, since the Unix epoch.
    pub at: Duration,
    /// The request.
    pub request: RequestId,
    /// How it ended.
    pub decision: Decision,
    /// Status sent to the client; 0 when none was.
    pub status: u16,
    /// Why, where it was refused or broken off.
    pub reason: Option<Reason>,
    /// Client address.
    pub address: IpAddr,
    /// Method as received, from a fixed list.
    pub method: http::Method,
    /// Route template, once known.
    pub template: Option<Arc<str>>,
    /// Configuration revision (12 hex digits).
    pub revision: Arc<str>,
    /// The trace id passed to the upstream.
    pub trace: Option<Box<str>>,
    /// Total time.
    pub took: Duration,
    /// The upstream's part.
    pub upstream: UpstreamEvidence,
    /// Whether the answer is a replay of an idempotent one.
    pub replayed: bool,
    /// The evidence of the stages.
    pub trail: Trail,
}

impl Record {
    /// The caller, where known.
    pub fn caller(&self) -> Option<&Caller> {
        self.trail.caller()
    }
}
