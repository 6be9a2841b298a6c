// SPDX-License-Identifier: Apache-2.0
//! Verified tokens, remembered: what they say, never what was decided about them (T98–T101, OA-3).
//!
//! An entry is found by the full SHA-256 of the whole token and is good only for the issuer and the key-set epoch it
//! was verified under; both are compared on every hit, so that no part of the triple is ever shortened or joined into
//! text. The map outlives a configuration; an entry does so only where its issuer is configured as it was. Times are checked by the caller
//! on every hit. Only genuine tokens get in, so a client cannot fill it with noise; its size is counted in KiB of token,
//! so that large tokens take the room of many.

use crate::issuer::Issuer;
use crate::jwt::profile::Times;
use aws_lc_rs::digest;
use portcullis_decision::Identity;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// SHA-256 of a whole token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// `None` never happens (SHA-256 has 32 bytes) and means: not remembered.
    pub(crate) fn of(token: &str) -> Option<Self> {
        let hash = digest::digest(&digest::SHA256, token.as_bytes());
        <[u8; 32]>::try_from(hash.as_ref()).ok().map(Self)
    }
}

/// What is remembered of a token.
pub(crate) struct Remembered {
    pub(crate) identity: Arc<Identity>,
    pub(crate) times: Times,
    /// The issuer as it was configured then: one whose rules changed since is another.
    pub(crate) issuer: Arc<Issuer>,
    /// Epoch of the issuer's keys when the signature was checked.
    pub(crate) epoch: u64,
    /// Length of the token.
    pub(crate) token_bytes: usize,
}

/// A bounded map of verified tokens; with room for none it remembers none.
pub(crate) struct TokenCache {
    entries_max: usize,
    entries: Option<Cache<TokenDigest, Arc<Remembered>, TokenKib>>,
}

#[derive(Clone)]
struct TokenKib;

impl Weighter<TokenDigest, Arc<Remembered>> for TokenKib {
    fn weight(&self, _: &TokenDigest, value: &Arc<Remembered>) -> u64 {
        u64::try_from(value.token_bytes / 1024).unwrap_or(u64::MAX).saturating_add(1)
    }
}

impl TokenCache {
    pub(crate) fn new(entries_max: usize) -> Self {
        let capacity = u64::try_from(entries_max).unwrap_or(u64::MAX);
        let entries = (entries_max > 0).then(|| Cache::with_weighter(entries_max, capacity, TokenKib));
        Self { entries_max, entries }
    }

    /// The map of an earlier configuration, where it has room for as many.
    pub(crate) fn inherit(previous: Option<&Arc<Self>>, entries_max: usize) -> Arc<Self> {
        let kept = previous.filter(|previous| previous.entries_max == entries_max);
        kept.map_or_else(|| Arc::new(Self::new(entries_max)), Arc::clone)
    }

    pub(crate) fn find(&self, digest: &TokenDigest) -> Option<Arc<Remembered>> {
        self.entries.as_ref()?.get(digest)
    }

    pub(crate) fn remember(&self, digest: TokenDigest, entry: Arc<Remembered>) {
        if let Some(cache) = &self.entries {
            cache.insert(digest, entry);
        }
    }

    pub(crate) fn forget(&self, digest: &TokenDigest) {
        if let Some(cache) = &self.entries {
            cache.remove(digest);
        }
    }
}
