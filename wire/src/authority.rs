// SPDX-License-Identifier: Apache-2.0
//! The host asked for, in the one form that is compared (RFC 9110 §7.2, SM-9, HTTP-13, T22, T46).

use crate::fault::WireFault;
use http::{HeaderValue, Version};
use std::fmt;
use std::net::Ipv6Addr;

/// The longest DNS name (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// The longest DNS label (RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A host and perhaps a port. The host is in lower case, has no trailing dot and no port; an IPv6 address keeps
/// its brackets and is in its canonical text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// Reads the value of `Host` or `:authority`. Userinfo, lists, paths, empty hosts, zone ids and ports that are
    /// not a plain decimal in 1..=65535 are refused.
    pub fn parse(text: &str) -> Result<Self, WireFault> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, after) =
                    rest.split_once(']').ok_or(WireFault::malformed("host has an unclosed bracket"))?;
                (ipv6(address)?, after)
            }
            None => match text.find(':').and_then(|colon| text.split_at_checked(colon)) {
                Some((name, after)) => (name_of(name)?, after),
                None => (name_of(text)?, ""),
            },
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => Some(port_of(digits)?),
            None if port.is_empty() => None,
            None => return Err(WireFault::malformed("host is followed by something that is no port")),
        };
        Ok(Self { host, port })
    }

    /// The host: lower case, no trailing dot.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, when one was given.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

fn ipv6(text: &str) -> Result<String, WireFault> {
    // `Ipv6Addr` knows no zone id, so `fe80::1%eth0` fails here (T46).
    let address: Ipv6Addr = text.parse().map_err(|_| WireFault::malformed("host is not an ipv6 address"))?;
    Ok(format!("[{address}]"))
}

fn name_of(text: &str) -> Result<String, WireFault> {
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() || name.len() > HOST_BYTES_MAX {
        return Err(WireFault::malformed("host is empty or too long"));
    }
    let label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            // `_` is no host name by RFC 1123, but container networks use it.
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if !name.split('.').all(label) {
        return Err(WireFault::malformed("host is not a name"));
    }
    Ok(name.to_ascii_lowercase())
}

fn port_of(digits: &str) -> Result<u16, WireFault> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.parse().ok().filter(|_| plain).ok_or(WireFault::malformed("host has a bad port"))
}

/// The authority of a request: exactly one `Host` in HTTP/1.1, at most one in HTTP/1.0; in HTTP/2 `:authority`,
/// which a `Host` beside it may only repeat (SM-9, SM-18).
pub(crate) fn authority(
    version: Version,
    target: Option<&http::uri::Authority>,
    host: Option<&HeaderValue>,
) -> Result<Option<Authority>, WireFault> {
    let host = match host {
        Some(value) => {
            let text = value.to_str().map_err(|_| WireFault::malformed("host is not ascii"))?;
            Some(Authority::parse(text)?)
        }
        None => None,
    };
    let target = match target {
        Some(authority) => Some(Authority::parse(authority.as_str())?),
        None => None,
    };
    match (target, host) {
        (Some(target), Some(host)) if target != host => Err(WireFault::malformed("host differs from :authority")),
        (Some(target), _) => Ok(Some(target)),
        (None, Some(host)) => Ok(Some(host)),
        (None, None) if version == Version::HTTP_10 => Ok(None),
        (None, None) => Err(WireFault::malformed("no host")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn t22_only_a_plain_host_and_port_is_an_authority() {
        for (text, host, port) in [
            ("api.example", "api.example", None),
            ("API.Example.", "api.example", None),
            ("api.example.:8443", "api.example", Some(8443)),
            ("10.0.0.1:80", "10.0.0.1", Some(80)),
            ("[2001:DB8::1]:443", "[2001:db8::1]", Some(443)),
            ("my_service", "my_service", None),
        ] {
            let authority = Authority::parse(text).expect(text);
            assert_eq!((authority.host(), authority.port()), (host, port), "{text}");
        }
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "a,b",
            "a b",
            "user@a",
            "user:pass@a",
            "a/b",
            "a?b",
            "a#b",
            "a\\b",
            "a:",
            "a:0",
            "a:080",
            "a:65536",
            "a:+1",
            "a:8x",
            "a:1:2",
            ":80",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[fe80::1%25eth0]",
            "::1",
            "a%2eb",
            "[]",
            "é.example",
        ] {
            assert!(Authority::parse(text).is_err(), "{text}");
        }
        assert!(Authority::parse(&"a".repeat(64)).is_err());
        assert!(Authority::parse(&"a.".repeat(127)).is_ok());
        assert!(Authority::parse(&"ab.".repeat(85)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_and_read_the_same(text in "\\PC{0,40}|[a-zA-Z0-9.\\[\\]:@,_-]{0,40}") {
            if let Ok(authority) = Authority::parse(&text) {
                prop_assert_eq!(Authority::parse(&authority.to_string()), Ok(authority));
            }
        }
    }
}
