// SPDX-License-Identifier: Apache-2.0
//! The response guard (API1, API3, T78, p16): an answer is read whole and judged before one byte of it leaves.
//!
//! Order: read strictly → set undeclared and unreadable properties aside → owners and the contract of what is left →
//! drop foreign items. Where an answer breaks both, the refusal about the object wins, so that a broken answer about
//! somebody else's object looks like an absent one.

mod head;
mod judge;
mod walk;

pub use head::{HeadQuestion, HeadVerdict};

use crate::declared::Strictness;
use crate::evidence;
use crate::model::{Model, OperationPlan};
use crate::object::Known;
use bytes::Bytes;
use head::Body;
use http::header::{ACCEPT_RANGES, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, StatusCode};
use judge::Judge;
use portcullis_contract::Media;
use portcullis_decision::caller::Caller;
use portcullis_decision::receipt::{Receipt, StageName, stage};
use portcullis_decision::{Denial, Facts, Reason, Trail};
use portcullis_wire::json::{Document, JsonLimits, NodeId};

/// Violations of an answer are counted up to this many; they are for the record, not for the client.
const VIOLATIONS_TOLD_MAX: usize = 8;
/// At most this many undeclared properties of one answer are set aside by the exact reading.
const UNDECLARED_MAX: usize = 10_000;
/// Arrays and objects inside each other in an answer.
const ANSWER_DEPTH_MAX: usize = 64;
/// Values in an answer.
const ANSWER_NODES_MAX: usize = 200_000;

/// What the response stage is asked.
#[derive(Clone, Debug)]
pub struct AnswerQuestion<'q> {
    /// Who gets the answer.
    pub caller: &'q Caller,
    /// What the object stage learned.
    pub known: &'q Known,
    /// The origin's status.
    pub status: StatusCode,
    /// The origin's headers.
    pub headers: &'q HeaderMap,
    /// The origin's whole body.
    pub body: Bytes,
}

/// An answer that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The status.
    pub status: StatusCode,
    /// The body; every byte that was not removed is as the origin sent it.
    pub body: Bytes,
    /// Something was removed.
    pub changed: bool,
    /// The answer was judged for an identity: it leaves with `Cache-Control: private, no-store`.
    pub private: bool,
    /// Headers of the origin that no longer fit the answer.
    pub strip_headers: Vec<HeaderName>,
}

/// The guard at work on one answer.
pub(crate) struct AnswerGuard<'q> {
    pub(crate) model: &'q Model,
    pub(crate) plan: &'q OperationPlan,
}

impl AnswerGuard<'_> {
    /// Judges a whole answer.
    pub(crate) fn answer(
        &self,
        question: AnswerQuestion<'_>,
        trail: &mut Trail,
    ) -> Result<(Judged, Receipt<stage::Response>), Denial> {
        let head = HeadQuestion {
            caller: question.caller,
            known: question.known,
            status: question.status,
            headers: question.headers,
        };
        let body = self.body_of(&head, trail)?;
        if question.body.len() > self.model.response_max {
            return Err(trail.deny::<stage::Response>(Reason::ResponseTooLarge, self.status_facts(question.status)));
        }
        match body {
            _ if question.body.is_empty() => self.empty(&head, &body, trail),
            Body::None => self.undeclared_body(&head, question.body, trail),
            Body::Json(media) => self.json(&head, question.body, media, trail),
            Body::Opaque => {
                self.may_pass_unread(&head, trail)?;
                let facts = self.status_facts(head.status).with("body", "passed unread");
                Ok((unchanged(&head, question.body), trail.allow(facts)))
            }
        }
    }

    /// An answer without a body shows nothing, and so cannot show whose object it is about.
    fn empty(
        &self,
        head: &HeadQuestion<'_>,
        declared: &Body<'_>,
        trail: &mut Trail,
    ) -> Result<(Judged, Receipt<stage::Response>), Denial> {
        if head.status.is_success() {
            self.must_be_settled(head, trail)?;
            let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
            if matches!(declared, Body::Json(_)) && !bodiless {
                let facts = self.status_facts(head.status).with("why", "a body is declared and none came");
                return Err(trail.deny::<stage::Response>(Reason::ResponseContract, facts));
            }
        }
        let facts = self.status_facts(head.status);
        Ok((unchanged(head, Bytes::new()), trail.allow(facts)))
    }

    /// A body that the document does not mention does not leave.
    fn undeclared_body(
        &self,
        head: &HeadQuestion<'_>,
        body: Bytes,
        trail: &mut Trail,
    ) -> Result<(Judged, Receipt<stage::Response>), Denial> {
        use crate::declared::UnknownResponse;
        if head.status.is_success() {
            self.must_be_settled(head, trail)?;
        }
        let facts = self.status_facts(head.status).with("why", "the document declares no body here");
        match self.model.unknown_response {
            UnknownResponse::Fail => Err(trail.deny::<stage::Response>(Reason::ResponseUndeclared, facts)),
            UnknownResponse::Pass if self.plan.touched.is_empty() => {
                Ok((unchanged(head, body), trail.allow(self.status_facts(head.status))))
            }
            UnknownResponse::Pass | UnknownResponse::Drop => {
                trail.alert(StageName::Response, Reason::ResponseUndeclared, facts.clone());
                Ok((changed(head, Bytes::new()), trail.allow(facts)))
            }
        }
    }

    fn json(
        &self,
        head: &HeadQuestion<'_>,
        body: Bytes,
        media: &Media,
        trail: &mut Trail,
    ) -> Result<(Judged, Receipt<stage::Response>), Denial> {
        let limits = JsonLimits { depth_max: ANSWER_DEPTH_MAX, nodes_max: ANSWER_NODES_MAX };
        let document = match Document::parse(body, &limits) {
            Ok(document) => document,
            Err(fault) => {
                let facts = self.status_facts(head.status).with("why", fault.detail);
                return Err(trail.deny::<stage::Response>(Reason::ResponseContract, facts));
            }
        };
        let mut seen = walk::walk(self.model, self.plan, &document, media.shape);
        self.read_exactly(head, &document, media, &mut seen, trail)?;
        if self.model.unknown_response == crate::declared::UnknownResponse::Fail && !seen.undeclared.is_empty() {
            let facts = undeclared_facts(&seen, &document);
            return Err(trail.deny::<stage::Response>(Reason::ResponseUndeclared, facts));
        }
        let judge = Judge::new(self, head, &seen);
        judge.asked(trail)?;
        let unreadable = judge.unreadable();
        let foreign = judge.instances(&unreadable, trail)?;
        let unreadable: Vec<NodeId> = unreadable.iter().map(|node| node.id()).collect();
        self.contract(head, &document, (media, &seen, &unreadable), trail)?;
        report(&seen, &document, trail);
        let mut removed: Vec<NodeId> = seen.set_aside().chain(unreadable.iter().copied()).collect();
        removed.extend(foreign.removed.iter().copied());
        let facts = self.facts(head, &seen, unreadable.len(), foreign.items);
        let judged = if removed.is_empty() {
            unchanged(head, document.bytes().clone())
        } else {
            changed(head, document.without(&removed))
        };
        Ok((judged, trail.allow(facts)))
    }

    /// Of a composed schema only the branches that a value satisfies declare anything: what other branches would
    /// declare is undeclared here.
    fn read_exactly(
        &self,
        head: &HeadQuestion<'_>,
        document: &Document,
        media: &Media,
        seen: &mut walk::Seen<'_>,
        trail: &mut Trail,
    ) -> Result<(), Denial> {
        let composed = media.shape.is_some_and(|shape| self.model.composed.contains(&shape));
        let Some(validator) = media.validator.as_ref().filter(|_| composed) else { return Ok(()) };
        let aside: Vec<NodeId> = seen.set_aside().collect();
        // Only members were set aside, so pointers into the rest are pointers into the document.
        for violation in validator.undeclared(&document.to_value_without(&aside), UNDECLARED_MAX) {
            match document.root().pointer(&violation.pointer) {
                Some(node) if node.id() != NodeId::ROOT => seen.undeclared.push(node.id()),
                _ => {
                    let facts = self.status_facts(head.status).with("why", "its properties cannot be told");
                    return Err(trail.deny::<stage::Response>(Reason::ResponseContract, facts));
                }
            }
        }
        seen.undeclared.sort_unstable();
        seen.undeclared.dedup();
        Ok(())
    }

    /// What is left must satisfy the contract. A property that is hidden from this caller counts as present when its
    /// absence alone would break it.
    fn contract(
        &self,
        head: &HeadQuestion<'_>,
        document: &Document,
        (media, seen, unreadable): (&Media, &walk::Seen<'_>, &[NodeId]),
        trail: &mut Trail,
    ) -> Result<(), Denial> {
        let Some(validator) = &media.validator else { return Ok(()) };
        let aside: Vec<NodeId> = seen.set_aside().collect();
        if validator.accepts(document, &aside) {
            return Ok(());
        }
        if !unreadable.is_empty() {
            let rest: Vec<NodeId> = aside.iter().chain(unreadable).copied().collect();
            if validator.accepts(document, &rest) {
                return Ok(());
            }
        }
        let whole = document.to_value_without(&aside);
        let observed = self.model.validate.response == Strictness::Observe;
        // What was judged above was found by the structure: where that breaks, nothing was.
        let breaks = if observed { validator.structural_violations(&whole, VIOLATIONS_TOLD_MAX) } else { Vec::new() };
        let observed = observed && breaks.is_empty();
        let violations = if breaks.is_empty() { validator.violations(&whole, VIOLATIONS_TOLD_MAX) } else { breaks };
        let mut facts = self.status_facts(head.status).with("violations", violations.len());
        if let Some(first) = violations.first() {
            facts = facts.with("first", evidence::cut(&first.pointer).to_owned());
            facts = facts.with("expected", evidence::cut(&first.detail).to_owned());
        }
        if observed {
            trail.alert(StageName::Response, Reason::ResponseContract, facts);
            return Ok(());
        }
        Err(trail.deny::<stage::Response>(Reason::ResponseContract, facts))
    }

    fn status_facts(&self, status: StatusCode) -> Facts {
        let facts = Facts::none().with("status", i64::from(status.as_u16()));
        match self.plan.touched.first().and_then(|kind| self.model.kind(*kind)) {
            Some(kind) => facts.with("object", std::sync::Arc::clone(&kind.name)),
            None => facts,
        }
    }

    fn facts(&self, head: &HeadQuestion<'_>, seen: &walk::Seen<'_>, unreadable: usize, foreign: usize) -> Facts {
        let mut facts = self.status_facts(head.status);
        for (name, count) in [
            ("objects", seen.instances.len()),
            ("undeclared", seen.undeclared.len()),
            ("unreadable", unreadable.saturating_add(seen.write_only.len())),
            ("foreign", foreign),
        ] {
            if count > 0 {
                facts = facts.with(name, count);
            }
        }
        facts
    }
}

/// Tells a person what the origin showed that it should not have.
fn report(seen: &walk::Seen<'_>, document: &Document, trail: &mut Trail) {
    if !seen.undeclared.is_empty() {
        trail.alert(StageName::Response, Reason::ResponseUndeclared, undeclared_facts(seen, document));
    }
    if let Some(first) = seen.write_only.first() {
        let facts = Facts::none().with("write_only", seen.write_only.len()).with("first", key_of(document, *first));
        trail.alert(StageName::Response, Reason::ResponseUndeclared, facts);
    }
}

fn undeclared_facts(seen: &walk::Seen<'_>, document: &Document) -> Facts {
    let facts = Facts::none().with("undeclared", seen.undeclared.len());
    match seen.undeclared.first() {
        Some(first) => facts.with("first", key_of(document, *first)),
        None => facts,
    }
}

fn key_of(document: &Document, id: NodeId) -> String {
    let key = document.node(id).and_then(portcullis_wire::json::NodeRef::key);
    key.map(|key| evidence::cut(&key).to_owned()).unwrap_or_default()
}

fn unchanged(head: &HeadQuestion<'_>, body: Bytes) -> Judged {
    let private = head.caller.identity().is_some();
    Judged { status: head.status, body, changed: false, private, strip_headers: Vec::new() }
}

fn changed(head: &HeadQuestion<'_>, body: Bytes) -> Judged {
    let digests = ["digest", "content-digest", "repr-digest", "content-md5", "signature", "signature-input"];
    let mut strip_headers = vec![ETAG, LAST_MODIFIED, ACCEPT_RANGES];
    strip_headers.extend(digests.into_iter().map(HeaderName::from_static));
    let private = head.caller.identity().is_some();
    Judged { status: head.status, body, changed: true, private, strip_headers }
}
