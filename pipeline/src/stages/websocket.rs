// SPDX-License-Identifier: Apache-2.0
//! Whether a request may become a WebSocket: only where its operation declares the answer 101, and only by one
//! handshake with one reading (RFC 6455 §4.2.1; T15). Everywhere else the upgrade is as if it were not asked for.

use crate::exchange::Exchange;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use portcullis_contract::{Operation, StatusKey};
use portcullis_decision::{Denial, Facts, Reason, Violation, stage};
use portcullis_wire::websocket::{Offer, OfferFault, VERSION};
use portcullis_wire::{Framing, Head};

const SEC_WEBSOCKET_VERSION: HeaderName = HeaderName::from_static("sec-websocket-version");

/// What the client offers, where it asks for a WebSocket that the operation declares.
pub(crate) fn offer(exchange: &mut Exchange, operation: &Operation, head: &Head) -> Result<Option<Box<Offer>>, Denial> {
    let switching = StatusKey::Exact(StatusCode::SWITCHING_PROTOCOLS.as_u16());
    if !head.websocket || !operation.responses.iter().any(|answer| answer.status == switching) {
        return Ok(None);
    }
    exchange.websocket.offered = true;
    if head.method != Method::GET {
        return Err(refuse(exchange, "/header/upgrade", "a WebSocket is opened by GET"));
    }
    if !matches!(head.framing, Framing::None | Framing::Length(0)) {
        return Err(refuse(exchange, "/header/upgrade", "a handshake has no body"));
    }
    match Offer::read(&head.headers) {
        Ok(offer) => Ok(Some(Box::new(offer))),
        Err(fault @ OfferFault::Version) => {
            let denial = refuse(exchange, "/header/sec-websocket-version", &fault.to_string());
            // §4.2.2: the version that is understood.
            Err(denial.with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION)))
        }
        Err(fault @ OfferFault::Key) => Err(refuse(exchange, "/header/sec-websocket-key", &fault.to_string())),
        Err(fault @ OfferFault::Protocol) => {
            Err(refuse(exchange, "/header/sec-websocket-protocol", &fault.to_string()))
        }
    }
}

fn refuse(exchange: &mut Exchange, pointer: &'static str, detail: &str) -> Denial {
    let facts = Facts::none().with("first", pointer).with("violations", 1_u64);
    exchange
        .deny::<stage::Request>(Reason::RequestParameter, facts)
        .with_violations(vec![Violation { pointer: pointer.to_owned(), detail: detail.to_owned() }])
}
