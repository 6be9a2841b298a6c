// SPDX-License-Identifier: Apache-2.0
//! The admin listener: loopback only, few connections, none for long.

use crate::readiness::Source;
use crate::routes::router;
use axum::serve::Listener;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// Connections at once; more wait in the backlog.
pub(crate) const CONNECTIONS_MAX: usize = 64;
/// Longest life of a connection: probes are short, so a stalled one frees its place.
pub(crate) const CONNECTION_AGE_MAX: Duration = Duration::from_secs(30);
/// Pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the console did not start.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// Other machines could reach it.
    #[error("the admin address `{0}` is not a loopback address")]
    NotLoopback(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on the admin address `{address}`")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The admin listener, bound and not yet serving.
#[derive(Debug)]
pub struct Console {
    listener: TcpListener,
    address: SocketAddr,
    age_max: Duration,
}

impl Console {
    /// Binds; port 0 lets the system choose. Must run inside a runtime.
    pub async fn bind(address: SocketAddr) -> Result<Self, ConsoleError> {
        if !address.ip().is_loopback() {
            return Err(ConsoleError::NotLoopback(address));
        }
        let failed = |source| ConsoleError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, age_max: CONNECTION_AGE_MAX })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `until` resolves; then answers what is under way.
    pub async fn serve(self, sources: Vec<Source>, until: impl Future<Output = ()> + Send + 'static) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let bounded = Bounded { listener: self.listener, places, age_max: self.age_max };
        // It resolves only when `until` does: accepting never fails for good.
        let _ = axum::serve(bounded, router(sources.into())).with_graceful_shutdown(until).await;
    }

    #[cfg(test)]
    pub(crate) fn with_age_max(self, age_max: Duration) -> Self {
        Self { age_max, ..self }
    }
}

struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
    age_max: Duration,
}

impl Listener for Bounded {
    type Io = Held;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Held, SocketAddr) {
        loop {
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                std::future::pending::<()>().await;
                continue;
            };
            match self.listener.accept().await {
                Ok((socket, peer)) => {
                    let end = Box::pin(tokio::time::sleep(self.age_max));
                    return (Held { socket, end, _place: place }, peer);
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that holds one of the places, for a limited time.
struct Held {
    socket: TcpStream,
    end: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Held {
    fn in_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.end.as_mut().poll(cx).is_ready() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Held {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.in_time(cx)?;
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Held {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.in_time(cx)?;
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
