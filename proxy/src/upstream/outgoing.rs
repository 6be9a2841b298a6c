// SPDX-License-Identifier: Apache-2.0
//! The request an upstream gets: our request line, our `Host`, our framing.

use crate::upstream::UpstreamConfig;
use crate::upstream::line::Line;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body::{Body, Frame, SizeHint};
use portcullis_pipeline::{BodyFault, OriginRequest, Outgoing};
use portcullis_wire::Framing;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

/// The body a connection to an upstream sends.
pub(crate) enum OutgoingBody {
    /// Nothing, or nothing more.
    Empty,
    /// Bytes that can be sent again.
    Full(Bytes),
    /// The client's body as it comes.
    Stream(Box<Stream>),
}

/// A body that passes through, with the patience for its exchange.
pub(crate) struct Stream {
    body: Pin<Box<dyn Body<Data = Bytes, Error = BodyFault> + Send>>,
    clock: Arc<OnceLock<StreamClock>>,
}

/// Set once the connection is known.
pub(crate) struct StreamClock {
    pub(crate) line: Arc<Line>,
    pub(crate) first_byte: Duration,
    pub(crate) total: Duration,
}

/// A request not yet handed to a connection.
pub(crate) struct Draft {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: OutgoingBody,
    clock: Option<Arc<OnceLock<StreamClock>>>,
}

impl Draft {
    /// Writes the head; `None` when the target is no origin-form (which the canonical path rules out).
    pub(crate) fn write<B>(config: &UpstreamConfig, request: OriginRequest<B>) -> Option<Self>
    where
        B: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static,
    {
        let OriginRequest { method, target, mut headers, body, .. } = request;
        let target = if config.target.path.is_empty() { target } else { format!("{}{target}", config.target.path) };
        let target = PathAndQuery::try_from(target).ok().filter(|target| target.as_str().starts_with('/'))?;
        headers.insert(HOST, config.target.authority.clone());
        // Whatever stands there is not of this exchange: framing and connection management are ours.
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRANSFER_ENCODING);
        headers.remove(CONNECTION);
        let (body, clock) = match body {
            Outgoing::Full(bytes) if !bytes.is_empty() => (OutgoingBody::Full(bytes), None),
            Outgoing::Full(_)
            | Outgoing::Empty
            | Outgoing::Stream { framing: Framing::None | Framing::Length(0), .. } => {
                // RFC 9110 §8.6: said where the method gives content a meaning.
                if matches!(method, Method::POST | Method::PUT | Method::PATCH) {
                    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                }
                (OutgoingBody::Empty, None)
            }
            Outgoing::Stream { body, framing } => {
                // Said here, because hyper sends no body of unknown length with a GET: it would vanish silently.
                match framing {
                    Framing::Length(length) => headers.insert(CONTENT_LENGTH, HeaderValue::from(length)),
                    Framing::Chunked | Framing::None => {
                        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"))
                    }
                };
                let clock = Arc::new(OnceLock::new());
                let stream = Stream { body: Box::pin(body), clock: Arc::clone(&clock) };
                (OutgoingBody::Stream(Box::new(stream)), Some(clock))
            }
        };
        Some(Self { method, uri: Uri::from(target), headers, body, clock })
    }

    /// Whether sending twice is no different from sending once (RFC 9110 §9.2.2), and possible.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.clock.is_none()
            && matches!(
                self.method,
                Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
            )
    }

    /// A copy of a repeatable request.
    pub(crate) fn copy(&self) -> Option<Self> {
        let body = match &self.body {
            OutgoingBody::Empty => OutgoingBody::Empty,
            OutgoingBody::Full(bytes) => OutgoingBody::Full(bytes.clone()),
            OutgoingBody::Stream(_) => return None,
        };
        Some(Self {
            method: self.method.clone(),
            uri: self.uri.clone(),
            headers: self.headers.clone(),
            body,
            clock: None,
        })
    }

    /// The request for a connection.
    pub(crate) fn into_request(self, first_byte: Duration, total: Duration, line: &Arc<Line>) -> Request<OutgoingBody> {
        if let Some(clock) = self.clock {
            // Empty until now: a draft that was given back unsent has a new one.
            let _ = clock.set(StreamClock { line: Arc::clone(line), first_byte, total });
        }
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }

    /// A request that a connection gave back before it sent any of it.
    pub(crate) fn from_unsent(request: Request<OutgoingBody>) -> Self {
        let (parts, mut body) = request.into_parts();
        let clock = match &mut body {
            OutgoingBody::Stream(stream) => {
                stream.clock = Arc::new(OnceLock::new());
                Some(Arc::clone(&stream.clock))
            }
            OutgoingBody::Empty | OutgoingBody::Full(_) => None,
        };
        Self { method: parts.method, uri: parts.uri, headers: parts.headers, body, clock }
    }
}

impl Stream {
    /// The upstream's time runs only while it is the upstream that is waited for.
    fn keep_time(&self, polled: Progress) {
        let Some(clock) = self.clock.get() else { return };
        match polled {
            Progress::WaitsForClient => {
                clock.line.step.clear();
                clock.line.total.clear();
            }
            Progress::Moved => {
                clock.line.step.arm(clock.first_byte);
                clock.line.total.arm(clock.total);
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Progress {
    WaitsForClient,
    Moved,
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match &mut *self {
            OutgoingBody::Empty => Poll::Ready(None),
            OutgoingBody::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = OutgoingBody::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            OutgoingBody::Stream(stream) => {
                let polled = stream.body.as_mut().poll_frame(cx);
                stream.keep_time(if polled.is_pending() { Progress::WaitsForClient } else { Progress::Moved });
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            OutgoingBody::Empty => true,
            OutgoingBody::Full(bytes) => bytes.is_empty(),
            // hyper takes "ended" before the head as "no body", whatever the head says.
            OutgoingBody::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            OutgoingBody::Empty => SizeHint::with_exact(0),
            OutgoingBody::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            OutgoingBody::Stream(stream) => stream.body.size_hint(),
        }
    }
}
