// SPDX-License-Identifier: Apache-2.0
//! A *no*: the reason we keep, and what the client may know of it.

use crate::reason::Reason;
use crate::receipt::StageName;
use crate::request_id::RequestId;
use http::{HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;

/// At most this many violations are told to a client.
pub const VIOLATIONS_MAX: usize = 20;

/// One place where a request breaks its contract. Never holds the value that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the body, or `/query/NAME`, `/path/NAME`, `/header/NAME`, `/cookie/NAME` for parameters.
    pub pointer: String,
    /// What is expected there, in our words.
    pub detail: String,
}

/// A refusal with its reason; made only by [`crate::Trail::deny`].
#[derive(Debug)]
#[must_use = "a denial that is dropped lets the request go on"]
pub struct Denial {
    request: RequestId,
    stage: StageName,
    reason: Reason,
    status: StatusCode,
    extra: Option<Box<Extra>>,
}

/// What only some denials carry.
#[derive(Debug, Default)]
struct Extra {
    headers: Vec<(HeaderName, HeaderValue)>,
    violations: Vec<Violation>,
    violated_policies: Vec<Arc<str>>,
}

impl Denial {
    pub(crate) fn issue(request: RequestId, stage: StageName, reason: Reason) -> Self {
        // A request that broke off: half of its connection may still be there, and read.
        let status = reason.status().unwrap_or(StatusCode::BAD_REQUEST);
        Self { request, stage, reason, status, extra: None }
    }

    /// Shows another status than the reason's own: `object.*` as 403 (`deny_as`), 401 instead of 403.
    pub fn shown_as(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a header to the problem (`WWW-Authenticate`, `Allow`, `Accept`, `Retry-After`).
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.extra_mut().headers.push((name, value));
        self
    }

    /// Tells the client where its request breaks the contract.
    pub fn with_violations(mut self, mut violations: Vec<Violation>) -> Self {
        violations.truncate(VIOLATIONS_MAX);
        self.extra_mut().violations = violations;
        self
    }

    /// Names the limit policies that were violated (`RateLimit` draft, `violated-policies`).
    pub fn with_violated_policies(mut self, names: Vec<Arc<str>>) -> Self {
        self.extra_mut().violated_policies = names;
        self
    }

    /// The request that was refused.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// The stage that refused.
    pub fn stage(&self) -> StageName {
        self.stage
    }

    /// The true reason, for the record.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The status the client sees.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Headers beside the problem.
    pub fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        self.extra.as_ref().map_or(&[], |e| &e.headers)
    }

    /// Violations told to the client.
    pub fn violations(&self) -> &[Violation] {
        self.extra.as_ref().map_or(&[], |e| &e.violations)
    }

    /// Names of violated limit policies.
    pub fn violated_policies(&self) -> &[Arc<str>] {
        self.extra.as_ref().map_or(&[], |e| &e.violated_policies)
    }

    fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_with(Box::default)
    }
}
