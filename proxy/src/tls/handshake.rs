// SPDX-License-Identifier: Apache-2.0
//! One handshake: bounded in time and in number, refused where no certificate is for the name (T58, T104).

use super::TlsListener;
use super::server::BUFFER_BYTES_MAX;
use crate::stream::Socket;
use crate::worker::Worker;
use portcullis_pipeline::{Handshake, Policies};
use rustls::server::Acceptor;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use tokio::io::AsyncWriteExt;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

/// A fatal alert, `unrecognized_name`, before anything is encrypted (RFC 8446 §6, RFC 6066 §3).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// Shakes hands; `None` where that fails, with the connection closed. What a client got wrong is counted and not told:
/// it has an alert, and nobody has to read lines that strangers can make us write.
pub(crate) async fn accept(
    tls: &Arc<TlsListener>,
    worker: &Worker,
    socket: Socket,
    local: IpAddr,
) -> Option<(Box<TlsStream<Socket>>, Handshake)> {
    let bounds = &worker.config.connections;
    let Some(_place) = Place::take(tls, bounds.handshakes_max) else {
        tls.refused.fetch_add(1, Ordering::Relaxed);
        return None;
    };
    let deadline = worker.deadlines.register();
    deadline.arm(bounds.handshake);
    let mut work = pin!(shake(tls, socket, local));
    let done = std::future::poll_fn(|cx| {
        deadline.watch(cx.waker());
        match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if deadline.fired() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await;
    match done {
        Some(Ok(shaken)) => Some(shaken),
        Some(Err(Failed)) => {
            tls.failed.fetch_add(1, Ordering::Relaxed);
            None
        }
        None => {
            tls.timed_out.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

/// The handshake failed, and the client has its alert.
struct Failed;

async fn shake(
    tls: &Arc<TlsListener>,
    socket: Socket,
    local: IpAddr,
) -> Result<(Box<TlsStream<Socket>>, Handshake), Failed> {
    let mut started = LazyConfigAcceptor::new(Acceptor::default(), socket).await.map_err(|_| Failed)?;
    let server_name: Option<Arc<str>> =
        started.client_hello().server_name().map(|name| name.to_ascii_lowercase().into());
    let Some((config, policy)) = tls.choose(server_name.as_deref(), local) else {
        // Whether the client still reads it changes nothing.
        let _ = started.io.write_all(&UNRECOGNIZED_NAME).await;
        let _ = started.io.shutdown().await;
        return Err(Failed);
    };
    let stream = started
        .into_stream_with(config, |session| session.set_buffer_limit(Some(BUFFER_BYTES_MAX)))
        .await
        .map_err(|_| Failed)?;
    let (_, session) = stream.get_ref();
    let handshake = Handshake {
        server_name,
        policy,
        client_certificate: session.peer_certificates().and_then(|chain| chain.first()).map(|der| der.as_ref().into()),
        version: session.protocol_version().and_then(|version| version.as_str()).unwrap_or(""),
        cipher_suite: session.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or(""),
        policies: Arc::clone(tls) as Arc<dyn Policies>,
    };
    Ok((Box::new(stream), handshake))
}

/// A place among the handshakes under way.
struct Place<'a>(&'a TlsListener);

impl<'a> Place<'a> {
    fn take(tls: &'a TlsListener, max: usize) -> Option<Self> {
        let place = Self(tls);
        (tls.under_way.fetch_add(1, Ordering::AcqRel) < max).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}
