// SPDX-License-Identifier: Apache-2.0
//! What comes back from an upstream, as the pipeline gets it: an answer's body, held to its pace once it is passed on.

use crate::upstream::answer::ResponseBody;
use crate::upstream::flow::{Flowing, Stalled};
use crate::upstream::upgrade::Tunnel;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use portcullis_pipeline::{BodyFault, Flow, OriginBody};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What comes back.
#[derive(Debug)]
pub struct UpstreamBody {
    source: Source,
    /// Once it is passed on.
    flowing: Option<Box<Flowing>>,
}

#[derive(Debug)]
enum Source {
    /// As it comes.
    Answer(ResponseBody),
    /// The connection itself.
    Tunnel(Box<Tunnel>),
    /// It was given up.
    Ended,
}

impl From<ResponseBody> for UpstreamBody {
    fn from(body: ResponseBody) -> Self {
        Self { source: Source::Answer(body), flowing: None }
    }
}

impl UpstreamBody {
    /// What a 101 leads to.
    pub(crate) fn tunnel(tunnel: Tunnel) -> Self {
        Self { source: Source::Tunnel(Box::new(tunnel)), flowing: None }
    }

    /// Where a 101 leads.
    pub(crate) fn into_tunnel(self) -> Option<Box<Tunnel>> {
        match self.source {
            Source::Tunnel(tunnel) => Some(tunnel),
            Source::Answer(_) | Source::Ended => None,
        }
    }

    /// What it is made of, where it is passed on.
    pub(crate) fn flow(&self) -> Option<Flow> {
        self.flowing.as_ref().map(|flowing| flowing.kind())
    }
}

impl OriginBody for UpstreamBody {
    fn pass_on(&mut self, flow: Flow) {
        if let Source::Answer(body) = &mut self.source
            && let Some((worker, total)) = body.untime()
        {
            self.flowing = Some(Box::new(Flowing::new(worker, flow, total)));
        }
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = &mut *self;
        let polled = match &mut this.source {
            Source::Answer(body) => Pin::new(body).poll_frame(cx),
            // Nothing that passes through a tunnel is an answer.
            Source::Tunnel(_) | Source::Ended => return Poll::Ready(None),
        };
        let Some(flowing) = &mut this.flowing else { return polled };
        match &polled {
            Poll::Pending => {
                if let Err(Stalled) = flowing.wait(cx) {
                    // Its connection closes with it.
                    this.source = Source::Ended;
                    return Poll::Ready(Some(Err(BodyFault::TooSlow)));
                }
            }
            Poll::Ready(Some(Ok(frame))) => flowing.count(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(_) => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Answer(body) => body.is_end_stream(),
            Source::Tunnel(_) => false,
            Source::Ended => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Answer(body) => body.size_hint(),
            Source::Tunnel(_) => SizeHint::default(),
            Source::Ended => SizeHint::with_exact(0),
        }
    }
}
