// SPDX-License-Identifier: Apache-2.0
//! The port for calls of our own to the outside: key sets, discovery.

use bytes::Bytes;
use http::Uri;
use std::future::Future;
use std::net::IpAddr;
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

/// Parses an address of ours and refuses what our own calls must never go to: anything but `https`, or `http` to a
/// loopback address; user names and fragments in it. Used when a configuration is built and again before each call.
pub fn check_address(url: &str) -> Result<Uri, FetchError> {
    let refused = || FetchError::Address(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| refused())?;
    let authority = uri.authority().ok_or_else(refused)?;
    if authority.as_str().contains('@') || url.contains('#') || authority.host().is_empty() {
        return Err(refused());
    }
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback_host(authority.host()) => Ok(uri),
        _ => Err(refused()),
    }
}

/// Whether a host, as it stands in an address, is `localhost` or a loopback IP address in its usual form.
pub fn is_loopback_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t95_only_https_and_plain_loopback_are_addresses_of_ours() {
        for good in ["https://id.example.com/k", "http://127.0.0.1:8/k", "http://[::1]:8/k", "http://localhost/k"] {
            assert!(check_address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://id.example.com/k",
            "http://2130706433/k",
            "http://127.1/k",
            "http://localhost.example.com/k",
            "http://127.0.0.1@id.example.com/k",
            "https://user:pass@id.example.com/k",
            "https://id.example.com/k#f",
            "file:///etc/passwd",
            "ftp://127.0.0.1/k",
            "/k",
            "",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
