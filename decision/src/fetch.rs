// SPDX-License-Identifier: Apache-2.0
//! The port for calls of our own to the outside: key sets, discovery.

use bytes::Bytes;
use std::future::Future;
use std::pin::Pin;

/// A future in a box, for ports used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An answer of the outside, already bounded in size.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// HTTP status.
    pub status: u16,
    /// Media type, lower case, without parameters.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Why a fetch failed.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FetchError {
    /// The address is not allowed.
    #[error("`{0}` is not allowed: https, or http to a loopback address")]
    Address(String),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The answer is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection failed.
    #[error("connection failed: {0}")]
    Connection(String),
}

/// Fetches documents with `GET`; follows no redirect.
pub trait Fetch: Send + Sync {
    /// One `GET` with a deadline and a size limit of the implementation.
    fn get<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Fetched, FetchError>>;
}
