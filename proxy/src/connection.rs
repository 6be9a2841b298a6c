// SPDX-License-Identifier: Apache-2.0
//! One client connection: what every connection shares, whatever it runs over and whatever it speaks. The handler
//! decides; this file keeps the time and the count.

mod h1;
mod h2;
pub(crate) mod spoken;

pub(crate) use h1::InletBody;
pub(crate) use h2::StreamBody;

use crate::body::RequestBody;
use crate::caps::Admitted;
use crate::stream::{ClientStream, Pace, Patience, Socket, Transport};
use crate::tls;
use crate::websocket::Opened;
use crate::worker::Worker;
use bytes::Bytes;
use http::Response;
use http_body::Body;
use portcullis_pipeline::{Arrived, BodyFault, Connection};
use portcullis_wire::{HeadLimits, Reserved};
use spoken::Spoken;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::net::TcpStream;

/// What a head is judged by.
pub(crate) trait Rules: Send + Sync + 'static {
    /// The maxima.
    fn limits(&self) -> &HeadLimits;
    /// The names a client may not speak.
    fn reserved(&self) -> &Reserved;
}

/// The body of an answer, or where a 101 leads.
pub(crate) trait Switches: Sized {
    /// What the connection becomes; `None`: nothing else.
    fn opened(self) -> Option<Opened> {
        None
    }
}

/// Decides a request. In the product this is the pipeline.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    /// Body of its answers.
    type Body: Body<Data = Bytes, Error = BodyFault> + Switches + Send + Unpin + 'static;
    /// What reads a head decides its request, too, so that no reload comes between the two.
    type Rules: Rules;

    /// A core begins: what is to be done beside its requests.
    fn begin(&self, _worker: &Arc<Worker>) {}

    /// What the next head is judged by.
    fn rules(&self) -> Self::Rules;

    /// Answers a request that was read by `rules`; never fails.
    fn handle(
        &self,
        worker: &Arc<Worker>,
        connection: &Connection,
        rules: Self::Rules,
        arrived: Arrived<RequestBody>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// What a connection remembers between its requests.
pub(crate) struct Link {
    worker: Arc<Worker>,
    ends: Connection,
    pace: Arc<Pace>,
    served: AtomicU32,
    opened_ms: u64,
    _admitted: Admitted,
}

/// Serves a connection that was just accepted until it ends.
pub(crate) fn open<H: Handler>(
    worker: &Arc<Worker>,
    handler: &H,
    socket: TcpStream,
    peer: std::net::SocketAddr,
    admitted: Admitted,
) {
    // Answers are small and complete; waiting to fill a segment only adds latency. Without it they are still right.
    let _ = socket.set_nodelay(true);
    let Ok(local) = socket.local_addr() else { return };
    let bounds = &worker.config.connections;
    let patience = Patience { idle: bounds.idle, head: worker.config.head.timeout, write_stall: bounds.write_stall };
    let pace = Arc::new(Pace::new(worker.deadlines.register(), patience));
    let socket = Socket::new(socket, Arc::clone(&pace));
    let ends = Connection { peer, local, tls: None };
    match &worker.config.tls {
        None => {
            let link = Link::new(worker, ends, pace, admitted);
            worker.client_tasks.spawn(begin(link, handler.clone(), socket));
        }
        Some(tls) => {
            let (tls, worker, handler) = (Arc::clone(tls), Arc::clone(worker), handler.clone());
            Arc::clone(&worker).client_tasks.spawn(async move {
                // On the heap while it lasts: a connection does not carry the room for it to its end.
                let shaken = Box::pin(tls::accept(&tls, &worker, socket, ends.local.ip())).await;
                let Some((stream, handshake)) = shaken else { return };
                pace.begin();
                let ends = Connection { tls: Some(Arc::new(handshake)), ..ends };
                let spoken = Spoken::agreed(stream.get_ref().1.alpn_protocol());
                serve(Link::new(&worker, ends, pace, admitted), handler, stream, spoken).await;
            });
        }
    }
}

/// In the clear, the first bytes tell what is spoken.
async fn begin<H: Handler>(link: Arc<Link>, handler: H, socket: Socket) {
    if let Some(spoken) = spoken::listen(&link, &socket).await {
        serve(link, handler, socket, spoken).await;
    }
}

/// Serves over whatever carries the bytes. On the heap, so that no connection is as large as the largest, and each part
/// only while it lasts.
async fn serve<H: Handler, T: Transport>(link: Arc<Link>, handler: H, transport: T, spoken: Spoken) {
    match spoken {
        Spoken::Http1 => {
            let stream = ClientStream::new(transport, Arc::clone(&link.pace));
            Box::pin(h1::drive(link, handler, stream)).await;
        }
        Spoken::Http2 => {
            if let Some(driver) = Box::pin(h2::begin(link, handler, transport)).await {
                driver.run().await;
            }
        }
    }
}

impl Link {
    fn new(worker: &Arc<Worker>, ends: Connection, pace: Arc<Pace>, admitted: Admitted) -> Arc<Self> {
        Arc::new(Self {
            worker: Arc::clone(worker),
            ends,
            pace,
            served: AtomicU32::new(0),
            opened_ms: worker.deadlines.now_ms(),
            _admitted: admitted,
        })
    }

    /// Whether this connection has had its share.
    fn is_last(&self) -> bool {
        let bounds = &self.worker.config.connections;
        let served = self.served.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let age_ms = self.worker.deadlines.now_ms().saturating_sub(self.opened_ms);
        served >= bounds.requests_max || u128::from(age_ms) >= bounds.age_max.as_millis() || self.worker.is_leaving()
    }
}
