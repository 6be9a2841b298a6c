// SPDX-License-Identifier: Apache-2.0
//! A WebSocket to an upstream (RFC 6455 §4.1): a connection of its own, never pooled before or after; our head; and
//! nothing passes before an answer that proves that it is one (T15).

use crate::tls::is_distrust;
use crate::upstream::balance::Tried;
use crate::upstream::carrier::Carrier;
use crate::upstream::line;
use crate::upstream::passage::{Outcome, Passage};
use crate::upstream::passed::UpstreamBody;
use crate::upstream::target::Target;
use crate::upstream::{Upstream, Upstreams};
use crate::worker::Worker;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use portcullis_decision::Reason;
use portcullis_pipeline::{OriginFault, OriginRequest};
use portcullis_wire::websocket::{Answer, AnswerFault, Answered, Body, Offer, VERSION};
use portcullis_wire::{ChunkReader, Piece};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Largest body of an answer that is no 101: it says why not.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
/// Room for reading at once.
const READ_BYTES: usize = 4 * 1024;

const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");
const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");

/// A connection that has become a WebSocket, with its place at the upstream for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) carrier: Carrier,
    /// What came behind the 101.
    pub(crate) early: BytesMut,
    /// Its place, for as long as it lasts.
    pub(crate) passage: Passage,
}

/// Why there is no answer.
enum Failed {
    Reached(io::Error),
    Disbelieved,
    Late,
}

impl From<AnswerFault> for Failed {
    fn from(_: AnswerFault) -> Self {
        Self::Disbelieved
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Reached(error)
    }
}

/// Opens one, or passes on why the upstream will not.
pub(crate) async fn open<B>(
    worker: &Arc<Worker>,
    upstreams: &Arc<Upstreams>,
    request: OriginRequest<B>,
    offer: &Offer,
) -> Result<Response<UpstreamBody>, OriginFault> {
    let began_ms = worker.deadlines.now_ms();
    let mut passage = Passage::begin(upstreams, request.to, began_ms)?;
    let upstream = Arc::clone(passage.upstream()?);
    if passage.enter().is_err() {
        passage.wait(upstream.config.total).await?;
    }
    let index = passage.choose(Tried::default(), worker.deadlines.now_ms())?;
    let shaken = shake_hands(worker, &upstream, index, &request, offer).await;
    let outcome = match &shaken {
        Ok((Answered::Refused { status, .. }, ..)) if is_unwell(*status) => Outcome::Bad,
        Ok(_) => Outcome::Good,
        Err(Failed::Reached(error)) if line::is_ours(error) => {
            return Err(OriginFault::new(Reason::UpstreamOverloaded));
        }
        Err(_) => Outcome::Bad,
    };
    passage.tell(outcome, None, worker);
    let (answered, mut carrier, mut buffer) = shaken.map_err(|failed| OriginFault::new(failed.reason()))?;
    match answered {
        Answered::Switched { protocol } => {
            let tunnel = Tunnel { carrier, early: buffer, passage };
            let mut response = Response::new(UpstreamBody::tunnel(tunnel));
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            if let Ok(accept) = HeaderValue::try_from(accept(offer)) {
                response.headers_mut().insert(ACCEPT, accept);
            }
            if let Some(protocol) = protocol {
                response.headers_mut().insert(PROTOCOL, protocol);
            }
            Ok(response)
        }
        Answered::Refused { status, headers, framing } => {
            let reading = read_body(&mut carrier, &mut buffer, framing);
            let body = tokio::time::timeout(upstream.config.first_byte, reading).await;
            let body = body.unwrap_or(Err(Failed::Late)).map_err(|failed| OriginFault::new(failed.reason()))?;
            let mut response = Response::new(UpstreamBody::whole(body));
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        }
    }
}

impl Failed {
    fn reason(&self) -> Reason {
        match self {
            Self::Reached(error) if is_distrust(error) => Reason::UpstreamTls,
            Self::Reached(error) if error.kind() == io::ErrorKind::UnexpectedEof => Reason::UpstreamInvalidResponse,
            Self::Reached(_) => Reason::UpstreamUnreachable,
            Self::Disbelieved => Reason::UpstreamInvalidResponse,
            Self::Late => Reason::UpstreamTimeout,
        }
    }
}

/// An answer by which an upstream says that it is not well.
fn is_unwell(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

async fn shake_hands<B>(
    worker: &Arc<Worker>,
    upstream: &Upstream,
    index: usize,
    request: &OriginRequest<B>,
    offer: &Offer,
) -> Result<(Answered, Carrier, BytesMut), Failed> {
    let endpoint = upstream.endpoints.get(index).ok_or(Failed::Disbelieved)?;
    let connect = upstream.config.connect;
    let dialled = tokio::time::timeout(connect, line::dial(worker, endpoint, connect)).await;
    let (mut carrier, _) = dialled.map_err(io::Error::from)??;
    let head = write_head(&endpoint.target, request, offer);
    let answering = async {
        carrier.write_all(&head).await?;
        carrier.flush().await?;
        let accept = accept(offer);
        let (mut answer, mut buffer) = (Answer::default(), BytesMut::new());
        loop {
            read_some(&mut carrier, &mut buffer).await?;
            if let Some(answered) = answer.head(&mut buffer, offer, accept.as_bytes())? {
                return Ok::<_, Failed>((answered, buffer));
            }
        }
    };
    let answered = tokio::time::timeout(upstream.config.first_byte, answering).await;
    let (answered, buffer) = answered.unwrap_or(Err(Failed::Late))?;
    Ok((answered, carrier, buffer))
}

async fn read_some(carrier: &mut Carrier, buffer: &mut BytesMut) -> io::Result<()> {
    buffer.reserve(READ_BYTES);
    match carrier.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The head the upstream gets: its own host, and the fields of the handshake as they are understood here.
fn write_head<B>(target: &Target, request: &OriginRequest<B>, offer: &Offer) -> BytesMut {
    let mut head = BytesMut::with_capacity(1024);
    head.put_slice(b"GET ");
    head.put_slice(target.path.as_bytes());
    head.put_slice(request.target.as_bytes());
    head.put_slice(b" HTTP/1.1\r\nhost: ");
    head.put_slice(target.authority.as_bytes());
    head.put_slice(b"\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: ");
    head.put_slice(VERSION.as_bytes());
    head.put_slice(b"\r\nsec-websocket-key: ");
    head.put_slice(offer.key().as_bytes());
    for (at, protocol) in offer.protocols().iter().enumerate() {
        head.put_slice(if at == 0 { b"\r\nsec-websocket-protocol: " } else { b", " });
        head.put_slice(protocol.as_bytes());
    }
    head.put_slice(b"\r\n");
    write_fields(&mut head, &request.headers);
    head
}

/// Fields and the end of a head.
pub(crate) fn write_fields(head: &mut BytesMut, fields: &HeaderMap) {
    for (name, value) in fields {
        head.put_slice(name.as_str().as_bytes());
        head.put_slice(b": ");
        head.put_slice(value.as_bytes());
        head.put_slice(b"\r\n");
    }
    head.put_slice(b"\r\n");
}

/// What the origin proves itself by (RFC 6455 §4.2.2).
fn accept(offer: &Offer) -> String {
    let proof = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[offer.key().as_bytes(), GUID].concat());
    STANDARD.encode(proof.as_ref())
}

/// The body of an answer that is no 101, at most [`REFUSAL_BYTES_MAX`] of it. The connection is not used again.
async fn read_body(carrier: &mut Carrier, buffer: &mut BytesMut, framing: Body) -> Result<Bytes, Failed> {
    let mut body = BytesMut::new();
    let mut chunks = ChunkReader::new();
    loop {
        let (content, ended) = match framing {
            Body::Length(length) => {
                let left = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(body.len());
                let content = left.min(buffer.len());
                (content, content == left)
            }
            Body::UntilClose => (buffer.len(), false),
            Body::Chunked => {
                let pieces = chunks.read(buffer).map_err(|_| Failed::Disbelieved)?;
                buffer.advance(pieces.framing);
                match pieces.piece {
                    Piece::NeedMore => (0, false),
                    Piece::Data(bytes) => (bytes, false),
                    Piece::End => (0, true),
                }
            }
        };
        if body.len().saturating_add(content) > REFUSAL_BYTES_MAX {
            return Err(Failed::Disbelieved);
        }
        body.put(buffer.split_to(content));
        if ended {
            return Ok(body.freeze());
        }
        if content > 0 {
            continue;
        }
        match read_some(carrier, buffer).await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && framing == Body::UntilClose => {
                return Ok(body.freeze());
            }
            read => read?,
        }
    }
}

/// How long the other side has to take a farewell.
pub(crate) const FAREWELL_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6455() {
        let mut headers = HeaderMap::new();
        headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
        headers.insert("sec-websocket-key", HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(accept(&Offer::read(&headers).unwrap()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
