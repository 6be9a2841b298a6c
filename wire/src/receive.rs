// SPDX-License-Identifier: Apache-2.0
//! From the head an HTTP parser accepted to the one canonical [`Head`].
//!
//! An HTTP/1 parser that repairs what it reads hides some of it (bare LF, a fragment, a second framing field it
//! already dropped); everything that is still visible and has two readings is refused here.

use crate::authority;
use crate::fault::WireFault;
use crate::fields;
use crate::framing;
use crate::head::{Head, HeadLimits};
use crate::path::CanonicalPath;
use crate::query::Query;
use crate::reserved::Reserved;
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Uri, Version};
use portcullis_decision::Reason;

/// What a request line holds beside method and target: two spaces, `HTTP/1.1` and CRLF.
const REQUEST_LINE_OVERHEAD_BYTES: usize = 12;

/// Reads a request head. Size is judged first, then framing, then meaning.
///
/// Absolute-form and authority-form targets and `*` are refused in HTTP/1 (T21): one host, one place.
pub fn receive(parts: http::request::Parts, limits: &HeadLimits, reserved: &Reserved) -> Result<Head, WireFault> {
    let http::request::Parts { method, uri, version, mut headers, .. } = parts;
    if !matches!(version, Version::HTTP_10 | Version::HTTP_11 | Version::HTTP_2) {
        return Err(WireFault { reason: Reason::WireVersion, detail: "version is not 1.0, 1.1 or 2" });
    }
    let (target, target_authority) = split_target(&method, uri, version, limits)?;
    let line_bytes = method.as_str().len().saturating_add(target.as_str().len());
    fields::check(&headers, limits, line_bytes.saturating_add(REQUEST_LINE_OVERHEAD_BYTES))?;
    let framing = framing::framing(version, &headers)?;
    let authority = authority::authority(version, target_authority.as_ref(), &headers)?;
    let expect_continue = framing::expect_continue(version, framing, &headers)?;
    let query = match target.query() {
        Some(raw) => Query::parse(raw, limits.query_parameters_max)?,
        None => Query::default(),
    };
    let path = CanonicalPath::from_target(target)?;
    let stripped = fields::keep_end_to_end(&mut headers, version, reserved)?;
    Ok(Head { method, path, query, headers, authority, framing, expect_continue, version, stripped })
}

fn split_target(
    method: &Method,
    uri: Uri,
    version: Version,
    limits: &HeadLimits,
) -> Result<(PathAndQuery, Option<http::uri::Authority>), WireFault> {
    let parts = uri.into_parts();
    let Some(target) = parts.path_and_query else {
        return Err(WireFault::malformed("target is not in origin form"));
    };
    if target.as_str().len() > limits.uri_bytes_max {
        return Err(WireFault { reason: Reason::WireUriTooLong, detail: "target is too long" });
    }
    if target.path() == "*" {
        return Err(WireFault::malformed(if *method == Method::OPTIONS {
            "options for the whole server is not offered"
        } else {
            "asterisk target without options"
        }));
    }
    if version == Version::HTTP_2 {
        if parts.scheme.is_some_and(|scheme| scheme != Scheme::HTTP && scheme != Scheme::HTTPS) {
            return Err(WireFault::malformed("scheme is not http or https"));
        }
        return Ok((target, parts.authority));
    }
    if parts.scheme.is_some() || parts.authority.is_some() {
        return Err(WireFault::malformed("target is not in origin form"));
    }
    Ok((target, None))
}

#[cfg(test)]
mod tests;
