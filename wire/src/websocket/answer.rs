// SPDX-License-Identifier: Apache-2.0
//! An origin's answer to a handshake (RFC 6455 §4.1): a 101 is only believed where it switches to what was asked for
//! (T15).

use super::Offer;
use crate::answer::AnswerHead;
use http::{HeaderName, HeaderValue};

const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");
const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");
const EXTENSIONS: HeaderName = HeaderName::from_static("sec-websocket-extensions");

/// A 101 that cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer to the handshake is not believed: {0}")]
pub struct SwitchFault(pub &'static str);

/// The subprotocol that was chosen, where a 101 switches to the WebSocket that was asked for. `accept` is what the
/// origin proves itself by.
pub fn switched(head: &AnswerHead, offer: &Offer, accept: &[u8]) -> Result<Option<HeaderValue>, SwitchFault> {
    if !head.switches_to_websocket {
        return Err(SwitchFault("it switches to something else"));
    }
    let mut proofs = head.headers.get_all(&ACCEPT).iter();
    if proofs.next().map(HeaderValue::as_bytes) != Some(accept) || proofs.next().is_some() {
        return Err(SwitchFault("it does not prove that it read the handshake"));
    }
    if head.headers.contains_key(&EXTENSIONS) {
        return Err(SwitchFault("an extension nobody offered"));
    }
    let mut chosen = head.headers.get_all(&PROTOCOL).iter();
    match (chosen.next(), chosen.next()) {
        (None, _) => Ok(None),
        (Some(one), None) if offer.protocols().contains(one) => Ok(Some(one.clone())),
        _ => Err(SwitchFault("a subprotocol nobody offered")),
    }
}
