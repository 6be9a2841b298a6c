// SPDX-License-Identifier: Apache-2.0
//! What an answer's status and headers alone decide (DESIGN.md §6).

use super::AnswerGuard;
use crate::declared::Action;
use crate::evidence;
use crate::model::{Guard, ObjectKind};
use crate::object::{Known, Standing};
use crate::owner::Ownership;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, StatusCode};
use portcullis_contract::Media;
use portcullis_decision::caller::Caller;
use portcullis_decision::receipt::{Receipt, stage};
use portcullis_decision::{Denial, Reason, Trail};
use portcullis_wire::media::MediaType;

/// An answer before its body.
#[derive(Clone, Debug)]
pub struct HeadQuestion<'q> {
    /// Who gets the answer.
    pub caller: &'q Caller,
    /// What the object stage learned.
    pub known: &'q Known,
    /// The origin's status.
    pub status: StatusCode,
    /// The origin's headers.
    pub headers: &'q HeaderMap,
}

/// What to do with the body of an answer.
pub enum HeadVerdict {
    /// Read it whole and ask [`crate::Authorizer::answer`].
    Read,
    /// Nothing in it is judged: it may be streamed as it comes.
    Stream {
        /// Whether it leaves with `Cache-Control: private, no-store`.
        private: bool,
        /// The proof.
        receipt: Receipt<stage::Response>,
    },
}

/// What the document says of the body.
pub(super) enum Body<'m> {
    /// No body is declared.
    None,
    /// JSON, to be read.
    Json(&'m Media),
    /// Something that cannot be read here, or that nothing reads.
    Opaque,
}

impl AnswerGuard<'_> {
    /// Judges an answer by its head: whether its body must be read.
    pub(crate) fn head(&self, head: &HeadQuestion<'_>, trail: &mut Trail) -> Result<HeadVerdict, Denial> {
        match self.body_of(head, trail)? {
            Body::None | Body::Json(_) => Ok(HeadVerdict::Read),
            Body::Opaque => {
                self.may_pass_unread(head, trail)?;
                let facts = self.status_facts(head.status).with("body", "passed unread");
                Ok(HeadVerdict::Stream { private: head.caller.identity().is_some(), receipt: trail.allow(facts) })
            }
        }
    }

    /// What kind of body is declared for this status and media type; a denial where the answer may not leave at all.
    pub(super) fn body_of(&self, head: &HeadQuestion<'_>, trail: &mut Trail) -> Result<Body<'_>, Denial> {
        if let Some(denial) = self.as_absent(head, trail) {
            return Err(denial);
        }
        let passes = self.plan.needs.guard == Guard::Pass;
        let broken = |why: &'static str, trail: &mut Trail| {
            let facts = self.status_facts(head.status).with("why", why);
            trail.deny::<stage::Response>(Reason::ResponseContract, facts)
        };
        match head.status {
            StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT if passes => return Ok(Body::Opaque),
            StatusCode::NOT_MODIFIED => return Err(broken("an answer that must be judged did not come", trail)),
            // `Range` is forwarded only where ownership was known before.
            StatusCode::PARTIAL_CONTENT if self.plan.needs.known_before => return Ok(Body::Opaque),
            StatusCode::PARTIAL_CONTENT => return Err(broken("a part of an answer cannot be judged", trail)),
            _ => {}
        }
        if !passes && is_coded(head.headers) {
            return Err(broken("a coded answer cannot be judged", trail));
        }
        let operation = self.model.contract.operation(self.plan.judged_as);
        let Some(declared) = operation.and_then(|o| o.responses.for_status(head.status.as_u16())) else {
            return Err(self.undeclared(head, trail));
        };
        // Whatever comes through a connection that becomes something else, nobody judges.
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Body::Opaque);
        }
        if declared.media.is_empty() {
            return Ok(Body::None);
        }
        let media_type = match MediaType::of(head.headers) {
            Ok(Some(media_type)) => media_type,
            // Nothing says what it is: it is read as the JSON that is declared, or it is nothing that can be read.
            Ok(None) => {
                return Ok(declared.media.iter().find(|m| m.is_json).map_or(Body::Opaque, |m| self.readable(m)));
            }
            Err(_) => return Err(broken("the media type cannot be read", trail)),
        };
        match declared.choose(Some(&media_type)) {
            None => Err(broken("the media type is not declared", trail)),
            Some(media) if media.is_json && !media_type.is_utf8() => Err(broken("json is utf-8", trail)),
            Some(media) if media.is_json && media_type.is_json() => Ok(self.readable(media)),
            Some(_) => Ok(Body::Opaque),
        }
    }

    /// JSON is read where a schema, an object rule or a property rule looks into it; where none does, reading it would
    /// only cost (DESIGN.md §4).
    fn readable<'m>(&self, media: &'m Media) -> Body<'m> {
        let unread = self.plan.needs.guard == Guard::Pass && media.validator.is_none() && media.shape.is_none();
        if unread { Body::Opaque } else { Body::Json(media) }
    }

    /// Upstream refusals about an object are one answer, whatever the origin meant (T114).
    fn as_absent(&self, head: &HeadQuestion<'_>, trail: &mut Trail) -> Option<Denial> {
        let kind = self.first_kind(head)?;
        match head.status.as_u16() {
            401 | 403 | 404 | 410 => {
                let facts = self.status_facts(head.status).with("why", "the origin does not show it");
                Some(evidence::deny::<stage::Response>(trail, kind, Reason::ObjectAbsent, facts))
            }
            _ => None,
        }
    }

    /// The type a refusal speaks of: that of the first id, else the first that is touched.
    pub(super) fn first_kind(&self, head: &HeadQuestion<'_>) -> Option<&ObjectKind> {
        let asked = head.known.ids.first().map(|id| id.kind);
        let index = asked.or_else(|| self.plan.touched.first().copied())?;
        self.model.kind(index)
    }

    /// Statuses the document does not declare.
    fn undeclared(&self, head: &HeadQuestion<'_>, trail: &mut Trail) -> Denial {
        let facts = self.status_facts(head.status).with("why", "the document does not declare this status");
        if head.status.is_client_error() {
            return trail.deny::<stage::Response>(Reason::ResponseUndeclared, facts).shown_as(head.status);
        }
        if head.status.is_server_error() {
            return trail.deny::<stage::Response>(Reason::UpstreamInvalidResponse, facts);
        }
        trail.deny::<stage::Response>(Reason::ResponseContract, facts)
    }

    /// An answer that cannot be read leaves only where ownership was known before and no property rule applies.
    pub(super) fn may_pass_unread(&self, head: &HeadQuestion<'_>, trail: &mut Trail) -> Result<(), Denial> {
        if self.plan.touched.is_empty() {
            return Ok(());
        }
        let is_error = head.status.is_client_error() || head.status.is_server_error();
        let why = if !is_settled(self, head.known) {
            "ownership was not known before"
        } else if !is_error && self.is_restricted(head) {
            "a property rule applies"
        } else {
            return Ok(());
        };
        let facts = self.status_facts(head.status).with("why", why);
        Err(trail.deny::<stage::Response>(Reason::ResponseContract, facts))
    }

    /// Whether some property rule would hide something from this caller.
    fn is_restricted(&self, head: &HeadQuestion<'_>) -> bool {
        let own = !head.known.ids.is_empty() && head.known.ids.iter().all(|id| id.owned);
        let ownership = if own { Ownership::Own } else { Ownership::Unknown };
        let mut rules = self.plan.read_rules.iter().filter_map(|rule| rule.read.as_ref());
        rules.any(|rule| !rule.holds(head.caller, &ownership))
    }

    /// An answer that shows no object leaves only where no id waits for it.
    pub(super) fn must_be_settled(&self, head: &HeadQuestion<'_>, trail: &mut Trail) -> Result<(), Denial> {
        let Some(pending) = head.known.ids.iter().find(|id| id.standing == Standing::Pending) else {
            return Ok(());
        };
        let Some(kind) = self.model.kind(pending.kind) else {
            return Err(trail.deny::<stage::Response>(Reason::GateInternal, self.status_facts(head.status)));
        };
        let facts = self.status_facts(head.status).with("why", "the answer does not show the object");
        Err(evidence::deny::<stage::Response>(trail, kind, Reason::ObjectUnknownOwner, facts))
    }
}

/// Whether everything the answer may show was judged before the call. A list never is.
fn is_settled(guard: &AnswerGuard<'_>, known: &Known) -> bool {
    known.is_settled() && !(known.ids.is_empty() && guard.plan.action == Action::Read)
}

fn is_coded(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}
