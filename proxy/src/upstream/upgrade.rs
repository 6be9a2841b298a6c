// SPDX-License-Identifier: Apache-2.0
//! A WebSocket to an upstream (RFC 6455 §4.1): a connection of its own, never pooled before or after; our head; and
//! nothing passes before an answer that proves that it is one (T15).

use crate::upstream::answer::ResponseBody;
use crate::upstream::balance::Tried;
use crate::upstream::carrier::Carrier;
use crate::upstream::course::{Answered, Via, is_failure};
use crate::upstream::endpoint::Endpoint;
use crate::upstream::exchange::{exchange, unreached};
use crate::upstream::line::{self, Line, Patience};
use crate::upstream::outgoing::{Draft, OutgoingBody};
use crate::upstream::passage::{Outcome, Passage};
use crate::upstream::passed::UpstreamBody;
use crate::upstream::{UpstreamConfig, Upstreams};
use crate::worker::Worker;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use portcullis_decision::Reason;
use portcullis_pipeline::{OriginFault, OriginRequest};
use portcullis_wire::AnswerHead;
use portcullis_wire::websocket::{Offer, switched};
use std::sync::Arc;
use std::time::Duration;

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
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
    let endpoint = upstream.endpoints.get(index).ok_or(OriginFault::new(Reason::UpstreamUnreachable))?;
    let answered = shake_hands(worker, &upstream.config, endpoint, Draft::upgrade(request, offer)).await;
    let proof = accept(offer);
    let judged = answered.and_then(|(head, line)| match head.status {
        StatusCode::SWITCHING_PROTOCOLS => match switched(&head, offer, proof.as_bytes()) {
            Ok(protocol) => Ok(Answer::Switched { protocol, line }),
            Err(_) => Err(Some(Reason::UpstreamInvalidResponse)),
        },
        _ => Ok(Answer::Refused { head, line }),
    });
    let outcome = match &judged {
        Ok(Answer::Refused { head, .. }) if is_failure(head.status) => Outcome::Bad,
        Ok(_) => Outcome::Good,
        // It is ourselves who have no descriptor left: that tells nothing about the upstream.
        Err(None) => return Err(OriginFault::new(Reason::UpstreamOverloaded)),
        Err(Some(_)) => Outcome::Bad,
    };
    passage.tell(outcome, None, worker);
    match judged {
        Ok(Answer::Switched { protocol, line }) => Ok(switching(Tunnel::of(*line, passage), &proof, protocol)),
        Ok(Answer::Refused { mut head, line }) => {
            // Nobody can tell whether what follows is read as frames or as a request.
            head.keeps_alive = false;
            let answered =
                Answered { head, via: Via::One { line, upload: OutgoingBody::Empty }, left: upstream.config.total };
            Ok(ResponseBody::of(answered, passage).map(UpstreamBody::from))
        }
        Err(reason) => Err(OriginFault::new(reason.unwrap_or(Reason::UpstreamOverloaded))),
    }
}

/// What a believed answer says.
enum Answer {
    Switched { protocol: Option<HeaderValue>, line: Box<Line> },
    Refused { head: AnswerHead, line: Box<Line> },
}

impl Tunnel {
    fn of(line: Line, passage: Passage) -> Self {
        let (carrier, early) = line.into_transport();
        Self { carrier, early, passage }
    }
}

/// The answer whose connection is the tunnel.
fn switching(tunnel: Tunnel, proof: &str, protocol: Option<HeaderValue>) -> Response<UpstreamBody> {
    let mut response = Response::new(UpstreamBody::tunnel(tunnel));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    if let Ok(proof) = HeaderValue::try_from(proof) {
        response.headers_mut().insert(ACCEPT, proof);
    }
    if let Some(protocol) = protocol {
        response.headers_mut().insert(PROTOCOL, protocol);
    }
    response
}

/// `Err(None)`: no connection can be made here, whatever the upstream.
async fn shake_hands(
    worker: &Arc<Worker>,
    config: &UpstreamConfig,
    endpoint: &Endpoint,
    mut draft: Draft,
) -> Result<(AnswerHead, Box<Line>), Option<Reason>> {
    let connected = line::connect(worker, endpoint, config.connect).await;
    let mut line = connected.map_err(|error| if line::is_ours(&error) { None } else { Some(unreached(&error)) })?;
    let patience = Patience { first_byte: config.first_byte, total: config.total };
    line.begin(&draft, &endpoint.target, patience);
    let head = exchange(&mut line, &mut draft, patience).await;
    head.map(|head| (head, line)).map_err(|fault| Some(fault.reason()))
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
