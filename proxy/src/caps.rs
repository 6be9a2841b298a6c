// SPDX-License-Identifier: Apache-2.0
//! How many connections there may be: in all, and of one address (T59).

use crate::config::{ConnectionBounds, Event};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const SHARDS: usize = 16;
/// Descriptors kept back for what must go on when clients use up theirs.
const DESCRIPTORS_RESERVED: usize = 64;

/// Counts connections over all cores.
#[derive(Debug)]
pub(crate) struct Caps {
    open: AtomicUsize,
    total_max: usize,
    per_address_max: usize,
    /// Bounded by `total_max`: an entry exists only while a connection of that address does.
    by_address: Vec<Mutex<HashMap<IpAddr, usize>>>,
    hasher: RandomState,
    refused_total: AtomicU64,
    refused_address: AtomicU64,
}

/// Which cap refused a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Total,
    Address,
}

impl Caps {
    /// Caps within the file descriptors: each client may need one to an upstream as well, and some are kept back for
    /// the trail, key sets and the admin listener (F36).
    pub(crate) fn new(bounds: &ConnectionBounds) -> Self {
        let descriptors = descriptors_soft_max().map_or(usize::MAX, connections_within);
        Self {
            open: AtomicUsize::new(0),
            total_max: bounds.total_max.min(descriptors),
            per_address_max: bounds.per_address_max,
            by_address: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            refused_total: AtomicU64::new(0),
            refused_address: AtomicU64::new(0),
        }
    }

    /// Lets one more connection in, until the answer is dropped.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admitted, Refused> {
        if self.open.fetch_add(1, Ordering::AcqRel) >= self.total_max {
            self.open.fetch_sub(1, Ordering::AcqRel);
            self.refused_total.fetch_add(1, Ordering::Relaxed);
            return Err(Refused::Total);
        }
        let network = network(address);
        if let Some(shard) = self.shard(network) {
            let mut counts = shard.lock();
            let count = counts.entry(network).or_insert(0);
            if *count >= self.per_address_max {
                drop(counts);
                self.open.fetch_sub(1, Ordering::AcqRel);
                self.refused_address.fetch_add(1, Ordering::Relaxed);
                return Err(Refused::Address);
            }
            *count = count.saturating_add(1);
        }
        Ok(Admitted { caps: Arc::clone(self), network })
    }

    /// What was refused since the last call, if anything.
    pub(crate) fn take_refusals(&self) -> Option<Event> {
        let total = self.refused_total.swap(0, Ordering::Relaxed);
        let per_address = self.refused_address.swap(0, Ordering::Relaxed);
        (total > 0 || per_address > 0).then_some(Event::ConnectionsRefused { total, per_address })
    }

    fn shard(&self, network: IpAddr) -> Option<&Mutex<HashMap<IpAddr, usize>>> {
        let hash = usize::try_from(self.hasher.hash_one(network) % SHARDS as u64).unwrap_or(0);
        self.by_address.get(hash)
    }
}

/// A place among the open connections.
#[derive(Debug)]
pub(crate) struct Admitted {
    caps: Arc<Caps>,
    network: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(shard) = self.caps.shard(self.network) {
            let mut counts = shard.lock();
            let left = counts.get(&self.network).map_or(0, |count| count.saturating_sub(1));
            if left == 0 {
                counts.remove(&self.network);
            } else {
                counts.insert(self.network, left);
            }
        }
        self.caps.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One client of IPv6 usually holds a whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Connections that so many descriptors allow.
fn connections_within(descriptors: usize) -> usize {
    (descriptors.saturating_sub(DESCRIPTORS_RESERVED) / 2).max(1)
}

/// The soft limit of open files, where the system tells.
fn descriptors_soft_max() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    parse_open_files(&limits)
}

fn parse_open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(total_max: usize, per_address_max: usize) -> Arc<Caps> {
        Arc::new(Caps::new(&ConnectionBounds { total_max, per_address_max, ..ConnectionBounds::default() }))
    }

    #[test]
    fn t59_total_and_address_caps_hold_and_free() {
        let caps = caps(3, 2);
        let a: IpAddr = "192.0.2.1".parse().unwrap();
        let b: IpAddr = "192.0.2.2".parse().unwrap();
        let first = caps.admit(a).unwrap();
        let _second = caps.admit(a).unwrap();
        assert_eq!(caps.admit(a).unwrap_err(), Refused::Address);
        let _third = caps.admit(b).unwrap();
        assert_eq!(caps.admit(b).unwrap_err(), Refused::Total);
        drop(first);
        drop(caps.admit(a).unwrap());
        assert_eq!(caps.take_refusals(), Some(Event::ConnectionsRefused { total: 1, per_address: 1 }));
        assert_eq!(caps.take_refusals(), None);
    }

    #[test]
    fn one_ipv6_network_is_one_client_and_mapped_ipv4_is_ipv4() {
        let caps = caps(10, 1);
        let _one = caps.admit("2001:db8:0:1::1".parse().unwrap()).unwrap();
        assert_eq!(caps.admit("2001:db8:0:1:ffff::2".parse().unwrap()).unwrap_err(), Refused::Address);
        let _other = caps.admit("2001:db8:0:2::1".parse().unwrap()).unwrap();
        let _four = caps.admit("192.0.2.1".parse().unwrap()).unwrap();
        assert_eq!(caps.admit("::ffff:192.0.2.1".parse().unwrap()).unwrap_err(), Refused::Address);
    }

    #[test]
    fn entries_go_with_their_connections() {
        let caps = caps(10, 10);
        drop(caps.admit("192.0.2.1".parse().unwrap()).unwrap());
        assert!(caps.by_address.iter().all(|shard| shard.lock().is_empty()));
        assert_eq!(caps.open.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn f36_a_reserve_is_kept_whatever_the_limit() {
        for (descriptors, connections) in [(300, 118), (1024, 480), (65, 1), (10, 1), (0, 1)] {
            assert_eq!(connections_within(descriptors), connections, "{descriptors}");
        }
    }

    #[test]
    fn reads_the_soft_limit() {
        let text = "Limit    Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(parse_open_files(text), Some(1024));
        assert_eq!(parse_open_files("Max open files unlimited unlimited files"), None);
    }
}
