// SPDX-License-Identifier: Apache-2.0
//! The canonical head of a request and the maxima it was read under.

use crate::authority::Authority;
use crate::framing::Framing;
use crate::path::CanonicalPath;
use crate::query::Query;
use http::{HeaderMap, Method, Version};
use std::fmt;

/// The maxima of a request head (threats T32, T42, SM-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Request line and fields together.
    pub head_bytes_max: usize,
    /// Number of field lines.
    pub fields_max: usize,
    /// Name and value of one field line.
    pub field_bytes_max: usize,
    /// Path and query.
    pub uri_bytes_max: usize,
    /// Number of query parameters.
    pub query_parameters_max: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self {
            head_bytes_max: 32 * 1024,
            fields_max: 100,
            field_bytes_max: 8 * 1024,
            uri_bytes_max: 8 * 1024,
            query_parameters_max: 100,
        }
    }
}

/// One request head, read once. Made only by [`crate::receive`] and [`crate::Scan`].
pub struct Head {
    /// As sent; methods nobody knows and TRACE or CONNECT are answered by routing (405, T16, T35).
    pub method: Method,
    /// The only form of the path that anything later may look at.
    pub path: CanonicalPath,
    /// Decoded parameters in their order.
    pub query: Query,
    /// End-to-end fields of the client: framing, hop-by-hop, reserved and identity fields are gone (HTTP-8, HTTP-14).
    pub headers: HeaderMap,
    /// The host asked for; absent only in HTTP/1.0 without `Host`.
    pub authority: Option<Authority>,
    /// How the body is delimited.
    pub framing: Framing,
    /// The client waits for `100 Continue` before it sends the body (HTTP-4, T14).
    pub expect_continue: bool,
    /// The version of the message.
    pub version: Version,
    /// The client wants no further request on this connection: `Connection: close`, or HTTP/1.0.
    pub last: bool,
    /// The client asks for a WebSocket on this connection (RFC 6455 §4.1): `Upgrade` says so and nothing else, and
    /// `Connection` names it. Any other upgrade is as if it were not asked for (T15).
    pub websocket: bool,
    /// How many reserved or identity field lines were taken away (T34, T37): worth a fact in the record.
    pub stripped: usize,
}

impl fmt::Debug for Head {
    /// Shows no field value and no query: both carry credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("path", &self.path.as_str())
            .field("query", &self.query)
            .field("fields", &self.headers.len())
            .field("framing", &self.framing)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
