// SPDX-License-Identifier: Apache-2.0
//! The admin listener: loopback only, few connections, none for long.

use crate::routes::{Shown, router};
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
    listener: std::net::TcpListener,
    address: SocketAddr,
    age_max: Duration,
}

impl Console {
    /// Binds; port 0 lets the system choose.
    pub fn bind(address: SocketAddr) -> Result<Self, ConsoleError> {
        // Before binding: not even for a moment is anything else listened on.
        if !address.ip().is_loopback() {
            return Err(ConsoleError::NotLoopback(address));
        }
        let listener = std::net::TcpListener::bind(address);
        Self::on(listener.map_err(|source| ConsoleError::Listen { address, source })?)
    }

    /// A socket that listens already, which whoever started the process handed over.
    pub fn on(listener: std::net::TcpListener) -> Result<Self, ConsoleError> {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let address = listener.local_addr().map_err(|source| ConsoleError::Listen { address: any, source })?;
        if !address.ip().is_loopback() {
            return Err(ConsoleError::NotLoopback(address));
        }
        listener.set_nonblocking(true).map_err(|source| ConsoleError::Listen { address, source })?;
        Ok(Self { listener, address, age_max: CONNECTION_AGE_MAX })
    }

    /// The socket itself, to hand it over.
    pub fn socket(&self) -> io::Result<std::net::TcpListener> {
        self.listener.try_clone()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `until` resolves; then answers what is under way. May be called again when it ended otherwise.
    pub fn serve<F>(&self, shown: Arc<Shown>, until: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (listener, age_max) = (self.listener.try_clone(), self.age_max);
        async move {
            let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
            // Without a descriptor for it there is nothing to serve; whoever keeps this running tries again.
            let Ok(listener) = listener.and_then(TcpListener::from_std) else { return };
            let bounded = Bounded { listener, places, age_max };
            // It resolves only when `until` does: accepting never fails for good.
            let _ = axum::serve(bounded, router(shown)).with_graceful_shutdown(until).await;
        }
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
