// SPDX-License-Identifier: Apache-2.0
//! Request ids: ULIDs of our own, so that records sort by time and nobody outside chooses them.

use crate::clock::Clock;
use std::fmt;
use std::str::FromStr;

/// A ULID: 48 bits of wall-clock milliseconds, 80 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u128);

/// Crockford's base 32, as ULIDs use it.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Length of the text form.
pub const REQUEST_ID_CHARS: usize = 26;

impl RequestId {
    /// A new id at the clock's wall time.
    pub fn generate(clock: &dyn Clock) -> Self {
        Self::from_parts(clock.wall().as_millis(), rand::random::<u128>())
    }

    /// An id from a time in milliseconds and any random bits (the low 80 are used).
    pub fn from_parts(millis: u128, random: u128) -> Self {
        Self(((millis & ((1 << 48) - 1)) << 80) | (random & ((1 << 80) - 1)))
    }

    /// Milliseconds since the Unix epoch at which the id was made.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0 >> 80).unwrap_or(0)
    }

    /// The id as a number.
    pub fn to_u128(self) -> u128 {
        self.0
    }

    /// The text form as ASCII bytes.
    pub fn to_ascii(self) -> [u8; REQUEST_ID_CHARS] {
        let mut text = [b'0'; REQUEST_ID_CHARS];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            let digit = usize::try_from(rest & 31).unwrap_or(0);
            *place = ALPHABET.get(digit).copied().unwrap_or(b'0');
            rest >>= 5;
        }
        text
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_ascii();
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a ULID.
#[derive(Debug, thiserror::Error)]
#[error("a request id has 26 characters of Crockford's base 32")]
pub struct RequestIdError;

impl FromStr for RequestId {
    type Err = RequestIdError;

    fn from_str(text: &str) -> Result<Self, RequestIdError> {
        if text.len() != REQUEST_ID_CHARS {
            return Err(RequestIdError);
        }
        let mut value: u128 = 0;
        for byte in text.bytes() {
            let digit = ALPHABET.iter().position(|c| *c == byte.to_ascii_uppercase()).ok_or(RequestIdError)?;
            if value >> 123 != 0 {
                return Err(RequestIdError);
            }
            value = (value << 5) | u128::try_from(digit).map_err(|_| RequestIdError)?;
        }
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_form_round_trips(n: u128) {
            let id = RequestId(n);
            prop_assert_eq!(id.to_string().parse::<RequestId>().unwrap(), id);
        }

        #[test]
        fn text_order_is_time_order(a in 0u128..1 << 48, b in 0u128..1 << 48, x: u128, y: u128) {
            prop_assume!(a < b);
            prop_assert!(RequestId::from_parts(a, x).to_string() < RequestId::from_parts(b, y).to_string());
        }
    }

    #[test]
    fn refuses_what_is_not_a_ulid() {
        for text in ["", "01JC9Z4T7Q", "81JC9Z4T7Q0000000000000000", "U1JC9Z4T7Q0000000000000000"] {
            assert!(text.parse::<RequestId>().is_err(), "{text}");
        }
    }
}
