// SPDX-License-Identifier: Apache-2.0
//! Where a target's name leads, now (F30).
//!
//! A name is looked up beside the requests, not in front of them: what was found last is used until there is
//! something newer. A resolver that fails, or that says the name is gone, changes nothing for [`LAST_GOOD_MAX_MS`];
//! a time to live is believed between [`TTL_MS`]; of a thousand addresses [`ADDRESSES_MAX`] are used.

use crate::upstream::target::{Host, Target};
use parking_lot::Mutex;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// Shortest and longest time for which a look-up counts as fresh, whatever the resolver says.
const TTL_MS: (u64, u64) = (5_000, 300_000);
/// Where the resolver says nothing, as the system's does.
const TTL_UNKNOWN_MS: u64 = 30_000;
/// How long the last good addresses are used while the name cannot be looked up. Not for ever: an address that was
/// given up may be somebody else's by then.
const LAST_GOOD_MAX_MS: u64 = 3_600_000;
/// Most addresses of one name.
const ADDRESSES_MAX: usize = 16;
/// Most addresses tried for one connection.
pub(crate) const TRIED_MAX: usize = 3;

/// What a resolver found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// In the resolver's order.
    pub(crate) addresses: Vec<SocketAddr>,
    /// For how long, if it says so.
    pub(crate) ttl: Option<Duration>,
}

/// A look-up under way.
pub(crate) type Looking = Pin<Box<dyn Future<Output = io::Result<Found>> + Send>>;

/// Looks names up.
pub(crate) trait Resolve: std::fmt::Debug + Send + Sync {
    /// The addresses of a name, with this port.
    fn resolve(&self, name: &str, port: u16) -> Looking;
}

/// The system's own resolver.
#[derive(Debug)]
pub(crate) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str, port: u16) -> Looking {
        let name = name.to_owned();
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name, port)).await?.collect();
            Ok(Found { addresses, ttl: None })
        })
    }
}

/// The addresses of one target.
#[derive(Debug)]
pub(crate) struct Addresses {
    host: Host,
    port: u16,
    resolver: Arc<dyn Resolve>,
    known: Mutex<Known>,
    /// Increased when the set changes: connections to other addresses are not used again.
    generation: AtomicU32,
    looking: AtomicBool,
    turn: AtomicUsize,
}

#[derive(Debug, Default)]
struct Known {
    addresses: Vec<SocketAddr>,
    /// When they were last confirmed.
    good_ms: u64,
    /// When to look again.
    stale_ms: u64,
}

/// What is to be done about a name.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    /// Use what is known and look again.
    Refresh,
    /// Nothing is known, or it is too old.
    First,
}

impl Addresses {
    pub(crate) fn of(target: &Target, resolver: Arc<dyn Resolve>) -> Arc<Self> {
        Arc::new(Self {
            host: target.host.clone(),
            port: target.port,
            resolver,
            known: Mutex::default(),
            generation: AtomicU32::new(0),
            looking: AtomicBool::new(false),
            turn: AtomicUsize::new(0),
        })
    }

    /// The addresses to try for a connection, in turn; `beside` runs work that nobody waits for.
    pub(crate) async fn to_try(
        self: &Arc<Self>,
        now_ms: u64,
        beside: impl FnOnce(Pin<Box<dyn Future<Output = ()> + Send>>),
    ) -> io::Result<Vec<SocketAddr>> {
        let name = match &self.host {
            Host::Address(address) => return Ok(vec![*address]),
            Host::Name(name) => name,
        };
        match self.due(now_ms) {
            Due::Nothing => {}
            Due::Refresh => {
                if !self.looking.swap(true, Ordering::AcqRel) {
                    let this = Arc::clone(self);
                    let looking = self.resolver.resolve(name, self.port);
                    beside(Box::pin(async move {
                        let guard = Looked(&this);
                        let found = looking.await;
                        this.learn(found, now_ms);
                        drop(guard);
                    }));
                }
            }
            Due::First => {
                let found = self.resolver.resolve(name, self.port).await;
                self.learn(found, now_ms);
            }
        }
        let known = self.known.lock();
        if known.addresses.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let from = turn.checked_rem(known.addresses.len()).unwrap_or(0);
        Ok(known.addresses.iter().cycle().skip(from).take(known.addresses.len().min(TRIED_MAX)).copied().collect())
    }

    /// Identifies the current set.
    pub(crate) fn generation(&self) -> u32 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Identifies the set that holds `peer`: the current one, or one that is over.
    pub(crate) fn generation_of(&self, peer: SocketAddr) -> u32 {
        let known = self.known.lock();
        let stays = known.addresses.is_empty() || known.addresses.contains(&peer);
        if stays { self.generation() } else { self.generation().wrapping_sub(1) }
    }

    /// Whether a connection to `peer`, opened under `generation`, leads to where the name leads now.
    pub(crate) fn leads_to(&self, peer: SocketAddr, generation: u32) -> bool {
        generation == self.generation() || self.known.lock().addresses.contains(&peer)
    }

    fn due(&self, now_ms: u64) -> Due {
        let mut known = self.known.lock();
        if known.addresses.is_empty() {
            return Due::First;
        }
        if now_ms.saturating_sub(known.good_ms) > LAST_GOOD_MAX_MS {
            known.addresses.clear();
            return Due::First;
        }
        if now_ms < known.stale_ms { Due::Nothing } else { Due::Refresh }
    }

    fn learn(&self, found: io::Result<Found>, now_ms: u64) {
        let mut known = self.known.lock();
        let found = match found {
            Ok(found) if !found.addresses.is_empty() => found,
            // Not there, or nobody to ask: the last good ones stay.
            Ok(_) | Err(_) => {
                known.stale_ms = now_ms.saturating_add(TTL_MS.0);
                return;
            }
        };
        let ttl_ms = found.ttl.map_or(TTL_UNKNOWN_MS, |ttl| u64::try_from(ttl.as_millis()).unwrap_or(TTL_MS.1));
        known.stale_ms = now_ms.saturating_add(ttl_ms.clamp(TTL_MS.0, TTL_MS.1));
        known.good_ms = now_ms;
        let mut addresses: Vec<SocketAddr> = Vec::with_capacity(found.addresses.len().min(ADDRESSES_MAX));
        for address in found.addresses {
            if addresses.len() == ADDRESSES_MAX {
                break;
            }
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let same = addresses.len() == known.addresses.len() && addresses.iter().all(|a| known.addresses.contains(a));
        if !same {
            known.addresses = addresses;
            self.generation.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Lets the next one look, even if the look-up was dropped half-way.
struct Looked<'a>(&'a Addresses);

impl Drop for Looked<'_> {
    fn drop(&mut self) {
        self.0.looking.store(false, Ordering::Release);
    }
}

#[cfg(test)]
pub(crate) mod tests;
