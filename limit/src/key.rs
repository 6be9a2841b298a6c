// SPDX-License-Identifier: Apache-2.0
//! Keys of counters: what a limit is counted by, and the one way to make a key of it.
//!
//! A key is a 128-bit `SipHash` (two independently keyed 64-bit ones, keys random per process) over length-prefixed,
//! tagged parts. Length prefixes make the encoding injective (T101); random keys keep collisions and map flooding out
//! of reach of whoever chooses the parts (T63).

use crate::address;
use portcullis_decision::Caller;
use smallvec::SmallVec;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

/// Parts up to this many bytes in all need no allocation.
const KEY_BYTES_INLINE: usize = 256;
/// The longest part whose length is told exactly: 64 PiB.
const LENGTH_MAX: u64 = (1 << 56) - 1;

/// What a limit is counted by.
///
/// A caller that lacks the attribute (an anonymous one, a token without client or tenant) is counted by the nearest
/// thing that names it alone: its subject, or its address. It is never uncounted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CountedBy {
    /// The pair of issuer and subject.
    Subject,
    /// The OAuth client.
    Client,
    /// The consumer; without a table of consumers, the client.
    Consumer,
    /// The tenant.
    Tenant,
    /// The address (IPv6 by /64).
    Address,
    /// Nothing but the operation: all callers together.
    Operation,
    /// The value at a JSON pointer of the body.
    Body(Arc<str>),
}

/// The word does not say what a limit is counted by.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is nothing to count by: subject, client, consumer, tenant, address, operation or body:/POINTER")]
pub struct CountedByError(String);

impl FromStr for CountedBy {
    type Err = CountedByError;

    fn from_str(text: &str) -> Result<Self, CountedByError> {
        Ok(match text {
            "subject" => Self::Subject,
            "client" => Self::Client,
            "consumer" => Self::Consumer,
            "tenant" => Self::Tenant,
            "address" => Self::Address,
            "operation" => Self::Operation,
            _ => match text.strip_prefix("body:") {
                // The whole body ("") is never text, and a `*` would be many values.
                Some(pointer) if pointer.starts_with('/') && !pointer.split('/').any(|name| name == "*") => {
                    Self::Body(pointer.into())
                }
                _ => return Err(CountedByError(text.to_owned())),
            },
        })
    }
}

impl fmt::Display for CountedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject => f.write_str("subject"),
            Self::Client => f.write_str("client"),
            Self::Consumer => f.write_str("consumer"),
            Self::Tenant => f.write_str("tenant"),
            Self::Address => f.write_str("address"),
            Self::Operation => f.write_str("operation"),
            Self::Body(pointer) => write!(f, "body:{pointer}"),
        }
    }
}

impl CountedBy {
    /// Whether the body must be parsed first.
    pub fn needs_body(&self) -> bool {
        matches!(self, Self::Body(_))
    }

    /// Whether a verified identity alone decides the key, so that no client can make many of them.
    pub(crate) fn is_of_identity(&self) -> bool {
        matches!(self, Self::Subject | Self::Client | Self::Consumer | Self::Tenant)
    }
}

/// The key of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) high: u64,
    pub(crate) low: u64,
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Already a keyed hash; see `ByKey`.
        state.write_u64(self.low);
    }
}

/// The random keys of this process's key hashes.
#[derive(Clone, Debug)]
pub(crate) struct KeySeed {
    high: RandomState,
    low: RandomState,
}

impl KeySeed {
    /// Fresh random keys.
    pub(crate) fn random() -> Self {
        Self { high: RandomState::new(), low: RandomState::new() }
    }
}

/// What a part of a key is.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum Tag {
    Policy = 1,
    Issuer,
    Subject,
    Client,
    Tenant,
    Address,
    BodyText,
    BodyAbsent,
    BodyOversize,
}

/// Collects the parts of a key.
#[derive(Debug)]
pub(crate) struct KeyBuilder {
    encoded: SmallVec<[u8; KEY_BYTES_INLINE]>,
}

impl KeyBuilder {
    /// No parts yet.
    #[inline]
    pub(crate) fn new() -> Self {
        Self { encoded: SmallVec::new() }
    }

    /// The policy whose counter it is; always the first part.
    pub(crate) fn policy(&mut self, number: u32) {
        self.part(Tag::Policy, &number.to_be_bytes());
    }

    /// One more part.
    pub(crate) fn part(&mut self, tag: Tag, bytes: &[u8]) {
        // The tag stands above a length that never needs the eighth byte.
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(LENGTH_MAX);
        self.encoded.extend_from_slice(&((tag as u64) << 56 | len).to_be_bytes());
        self.encoded.extend_from_slice(bytes);
    }

    /// An address, by what of it is counted.
    pub(crate) fn address(&mut self, address: IpAddr) {
        self.part(Tag::Address, &address::prefix(address));
    }

    /// What of a caller is counted; the body has its own words.
    pub(crate) fn caller(&mut self, by: &CountedBy, caller: &Caller, address: IpAddr) {
        match (by, caller.identity()) {
            (CountedBy::Operation | CountedBy::Body(_), _) => {}
            (CountedBy::Address, _) | (_, None) => self.address(address),
            (by, Some(identity)) => {
                self.part(Tag::Issuer, identity.issuer.as_bytes());
                let named = match by {
                    CountedBy::Client | CountedBy::Consumer => identity.client.as_ref().map(|c| (Tag::Client, c)),
                    CountedBy::Tenant => identity.tenant.as_ref().map(|t| (Tag::Tenant, t)),
                    _ => None,
                };
                let (tag, name) = named.unwrap_or((Tag::Subject, &identity.subject));
                self.part(tag, name.as_bytes());
            }
        }
    }

    /// The key.
    pub(crate) fn finish(&self, seed: &KeySeed) -> Key {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            hasher.write(&self.encoded);
            hasher.finish()
        };
        Key { high: hash(&seed.high), low: hash(&seed.low) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(parts: &[(bool, Vec<u8>)]) -> KeyBuilder {
        let mut builder = KeyBuilder::new();
        builder.policy(1);
        for (subject, bytes) in parts {
            builder.part(if *subject { Tag::Subject } else { Tag::Client }, bytes);
        }
        builder
    }

    fn parts() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
        let byte = prop_oneof![Just(0u8), Just(1), Just(3), Just(4), Just(b'|'), any::<u8>()];
        prop::collection::vec((any::<bool>(), prop::collection::vec(byte, 0..12)), 0..5)
    }

    proptest! {
        #[test]
        fn t101_keys_are_equal_only_for_equal_parts(a in parts(), b in parts()) {
            let seed = KeySeed::random();
            prop_assert_eq!(encode(&a).encoded == encode(&b).encoded, a == b);
            prop_assert_eq!(encode(&a).finish(&seed) == encode(&b).finish(&seed), a == b);
        }

        #[test]
        fn t101_moving_a_border_between_parts_changes_the_key(text in "[a|:/]{2,20}", x in 0usize..20, y in 0usize..20) {
            let (x, y) = (x % text.len(), y % text.len());
            let cut = |at: usize| encode(&[(true, text.as_bytes()[..at].to_vec()), (true, text.as_bytes()[at..].to_vec())]);
            let seed = KeySeed::random();
            prop_assert_eq!(cut(x).finish(&seed) == cut(y).finish(&seed), x == y);
        }
    }

    #[test]
    fn t63_keys_differ_between_processes() {
        let builder = encode(&[(true, b"u-alice".to_vec())]);
        assert_ne!(builder.finish(&KeySeed::random()), builder.finish(&KeySeed::random()));
    }

    #[test]
    fn words_round_trip_and_others_are_refused() {
        for word in ["subject", "client", "consumer", "tenant", "address", "operation", "body:/a/b"] {
            assert_eq!(word.parse::<CountedBy>().unwrap().to_string(), word);
        }
        for word in ["", "Subject", "body:", "body:a", "body:/a/*", "header:x"] {
            assert!(word.parse::<CountedBy>().is_err(), "{word}");
        }
    }
}
