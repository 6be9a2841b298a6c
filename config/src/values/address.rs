// SPDX-License-Identifier: Apache-2.0
//! Addresses, hosts and paths.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, Uri};
use portcullis_wire::{Authority, CanonicalPath};

use super::ValueError;

/// How an address is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A checked URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As it stood: host and port, where one was written.
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) has_query: bool,
}

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Scheme, host and port as written, such as `http://127.0.0.1:9000`.
    pub origin: String,
    /// Host name or IP address (IPv6 without brackets).
    pub host: String,
    /// Port, 80 or 443 where none was written.
    pub port: u16,
    /// The value of `Host` in requests to it.
    pub authority: String,
    /// Its own path, put in front of that of requests, without a trailing slash; empty at the root.
    pub path: String,
}

impl Target {
    /// Whether it is spoken to over TLS.
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }
}

impl Url {
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }
}

/// Whether a host is this machine: `localhost` (RFC 6761 §6.3) or a loopback address.
pub fn is_loopback_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// `https://host:port/path`.
pub(crate) fn url(text: &str) -> Result<Url, ValueError> {
    let scheme = match text.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
        _ => return Err(ValueError::Url),
    };
    if text.contains('#') {
        return Err(ValueError::UrlQuery);
    }
    let uri: Uri = text.parse().map_err(|_| ValueError::Url)?;
    let authority = uri.authority().ok_or(ValueError::Url)?;
    if authority.as_str().contains('@') {
        return Err(ValueError::UrlUser);
    }
    let checked = Authority::parse(authority.as_str()).map_err(|_| ValueError::Url)?;
    let host = checked.host().to_owned();
    if host.is_empty() || checked.port() == Some(0) {
        return Err(ValueError::Url);
    }
    let port = checked.port().unwrap_or(match scheme {
        Scheme::Http => 80,
        Scheme::Https => 443,
    });
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&host).to_owned();
    Ok(Url {
        scheme,
        host: bare,
        port,
        authority: authority.as_str().to_ascii_lowercase(),
        path: uri.path().to_owned(),
        has_query: uri.query().is_some(),
    })
}

/// `127.0.0.1:8080`.
pub(crate) fn socket(text: &str) -> Result<SocketAddr, ValueError> {
    text.parse().map_err(|_| ValueError::Address)
}

/// `api.example.com`, lower case.
pub(crate) fn host(text: &str) -> Result<String, ValueError> {
    let authority = Authority::parse(text).map_err(|_| ValueError::Host)?;
    let plain = authority.port().is_none() && !authority.host().is_empty() && !text.contains(['*', '/', '@', '?']);
    if plain && text.bytes().all(|byte| byte != b'%') { Ok(authority.host().to_owned()) } else { Err(ValueError::Host) }
}

/// `/` or `/v1`.
pub(crate) fn base_path(text: &str) -> Result<CanonicalPath, ValueError> {
    let path = CanonicalPath::parse(text).map_err(|_| ValueError::BasePath)?;
    let canonical = path.as_str() == text && (text == "/" || !text.ends_with('/'));
    if canonical { Ok(path) } else { Err(ValueError::BasePath) }
}

/// Headers a subject must not be put in: the gateway, HTTP or the upstream gives them another meaning.
const TAKEN: &[&str] = &[
    "authorization",
    "cookie",
    "host",
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
    "trailer",
    "expect",
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "request-id",
    "traceparent",
    "tracestate",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
    "accept",
    "accept-encoding",
    "idempotency-key",
    "dpop",
    "proxy-authorization",
    "proxy-connection",
    "keep-alive",
    "date",
    "origin",
    "location",
];

/// `x-auth-subject`; the same name is then stripped from what clients send.
pub(crate) fn header_name(text: &str) -> Result<HeaderName, ValueError> {
    let name: HeaderName = text.parse().map_err(|_| ValueError::Header)?;
    if !name.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(ValueError::Header);
    }
    if TAKEN.contains(&name.as_str()) { Err(ValueError::HeaderTaken) } else { Ok(name) }
}

/// `PARTNER_SECRET`
pub(crate) fn variable_name(text: &str) -> Result<&str, ValueError> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let good = !text.is_empty() && text.bytes().all(word) && !text.starts_with(|c: char| c.is_ascii_digit());
    if good { Ok(text) } else { Err(ValueError::Variable) }
}
