// SPDX-License-Identifier: Apache-2.0
//! The proxy in front of the gate: each request is answered by the pipeline of the revision it met.

use crate::body::RequestBody;
use crate::config::Config;
use crate::connection::{Handler, Rules};
use crate::drain::{self, Bound, Running, StartError};
use crate::origin::UpstreamOrigin;
use crate::timed::TimedAnswer;
use crate::upstream::Upstreams;
use crate::upstream::{health, pool};
use crate::worker::Worker;
use arc_swap::ArcSwap;
use http::Response;
use portcullis_pipeline::{Arrived, Connection, Gate, Lane, respond};
use portcullis_wire::{HeadLimits, Reserved};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

/// What one reload replaces. The gate names upstreams by index, so the two are swapped together.
pub struct Revision {
    /// Who decides.
    pub gate: Arc<Gate>,
    /// Where cleared requests go.
    pub upstreams: Arc<Upstreams>,
}

/// A bound address that is not served yet: what is built for it may name it.
#[derive(Debug)]
pub struct Binding(Bound);

impl Binding {
    /// Binds one listener per core; port 0 lets the system choose.
    pub fn bind(address: SocketAddr, cores: NonZeroUsize) -> Result<Self, StartError> {
        drain::bind(address, cores).map(Self)
    }

    /// Takes over sockets that listen already: those of a service manager or of the process before.
    pub fn adopt(listeners: Vec<std::net::TcpListener>, cores: NonZeroUsize) -> std::io::Result<Self> {
        drain::adopt(listeners, cores).map(Self)
    }

    /// Threads that will serve.
    pub fn cores(&self) -> NonZeroUsize {
        NonZeroUsize::new(self.0.listeners.len()).unwrap_or(NonZeroUsize::MIN)
    }

    /// Where clients will come in.
    pub fn public(&self) -> SocketAddr {
        self.0.public
    }

    /// Starts one thread per listener and serves; every request sees the revision that is current when its head has
    /// been read.
    pub fn serve(self, config: Config, revision: &Arc<ArcSwap<Revision>>) -> Result<Running, StartError> {
        drain::start(config, self.0, || GateHandler { revision: Arc::clone(revision), lane: Arc::default() })
    }
}

#[derive(Clone)]
struct GateHandler {
    revision: Arc<ArcSwap<Revision>>,
    /// The core's own way to the trail; a handler is made once per core.
    lane: Arc<OnceLock<Lane>>,
}

impl GateHandler {
    fn lane(&self, gate: &Gate, worker: &Worker) -> &Lane {
        self.lane.get_or_init(|| {
            let (lane, relay) = gate.lane();
            // Ends with the core, after the last client's record was acknowledged.
            worker.upstream_tasks.spawn(relay);
            lane
        })
    }
}

impl Rules for Arc<Revision> {
    fn limits(&self) -> &HeadLimits {
        &self.gate.head_limits
    }

    fn reserved(&self) -> &Reserved {
        &self.gate.reserved
    }
}

impl Handler for GateHandler {
    type Body = TimedAnswer;
    type Rules = Arc<Revision>;

    fn begin(&self, worker: &Arc<Worker>) {
        let revision = Arc::clone(&self.revision);
        let current = move || Arc::clone(&revision.load().upstreams);
        worker.upstream_tasks.spawn(pool::keep(Arc::clone(worker), current.clone()));
        // One core asks for all.
        if worker.index == 0 {
            worker.upstream_tasks.spawn(health::keep(Arc::clone(worker), current));
        }
    }

    fn rules(&self) -> Arc<Revision> {
        self.revision.load_full()
    }

    async fn handle(
        &self,
        worker: &Arc<Worker>,
        connection: &Connection,
        revision: Arc<Revision>,
        arrived: Arrived<RequestBody>,
    ) -> Response<Self::Body> {
        let origin = UpstreamOrigin::new(Arc::clone(worker), Arc::clone(&revision.upstreams));
        let lane = self.lane(&revision.gate, worker);
        // One place on the heap: what awaits this future moves a pointer, not all it will ever hold.
        let response = Box::pin(respond(&revision.gate, lane, &origin, connection, arrived)).await;
        response.map(|body| TimedAnswer::new(body, worker))
    }
}
