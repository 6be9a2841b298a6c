// SPDX-License-Identifier: Apache-2.0
//! Request bodies and answers.

use super::{Loader, Unenforceable};
use crate::document::Cursor;
use crate::media::{Media, RequestBody, Response, Responses, StatusKey, is_json};
use http::HeaderName;

impl<'a> Loader<'a> {
    /// The request body of an operation.
    pub(super) fn request_body(&mut self, operation: Cursor<'a>) -> Result<Option<RequestBody>, Unenforceable> {
        let Some(cursor) = operation.get("requestBody") else { return Ok(None) };
        let body = self.resolved(cursor)?;
        let mut media = self.media(body);
        for media in &mut media {
            media.shape = media.shape.map(crate::shape::ShapeId::in_request);
        }
        Ok(Some(RequestBody { required: body.node.says("required"), media }))
    }

    /// The declared answers of an operation.
    pub(super) fn responses(&mut self, operation: Cursor<'a>, out: &mut Responses) -> Result<(), Unenforceable> {
        let Some(cursor) = operation.get("responses") else { return Ok(()) };
        for (key, response) in cursor.members().filter(|(key, _)| !key.starts_with("x-")) {
            let Some(status) = StatusKey::parse(key) else {
                return Err(self.unenforceable(response, format!("`{key}` is not a status")));
            };
            let response = self.resolved(response)?;
            let names = response.get("headers").into_iter().flat_map(Cursor::members);
            let headers = names.filter_map(|(name, _)| HeaderName::try_from(name).ok()).collect();
            out.all.push(Response { status, media: self.media(response), headers });
        }
        Ok(())
    }

    /// What stands behind references.
    pub(super) fn resolved(&self, cursor: Cursor<'a>) -> Result<Cursor<'a>, Unenforceable> {
        self.library.resolve(cursor).map_err(|message| self.unenforceable(cursor, message))
    }

    pub(super) fn unenforceable(&self, cursor: Cursor<'a>, message: String) -> Unenforceable {
        Unenforceable { place: self.library.place(cursor), message }
    }

    fn media(&mut self, owner: Cursor<'a>) -> Vec<Media> {
        let mut media = Vec::new();
        for (name, cursor) in owner.get("content").into_iter().flat_map(Cursor::members) {
            let essence = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let cursor = self.library.resolve(cursor).unwrap_or(cursor);
            let is_json = is_json(&essence);
            // Only JSON is read; a schema of anything else decides nothing.
            let schema = cursor.get("schema").filter(|_| is_json);
            let shape = schema.map(|schema| self.builder.root(schema));
            media.push(Media { media_type: essence.into(), is_json, validator: None, shape });
        }
        media
    }
}

/// Whether a media type object has a schema.
pub(super) fn schema(cursor: Cursor<'_>) -> Option<Cursor<'_>> {
    cursor.get("schema").filter(|s| s.node.map().is_some() || s.node.bool().is_some())
}

/// The only media type of `content`, as parameters have it.
pub(super) fn only_content(cursor: Cursor<'_>) -> Option<(&str, Cursor<'_>)> {
    let content = cursor.get("content")?;
    content.members().next()
}
