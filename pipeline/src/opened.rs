// SPDX-License-Identifier: Apache-2.0
//! A connection that has become something else (101). The host carries its bytes; the guard of its request stays here,
//! with the caller's place in his plan, until the host says how it ended.

use crate::exchange::{Ending, Exchange};
use http::StatusCode;
use portcullis_audit::Ticket;
use portcullis_decision::{Facts, Reason, stage};
use std::time::Duration;

/// The guard of a connection that was opened. Dropped, it records that the client left.
pub struct OpenGuard {
    exchange: Box<Exchange>,
    until: Option<Duration>,
}

/// How it ended.
#[derive(Debug)]
pub struct OpenEnd {
    /// Why it was not in order; `None`: it was.
    pub reason: Option<Reason>,
    /// What passed, and who ended it.
    pub facts: Facts,
}

impl OpenGuard {
    pub(crate) fn new(exchange: Box<Exchange>, until: Option<Duration>) -> Self {
        Self { exchange, until }
    }

    /// How long it may go on: until its caller's token ends. `None`: for as long as it takes.
    pub fn time_left(&self) -> Option<Duration> {
        Some(self.until?.saturating_sub(self.exchange.gate().clock.wall()))
    }

    /// Records the end; the ticket resolves when the record has left the process.
    pub fn close(mut self, end: OpenEnd) -> Option<Ticket> {
        let OpenEnd { reason, facts } = end;
        let status = StatusCode::SWITCHING_PROTOCOLS;
        let ending = if let Some(reason) = reason {
            let _ = self.exchange.deny::<stage::Response>(reason, facts);
            Ending::cut(status, reason)
        } else {
            let _ = self.exchange.trail().allow::<stage::Response>(facts);
            Ending::allow(status)
        };
        self.exchange.close(ending)
    }
}
