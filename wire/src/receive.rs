// SPDX-License-Identifier: Apache-2.0
//! From the lines of a head to the one canonical [`Head`]: lines our own [`crate::Scan`] read, or those an HTTP/2
//! library accepted.
//!
//! An HTTP/1 parser that repairs what it reads hides some of it (bare LF, a fragment, a second framing field it
//! already dropped); everything that is still visible and has two readings is refused here.

use crate::fault::WireFault;
use crate::fields::{self, Kept, Lines};
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
    let http::request::Parts { method, uri, version, headers, .. } = parts;
    if !matches!(version, Version::HTTP_10 | Version::HTTP_11 | Version::HTTP_2) {
        return Err(WireFault { reason: Reason::WireVersion, detail: "version is not 1.0, 1.1 or 2" });
    }
    let (target, authority) = split_target(&method, uri, version, limits)?;
    let line_bytes = method.as_str().len().saturating_add(target.as_str().len());
    let line_bytes = line_bytes.saturating_add(REQUEST_LINE_OVERHEAD_BYTES);
    let lines = fields::gather(headers, version, limits, reserved, line_bytes)?;
    judge(Line { method, target, authority, version }, lines, limits)
}

/// A request line whose target is a path and perhaps a query.
pub(crate) struct Line {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    /// What an HTTP/2 client calls `:authority`.
    pub(crate) authority: Option<http::uri::Authority>,
    pub(crate) version: Version,
}

/// What the lines of a head mean together, whoever read them.
pub(crate) fn judge(line: Line, lines: Lines<'_>, limits: &HeadLimits) -> Result<Head, WireFault> {
    let Line { method, target, authority, version } = line;
    let framing = lines.framing.framing(version)?;
    let authority = lines.authority(authority.as_ref())?;
    let expect_continue = lines.framing.expects_continue(version, framing)?;
    let query = match target.query() {
        Some(raw) => Query::parse(raw, limits.query_parameters_max)?,
        None => Query::default(),
    };
    let path = CanonicalPath::from_target(target)?;
    let Kept { headers, stripped, last, websocket } = lines.finish()?;
    Ok(Head { method, path, query, headers, authority, framing, expect_continue, version, last, websocket, stripped })
}

pub(crate) const TARGET_TOO_LONG: WireFault =
    WireFault { reason: Reason::WireUriTooLong, detail: "target is too long" };

/// The size of a target (T32, SM-20).
pub(crate) fn check_target_size(bytes: usize, limits: &HeadLimits) -> Result<(), WireFault> {
    if bytes > limits.uri_bytes_max { Err(TARGET_TOO_LONG) } else { Ok(()) }
}

/// `*` means the whole server, which nobody is offered (T21).
pub(crate) fn refuse_asterisk(method: &Method) -> WireFault {
    WireFault::malformed(if *method == Method::OPTIONS {
        "options for the whole server is not offered"
    } else {
        "asterisk target without options"
    })
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
    check_target_size(target.as_str().len(), limits)?;
    if target.path() == "*" {
        return Err(refuse_asterisk(method));
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
