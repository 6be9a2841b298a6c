// SPDX-License-Identifier: Apache-2.0
//! One request on one connection, until the head of its answer.

use crate::tls::is_distrust;
use crate::upstream::line::{Line, NoHead, Patience};
use crate::upstream::outgoing::Draft;
use http::StatusCode;
use portcullis_decision::Reason;
use portcullis_pipeline::BodyFault;
use portcullis_wire::{AnswerHead, AnswerScan};
use std::io;
use std::task::Poll;

/// Why no answer came.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The time was up.
    Late,
    /// The client's body failed.
    Client(BodyFault),
    /// The connection ended before a byte of an answer.
    Unanswered(Option<io::Error>),
    /// What came cannot be believed.
    Disbelieved,
}

impl Fault {
    /// Why the client gets no answer.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Late => Reason::UpstreamTimeout,
            Self::Client(body) => body.reason(),
            Self::Unanswered(Some(error)) => unreached(error),
            Self::Unanswered(None) => Reason::UpstreamUnreachable,
            Self::Disbelieved => Reason::UpstreamInvalidResponse,
        }
    }
}

/// Whether nobody was there, or nobody to be trusted.
pub(crate) fn unreached(error: &io::Error) -> Reason {
    if is_distrust(error) { Reason::UpstreamTls } else { Reason::UpstreamUnreachable }
}

/// Sends a request and reads on until its answer begins. The request may still be on its way then.
pub(crate) async fn exchange(line: &mut Line, draft: &mut Draft, patience: Patience) -> Result<AnswerHead, Fault> {
    let to_head = draft.is_head();
    let mut scan = AnswerScan::new();
    std::future::poll_fn(|cx| {
        if let Err(fault) = line.poll_send(&mut draft.body, Some(patience), cx) {
            return Poll::Ready(Err(Fault::Client(fault)));
        }
        if let Poll::Ready(read) = line.poll_head(&mut scan, to_head, cx) {
            return Poll::Ready(match read {
                // Nobody asked for another protocol.
                Ok(head) if head.status == StatusCode::SWITCHING_PROTOCOLS && !draft.is_upgrade() => {
                    Err(Fault::Disbelieved)
                }
                Ok(head) => Ok(head),
                Err(NoHead::Disbelieved) => Err(Fault::Disbelieved),
                Err(NoHead::Failed(_)) if line.has_answered() => Err(Fault::Disbelieved),
                Err(NoHead::Failed(error)) => Err(Fault::Unanswered(Some(error))),
                Err(NoHead::Closed) => Err(Fault::Unanswered(None)),
            });
        }
        if line.step.fired() || line.total.fired() {
            return Poll::Ready(Err(Fault::Late));
        }
        line.step.watch(cx.waker());
        Poll::Pending
    })
    .await
}
