// SPDX-License-Identifier: Apache-2.0
//! One request over all its attempts, inside one deadline.
//!
//! Another attempt is made where the first cannot have been carried out, or where carrying it out twice is no different
//! from once (RFC 9110 §9.2.2): never after a byte of an answer, never of a body that streams. A key held for a write
//! does not make it safe: the key is ours and the upstream does not know it, so its write would be done twice.

mod two;

use crate::upstream::balance::Tried;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::exchange::{Fault, exchange, unreached};
use crate::upstream::h2;
use crate::upstream::line::{self, Line, Patience};
use crate::upstream::outgoing::{Draft, OutgoingBody};
use crate::upstream::passage::{Outcome, Passage};
use crate::upstream::pool::Whose;
use crate::upstream::{Http, Upstream, retry};
use crate::worker::Worker;
use http::StatusCode;
use http::header::RETRY_AFTER;
use portcullis_decision::Reason;
use portcullis_pipeline::OriginFault;
use portcullis_wire::AnswerHead;
use std::sync::Arc;
use std::time::Duration;

/// One request over all its attempts.
pub(crate) struct Course<'a> {
    worker: &'a Arc<Worker>,
    upstream: &'a Upstream,
    began_ms: u64,
    total: Duration,
    retries: u32,
    tried: Tried,
    /// Where the next attempt goes, on a new connection; unless a target is to be chosen.
    anew: Option<usize>,
}

/// An answer that was believed, and the connection its body is on.
pub(crate) struct Answered {
    pub(crate) head: AnswerHead,
    pub(crate) via: Via,
    /// What is left of the time.
    pub(crate) left: Duration,
}

/// What an answer comes over.
pub(crate) enum Via {
    /// A connection of its own, and what is still to be sent of the request.
    One { line: Box<Line>, upload: OutgoingBody },
    /// A stream.
    Two(h2::Open),
}

/// What an attempt came to.
pub(crate) enum Attempted {
    /// The answer to pass on.
    Answered(Answered),
    /// Nothing; the request, to be sent again.
    Again(Draft),
}

/// An attempt without an answer.
struct Failed {
    how: How,
    reason: Reason,
    /// The request, where another attempt cannot do harm.
    draft: Option<Draft>,
}

/// How it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// The upstream closed a pooled connection as it was used (F29): that tells nothing about it.
    Stale,
    /// It was not reached, or did not answer.
    Unanswered,
    /// Its answer cannot be believed.
    Disbelieved,
    /// The client's body failed.
    Client,
    /// We have no descriptor or port left for a connection (F36): that tells nothing about it.
    Ours,
}

impl<'a> Course<'a> {
    pub(crate) fn new(worker: &'a Arc<Worker>, upstream: &'a Upstream, began_ms: u64, total: Duration) -> Self {
        Self { worker, upstream, began_ms, total, retries: 0, tried: Tried::default(), anew: None }
    }

    /// One attempt.
    pub(crate) async fn attempt(&mut self, passage: &mut Passage, draft: Draft) -> Result<Attempted, OriginFault> {
        let now_ms = self.worker.deadlines.now_ms();
        let index = match self.anew {
            Some(index) => index,
            None => passage.choose(self.tried, now_ms)?,
        };
        self.tried = self.tried.with(index);
        let upstream = self.upstream;
        let endpoint = upstream.endpoints.get(index).ok_or(OriginFault::new(Reason::UpstreamUnreachable))?;
        let began = upstream.is_timed().then(|| self.worker.config.clock.monotonic());
        let attempted = self.send(endpoint, draft).await;
        let outcome = match &attempted {
            Ok((answered, _)) if is_failure(answered.head.status) => Some(Outcome::Bad),
            Ok(_) => Some(Outcome::Good),
            Err(failed) => match failed.how {
                How::Unanswered | How::Disbelieved => Some(Outcome::Bad),
                How::Stale | How::Client | How::Ours => None,
            },
        };
        if let Some(outcome) = outcome {
            let took = began.map(|began| self.worker.config.clock.monotonic().saturating_sub(began));
            passage.tell(outcome, took, self.worker);
            if outcome == Outcome::Good && upstream.config.retry.attempts > 0 && self.retries == 0 {
                upstream.budget.earn(now_ms);
            }
        }
        match attempted {
            Ok((answered, _)) if outcome == Some(Outcome::Good) => Ok(Attempted::Answered(answered)),
            Ok((answered, draft)) => Ok(self.reconsider(passage, answered, draft).await),
            Err(failed) => self.retry(passage, index, failed).await.map(Attempted::Again),
        }
    }

    /// The upstream said that it cannot: perhaps it can a moment later, or another target can. Where it says when,
    /// that is for the client to decide.
    async fn reconsider(&mut self, passage: &Passage, answered: Answered, draft: Draft) -> Attempted {
        let may = draft.is_repeatable() && !answered.head.headers.contains_key(RETRY_AFTER);
        if may && self.may_retry(passage) {
            // The answer is not read: its connection closes.
            drop(answered);
            self.pause().await;
            return Attempted::Again(draft);
        }
        Attempted::Answered(answered)
    }

    async fn retry(&mut self, passage: &Passage, index: usize, failed: Failed) -> Result<Draft, OriginFault> {
        let Failed { how, reason, draft } = failed;
        let fault = OriginFault::new(reason);
        let draft = draft.ok_or(fault)?;
        match how {
            // Once: the next one is on a new connection.
            How::Stale => self.anew = Some(index),
            How::Unanswered if self.may_retry(passage) => {
                self.anew = None;
                self.pause().await;
            }
            How::Unanswered | How::Disbelieved | How::Client | How::Ours => return Err(fault),
        }
        Ok(draft)
    }

    /// Takes a retry out of the budget, if there is time for it and a use.
    fn may_retry(&mut self, passage: &Passage) -> bool {
        let rules = self.upstream.config.retry;
        let now_ms = self.worker.deadlines.now_ms();
        let may = self.retries < rules.attempts
            && !self.left(now_ms).is_zero()
            && passage.may_try_again()
            && self.upstream.budget.spend(rules, now_ms);
        self.retries = self.retries.saturating_add(u32::from(may));
        may
    }

    /// Where every target was asked already a moment may help.
    async fn pause(&self) {
        if self.tried.count() >= self.upstream.endpoints.len() {
            let pause = retry::pause(self.retries.saturating_sub(1), rand::random());
            tokio::time::sleep(pause.min(self.left(self.worker.deadlines.now_ms()))).await;
        }
    }

    fn left(&self, now_ms: u64) -> Duration {
        self.total.saturating_sub(Duration::from_millis(now_ms.saturating_sub(self.began_ms)))
    }

    async fn send(&self, endpoint: &Endpoint, draft: Draft) -> Result<(Answered, Draft), Failed> {
        match self.upstream.config.http {
            Http::One => self.send_one(endpoint, draft).await,
            // Larger than all else here.
            Http::Two => Box::pin(self.send_two(endpoint, draft)).await,
        }
    }

    async fn send_one(&self, endpoint: &Endpoint, draft: Draft) -> Result<(Answered, Draft), Failed> {
        let pooled = match self.anew {
            Some(_) => None,
            None => endpoint.pool(self.worker.index).and_then(|pool| pool.lock().take(&endpoint.addresses)),
        };
        let (line, whose) = if let Some(line) = pooled {
            (line, Whose::Pool)
        } else {
            let patience = self.upstream.config.connect.min(self.left(self.worker.deadlines.now_ms()));
            match line::connect(self.worker, endpoint, patience).await {
                Ok(line) => (line, Whose::Fresh),
                Err(error) if line::is_ours(&error) => return Err(failed(How::Ours, Reason::UpstreamOverloaded)),
                Err(error) => {
                    let (how, reason) = (How::Unanswered, unreached(&error));
                    return Err(Failed { how, reason, draft: Some(draft) });
                }
            }
        };
        self.send_over(endpoint, draft, (line, whose)).await
    }

    /// Sends over an HTTP/1.1 connection.
    async fn send_over(
        &self,
        endpoint: &Endpoint,
        mut draft: Draft,
        (mut line, whose): (Box<Line>, Whose),
    ) -> Result<(Answered, Draft), Failed> {
        let Some(patience) = self.patience() else {
            return Err(failed(How::Unanswered, Reason::UpstreamTimeout));
        };
        line.begin(&draft, &endpoint.target, patience);
        match exchange(&mut line, &mut draft, patience).await {
            Ok(head) => {
                let upload = if line.is_sending() { draft.take_body() } else { OutgoingBody::Empty };
                Ok((Answered { head, via: Via::One { line, upload }, left: patience.total }, draft))
            }
            Err(fault) => Err(judge(&fault, &line, whose, draft)),
        }
    }

    /// What an exchange may take that begins now, if there is time: the wait for a place and the connection counts.
    fn patience(&self) -> Option<Patience> {
        let total = self.left(self.worker.deadlines.now_ms());
        (!total.is_zero()).then_some(Patience { first_byte: self.upstream.config.first_byte, total })
    }
}

/// Whose fault it was that no answer came, and whether the request can be sent again.
fn judge(fault: &Fault, line: &Line, whose: Whose, draft: Draft) -> Failed {
    let unsent = line.is_untouched() && draft.is_whole();
    let may_repeat = !line.has_answered() && (unsent || draft.is_repeatable());
    let how = match fault {
        Fault::Client(_) => How::Client,
        Fault::Disbelieved => How::Disbelieved,
        Fault::Late => How::Unanswered,
        Fault::Unanswered(_) => unanswered(whose),
    };
    let draft = Some(draft).filter(|_| may_repeat && matches!(how, How::Unanswered | How::Stale));
    Failed { how, reason: fault.reason(), draft }
}

fn unanswered(whose: Whose) -> How {
    match whose {
        Whose::Pool => How::Stale,
        Whose::Fresh => How::Unanswered,
    }
}

fn failed(how: How, reason: Reason) -> Failed {
    Failed { how, reason, draft: None }
}

/// An answer by which an upstream says that it is not well. A 500 is not: callers can provoke it.
pub(crate) fn is_failure(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// A `GET` of ours on a connection of its own; whether the answer was 2xx.
pub(crate) async fn probe(worker: &Arc<Worker>, upstream: &Upstream, endpoint: &Endpoint, path: &str) -> bool {
    let patience = Patience { first_byte: upstream.config.first_byte, total: upstream.config.total };
    let mut draft = Draft::probe(path);
    let line = match upstream.config.http {
        Http::One => line::connect(worker, endpoint, upstream.config.connect).await,
        Http::Two => match two::probe(worker, upstream, endpoint, (&mut draft, patience)).await {
            two::Probed::Answered(well) => return well,
            two::Probed::SpeaksOne(line) => Ok(line),
        },
    };
    let Ok(mut line) = line else { return false };
    line.begin(&draft, &endpoint.target, patience);
    let answered = exchange(&mut line, &mut draft, patience).await;
    answered.is_ok_and(|head| head.status.is_success())
}
