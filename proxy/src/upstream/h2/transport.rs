// SPDX-License-Identifier: Apache-2.0
//! What carries a connection to an upstream, with the watcher of frames on both ways. What an upstream may not send
//! never reaches the parser.

use super::watch::Watch;
use crate::upstream::carrier::Carrier;
use portcullis_wire::frames::UpstreamFrames;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A watched transport.
pub(super) struct Watched {
    carrier: Carrier,
    watch: Arc<Watch>,
    frames: UpstreamFrames,
}

impl Watched {
    pub(super) fn new(carrier: Carrier, watch: Arc<Watch>) -> Self {
        Self { carrier, watch, frames: UpstreamFrames::new() }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        if me.watch.is_hostile() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut me.carrier).poll_read(cx, buf)).map_err(|error| me.watch.fail(error))?;
        let come = buf.filled().get(before..).unwrap_or_default();
        if come.is_empty() {
            return Poll::Ready(Ok(()));
        }
        match me.frames.read(come, me.watch.now_ms(), |stream| me.watch.end_stream(stream)) {
            Ok(heard) => me.watch.hear(heard),
            Err(refused) => {
                me.watch.violate(refused.violation);
                buf.set_filled(before.saturating_add(refused.keep));
                if refused.keep == 0 {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.carrier).poll_write(cx, buf))?;
        self.frames.wrote(buf.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.carrier).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for slice in bufs {
            let piece = slice.get(..left.min(slice.len())).unwrap_or_default();
            self.frames.wrote(piece);
            left = left.saturating_sub(piece.len());
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.carrier.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.carrier).poll_shutdown(cx)
    }
}
