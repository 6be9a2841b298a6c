// SPDX-License-Identifier: Apache-2.0
//! The compact form of RFC 7515 §7.1: exactly three parts in canonical base64url (JWT-1, T85, T90).

use crate::fault::Fault;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The parts of a token, still encoded.
pub(crate) struct Parts<'a> {
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
    /// What is signed: header, dot, payload.
    pub(crate) message: &'a [u8],
}

/// Whether a token has the dots of a signed token; looks at no more than its length (T91).
pub(crate) fn has_three_parts(token: &str) -> bool {
    token.bytes().filter(|b| *b == b'.').count() == 2
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a str) -> Result<Self, Fault> {
        let three = || Fault::token("not three parts");
        let (signed, signature) = token.rsplit_once('.').ok_or_else(three)?;
        let (header, payload) = signed.split_once('.').ok_or_else(three)?;
        if payload.contains('.') {
            return Err(three());
        }
        if signature.is_empty() {
            return Err(Fault::token("no signature"));
        }
        Ok(Self { header, payload, signature, message: signed.as_bytes() })
    }

    pub(crate) fn header(&self) -> Result<Vec<u8>, Fault> {
        decode(self.header)
    }

    pub(crate) fn payload(&self) -> Result<Vec<u8>, Fault> {
        decode(self.payload)
    }

    pub(crate) fn signature(&self) -> Result<Vec<u8>, Fault> {
        decode(self.signature)
    }
}

/// Canonical only: no padding, no other alphabet, no white space, trailing bits zero. One value has one spelling, so
/// that a token cannot be respelled past the cache or a deny list.
fn decode(part: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| Fault::token("not canonical base64url"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn t85_only_three_parts_are_a_token() {
        for token in ["", ".", "a.b", "a.b.c.d", "a.b.c.d.e", "a..b.c", "....", "{\"payload\":\"x\"}"] {
            assert!(!has_three_parts(token) || Parts::split(token).is_err(), "{token}");
            assert!(Parts::split(token).is_err(), "{token}");
        }
        assert!(Parts::split("YQ.YQ.").is_err());
        assert!(Parts::split("YQ.YQ.YQ").is_ok());
    }

    proptest! {
        #[test]
        fn t90_every_value_has_one_spelling(text in "[A-Za-z0-9_=+/ -]{0,12}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(URL_SAFE_NO_PAD.encode(bytes), text);
            }
        }
    }
}
