// SPDX-License-Identifier: Apache-2.0
//! The request an upstream gets: our request line, our `Host`, our framing.

use crate::upstream::line::Line;
use crate::upstream::sent;
use crate::upstream::target::Target;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
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
    /// Bytes to come, where the client said how many.
    left: Option<u64>,
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
    /// Origin-form; the target's own path is put in front when a target is chosen.
    path: String,
    headers: HeaderMap,
    body: OutgoingBody,
    clock: Option<Arc<OnceLock<StreamClock>>>,
}

/// The body of a request that may be sent again. The head is with the connection, as it was sent.
pub(crate) struct Again {
    body: Bytes,
}

/// Whatever stands there is not of this exchange: framing and connection management are ours.
const OURS: [HeaderName; 3] = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION];

impl Draft {
    /// Writes the head, but for what depends on the target.
    pub(crate) fn write<B>(request: OriginRequest<B>) -> Self
    where
        B: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static,
    {
        let OriginRequest { method, target, mut headers, body, .. } = request;
        // They are hardly ever there, and looking costs less than removing.
        if headers.keys().any(|name| OURS.contains(name)) {
            for name in &OURS {
                headers.remove(name);
            }
        }
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
                let left = match framing {
                    Framing::Length(length) => Some(length),
                    Framing::Chunked | Framing::None => None,
                };
                let stream = Stream { body: Box::pin(body), left, clock: Arc::clone(&clock) };
                (OutgoingBody::Stream(Box::new(stream)), Some(clock))
            }
        };
        Self { method, path: target, headers, body, clock }
    }

    /// Whether sending twice is no different from sending once (RFC 9110 §9.2.2), and possible.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.clock.is_none()
            && matches!(
                self.method,
                Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
            )
    }

    /// What is needed beside the head to send a repeatable request again: no more than a count.
    pub(crate) fn again(&self) -> Option<Again> {
        match &self.body {
            _ if !self.is_repeatable() => None,
            OutgoingBody::Empty => Some(Again { body: Bytes::new() }),
            OutgoingBody::Full(bytes) => Some(Again { body: bytes.clone() }),
            OutgoingBody::Stream(_) => None,
        }
    }

    /// Whether its body comes from the client while it is sent.
    pub(crate) fn uploads(&self) -> bool {
        self.clock.is_some()
    }

    /// A request of ours.
    pub(crate) fn probe(path: &str, target: &Target) -> Option<Request<OutgoingBody>> {
        let mut request = Request::new(OutgoingBody::Empty);
        *request.uri_mut() = Uri::from(PathAndQuery::try_from(path).ok()?);
        let headers = request.headers_mut();
        headers.insert(HOST, target.authority.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static("portcullis-health"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        Some(request)
    }

    /// The request for a connection to `target`; `None` when its path is no origin-form (which the canonical path
    /// rules out).
    pub(crate) fn into_request(
        mut self,
        target: &Target,
        spent: impl FnOnce() -> StreamClock,
    ) -> Option<Request<OutgoingBody>> {
        let path = if target.path.is_empty() { self.path } else { format!("{}{}", target.path, self.path) };
        let path = PathAndQuery::try_from(path).ok().filter(|path| path.as_str().starts_with('/'))?;
        self.headers.insert(HOST, target.authority.clone());
        if let Some(clock) = self.clock {
            // Empty until now: a draft that was given back unsent has a new one.
            let _ = clock.set(spent());
        }
        let mut request = Request::new(self.body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from(path);
        *request.headers_mut() = self.headers;
        Some(request)
    }

    /// A request whose connection ended without an answer, from the head as it was sent there.
    pub(crate) fn from_sent(head: &[u8], target: &Target, again: Again) -> Option<Self> {
        let sent::Head { method, path, mut headers } = sent::read(head)?;
        let path = path.strip_prefix(target.path.as_str()).filter(|path| path.starts_with('/'))?.to_owned();
        headers.remove(HOST);
        // hyper says it of a body in one piece; of none it is our own word.
        if !again.body.is_empty() {
            headers.remove(CONTENT_LENGTH);
        }
        let body = if again.body.is_empty() { OutgoingBody::Empty } else { OutgoingBody::Full(again.body) };
        Some(Self { method, path, headers, body, clock: None })
    }

    /// A request that a connection to `target` gave back before it sent any of it.
    pub(crate) fn from_unsent(request: Request<OutgoingBody>, target: &Target) -> Self {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let path = path.strip_prefix(target.path.as_str()).unwrap_or(path).to_owned();
        let (parts, mut body) = request.into_parts();
        let clock = match &mut body {
            OutgoingBody::Stream(stream) => {
                stream.clock = Arc::new(OnceLock::new());
                Some(Arc::clone(&stream.clock))
            }
            OutgoingBody::Empty | OutgoingBody::Full(_) => None,
        };
        Self { method: parts.method, path, headers: parts.headers, body, clock }
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

impl Stream {
    /// Notes the end of the upload: hyper does not ask for more than was announced.
    fn count(&mut self, frame: Option<&Result<Frame<Bytes>, BodyFault>>) {
        let ended = match frame {
            None => true,
            Some(Err(_)) => false,
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                self.left = self.left.map(|left| left.saturating_sub(bytes));
                self.left == Some(0)
            }
        };
        if let (true, Some(clock)) = (ended, self.clock.get()) {
            clock.line.uploaded();
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
                if let Poll::Ready(frame) = &polled {
                    stream.count(frame.as_ref());
                }
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
