// SPDX-License-Identifier: Apache-2.0
//! From HTTP to a WebSocket: the 101 leaves, then frames pass. There is no way back.

use super::inlet::Inlet;
use super::{Next, Unread};
use crate::connection::Link;
use crate::stream::{ClientStream, Transport};
use crate::upstream::upgrade::write_fields;
use crate::websocket::{Opened, Relay, farewell};
use bytes::{BufMut, BytesMut};
use http::HeaderMap;
use portcullis_decision::{Facts, Reason};
use portcullis_pipeline::{OpenEnd, OpenGuard};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Carries frames until one side, or the time, ends it.
pub(super) async fn carry<T: Transport>(link: &Link, inlet: &Inlet<T>, headers: &HeaderMap, opened: Opened) -> Next {
    let Opened { tunnel, guard } = opened;
    if !inlet.lock().buffer.is_empty() {
        return too_early(guard).await;
    }
    let mut greeting = BytesMut::with_capacity(512);
    greeting.put_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    write_fields(&mut greeting, headers);
    let mut relay = Relay::new(&link.worker, *tunnel, &greeting);
    let mut client = Client(inlet);
    let ended = std::future::poll_fn(|cx| {
        // It keeps the time of a client that takes nothing.
        link.pace.deadline().watch(cx.waker());
        relay.poll(cx, &mut client, || guard.time_left())
    })
    .await;
    let record = guard.close(relay.end(ended));
    farewell(&mut relay, &mut client, ended).await;
    if let Some(record) = record {
        // Whoever sees the end of the connection finds its record.
        let _ = record.await;
    }
    Next::Close(Unread::Perhaps)
}

/// A client waits for the answer to its handshake (RFC 6455 §4.1). What it sent before has two readings: frames, or a
/// request. It gets none, and both connections close (T15).
async fn too_early(guard: OpenGuard) -> Next {
    let facts = Facts::none().with("ended", "client_early").with("stream", "websocket");
    if let Some(record) = guard.close(OpenEnd { reason: Some(Reason::WireFraming), facts }) {
        let _ = record.await;
    }
    Next::Reset
}

/// The client's side. It is locked for each step only: nobody else reads or writes, but the connection keeps it.
struct Client<'i, T>(&'i Inlet<T>);

impl<T: Transport> Client<'_, T> {
    fn with<R>(&self, act: impl FnOnce(Pin<&mut ClientStream<T>>) -> R) -> R {
        act(Pin::new(&mut self.0.lock().stream))
    }
}

impl<T: Transport> AsyncRead for Client<'_, T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_read(cx, buf))
    }
}

impl<T: Transport> AsyncWrite for Client<'_, T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|stream| stream.poll_shutdown(cx))
    }
}
