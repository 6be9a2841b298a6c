// SPDX-License-Identifier: Apache-2.0
//! The request an upstream gets: our request line, our `Host`, our framing.
//!
//! It is written from here for every attempt, and stays here while it is under way: what must be sent again was never
//! given away. Only a body that streams is used up.

use crate::outlet::{Coding, Outlet};
use crate::upstream::target::Target;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body::Body;
use portcullis_pipeline::{BodyFault, OriginRequest, Outgoing};
use portcullis_wire::Framing;
use portcullis_wire::websocket::{Offer, VERSION};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The body a connection to an upstream sends.
pub(crate) enum OutgoingBody {
    /// Nothing.
    Empty,
    /// Bytes that can be sent again.
    Full(Bytes),
    /// The client's body as it comes.
    Stream(Stream),
}

/// A body that passes through.
pub(crate) struct Stream {
    body: Pin<Box<dyn Body<Data = Bytes, Error = BodyFault> + Send>>,
    pub(super) coding: Coding,
    /// Nobody has asked for any of it.
    untouched: bool,
}

/// A request on its way.
pub(crate) struct Draft {
    pub(super) method: Method,
    /// Origin-form; the target's own path is put in front when a target is chosen.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(crate) body: OutgoingBody,
    pub(super) purpose: Purpose,
}

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Request,
    /// A question of ours: not below the target's own path, and nothing follows on its connection.
    Probe,
    /// To become a WebSocket.
    Upgrade,
}

/// Whatever stands there is not of this exchange: framing and connection management are ours. `TE` is only for
/// upstreams that speak HTTP/2: trailers are not asked for in HTTP/1 (SM-12).
const OURS: [HeaderName; 5] = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, HOST, TE];

impl Draft {
    /// Takes a request over.
    pub(crate) fn new<B>(request: OriginRequest<B>) -> Self
    where
        B: Body<Data = Bytes, Error = BodyFault> + Send + Unpin + 'static,
    {
        let OriginRequest { method, target, headers, body, .. } = request;
        let body = match body {
            Outgoing::Full(bytes) if !bytes.is_empty() => OutgoingBody::Full(bytes),
            Outgoing::Full(_)
            | Outgoing::Empty
            | Outgoing::Stream { framing: Framing::None | Framing::Length(0), .. } => OutgoingBody::Empty,
            Outgoing::Stream { body, framing: Framing::Length(length) } => {
                OutgoingBody::Stream(Stream::new(body, Coding::Length(length)))
            }
            Outgoing::Stream { body, framing: Framing::Chunked } => {
                OutgoingBody::Stream(Stream::new(body, Coding::Chunked))
            }
        };
        Self { method, path: target, headers, body, purpose: Purpose::Request }
    }

    /// A request of ours.
    pub(crate) fn probe(path: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static("portcullis-health"));
        Self { method: Method::GET, path: path.to_owned(), headers, body: OutgoingBody::Empty, purpose: Purpose::Probe }
    }

    /// A request that opens a WebSocket: the fields of its handshake as they are understood here (RFC 6455 §4.1).
    pub(crate) fn upgrade<B>(request: OriginRequest<B>, offer: &Offer) -> Self {
        let OriginRequest { target, mut headers, .. } = request;
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert("sec-websocket-version", HeaderValue::from_static(VERSION));
        headers.insert("sec-websocket-key", offer.key().clone());
        let protocols: Vec<_> = offer.protocols().iter().map(HeaderValue::as_bytes).collect();
        if let (false, Ok(protocols)) = (protocols.is_empty(), HeaderValue::from_bytes(&protocols.join(&b", "[..]))) {
            headers.insert("sec-websocket-protocol", protocols);
        }
        Self { method: Method::GET, path: target, headers, body: OutgoingBody::Empty, purpose: Purpose::Upgrade }
    }

    /// Whether its connection may become another.
    pub(crate) fn is_upgrade(&self) -> bool {
        self.purpose == Purpose::Upgrade
    }

    /// Whether its answer has no body.
    pub(crate) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Whether sending twice is no different from sending once (RFC 9110 §9.2.2), and possible.
    pub(crate) fn is_repeatable(&self) -> bool {
        !matches!(self.body, OutgoingBody::Stream(_))
            && matches!(
                self.method,
                Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
            )
    }

    /// Whether all of its body is still here.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.body {
            OutgoingBody::Empty | OutgoingBody::Full(_) => true,
            OutgoingBody::Stream(stream) => stream.untouched,
        }
    }

    /// What is still to come of its body goes where its answer goes.
    pub(crate) fn take_body(&mut self) -> OutgoingBody {
        std::mem::replace(&mut self.body, OutgoingBody::Empty)
    }

    /// Writes the head, and the body where it is here.
    pub(crate) fn write(&self, target: &Target, outlet: &mut Outlet) {
        outlet.start(match &self.body {
            OutgoingBody::Empty => Coding::Bodiless,
            OutgoingBody::Full(bytes) => Coding::Length(bytes.len() as u64),
            OutgoingBody::Stream(stream) => stream.coding,
        });
        let base = if self.purpose == Purpose::Probe { "" } else { &target.path };
        for part in [self.method.as_str(), " ", base, &self.path, " HTTP/1.1\r\n"] {
            outlet.put(part.as_bytes());
        }
        outlet.field(&HOST, target.authority.as_bytes());
        for (name, value) in &self.headers {
            if !OURS.contains(name) {
                outlet.field(name, value.as_bytes());
            }
        }
        match &self.body {
            // RFC 9110 §8.6: said where the method gives content a meaning.
            OutgoingBody::Empty if matches!(self.method, Method::POST | Method::PUT | Method::PATCH) => {
                outlet.length(0);
            }
            OutgoingBody::Empty => {}
            OutgoingBody::Full(bytes) => outlet.length(bytes.len() as u64),
            OutgoingBody::Stream(Stream { coding: Coding::Length(length), .. }) => outlet.length(*length),
            OutgoingBody::Stream(_) => outlet.field(&TRANSFER_ENCODING, b"chunked"),
        }
        match self.purpose {
            Purpose::Request => {}
            Purpose::Probe => outlet.field(&CONNECTION, b"close"),
            Purpose::Upgrade => outlet.field(&CONNECTION, b"upgrade"),
        }
        outlet.put(b"\r\n");
        if let OutgoingBody::Full(bytes) = &self.body {
            // It is as long as was just said.
            let _ = outlet.push(bytes.clone());
        }
    }
}

impl Stream {
    fn new(body: impl Body<Data = Bytes, Error = BodyFault> + Send + 'static, coding: Coding) -> Self {
        Self { body: Box::pin(body), coding, untouched: true }
    }

    /// The next piece of content.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyFault>>> {
        self.untouched = false;
        loop {
            match ready!(self.body.as_mut().poll_frame(cx)) {
                // Trailers are not passed on (SM-12).
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(fault)) => return Poll::Ready(Some(Err(fault))),
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_pipeline::Destination;
    use portcullis_pipeline::body::{Capped, FaultMemo};

    struct Nothing;

    impl Body for Nothing {
        type Data = Bytes;
        type Error = BodyFault;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, BodyFault>>> {
            Poll::Ready(None)
        }
    }

    fn written(method: Method, body: Outgoing<Nothing>) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", "x"), ("content-length", "7"), ("connection", "x"), ("transfer-encoding", "x")] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static("2"));
        let to = Destination { upstream: 0, operation: 0, priority: 5 };
        let draft = Draft::new(OriginRequest { to, method, target: "/a?b".to_owned(), headers, body, websocket: None });
        let mut outlet = Outlet::new();
        draft.write(&Target::parse("http://o.example:81/base").unwrap(), &mut outlet);
        String::from_utf8(outlet.head().to_vec()).unwrap()
    }

    #[test]
    fn a_head_is_ours_from_the_request_line_to_the_framing() {
        let head = |method: &str, framing: &str| {
            format!("{method} /base/a?b HTTP/1.1\r\nhost: o.example:81\r\nx-a: 1\r\nx-a: 2\r\n{framing}\r\n")
        };
        let body = || Capped::new(Nothing, 9, FaultMemo::default());
        let stream = |framing| Outgoing::Stream { body: body(), framing };
        let length = "content-length: 0\r\n";
        assert_eq!(written(Method::GET, Outgoing::Empty), head("GET", ""));
        assert_eq!(written(Method::POST, Outgoing::Empty), head("POST", length));
        assert_eq!(written(Method::PATCH, stream(Framing::Length(0))), head("PATCH", length));
        assert_eq!(written(Method::PUT, Outgoing::Full(Bytes::new())), head("PUT", length));
        let five = Outgoing::Full(Bytes::from_static(b"12345"));
        assert_eq!(written(Method::GET, five), head("GET", "content-length: 5\r\n"));
        assert_eq!(written(Method::GET, stream(Framing::Length(9))), head("GET", "content-length: 9\r\n"));
        assert_eq!(written(Method::GET, stream(Framing::Chunked)), head("GET", "transfer-encoding: chunked\r\n"));
    }
}
