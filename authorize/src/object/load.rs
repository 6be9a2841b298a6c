// SPDX-License-Identifier: Apache-2.0
//! Loading an object to learn its owner: a `GET` of the same API, made by the host.
//!
//! Anything but a 200 with a readable object of the same id is absent (404) or `object.lookup_failed`.

use super::{Asked, ObjectStage};
use crate::evidence;
use crate::model::{Fill, LookUpPlan, ObjectKind};
use crate::pointer::Pointer;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use portcullis_contract::{Operation, OperationIndex, Parameters};
use portcullis_decision::fetch::BoxFuture;
use portcullis_decision::receipt::stage;
use portcullis_decision::{Denial, Facts, Reason, Trail};
use portcullis_wire::json::{Document, JsonKind, JsonLimits, NodeRef};
use portcullis_wire::media::MediaType;
use std::sync::Arc;

/// The longest look-up answer that is read (DESIGN.md §2).
pub const LOOKUP_BYTES_MAX: usize = 64 * 1024;
/// An `If-Match` of a client names at most this many tags that are looked at.
const TAGS_MAX: usize = 32;

/// What is to be loaded.
#[derive(Clone, Copy, Debug)]
pub struct LookupRequest<'a> {
    /// The operation to call; a `GET`.
    pub operation: OperationIndex,
    /// The parameters of the request that is being judged.
    pub parameters: &'a Parameters,
    /// The value of every parameter in the look-up's template, decoded; each takes the place of `parameters`.
    pub path: &'a [(Arc<str>, String)],
}

/// What came back.
#[derive(Clone, Debug)]
pub struct LookupAnswer {
    /// Its status.
    pub status: StatusCode,
    /// `ETag`.
    pub etag: Option<HeaderValue>,
    /// `Content-Type`.
    pub content_type: Option<HeaderValue>,
    /// At most [`LOOKUP_BYTES_MAX`] bytes.
    pub body: Bytes,
}

/// Nothing usable came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupFault {
    /// The origin could not be asked, or its answer could not be used.
    #[error("the origin did not answer")]
    Unavailable,
    /// No answer within the request's deadline.
    #[error("the origin did not answer in time")]
    Timeout,
    /// The answer is larger than [`LOOKUP_BYTES_MAX`].
    #[error("the answer is too large")]
    TooLarge,
}

impl LookupFault {
    fn word(self) -> &'static str {
        match self {
            Self::Unavailable => "the origin did not answer",
            Self::Timeout => "the origin did not answer in time",
            Self::TooLarge => "its answer is too large",
        }
    }
}

impl LookupRequest<'_> {
    /// The path of the look-up in origin form, below the API's base path. `None` where a value would change the
    /// path's meaning: an id is one segment, never a dot segment, and holds no separator.
    pub fn target(&self, operation: &Operation) -> Option<String> {
        let mut target = String::with_capacity(operation.template.len() + 32);
        let mut rest = &*operation.template;
        while let Some((before, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}')?;
            target.push_str(before);
            let (_, value) = self.path.iter().find(|(known, _)| **known == *name)?;
            push_segment(&mut target, value)?;
            rest = behind;
        }
        target.push_str(rest);
        Some(target)
    }
}

/// Writes a value as (part of) a path segment, everything but unreserved characters escaped (RFC 3986 §2.3).
fn push_segment(target: &mut String, value: &str) -> Option<()> {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let unsafe_char = |c: char| c.is_control() || matches!(c, '/' | '\\');
    if value.is_empty() || value.bytes().all(|b| b == b'.') || value.contains(unsafe_char) {
        return None;
    }
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            target.push(char::from(byte));
        } else {
            target.push('%');
            target.push(*HEX.get(usize::from(byte >> 4))?);
            target.push(*HEX.get(usize::from(byte & 15))?);
        }
    }
    Some(())
}

/// Loads objects for the judge. Implemented by the host: inside the request's deadline, with the caller's upstream
/// identity, counted by bulkhead and breaker, following no redirect.
pub trait OwnerLookup: Send + Sync {
    /// One `GET`.
    fn look_up<'a>(&'a self, request: LookupRequest<'a>) -> BoxFuture<'a, Result<LookupAnswer, LookupFault>>;
}

/// An object that was loaded.
pub(crate) struct Loaded {
    document: Document,
    place: Pointer,
    etag: Option<HeaderValue>,
}

impl Loaded {
    pub(crate) fn object(&self) -> Option<NodeRef<'_>> {
        self.place.value(self.document.root())
    }

    /// The tag, where it is one that `If-Match` compares (RFC 9110 §8.8.1: weak tags never match there).
    pub(crate) fn strong_etag(&self) -> Option<&HeaderValue> {
        self.etag.as_ref().filter(|tag| is_strong(tag.as_bytes()))
    }
}

/// Loads the object an id names, and makes sure it is that object.
pub(crate) async fn load(
    stage: &ObjectStage<'_>,
    asked: &Asked<'_>,
    plan: &LookUpPlan,
    trail: &mut Trail,
) -> Result<Loaded, Denial> {
    let Some(kind) = stage.model.kind(asked.carried.kind) else {
        return Err(trail.deny::<stage::Object>(Reason::GateInternal, Facts::none()));
    };
    let facts = Facts::none().with("object", Arc::clone(&kind.name)).with("lookup", Arc::clone(&plan.name));
    let Some(path) = fill(stage, asked, plan) else {
        return Err(
            trail.deny::<stage::Object>(Reason::ObjectLookupFailed, facts.with("why", "a path parameter is missing"))
        );
    };
    let parameters = stage.question.parameters;
    let request = LookupRequest { operation: plan.operation, parameters, path: &path };
    let answer = match stage.lookups.look_up(request).await {
        Ok(answer) => answer,
        Err(fault) => {
            return Err(trail.deny::<stage::Object>(Reason::ObjectLookupFailed, facts.with("why", fault.word())));
        }
    };
    match read(kind, plan, &asked.id, answer) {
        Ok(loaded) => Ok(loaded),
        Err(Unusable::Absent(why)) => {
            Err(evidence::deny::<stage::Object>(trail, kind, Reason::ObjectAbsent, facts.with("why", why)))
        }
        Err(Unusable::Failed(why)) => {
            Err(trail.deny::<stage::Object>(Reason::ObjectLookupFailed, facts.with("why", why)))
        }
    }
}

/// Why an answer is of no use.
#[derive(Debug, PartialEq, Eq)]
enum Unusable {
    Absent(&'static str),
    Failed(&'static str),
}

fn fill(stage: &ObjectStage<'_>, asked: &Asked<'_>, plan: &LookUpPlan) -> Option<Vec<(Arc<str>, String)>> {
    let mut path = Vec::with_capacity(plan.path.len());
    for (name, fill) in &plan.path {
        let value = match fill {
            Fill::Id => asked.id.clone().into_owned(),
            Fill::Same(same) => super::ids::path_text(stage.question.parameters, same)?.into_owned(),
        };
        path.push((Arc::clone(name), value));
    }
    Some(path)
}

fn read(kind: &ObjectKind, plan: &LookUpPlan, id: &str, answer: LookupAnswer) -> Result<Loaded, Unusable> {
    match answer.status.as_u16() {
        200 => {}
        400 | 401 | 403 | 404 | 410 | 422 => return Err(Unusable::Absent("the origin does not show it")),
        _ => return Err(Unusable::Failed("its status is not 200")),
    }
    if answer.body.len() > LOOKUP_BYTES_MAX {
        return Err(Unusable::Failed("its answer is too large"));
    }
    let media = answer.content_type.as_ref().and_then(|value| MediaType::parse(value).ok());
    if !media.is_some_and(|media| media.is_json() && media.is_utf8()) {
        return Err(Unusable::Failed("its answer is not json"));
    }
    let Ok(document) = Document::parse(answer.body, &JsonLimits::default()) else {
        return Err(Unusable::Failed("its answer cannot be read"));
    };
    let loaded = Loaded { document, place: plan.place.clone(), etag: answer.etag };
    let Some(object) = loaded.object().filter(|object| object.kind() == JsonKind::Object) else {
        return Err(Unusable::Failed("its answer holds no object"));
    };
    if let Some(key) = &kind.key {
        let own = key.value(object).and_then(NodeRef::canonical_text);
        match own {
            None => return Err(Unusable::Failed("its answer does not show the object's own id")),
            Some(own) if *own != *id => return Err(Unusable::Absent("the origin shows another object")),
            Some(_) => {}
        }
    }
    Ok(loaded)
}

fn is_strong(tag: &[u8]) -> bool {
    // RFC 9110 §8.8.3: DQUOTE *etagc DQUOTE, etagc = %x21 / %x23-7E / obs-text
    matches!(tag, [b'"', inner @ .., b'"'] if inner.iter().all(|b| matches!(b, 0x21 | 0x23..=0x7E | 0x80..)))
}

/// Whether a client's `If-Match` names a tag (RFC 9110 §13.1.1, strong comparison). `*` names every version.
pub(crate) fn names_tag(if_match: &HeaderValue, tag: &HeaderValue) -> bool {
    let mut rest = if_match.as_bytes().trim_ascii();
    if rest == b"*" {
        return true;
    }
    for _ in 0..TAGS_MAX {
        rest = rest.trim_ascii_start();
        while let Some(behind) = rest.strip_prefix(b",") {
            rest = behind.trim_ascii_start();
        }
        let weak = rest.starts_with(b"W/");
        let quoted = rest.strip_prefix(b"W/").unwrap_or(rest);
        let Some(end) = quoted.iter().skip(1).position(|b| *b == b'"').map(|at| at + 2) else { return false };
        let Some((candidate, behind)) = quoted.split_at_checked(end) else { return false };
        if !candidate.starts_with(b"\"") {
            return false;
        }
        if !weak && candidate == tag.as_bytes() {
            return true;
        }
        rest = behind;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_tag_is_compared_strongly() {
        let tag = HeaderValue::from_static("\"v2\"");
        for (sent, expected) in [
            ("\"v2\"", true),
            ("*", true),
            ("\"v1\", \"v2\"", true),
            ("W/\"v1\",\"v2\"", true),
            ("W/\"v2\"", false),
            ("\"v1\"", false),
            ("\"a,\\\"v2\"", false),
            ("v2", false),
            ("", false),
            ("\"v2", false),
        ] {
            assert_eq!(names_tag(&HeaderValue::from_static(sent), &tag), expected, "{sent}");
        }
    }

    #[test]
    fn only_quoted_tags_without_the_weak_mark_are_strong() {
        assert!(is_strong(b"\"v1\"") && is_strong(b"\"\""));
        assert!(!is_strong(b"W/\"v1\"") && !is_strong(b"v1") && !is_strong(b"\"a\"b\"") && !is_strong(b"\""));
    }
}
