// SPDX-License-Identifier: Apache-2.0
//! Who owns an object, and whether that is the caller (config.md §4).
//!
//! Two texts are compared by their bytes after JSON unescaping; an integer has its canonical decimal text. What is
//! missing, null, empty, boolean, an object or an array is no text: two absences are never equal.

use crate::declared::SubjectSource;
use crate::model::ObjectKind;
use portcullis_decision::caller::{Caller, Kind};
use portcullis_wire::json::NodeRef;
use serde_json::Value;
use std::borrow::Cow;

/// How a caller stands to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// The caller owns it.
    Own,
    /// Somebody else does.
    Foreign(Box<str>),
    /// Nothing comparable stands where the owner should.
    Unknown,
}

impl Ownership {
    /// The owner's name, where it is somebody else.
    pub(crate) fn stranger(&self) -> Option<&str> {
        match self {
            Self::Foreign(owner) => Some(owner),
            Self::Own | Self::Unknown => None,
        }
    }
}

/// The text an owner must equal for this caller to be one; `None`: this caller owns nothing of this kind.
pub(crate) fn own_name<'c>(caller: &'c Caller, kind: &ObjectKind) -> Option<Cow<'c, str>> {
    let identity = caller.identity()?;
    // A client or workload whose name looks like a user's, or another issuer's user, owns nothing.
    if identity.kind != Kind::User || !kind.issuers.contains(&identity.issuer) {
        return None;
    }
    let text = match &kind.subject {
        SubjectSource::Sub => Cow::Borrowed(&*identity.subject),
        SubjectSource::ClientId => Cow::Borrowed(&**identity.client.as_ref()?),
        SubjectSource::Claim(name) => claim_text(identity.claims.get(&**name)?)?,
    };
    if text.is_empty() { None } else { Some(text) }
}

fn claim_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => {
            number.as_i64().map(|n| n.to_string()).or_else(|| number.as_u64().map(|n| n.to_string())).map(Cow::Owned)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// How the caller stands to an object that is at hand.
pub(crate) fn of_object(object: NodeRef<'_>, kind: &ObjectKind, own: Option<&str>) -> Ownership {
    let Some(place) = kind.owner_place() else {
        return Ownership::Unknown;
    };
    let mut stranger = None;
    for value in place.values(object) {
        let Some(text) = value.canonical_text() else { continue };
        if own.is_some_and(|own| *own == *text) {
            return Ownership::Own;
        }
        stranger.get_or_insert_with(|| Box::from(&*text));
    }
    stranger.map_or(Ownership::Unknown, Ownership::Foreign)
}

/// Whether anything at all stands where the owner should, comparable or not.
pub(crate) fn is_shown(object: NodeRef<'_>, kind: &ObjectKind) -> bool {
    kind.owner_place().is_some_and(|place| !place.values(object).is_empty())
}

/// How the caller stands to an object whose id names its owner.
pub(crate) fn of_id(id: &str, own: Option<&str>) -> Ownership {
    match own {
        _ if id.is_empty() => Ownership::Unknown,
        Some(own) if own == id => Ownership::Own,
        _ => Ownership::Foreign(id.into()),
    }
}
