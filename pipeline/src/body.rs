// SPDX-License-Identifier: Apache-2.0
//! Bodies: how one fails, and how one is read whole within a bound.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use portcullis_decision::Reason;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

/// Why a body ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// Slower than the minimum rate, or past its deadline.
    #[error("the body came too slowly")]
    TooSlow,
    /// Larger than allowed.
    #[error("the body is too large")]
    TooLarge,
    /// Broken framing.
    #[error("the body is malformed")]
    Malformed,
    /// The other side went away, or the exchange was broken off.
    #[error("the body was broken off")]
    Aborted,
}

impl BodyFault {
    /// The reason recorded when a client's body fails so.
    pub fn reason(self) -> Reason {
        match self {
            BodyFault::TooSlow => Reason::PayloadTooSlow,
            BodyFault::TooLarge => Reason::PayloadTooLarge,
            BodyFault::Malformed => Reason::WireFraming,
            BodyFault::Aborted => Reason::ClientAborted,
        }
    }

    /// The reason recorded when an origin's body fails so.
    pub fn upstream_reason(self) -> Reason {
        match self {
            BodyFault::TooSlow => Reason::UpstreamTimeout,
            BodyFault::TooLarge => Reason::ResponseTooLarge,
            BodyFault::Malformed | BodyFault::Aborted => Reason::UpstreamInvalidResponse,
        }
    }
}

/// Reads a body whole; more than `max` bytes is a fault. Trailers are dropped (SM-12).
pub async fn collect<B>(mut body: B, max: usize) -> Result<Bytes, BodyFault>
where
    B: Body<Data = Bytes, Error = BodyFault> + Unpin,
{
    let mut first = Bytes::new();
    let mut rest: Option<BytesMut> = None;
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        let Some(frame) = frame else { break };
        let Ok(data) = frame?.into_data() else { continue };
        let have = rest.as_ref().map_or(first.len(), BytesMut::len);
        if data.len() > max.saturating_sub(have) {
            return Err(BodyFault::TooLarge);
        }
        match &mut rest {
            Some(buffer) => buffer.extend_from_slice(&data),
            None if first.is_empty() => first = data,
            None => {
                let mut buffer = BytesMut::with_capacity(first.len().saturating_add(data.len()));
                buffer.extend_from_slice(&first);
                buffer.extend_from_slice(&data);
                rest = Some(buffer);
            }
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(rest.map_or(first, BytesMut::freeze))
}

/// Remembers why a streamed body failed, since the origin's client only sees that it did.
#[derive(Clone, Debug, Default)]
pub struct FaultMemo(Arc<OnceLock<BodyFault>>);

impl FaultMemo {
    /// The fault, once there was one.
    pub fn fault(&self) -> Option<BodyFault> {
        self.0.get().copied()
    }

    fn remember(&self, fault: BodyFault) -> BodyFault {
        *self.0.get_or_init(|| fault)
    }
}

/// A body nobody reads here, still held to its cap.
#[derive(Debug)]
pub struct Capped<B> {
    inner: B,
    left: usize,
    memo: FaultMemo,
}

impl<B> Capped<B> {
    /// Lets at most `max` bytes through.
    pub fn new(inner: B, max: usize, memo: FaultMemo) -> Self {
        Self { inner, left: max, memo }
    }
}

impl<B> Body for Capped<B>
where
    B: Body<Data = Bytes, Error = BodyFault> + Unpin,
{
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, BodyFault>>> {
        loop {
            let frame = match std::task::ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(fault)) => return Poll::Ready(Some(Err(self.memo.remember(fault)))),
                Some(Ok(frame)) => frame,
            };
            // Trailers of a client go nowhere (T12).
            let Ok(data) = frame.into_data() else { continue };
            let Some(left) = self.left.checked_sub(data.len()) else {
                return Poll::Ready(Some(Err(self.memo.remember(BodyFault::TooLarge))));
            };
            self.left = left;
            return Poll::Ready(Some(Ok(http_body::Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.inner.size_hint()
    }
}
