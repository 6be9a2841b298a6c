// SPDX-License-Identifier: Apache-2.0
//! Bodies: media types, request bodies and answers.

use crate::shape::ShapeId;
use crate::validator::Validator;
use http::{HeaderName, HeaderValue};
use portcullis_wire::media::MediaType;
use std::sync::Arc;

/// One media type of a body.
#[derive(Clone, Debug)]
pub struct Media {
    /// Type and subtype in lower case, without parameters; may be a range such as `image/*`.
    pub media_type: Arc<str>,
    /// Whether the body is JSON (`application/json` or `+json`).
    pub is_json: bool,
    /// The check of a JSON body; absent where the document gives no schema.
    pub validator: Option<Validator>,
    /// The schema to walk beside a JSON body.
    pub shape: Option<ShapeId>,
}

/// Why no declared media type fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaFault {
    /// A body came without `Content-Type`.
    #[error("a body needs a `Content-Type`")]
    Missing,
    /// The type is not one of the operation's.
    #[error("the `Content-Type` is not one of the declared media types")]
    Undeclared,
    /// JSON is UTF-8; another charset would be read differently behind us (T71).
    #[error("the charset of JSON is utf-8")]
    Charset,
}

/// The declared request body of an operation.
#[derive(Clone, Debug)]
pub struct RequestBody {
    /// Whether a request without a body is refused.
    pub required: bool,
    /// Declared media types, exact types before ranges.
    pub media: Vec<Media>,
}

impl RequestBody {
    /// The declared media type for a `Content-Type` (standards.md HTTP-15: none counts as not allowed).
    pub fn choose(&self, content_type: Option<&MediaType>) -> Result<&Media, MediaFault> {
        let sent = content_type.ok_or(MediaFault::Missing)?;
        let media = find(&self.media, sent.essence()).ok_or(MediaFault::Undeclared)?;
        let json = media.is_json || is_json(sent.essence());
        if json && !sent.is_utf8() { Err(MediaFault::Charset) } else { Ok(media) }
    }

    /// The declared media types, for `Accept` of a 415 answer.
    pub fn accept(&self) -> HeaderValue {
        let names: Vec<&str> = self.media.iter().map(|m| &*m.media_type).collect();
        HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static("*/*"))
    }
}

/// The key of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusKey {
    /// One status.
    Exact(u16),
    /// `4XX`: the first digit.
    Range(u16),
    /// Every status not named otherwise.
    Default,
}

impl StatusKey {
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let digits = key.as_bytes();
        match digits {
            b"default" => Some(Self::Default),
            [hundreds @ b'1'..=b'5', b'X' | b'x', b'X' | b'x'] => Some(Self::Range(u16::from(hundreds - b'0'))),
            [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => key.parse().ok().map(Self::Exact),
            _ => None,
        }
    }
}

/// A declared answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// For which statuses.
    pub status: StatusKey,
    /// Declared media types; none: no body.
    pub media: Vec<Media>,
    /// Declared headers.
    pub headers: Vec<HeaderName>,
}

impl Response {
    /// The declared media type for a `Content-Type`.
    pub fn choose(&self, content_type: Option<&MediaType>) -> Option<&Media> {
        find(&self.media, content_type?.essence())
    }
}

/// The declared answers of an operation.
#[derive(Clone, Debug, Default)]
pub struct Responses {
    pub(crate) all: Vec<Response>,
}

impl Responses {
    /// The declared answer for a status: exact, then its range, then `default`.
    pub fn for_status(&self, status: u16) -> Option<&Response> {
        let by = |key: StatusKey| self.all.iter().find(|r| r.status == key);
        by(StatusKey::Exact(status)).or_else(|| by(StatusKey::Range(status / 100))).or_else(|| by(StatusKey::Default))
    }

    /// Every declared answer.
    pub fn iter(&self) -> impl Iterator<Item = &Response> {
        self.all.iter()
    }
}

/// Whether a media type is JSON.
pub(crate) fn is_json(essence: &str) -> bool {
    essence == "application/json" || essence.ends_with("+json")
}

fn find<'a>(media: &'a [Media], essence: &str) -> Option<&'a Media> {
    let exact = media.iter().find(|m| *m.media_type == *essence);
    let family = essence.split_once('/').map_or("", |(family, _)| family);
    let range = || media.iter().find(|m| m.media_type.strip_suffix("/*") == Some(family));
    exact.or_else(range).or_else(|| media.iter().find(|m| &*m.media_type == "*/*"))
}
