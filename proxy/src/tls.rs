// SPDX-License-Identifier: Apache-2.0
//! TLS of the public listener: TLS 1.2 and 1.3 (ASVS 12.1.1), a certificate for each name and none for any other.
//!
//! Invariants: there is no default certificate, so a name nobody configured ends the handshake (T104); the demands on
//! client certificates go with the name, and nothing carries a session from one name's demands to another's (T103);
//! no early data (T108); what is read again from disk comes into force whole or not at all (F23).

mod entry;
mod handshake;
mod outbound;
mod server;
pub(crate) mod transport;

pub use entry::{TlsEntry, TlsError};
pub(crate) use handshake::accept;
pub(crate) use outbound::{Offer, is_distrust};
pub use outbound::{UpstreamTls, UpstreamTlsError, UpstreamTlsFiles};

use crate::config::Event;
use arc_swap::ArcSwap;
use entry::Served;
use parking_lot::Mutex;
use portcullis_decision::Clock;
use portcullis_pipeline::{Policies, PolicyId};
use portcullis_pki::{Ends, NameTable};
use rustls::ServerConfig;
use server::Demands;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The listener's certificates and demands. Shared by all cores.
pub struct TlsListener {
    clock: Arc<dyn Clock>,
    current: ArcSwap<Prepared>,
    /// Every set of demands there ever was; its place is its number, so that an old connection is never taken for one
    /// under new demands. Grows only when an operator changes demands.
    demands: Mutex<Vec<Demands>>,
    under_way: AtomicUsize,
    refused: AtomicU64,
    timed_out: AtomicU64,
    failed: AtomicU64,
}

/// What was read from disk and checked, and is not in force yet.
pub struct Prepared {
    entries: Vec<TlsEntry>,
    served: Vec<Served>,
    names: NameTable,
}

impl std::fmt::Debug for TlsListener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsListener").field("entries", &self.current.load().entries).finish_non_exhaustive()
    }
}

impl TlsListener {
    /// Reads and checks the files.
    pub fn load(entries: Vec<TlsEntry>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, TlsError> {
        let demands = Mutex::default();
        let prepared = Prepared::read(entries, &clock, &demands)?;
        Ok(Arc::new(Self {
            clock,
            current: ArcSwap::from_pointee(prepared),
            demands,
            under_way: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// Reads the same files again. New handshakes see what is in them now; open connections go on. On an error what
    /// was in force stays (F23).
    pub fn reload(&self) -> Result<(), TlsError> {
        loop {
            let before = self.current.load_full();
            let prepared = self.prepare(before.entries.clone())?;
            if self.replace(&before, prepared) {
                return Ok(());
            }
        }
    }

    /// Puts into force what was prepared from the entries of `before`, unless others came into force meanwhile: what
    /// was read for old entries must not take new demands back (T105).
    fn replace(&self, before: &Arc<Prepared>, prepared: Prepared) -> bool {
        Arc::ptr_eq(&self.current.compare_and_swap(before, Arc::new(prepared)), before)
    }

    /// Reads and checks other entries, for a reload that swaps everything at once.
    pub fn prepare(&self, entries: Vec<TlsEntry>) -> Result<Prepared, TlsError> {
        Prepared::read(entries, &self.clock, &self.demands)
    }

    /// Puts into force what was prepared.
    pub fn install(&self, prepared: Prepared) {
        self.current.store(Arc::new(prepared));
    }

    /// When each certificate, authority and list ends (F24, F25).
    pub fn ends(&self) -> Vec<Ends> {
        self.current.load().served.iter().flat_map(|served| served.ends.iter().cloned()).collect()
    }

    /// Every file it reads.
    pub fn files(&self) -> Vec<PathBuf> {
        self.current.load().entries.iter().flat_map(TlsEntry::files).collect()
    }

    /// What ended badly since the last call, if anything.
    pub(crate) fn take_failures(&self) -> Option<Event> {
        let refused = self.refused.swap(0, Ordering::Relaxed);
        let timed_out = self.timed_out.swap(0, Ordering::Relaxed);
        let failed = self.failed.swap(0, Ordering::Relaxed);
        (refused > 0 || timed_out > 0 || failed > 0).then_some(Event::HandshakesFailed { refused, timed_out, failed })
    }

    /// What serves a name; without one, what the address the client came to is served by (T104).
    fn choose(&self, server_name: Option<&str>, local: IpAddr) -> Option<(Arc<ServerConfig>, PolicyId)> {
        let current = self.current.load();
        let index = match server_name {
            Some(name) => current.names.find(name),
            None => current.names.find_address(local),
        }?;
        let served = current.served.get(index)?;
        Some((Arc::clone(&served.config), served.policy))
    }
}

impl Policies for TlsListener {
    fn policy_of(&self, host: &str) -> Option<PolicyId> {
        let current = self.current.load();
        current.served.get(current.names.find(host)?).map(|served| served.policy)
    }
}

#[cfg(test)]
mod tests;
