// SPDX-License-Identifier: Apache-2.0
//! One request over all its attempts, inside one deadline.
//!
//! Another attempt is made where the first cannot have been carried out, or where carrying it out twice is no different
//! from once (RFC 9110 §9.2.2): never after a byte of an answer, never of a body that streams. A key held for a write
//! does not make it safe: the key is ours and the upstream does not know it, so its write would be done twice.

use crate::tls::is_distrust;
use crate::upstream::answer;
use crate::upstream::balance::Tried;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::line::{self, Beginning, Line};
use crate::upstream::outgoing::{Again, Draft, OutgoingBody, StreamClock};
use crate::upstream::passage::{Outcome, Passage};
use crate::upstream::pool::{Lease, Whose};
use crate::upstream::{Upstream, retry};
use crate::worker::Worker;
use http::header::RETRY_AFTER;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use portcullis_decision::Reason;
use portcullis_pipeline::{BodyFault, OriginFault};
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
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

/// An answer that was believed.
pub(crate) struct Answered {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
    /// What is left of the time.
    pub(crate) left: Duration,
    again: Option<Again>,
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
    draft: Option<Box<Draft>>,
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
            Ok(answered) if is_failure(answered.response.status()) => Some(Outcome::Bad),
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
            Ok(answered) if outcome == Some(Outcome::Good) => Ok(Attempted::Answered(answered)),
            Ok(answered) => Ok(self.reconsider(passage, endpoint, answered).await),
            Err(failed) => self.retry(passage, index, failed).await.map(Attempted::Again),
        }
    }

    /// The upstream said that it cannot: perhaps it can a moment later, or another target can. Where it says when,
    /// that is for the client to decide.
    async fn reconsider(&mut self, passage: &Passage, endpoint: &Endpoint, mut answered: Answered) -> Attempted {
        let draft = match answered.again.take() {
            Some(again) if !answered.response.headers().contains_key(RETRY_AFTER) => {
                head_again(&answered.lease.line, endpoint, again)
            }
            Some(_) | None => None,
        };
        match draft {
            Some(draft) if self.may_retry(passage) => {
                // The answer is not read: its connection closes.
                drop(answered);
                self.pause().await;
                Attempted::Again(draft)
            }
            Some(_) | None => Attempted::Answered(answered),
        }
    }

    async fn retry(&mut self, passage: &Passage, index: usize, failed: Failed) -> Result<Draft, OriginFault> {
        let Failed { how, reason, draft } = failed;
        let fault = OriginFault::new(reason);
        let draft = *draft.ok_or(fault)?;
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

    async fn send(&self, endpoint: &Endpoint, draft: Draft) -> Result<Answered, Failed> {
        let pooled = match self.anew {
            Some(_) => None,
            None => endpoint.pool(self.worker.index).and_then(|pool| pool.lock().take(&endpoint.addresses)),
        };
        let lease = if let Some(idle) = pooled {
            Lease::of(idle, Whose::Pool)
        } else {
            let patience = self.upstream.config.connect.min(self.left(self.worker.deadlines.now_ms()));
            match line::connect(self.worker, endpoint, patience).await {
                Ok(idle) => Lease::of(idle, Whose::Fresh),
                Err(error) if line::is_ours(&error) => return Err(failed(How::Ours, Reason::UpstreamOverloaded)),
                Err(error) => {
                    let (how, reason) = (How::Unanswered, unreached(&error));
                    return Err(Failed { how, reason, draft: Some(Box::new(draft)) });
                }
            }
        };
        // The wait for a place and the connection counts.
        let left = self.left(self.worker.deadlines.now_ms());
        if left.is_zero() {
            return Err(failed(How::Unanswered, Reason::UpstreamTimeout));
        }
        let repeats = lease.whose == Whose::Pool || self.retries < self.upstream.config.retry.attempts;
        let again = if repeats { draft.again() } else { None };
        let first_byte = self.upstream.config.first_byte;
        lease.line.begin(Beginning { first_byte, total: left, keep_head: again.is_some(), uploads: draft.uploads() });
        let spent = || StreamClock { line: Arc::clone(&lease.line), first_byte, total: left };
        match draft.into_request(&endpoint.target, spent) {
            Some(request) => exchange(lease, endpoint, request, Rest { left, again }).await,
            None => Err(failed(How::Client, Reason::UpstreamInvalidResponse)),
        }
    }
}

/// What an exchange has left.
struct Rest {
    left: Duration,
    again: Option<Again>,
}

async fn exchange(
    mut lease: Lease,
    endpoint: &Endpoint,
    request: Request<OutgoingBody>,
    rest: Rest,
) -> Result<Answered, Failed> {
    let method = request.method().clone();
    let answered = {
        let line = &lease.line;
        let mut sending = pin!(lease.sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(answered) = sending.as_mut().poll(cx) {
                return Poll::Ready(Some(answered));
            }
            if line.step.fired() || line.total.fired() {
                return Poll::Ready(None);
            }
            line.step.watch(cx.waker());
            Poll::Pending
        })
        .await
    };
    // Dropping the lease closes the connection.
    let Rest { left, again } = rest;
    match answered {
        Some(Ok(response)) => believe(response, &method, lease, Rest { left, again }),
        None => {
            let draft = again.and_then(|again| head_again(&lease.line, endpoint, again)).map(Box::new);
            let reason = Reason::UpstreamTimeout;
            Err(Failed { how: How::Unanswered, reason, draft: draft.filter(|_| !lease.line.has_answered()) })
        }
        Some(Err(mut error)) => match error.take_message() {
            Some(_) if lease.line.is_hostile() => Err(failed(How::Disbelieved, Reason::UpstreamInvalidResponse)),
            Some(request) => {
                let draft = Some(Box::new(Draft::from_unsent(request, &endpoint.target)));
                Err(Failed { how: unanswered(lease.whose), reason: Reason::UpstreamUnreachable, draft })
            }
            None => Err(judge(&error.into_error(), &lease, endpoint, again)),
        },
    }
}

fn believe(response: Response<Incoming>, method: &Method, lease: Lease, rest: Rest) -> Result<Answered, Failed> {
    let (mut parts, incoming) = response.into_parts();
    answer::believe(&mut parts).map_err(|_| failed(How::Disbelieved, Reason::UpstreamInvalidResponse))?;
    // hyper reads no content after these either; an upstream that sends some has its connection closed by it.
    debug_assert!(!answer::is_bodiless(method, parts.status) || incoming.is_end_stream());
    let Rest { left, again } = rest;
    Ok(Answered { response: Response::from_parts(parts, incoming), lease, left, again })
}

/// Whose fault it was that no answer came.
fn judge(error: &hyper::Error, lease: &Lease, endpoint: &Endpoint, again: Option<Again>) -> Failed {
    if let Some(body) = error.source().and_then(|source| source.downcast_ref::<BodyFault>()) {
        return failed(How::Client, body.reason());
    }
    let line = &lease.line;
    if line.is_hostile() || error.is_parse() || line.has_answered() {
        return failed(How::Disbelieved, Reason::UpstreamInvalidResponse);
    }
    let draft = again.and_then(|again| head_again(line, endpoint, again)).map(Box::new);
    Failed { how: unanswered(lease.whose), reason: unreached(error), draft }
}

/// Whether nobody was there, or nobody to be trusted.
fn unreached(error: &(dyn Error + 'static)) -> Reason {
    if is_distrust(error) { Reason::UpstreamTls } else { Reason::UpstreamUnreachable }
}

fn unanswered(whose: Whose) -> How {
    match whose {
        Whose::Pool => How::Stale,
        Whose::Fresh => How::Unanswered,
    }
}

fn head_again(line: &Line, endpoint: &Endpoint, again: Again) -> Option<Draft> {
    line.head_sent(|head| Draft::from_sent(head, &endpoint.target, again))
}

fn failed(how: How, reason: Reason) -> Failed {
    Failed { how, reason, draft: None }
}

/// An answer by which an upstream says that it is not well. A 500 is not: callers can provoke it.
fn is_failure(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// A `GET` of ours on a connection of its own; whether the answer was 2xx.
pub(crate) async fn probe(worker: &Arc<Worker>, upstream: &Upstream, endpoint: &Endpoint, path: &str) -> bool {
    let Ok(idle) = line::connect(worker, endpoint, upstream.config.connect).await else { return false };
    let lease = Lease::of(idle, Whose::Fresh);
    let (first_byte, left) = (upstream.config.first_byte, upstream.config.total);
    lease.line.begin(Beginning { first_byte, total: left, keep_head: false, uploads: false });
    let Some(request) = Draft::probe(path, &endpoint.target) else { return false };
    let answered = exchange(lease, endpoint, request, Rest { left, again: None }).await;
    answered.is_ok_and(|answered| answered.response.status().is_success())
}
