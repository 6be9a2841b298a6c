// SPDX-License-Identifier: Apache-2.0
//! The certificates of the listener and of upstreams while they are used: new files come into force without a restart (F23), what ends is told in
//! time, and a gateway whose own certificate has ended says that it is not ready (F24).
//!
//! Certificates are renewed far more often than a configuration changes, and by programs; so their files are looked at
//! whether or not `--watch` was asked for.

use super::supervise::Pulse;
use super::watch::Look;
use crate::log::say;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portcullis_console::{Ready, Source};
use portcullis_decision::Clock;
use portcullis_pki::{Due, What};
use portcullis_proxy::{Revision, TlsListener};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often files are looked at. A change counts when two looks in a row saw the same.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks after the certificates.
pub(super) struct Certificates {
    /// `None`: the listener speaks plain HTTP.
    tls: Option<Arc<TlsListener>>,
    revision: Arc<ArcSwap<Revision>>,
    clock: Arc<dyn Clock>,
    /// What the files were like when they were last read, whatever came of it.
    look: Mutex<Look>,
    /// How near the end of each file was when it was last told.
    told: Mutex<BTreeMap<(What, String), Due>>,
}

impl Certificates {
    /// Those of a listener and upstreams that have just read them.
    pub(super) fn of(
        tls: Option<Arc<TlsListener>>,
        revision: Arc<ArcSwap<Revision>>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let look = Mutex::new(Look::at(files(tls.as_deref(), &revision.load())));
        Arc::new(Self { tls, revision, clock, look, told: Mutex::default() })
    }

    /// What `/readyz` asks.
    pub(super) fn source(self: &Arc<Self>) -> Source {
        let this = Arc::clone(self);
        Source::new("certificates", move || {
            let wall = this.clock.wall();
            let ends = this.tls.iter().flat_map(|tls| tls.ends());
            let ended = ends.into_iter().find(|e| e.what == What::Leaf && e.due(wall) == Due::Ended);
            ended.map_or(Ready::Yes, |ends| Ready::No(ends.tell(wall).into()))
        })
    }

    /// Looks after them until it is stopped.
    pub(super) async fn keep(self: Arc<Self>, pulse: Pulse) {
        let mut unsettled = None;
        loop {
            pulse.beat();
            let this = Arc::clone(&self);
            let before = unsettled.take();
            // A file system may be slow; the control runtime is not.
            let looked = tokio::task::spawn_blocking(move || this.look(before.as_ref())).await;
            unsettled = looked.ok().flatten();
            self.tell();
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Reads the files again if they differ from what was read last and have stopped changing; else answers what they
    /// are like while they change.
    fn look(&self, before: Option<&Look>) -> Option<Look> {
        let now = Look::at(files(self.tls.as_deref(), &self.revision.load()));
        if now == *self.look.lock() {
            return None;
        }
        if before != Some(&now) {
            return Some(now);
        }
        *self.look.lock() = now;
        let mut whole = true;
        let mut fault = |whose: &str, error: &dyn std::fmt::Display| {
            whole = false;
            say!("error: certificates of {whose}: {error}; what was in force stays");
        };
        if let Some(Err(error)) = self.tls.as_ref().map(|tls| tls.reload()) {
            fault("the listener", &error);
        }
        for (name, tls) in self.revision.load().upstreams.tls() {
            if let Err(error) = tls.reload() {
                fault(&format!("upstream `{name}`"), &error);
            }
        }
        if whole {
            say!("certificates: read again; new connections get what is there now");
        }
        None
    }

    /// Tells of each end when it comes nearer, once.
    fn tell(&self) {
        let wall = self.clock.wall();
        let mut told = self.told.lock();
        let mut known = BTreeMap::new();
        let revision = self.revision.load();
        let upstreams = revision.upstreams.tls().flat_map(|(_, tls)| tls.ends());
        for ends in self.tls.iter().flat_map(|tls| tls.ends()).chain(upstreams) {
            let (key, due) = ((ends.what, ends.file.clone()), ends.due(wall));
            if due > told.get(&key).copied().unwrap_or(Due::Later) {
                say!("{}: {}", if due == Due::Ended { "error" } else { "warning" }, ends.tell(wall));
            }
            known.insert(key, due);
        }
        *told = known;
    }
}

/// Every file of the listener and of the upstreams.
fn files(tls: Option<&TlsListener>, revision: &Revision) -> Vec<PathBuf> {
    let upstreams = revision.upstreams.tls().flat_map(|(_, tls)| tls.files());
    tls.iter().flat_map(|tls| tls.files()).chain(upstreams).collect()
}
