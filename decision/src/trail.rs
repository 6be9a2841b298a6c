// SPDX-License-Identifier: Apache-2.0
//! The trail of one request: the only source of receipts and denials.

use crate::caller::Caller;
use crate::clock::Clock;
use crate::denial::Denial;
use crate::reason::Reason;
use crate::receipt::{Receipt, Stage, StageName};
use crate::record::{Alert, Evaluation, ObjectEvidence, Verdict};
use crate::request_id::RequestId;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// At most this many evaluations are kept of one request.
pub const EVALUATIONS_MAX: usize = 48;
/// As many as a request has that goes all the way: one allocation.
const EVALUATIONS_USUAL: usize = 12;
/// Most stages have one fact or none; a larger place would be moved about for nothing.
const FACTS_INLINE: usize = 1;
/// At most this many alerts are kept of one request.
pub const ALERTS_MAX: usize = 16;

/// The value of a fact. Text from outside is cut and escaped when the record is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FactValue {
    /// A word of ours.
    Word(&'static str),
    /// Text made for this request.
    Text(Box<str>),
    /// Text made at load time.
    Shared(Arc<str>),
    /// A count, size or time.
    Number(i64),
}

impl From<&'static str> for FactValue {
    fn from(value: &'static str) -> Self {
        Self::Word(value)
    }
}
impl From<String> for FactValue {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}
impl From<Arc<str>> for FactValue {
    fn from(value: Arc<str>) -> Self {
        Self::Shared(value)
    }
}
impl From<i64> for FactValue {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}
impl From<u64> for FactValue {
    fn from(value: u64) -> Self {
        Self::Number(i64::try_from(value).unwrap_or(i64::MAX))
    }
}
impl From<usize> for FactValue {
    fn from(value: usize) -> Self {
        Self::Number(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

/// What a stage saw, in a few named values. Never a token, cookie, key, body or rejected value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(SmallVec<[(&'static str, FactValue); FACTS_INLINE]>);

impl Facts {
    /// No facts.
    pub fn none() -> Self {
        Self::default()
    }

    /// One more fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<FactValue>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// The facts in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &(&'static str, FactValue)> {
        self.0.iter()
    }
}

/// The evidence of one request, stage by stage.
pub struct Trail {
    request: RequestId,
    clock: Arc<dyn Clock>,
    opened: Duration,
    stage_began: Duration,
    evaluations: Vec<Evaluation>,
    alerts: Vec<Alert>,
    caller: Option<Caller>,
    operation: Option<Arc<str>>,
    object: Option<ObjectEvidence>,
}

impl Trail {
    /// Opens the trail of a request.
    pub fn open(request: RequestId, clock: Arc<dyn Clock>) -> Self {
        let now = clock.monotonic();
        Self {
            request,
            clock,
            opened: now,
            stage_began: now,
            evaluations: Vec::new(),
            alerts: Vec::new(),
            caller: None,
            operation: None,
            object: None,
        }
    }

    /// Takes the evidence out, for the record of the request; what is left is empty.
    #[must_use = "evidence that is dropped is lost"]
    pub fn take(&mut self) -> Self {
        Self {
            request: self.request,
            clock: Arc::clone(&self.clock),
            opened: self.opened,
            stage_began: self.stage_began,
            evaluations: std::mem::take(&mut self.evaluations),
            alerts: std::mem::take(&mut self.alerts),
            caller: self.caller.take(),
            operation: self.operation.take(),
            object: self.object.take(),
        }
    }

    /// The request's id.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// The clock the request runs by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Time since the trail was opened.
    pub fn elapsed(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.opened)
    }

    /// Time from the end of the timed stage before the last one to the end of the last one.
    pub fn last_took(&self) -> Option<Duration> {
        self.evaluations.last().map(|evaluation| evaluation.took)
    }

    /// Records that stage `S` allows the request.
    pub fn allow<S: Stage>(&mut self, facts: Facts) -> Receipt<S> {
        self.push(S::NAME, Verdict::Allow, None, facts);
        Receipt::issue(self.request)
    }

    /// Records that stage `S` refuses the request.
    pub fn deny<S: Stage>(&mut self, reason: Reason, facts: Facts) -> Denial {
        self.push(S::NAME, Verdict::Deny, Some(reason), facts);
        Denial::issue(self.request, S::NAME, reason)
    }

    /// Something a person should hear about although the request goes on, such as a foreign item in a list.
    pub fn alert(&mut self, stage: StageName, reason: Reason, facts: Facts) {
        if self.alerts.len() < ALERTS_MAX {
            self.alerts.push(Alert { stage, reason, facts });
        }
    }

    /// Who is calling.
    pub fn set_caller(&mut self, caller: Caller) {
        self.caller = Some(caller);
    }

    /// The operation that was found, as `api#operationId`.
    pub fn set_operation(&mut self, operation: Arc<str>) {
        self.operation = Some(operation);
    }

    /// The object that is touched.
    pub fn set_object(&mut self, object: ObjectEvidence) {
        self.object = Some(object);
    }

    /// Evaluations so far.
    pub fn evaluations(&self) -> &[Evaluation] {
        &self.evaluations
    }

    /// Alerts so far.
    pub fn alerts(&self) -> &[Alert] {
        &self.alerts
    }

    /// The caller, once known.
    pub fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The operation, once known.
    pub fn operation(&self) -> Option<&Arc<str>> {
        self.operation.as_ref()
    }

    /// The object, once known.
    pub fn object(&self) -> Option<&ObjectEvidence> {
        self.object.as_ref()
    }

    fn push(&mut self, stage: StageName, verdict: Verdict, reason: Option<Reason>, facts: Facts) {
        let took = if verdict == Verdict::Deny || stage.is_timed() {
            let now = self.clock.monotonic();
            let took = now.saturating_sub(self.stage_began);
            self.stage_began = now;
            took
        } else {
            Duration::ZERO
        };
        if self.evaluations.capacity() == 0 {
            self.evaluations.reserve(EVALUATIONS_USUAL);
        }
        if self.evaluations.len() < EVALUATIONS_MAX {
            self.evaluations.push(Evaluation { stage, verdict, reason, facts, took });
        }
    }
}
