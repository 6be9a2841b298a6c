// SPDX-License-Identifier: Apache-2.0
//! Where an upstream is, from its URL.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

/// Why a URL names no upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No URL with scheme and host.
    #[error("an upstream is a URL such as `http://127.0.0.1:9000`")]
    NotAUrl,
    /// Another scheme.
    #[error("an upstream's scheme is `http` or `https`")]
    Scheme,
    /// Credentials, a query or a fragment.
    #[error("an upstream's URL has no user name, query or fragment")]
    Surplus,
    /// A path with dot segments or not beginning with a slash.
    #[error("an upstream's path has no dot segments and no empty segments")]
    Path,
    /// Port 0.
    #[error("an upstream's port is 1 to 65535")]
    Port,
}

/// Host, port and path of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// Whether it is spoken to over TLS.
    pub(crate) scheme: Carriage,
    /// Put in front of every request's path; no slash at its end, empty for `/`.
    pub(crate) path: String,
    /// The `Host` field (RFC 9112 §3.2): ours, never the client's.
    pub(crate) authority: HeaderValue,
}

/// How a target is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carriage {
    Plain,
    Tls,
}

/// A name, resolved at each connect, or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Name(Box<str>),
    Address(SocketAddr),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.authority.as_bytes()))
    }
}

impl Target {
    /// The host as it was named, without brackets.
    pub(crate) fn host_name(&self) -> Cow<'_, str> {
        match &self.host {
            Host::Name(name) => Cow::Borrowed(name),
            Host::Address(address) => Cow::Owned(address.ip().to_string()),
        }
    }

    /// Reads a URL.
    pub fn parse(url: &str) -> Result<Self, TargetError> {
        if url.contains('#') {
            return Err(TargetError::Surplus);
        }
        let uri: Uri = url.parse().map_err(|_| TargetError::NotAUrl)?;
        let scheme = match uri.scheme() {
            None => return Err(TargetError::NotAUrl),
            Some(scheme) if *scheme == Scheme::HTTP => Carriage::Plain,
            Some(scheme) if *scheme == Scheme::HTTPS => Carriage::Tls,
            Some(_) => return Err(TargetError::Scheme),
        };
        let authority = uri.authority().ok_or(TargetError::NotAUrl)?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(TargetError::Surplus);
        }
        let port = match (authority.port_u16(), authority.port()) {
            (Some(0), _) => return Err(TargetError::Port),
            (Some(port), _) => port,
            (None, None) if !authority.as_str().ends_with(':') => match scheme {
                Carriage::Plain => 80,
                Carriage::Tls => 443,
            },
            (None, _) => return Err(TargetError::Port),
        };
        let path = path(uri.path_and_query())?;
        let host = host(authority, port)?;
        let authority =
            HeaderValue::from_str(&authority.as_str().to_ascii_lowercase()).map_err(|_| TargetError::NotAUrl)?;
        Ok(Self { host, port, scheme, path, authority })
    }
}

fn path(given: Option<&PathAndQuery>) -> Result<String, TargetError> {
    let path = given.map_or("", PathAndQuery::path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let Some(inner) = path.strip_prefix('/') else {
        return if path.is_empty() { Ok(String::new()) } else { Err(TargetError::Path) };
    };
    if inner.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(TargetError::Path);
    }
    Ok(path.to_owned())
}

fn host(authority: &Authority, port: u16) -> Result<Host, TargetError> {
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() {
        return Err(TargetError::NotAUrl);
    }
    Ok(bare.parse::<IpAddr>().map_or_else(
        |_| Host::Name(bare.to_ascii_lowercase().into_boxed_str()),
        |address| Host::Address(SocketAddr::new(address, port)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_host_port_and_path() {
        let secured = Target::parse("https://orders.internal").unwrap();
        assert_eq!((secured.port, secured.scheme), (443, Carriage::Tls));
        let target = Target::parse("http://Orders.internal:9000/v1/").unwrap();
        assert_eq!(target.host, Host::Name("orders.internal".into()));
        assert_eq!((target.port, target.path.as_str()), (9000, "/v1"));
        assert_eq!(target.authority, "orders.internal:9000");
        let six = Target::parse("http://[::1]:9000").unwrap();
        assert_eq!(six.host, Host::Address("[::1]:9000".parse().unwrap()));
        assert_eq!(six.authority, "[::1]:9000");
        assert_eq!(Target::parse("http://localhost").unwrap().port, 80);
    }

    #[test]
    fn refuses_what_it_would_have_to_guess() {
        for (url, error) in [
            ("127.0.0.1:9000", TargetError::NotAUrl),
            ("/orders", TargetError::NotAUrl),
            ("ftp://orders.internal", TargetError::Scheme),
            ("http://user@orders.internal", TargetError::Surplus),
            ("http://orders.internal/?a=b", TargetError::Surplus),
            ("http://orders.internal/#a", TargetError::Surplus),
            ("http://orders.internal:0", TargetError::Port),
            ("http://orders.internal:", TargetError::Port),
            ("http://orders.internal/a/../b", TargetError::Path),
            ("http://orders.internal//", TargetError::Path),
        ] {
            assert_eq!(Target::parse(url), Err(error), "{url}");
        }
    }
}
