// SPDX-License-Identifier: Apache-2.0
//! One listening socket per core on the same address, and an accept loop that never ends by itself (T59).

use crate::config::{Event, Events};
use socket2::{Domain, Protocol, Socket, Type};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

const BACKLOG: i32 = 1024;
const BACKOFF_MIN: Duration = Duration::from_millis(5);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Binds one socket per core. With port 0 the first bind chooses and the others follow.
///
/// `SO_REUSEPORT` would also let two gateways of one user share a port without either noticing; so the address is
/// first bound alone, which fails when anybody listens there.
pub(crate) fn bind(address: SocketAddr, cores: NonZeroUsize) -> io::Result<(SocketAddr, Vec<std::net::TcpListener>)> {
    if address.port() != 0 {
        let alone = socket(address)?;
        alone.bind(&address.into())?;
        alone.listen(1)?;
    }
    let mut at = address;
    let mut listeners = Vec::with_capacity(cores.get());
    for _ in 0..cores.get() {
        let socket = socket(at)?;
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&at.into())?;
        socket.listen(BACKLOG)?;
        let listener = std::net::TcpListener::from(socket);
        at = listener.local_addr()?;
        listeners.push(listener);
    }
    Ok((at, listeners))
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// Where connections come from.
pub(crate) trait Accept: Send {
    /// The next connection.
    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }
}

/// Accepts for as long as it is polled. Errors of one connection are skipped, errors of the process (no descriptors,
/// no buffers) are waited out.
pub(crate) async fn accept_all<A: Accept>(
    listener: &A,
    events: &Events,
    mut admit: impl FnMut(TcpStream, SocketAddr) + Send,
) {
    let mut backoff = BACKOFF_MIN;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                backoff = BACKOFF_MIN;
                admit(stream, peer);
            }
            Err(error) if of_one_connection(&error) => tokio::task::yield_now().await,
            Err(error) => {
                events(Event::AcceptFailed { kind: error.kind(), os_error: error.raw_os_error() });
                tokio::time::sleep(backoff).await;
                backoff = backoff.saturating_mul(2).min(BACKOFF_MAX);
            }
        }
    }
}

/// accept(2) reports errors of a connection that was already gone as its own.
fn of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::collections::VecDeque;
    use std::sync::Arc;

    const CORES: NonZeroUsize = NonZeroUsize::new(3).unwrap();

    #[test]
    fn port_zero_is_chosen_once_and_shared() {
        let (at, listeners) = bind("127.0.0.1:0".parse().unwrap(), CORES).unwrap();
        assert_ne!(at.port(), 0);
        assert!(listeners.iter().all(|listener| listener.local_addr().unwrap() == at));
    }

    #[test]
    fn an_address_somebody_listens_on_is_refused_even_if_shareable() {
        let (at, _listeners) = bind("127.0.0.1:0".parse().unwrap(), CORES).unwrap();
        assert_eq!(bind(at, CORES).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    struct Scripted {
        listener: TcpListener,
        errors: Mutex<VecDeque<i32>>,
    }

    impl Accept for Scripted {
        async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
            let error = self.errors.lock().pop_front();
            match error {
                Some(error) => Err(io::Error::from_raw_os_error(error)),
                None => self.listener.accept().await,
            }
        }
    }

    /// ECONNABORTED 103, EMFILE 24, ENFILE 23, ENOBUFS 105, EPROTO 71, EINTR 4.
    #[tokio::test]
    async fn t59_accept_errors_never_end_the_loop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let listener = Scripted { listener, errors: Mutex::new(VecDeque::from([103, 24, 23, 105, 71, 4, 24])) };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let events: Events = {
            let seen = Arc::clone(&seen);
            Arc::new(move |event| seen.lock().push(event))
        };
        let _client = TcpStream::connect(at).await.unwrap();
        let (sender, mut accepted) = tokio::sync::mpsc::channel(1);
        let accept = accept_all(&listener, &events, move |_, peer| {
            let _ = sender.try_send(peer);
        });
        let peer = tokio::select! {
            () = accept => None,
            peer = accepted.recv() => peer,
        };
        assert!(peer.is_some());
        assert_eq!(seen.lock().len(), 5);
    }
}
