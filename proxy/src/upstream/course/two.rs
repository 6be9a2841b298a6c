// SPDX-License-Identifier: Apache-2.0
//! An attempt in HTTP/2: a place on a connection, one stream, and what its failure says of the upstream.

use super::{Answered, Course, Failed, How, Via, failed};
use crate::upstream::Upstream;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::exchange::unreached;
use crate::upstream::h2::{self, Connected, Entered, Fault, Place, Pool, Reached, Times, Turn};
use crate::upstream::line::{self, Line, Patience};
use crate::upstream::outgoing::Draft;
use crate::upstream::pool::Whose;
use crate::worker::Worker;
use portcullis_decision::Reason;
use std::io;
use std::sync::{Arc, Weak};

impl Course<'_> {
    pub(super) async fn send_two(&self, endpoint: &Endpoint, mut draft: Draft) -> Result<(Answered, Draft), Failed> {
        let core = self.worker.index;
        // There are some where the upstream chose HTTP/1.1 although it was asked for HTTP/2.
        let pooled = match self.anew {
            Some(_) => None,
            None => endpoint.pool(core).and_then(|pool| pool.lock().take(&endpoint.addresses)),
        };
        if let Some(line) = pooled {
            return self.send_over(endpoint, draft, (line, Whose::Pool)).await;
        }
        let Some(pool) = endpoint.pool_two(core) else {
            return Err(failed(How::Ours, Reason::UpstreamOverloaded));
        };
        let place = match self.reach(endpoint, pool).await {
            Ok(Reached::Two(place)) => place,
            Ok(Reached::One(line)) => return self.send_over(endpoint, draft, (line, Whose::Fresh)).await,
            Err(Unreached::Late) => return Err(failed(How::Ours, Reason::UpstreamOverloaded)),
            Err(Unreached::Failed(error)) if line::is_ours(&error) => {
                return Err(failed(How::Ours, Reason::UpstreamOverloaded));
            }
            Err(Unreached::Failed(error)) => {
                let reason = unreached(&error);
                return Err(Failed { how: How::Unanswered, reason, draft: Some(draft) });
            }
        };
        let Some(patience) = self.patience() else {
            return Err(failed(How::Unanswered, Reason::UpstreamTimeout));
        };
        match h2::exchange(place, &mut draft, &endpoint.target, patience).await {
            Ok((head, open)) => Ok((Answered { head, via: Via::Two(open), left: patience.total }, draft)),
            Err(fault) => Err(self.judge_two(fault, draft)),
        }
    }

    /// A place on a connection, or a connection of the other kind.
    async fn reach(&self, endpoint: &Endpoint, pool: &Arc<Pool>) -> Result<Reached, Unreached> {
        let left = self.left(self.worker.deadlines.now_ms());
        let turn = match pool.enter(&endpoint.addresses) {
            Entered::Now(turn) => turn,
            Entered::Waiting(turn) => match tokio::time::timeout(left, turn).await {
                Ok(Ok(turn)) => turn,
                Ok(Err(_)) | Err(_) => return Err(Unreached::Late),
            },
        };
        match turn {
            Turn::Place(place) => Ok(Reached::Two(place)),
            Turn::Failed(error) => Err(Unreached::Failed(error)),
            Turn::Connect(connecting) => {
                let left = self.left(self.worker.deadlines.now_ms());
                let times = Times { connect: self.upstream.config.connect.min(left), idle: self.upstream.config.idle };
                connecting.open(self.worker, endpoint, times).await.map_err(Unreached::Failed)
            }
        }
    }

    fn judge_two(&self, fault: Fault, draft: Draft) -> Failed {
        // What was not begun with can be sent again whatever it is, once at no charge: that is no failure.
        let unbegun = if self.anew.is_none() { How::Stale } else { How::Unanswered };
        let (whole, repeatable) = (draft.is_whole(), draft.is_repeatable());
        let again = |may: bool| Some(draft).filter(|_| may);
        match fault {
            Fault::Client(body) => failed(How::Client, body.reason()),
            Fault::Disbelieved => failed(How::Disbelieved, Reason::UpstreamInvalidResponse),
            Fault::Late => Failed { how: How::Unanswered, reason: Reason::UpstreamTimeout, draft: again(repeatable) },
            Fault::Unprocessed => Failed { how: unbegun, reason: Reason::UpstreamUnreachable, draft: again(whole) },
            Fault::Unanswered { error, heard } => {
                let reason = error.as_ref().map_or(Reason::UpstreamUnreachable, unreached);
                // A connection that ends without a word more may have ended before it was used.
                let how = if heard { How::Unanswered } else { unbegun };
                Failed { how, reason, draft: again(repeatable) }
            }
        }
    }
}

/// Why there is no place.
enum Unreached {
    /// None became free in time.
    Late,
    /// No connection could be opened.
    Failed(Arc<io::Error>),
}

/// What became of a probe.
pub(super) enum Probed {
    /// Whether the answer was 2xx.
    Answered(bool),
    /// The upstream chose HTTP/1.1.
    SpeaksOne(Box<Line>),
}

pub(super) async fn probe(
    worker: &Arc<Worker>,
    upstream: &Upstream,
    endpoint: &Endpoint,
    (draft, patience): (&mut Draft, Patience),
) -> Probed {
    let times = Times { connect: upstream.config.connect, idle: upstream.config.idle };
    let place: Place = match h2::connect(worker, endpoint, times, Weak::new()).await {
        Ok(Connected::Two(line)) => h2::alone(line),
        Ok(Connected::One(line)) => return Probed::SpeaksOne(line),
        Err(_) => return Probed::Answered(false),
    };
    let answered = h2::exchange(place, draft, &endpoint.target, patience).await;
    Probed::Answered(answered.is_ok_and(|(head, _)| head.status.is_success()))
}
