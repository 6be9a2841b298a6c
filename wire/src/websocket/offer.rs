// SPDX-License-Identifier: Apache-2.0
//! What a client offers in its handshake (RFC 6455 §4.1, §4.2.1).

use crate::grammar;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The one version there is.
pub const VERSION: &str = "13";

const KEY: HeaderName = HeaderName::from_static("sec-websocket-key");
const VERSION_FIELD: HeaderName = HeaderName::from_static("sec-websocket-version");
const PROTOCOL: HeaderName = HeaderName::from_static("sec-websocket-protocol");

/// Base64 of 16 bytes.
const KEY_BYTES: usize = 24;
/// Most subprotocols in one offer.
const PROTOCOLS_MAX: usize = 16;

/// A handshake that was understood. Extensions are not part of it: none is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    key: HeaderValue,
    protocols: Vec<HeaderValue>,
}

/// What is wrong with a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferFault {
    /// Not version 13, or not exactly one.
    #[error("sec-websocket-version is not 13")]
    Version,
    /// No canonical base64 of 16 bytes, or not exactly one.
    #[error("sec-websocket-key is not one canonical key of 16 bytes")]
    Key,
    /// No list of different tokens, or a long one.
    #[error("sec-websocket-protocol is not a list of different tokens")]
    Protocol,
}

impl Offer {
    /// Reads the fields of a handshake.
    pub fn read(headers: &HeaderMap) -> Result<Self, OfferFault> {
        if single(headers, &VERSION_FIELD).map(HeaderValue::as_bytes) != Some(VERSION.as_bytes()) {
            return Err(OfferFault::Version);
        }
        let key = single(headers, &KEY).filter(|key| is_key(key.as_bytes())).ok_or(OfferFault::Key)?;
        let mut protocols: Vec<HeaderValue> = Vec::new();
        for line in headers.get_all(&PROTOCOL) {
            for token in line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                let new = grammar::is_token(token)
                    && protocols.len() < PROTOCOLS_MAX
                    && !protocols.iter().any(|known| known.as_bytes() == token);
                let value = HeaderValue::from_bytes(token).map_err(|_| OfferFault::Protocol)?;
                if !new {
                    return Err(OfferFault::Protocol);
                }
                protocols.push(value);
            }
        }
        Ok(Self { key: key.clone(), protocols })
    }

    /// `Sec-WebSocket-Key`.
    pub fn key(&self) -> &HeaderValue {
        &self.key
    }

    /// The subprotocols, the client's favourite first.
    pub fn protocols(&self) -> &[HeaderValue] {
        &self.protocols
    }
}

fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Base64 of exactly 16 bytes, in the one way to write it: 22 digits, the last of which carries two bits, and `==`.
fn is_key(key: &[u8]) -> bool {
    let Some(digits) = key.strip_suffix(b"==") else { return false };
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == KEY_BYTES && digits.iter().all(is_digit) && matches!(digits.last(), Some(b'A' | b'Q' | b'g' | b'w'))
}
