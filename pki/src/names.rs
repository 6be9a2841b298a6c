// SPDX-License-Identifier: Apache-2.0
//! The names of a certificate, and a table that finds what answers for a name.
//!
//! Names are compared byte by byte in lower case; a wildcard stands for exactly one label (RFC 6125 §6.4.3). There is
//! no default: a name that is not in the table finds nothing (T104).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;

/// The most names one certificate may have.
pub const NAMES_MAX: usize = 1_000;
/// RFC 1035 §2.3.4.
const NAME_BYTES_MAX: usize = 253;

/// A name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// `api.example.com`
    Exact(Box<str>),
    /// `*.example.com`, kept as `example.com`
    Wildcard(Box<str>),
    /// An address.
    Address(IpAddr),
}

impl Name {
    /// Reads `api.example.com`, `*.example.com` or an address.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical()));
        }
        match text.strip_prefix("*.") {
            // `*.com` would be half of the world.
            Some(rest) if rest.contains('.') => host(rest).map(Self::Wildcard),
            Some(_) => None,
            None => host(text).map(Self::Exact),
        }
    }

    /// Whether whoever holds this name may answer for `other`.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Wildcard(parent), Self::Exact(name)) => {
                name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && *rest == **parent)
            }
            _ => self == other,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(parent) => write!(f, "*.{parent}"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// A host name of letters, digits, hyphens and dots; no NUL, no empty label, no dot at the end.
fn host(text: &str) -> Option<Box<str>> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (text.len() <= NAME_BYTES_MAX && text.split('.').all(label)).then(|| text.to_ascii_lowercase().into())
}

/// The subject alternative names of a certificate that can be asked for; a name with a NUL or another oddity is left
/// out, so that nothing is served under half of it (T106).
pub(crate) fn of_certificate(certificate: &X509Certificate<'_>) -> Vec<Name> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Name::parse(name).filter(|name| !matches!(name, Name::Address(_))),
        GeneralName::IPAddress(bytes) => address(bytes).map(Name::Address),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).take(NAMES_MAX).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|six| IpAddr::from(Ipv6Addr::from(six)).to_canonical())
}

/// Finds what answers for a name.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    exact: HashMap<Box<str>, usize>,
    wildcards: HashMap<Box<str>, usize>,
    addresses: HashMap<IpAddr, usize>,
}

impl NameTable {
    /// Adds a name; `Err` with who has it already.
    pub fn insert(&mut self, name: Name, index: usize) -> Result<(), usize> {
        fn put<K: std::hash::Hash + Eq>(map: &mut HashMap<K, usize>, key: K, index: usize) -> Result<(), usize> {
            match map.entry(key) {
                Entry::Occupied(taken) if *taken.get() != index => Err(*taken.get()),
                Entry::Occupied(_) => Ok(()),
                Entry::Vacant(free) => {
                    free.insert(index);
                    Ok(())
                }
            }
        }
        match name {
            Name::Exact(name) => put(&mut self.exact, name, index),
            Name::Wildcard(parent) => put(&mut self.wildcards, parent, index),
            Name::Address(address) => put(&mut self.addresses, address, index),
        }
    }

    /// Who answers for a host name in lower case, or for an address (IPv6 with or without brackets).
    pub fn find(&self, host: &str) -> Option<usize> {
        if let Some(index) = self.exact.get(host) {
            return Some(*index);
        }
        if let Some((label, parent)) = host.split_once('.')
            && !matches!(label, "" | "*")
            && let Some(index) = self.wildcards.get(parent)
        {
            return Some(*index);
        }
        if self.addresses.is_empty() {
            return None;
        }
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        self.find_address(bare.parse().ok()?)
    }

    /// Who answers for an address.
    pub fn find_address(&self, address: IpAddr) -> Option<usize> {
        self.addresses.get(&address.to_canonical()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(names: &[(&str, usize)]) -> NameTable {
        let mut table = NameTable::default();
        for (name, index) in names {
            table.insert(Name::parse(name).unwrap(), *index).unwrap();
        }
        table
    }

    #[test]
    fn t104_only_what_is_in_the_table_is_found() {
        let table = table(&[("api.example.com", 0), ("*.example.com", 1), ("192.0.2.1", 2), ("::1", 3)]);
        for (host, found) in [
            ("api.example.com", Some(0)),
            ("other.example.com", Some(1)),
            ("a.b.example.com", None),
            (".example.com", None),
            ("example.com", None),
            ("*.example.com", None),
            ("api.example.com.", None),
            ("192.0.2.1", Some(2)),
            ("::ffff:192.0.2.1", Some(2)),
            ("[::1]", Some(3)),
            ("192.0.2.2", None),
            ("", None),
        ] {
            assert_eq!(table.find(host), found, "{host}");
        }
    }

    #[test]
    fn a_name_belongs_to_one() {
        let mut table = table(&[("api.example.com", 0)]);
        assert_eq!(table.insert(Name::parse("API.example.com").unwrap(), 1), Err(0));
        assert_eq!(table.insert(Name::parse("api.example.com").unwrap(), 0), Ok(()));
    }

    #[test]
    fn t106_odd_names_are_none() {
        for text in ["a\0.example.com", "*.com", "a..b", "", "-a.b", "*", "a.*.b", "a b", "example.com.", "é.com"] {
            assert_eq!(Name::parse(text), None, "{text:?}");
        }
        assert!(Name::parse("*.Example.com").unwrap().covers(&Name::parse("a.example.com").unwrap()));
        assert!(!Name::parse("*.example.com").unwrap().covers(&Name::parse("a.b.example.com").unwrap()));
    }

    proptest! {
        #[test]
        fn t106_what_is_parsed_is_found_and_nothing_else_is(name in "[a-zA-Z0-9.*\\-\0]{0,24}", asked in "[a-z0-9.\\-]{0,24}") {
            if let Some(name) = Name::parse(&name) {
                let mut table = NameTable::default();
                table.insert(name.clone(), 0).unwrap();
                let held = Name::parse(&asked).is_some_and(|asked| name.covers(&asked));
                if !matches!(name, Name::Address(_)) && table.find(&asked).is_some() {
                    let below = asked.split_once('.').is_some_and(|(_, rest)| name.to_string().strip_prefix("*.") == Some(rest));
                    prop_assert!(held || below);
                }
                if held {
                    prop_assert_eq!(table.find(&asked), Some(0));
                }
            }
        }
    }
}
