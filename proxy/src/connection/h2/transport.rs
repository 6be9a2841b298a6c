// SPDX-License-Identifier: Apache-2.0
//! What carries an HTTP/2 connection, with the watchers of frames on both ways. What a peer may not send never
//! reaches the parser.

use super::watch::Watch;
use crate::stream::Transport;
use portcullis_wire::frames::{ClientFrames, FrameRules, ServerFrames};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes read and thrown away after our last one, so that closing does not destroy it in flight.
const FAREWELL_BYTES_MAX: usize = 64 * 1024;

/// A watched transport.
pub(super) struct Watched<T> {
    inner: T,
    watch: Arc<Watch>,
    client: ClientFrames,
    server: ServerFrames,
    /// How far the end is.
    end: End,
}

/// How far the end of a connection is.
enum End {
    /// Not begun.
    Open,
    /// Our side is shut; so many bytes of the client were thrown away.
    Shut { thrown: usize },
}

impl<T: Transport> Watched<T> {
    pub(super) fn new(inner: T, watch: Arc<Watch>) -> Self {
        Self {
            inner,
            watch,
            client: ClientFrames::new(FrameRules::default()),
            server: ServerFrames::new(),
            end: End::Open,
        }
    }

    fn wrote<'a>(
        &mut self,
        result: Poll<io::Result<usize>>,
        bytes: impl Iterator<Item = &'a [u8]>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(Ok(written)) = result else {
            if result.is_pending() {
                self.watch.block();
            }
            return result;
        };
        self.watch.take(written);
        let mut left = written;
        for slice in bytes {
            let piece = slice.get(..left.min(slice.len())).unwrap_or_default();
            match self.server.write(piece) {
                Ok(passed) if passed.data_frames > 0 => self.client.data_sent(passed.data_frames),
                Ok(_) => {}
                Err(violation) => self.watch.violate(violation),
            }
            left = left.saturating_sub(piece.len());
            if left == 0 {
                break;
            }
        }
        result
    }
}

impl<T: Transport> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        if me.watch.violation().is_some() {
            // Whoever drives the connection looks at the violation after each poll; there is nothing to wake for.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut me.inner).poll_read(cx, buf))?;
        let come = buf.filled().get(before..).unwrap_or_default();
        if come.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let read = me.client.read(come, me.watch.now_ms());
        me.watch.note_unfinished(me.client.unfinished_since_ms());
        if let Err(refused) = read {
            me.watch.violate(refused.violation);
            buf.set_filled(before.saturating_add(refused.keep));
            if refused.keep == 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.wrote(result, std::iter::once(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.wrote(result, bufs.iter().map(|buf| &**buf))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        match flushed {
            Poll::Ready(Ok(())) => self.watch.unstall(),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.watch.block(),
        }
        flushed
    }

    /// Ends our side, then reads on for a while: bytes that arrive at a closed socket would make the kernel take our
    /// last ones back. Whoever drives the connection keeps the time.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        loop {
            match me.end {
                End::Open => {
                    me.watch.farewell();
                    ready!(Pin::new(&mut me.inner).poll_shutdown(cx))?;
                    me.end = End::Shut { thrown: 0 };
                }
                End::Shut { thrown } => {
                    let mut scratch = [0_u8; 1024];
                    let mut buf = ReadBuf::new(&mut scratch);
                    let read = ready!(Pin::new(&mut me.inner).poll_read(cx, &mut buf));
                    let thrown = thrown.saturating_add(buf.filled().len());
                    if read.is_err() || buf.filled().is_empty() || thrown > FAREWELL_BYTES_MAX {
                        return Poll::Ready(Ok(()));
                    }
                    me.end = End::Shut { thrown };
                }
            }
        }
    }
}
