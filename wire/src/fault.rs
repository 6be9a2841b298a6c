// SPDX-License-Identifier: Apache-2.0
//! Why a head was refused: a public reason and a fixed sentence, never a byte the client sent.

use portcullis_decision::Reason;

/// A refusal of this crate. The detail is a constant, so that no value of the client reaches a log or an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct WireFault {
    /// The public reason code.
    pub reason: Reason,
    /// What exactly was wrong, for the record.
    pub detail: &'static str,
}

impl WireFault {
    pub(crate) const fn malformed(detail: &'static str) -> Self {
        Self { reason: Reason::WireMalformed, detail }
    }

    pub(crate) const fn framing(detail: &'static str) -> Self {
        Self { reason: Reason::WireFraming, detail }
    }

    pub(crate) const fn path(detail: &'static str) -> Self {
        Self { reason: Reason::WirePath, detail }
    }

    pub(crate) const fn head_too_large(detail: &'static str) -> Self {
        Self { reason: Reason::WireHeadTooLarge, detail }
    }

    pub(crate) const fn content_type(detail: &'static str) -> Self {
        Self { reason: Reason::RequestContentType, detail }
    }

    pub(crate) const fn idempotency(detail: &'static str) -> Self {
        Self { reason: Reason::IdempotencyMalformed, detail }
    }
}
