// SPDX-License-Identifier: Apache-2.0
//! One HTTP/2 connection to an upstream, as its users see it. A task of its own drives it.

use super::STREAMS_MAX;
use super::watch::Watch;
use crate::upstream::addresses::Addresses;
use crate::worker::Worker;
use bytes::Bytes;
use h2::client::SendRequest;
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;

/// A connection.
pub(crate) struct Line {
    /// The core it belongs to.
    pub(crate) worker: Arc<Worker>,
    /// Gone when nothing more is sent: the connection then ends with its last stream.
    sender: Mutex<Option<SendRequest<Bytes>>>,
    pub(super) watch: Arc<Watch>,
    peer: SocketAddr,
    /// Of the target's addresses when it was opened.
    generation: u32,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("peer", &self.peer).field("watch", &self.watch).finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(
        worker: &Arc<Worker>,
        sender: SendRequest<Bytes>,
        watch: Arc<Watch>,
        (peer, generation): (SocketAddr, u32),
    ) -> Arc<Self> {
        Arc::new(Self { worker: Arc::clone(worker), sender: Mutex::new(Some(sender)), watch, peer, generation })
    }

    /// A handle to open one stream with.
    pub(super) fn sender(&self) -> Option<SendRequest<Bytes>> {
        self.sender.lock().clone()
    }

    /// Whether it leads to where the target is now and takes streams.
    pub(super) fn is_usable(&self, addresses: &Addresses) -> bool {
        self.watch.is_usable() && addresses.leads_to(self.peer, self.generation)
    }

    /// Takes a place for one stream: as many as the upstream lets us have, and no more than ours.
    pub(super) fn enter(&self) -> bool {
        let theirs = self.sender.lock().as_ref().map_or(0, SendRequest::current_max_send_streams);
        self.watch.is_usable() && self.watch.enter(theirs.min(STREAMS_MAX))
    }

    /// Opens no more streams; ends with the last.
    pub(super) fn retire(&self) {
        self.watch.leave();
        drop(self.sender.lock().take());
    }
}
