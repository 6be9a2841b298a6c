// SPDX-License-Identifier: Apache-2.0
//! The listener's certificates while it serves: new files come into force without a restart (F23), what ends is told in
//! time, and a gateway whose own certificate has ended says that it is not ready (F24).
//!
//! Certificates are renewed far more often than a configuration changes, and by programs; so their files are looked at
//! whether or not `--watch` was asked for.

use super::supervise::Pulse;
use super::watch::Look;
use crate::log::say;
use parking_lot::Mutex;
use portcullis_console::{Ready, Source};
use portcullis_decision::Clock;
use portcullis_pki::{Due, What};
use portcullis_proxy::TlsListener;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often files are looked at. A change counts when two looks in a row saw the same.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks after the listener's certificates.
pub(super) struct Certificates {
    tls: Arc<TlsListener>,
    clock: Arc<dyn Clock>,
    /// What the files were like when they were last read, whatever came of it.
    look: Mutex<Look>,
    /// How near the end of each file was when it was last told.
    told: Mutex<BTreeMap<(What, String), Due>>,
}

impl Certificates {
    /// Those of a listener that has just read them.
    pub(super) fn of(tls: Arc<TlsListener>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let look = Mutex::new(Look::at(tls.files()));
        Arc::new(Self { tls, clock, look, told: Mutex::default() })
    }

    /// What `/readyz` asks.
    pub(super) fn source(self: &Arc<Self>) -> Source {
        let this = Arc::clone(self);
        Source::new("certificates", move || {
            let wall = this.clock.wall();
            let ended = this.tls.ends().into_iter().find(|e| e.what == What::Leaf && e.due(wall) == Due::Ended);
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
        let now = Look::at(self.tls.files());
        if now == *self.look.lock() {
            return None;
        }
        if before != Some(&now) {
            return Some(now);
        }
        *self.look.lock() = now;
        match self.tls.reload() {
            Ok(()) => say!("certificates: read again; new connections get what is there now"),
            Err(error) => say!("error: certificates: {error}; what was in force stays"),
        }
        None
    }

    /// Tells of each end when it comes nearer, once.
    fn tell(&self) {
        let wall = self.clock.wall();
        let mut told = self.told.lock();
        let mut known = BTreeMap::new();
        for ends in self.tls.ends() {
            let (key, due) = ((ends.what, ends.file.clone()), ends.due(wall));
            if due > told.get(&key).copied().unwrap_or(Due::Later) {
                say!("{}: {}", if due == Due::Ended { "error" } else { "warning" }, ends.tell(wall));
            }
            known.insert(key, due);
        }
        *told = known;
    }
}
