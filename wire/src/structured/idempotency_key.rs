// SPDX-License-Identifier: Apache-2.0
//! `Idempotency-Key`: an Item whose value is a String (ID-1, T122).

use crate::fault::WireFault;
use http::HeaderValue;
use sfv::{BareItem, Item, Parser};

/// The longest key, without quotes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Which spellings of a key are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeyForm {
    /// Only a quoted String, as the standard says.
    #[default]
    Quoted,
    /// Also a bare word, as many clients send it; `"a"` and `a` are the same key.
    QuotedOrBare,
}

/// A key of 1 to [`IDEMPOTENCY_KEY_BYTES_MAX`] visible ASCII characters or spaces.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Box<str>);

impl IdempotencyKey {
    /// The key without quotes and escapes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads one field value. Parameters of the Item are ignored (RFC 9651 §3.3: they may be added later); refusals are
/// `idempotency.malformed`.
pub fn idempotency_key(value: &HeaderValue, form: KeyForm) -> Result<IdempotencyKey, WireFault> {
    let bytes = value.as_bytes();
    if form == KeyForm::QuotedOrBare && bytes.first().is_some_and(|byte| *byte != b'"') {
        return bare(bytes);
    }
    // The quotes and escapes of the longest key, and some parameters; what is longer is not read at all.
    if bytes.len() > IDEMPOTENCY_KEY_BYTES_MAX.saturating_mul(3) {
        return Err(WireFault::idempotency("idempotency key is too long"));
    }
    let item: Item = Parser::new(bytes).parse().map_err(|_| WireFault::idempotency("idempotency key is no item"))?;
    match item.bare_item {
        BareItem::String(text) => checked(text.as_str()),
        _ => Err(WireFault::idempotency("idempotency key is no string")),
    }
}

fn bare(bytes: &[u8]) -> Result<IdempotencyKey, WireFault> {
    // Without quotes, delimiters of lists, parameters and strings would have two readings.
    if !bytes.iter().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b',' | b';')) {
        return Err(WireFault::idempotency("unquoted idempotency key has a delimiter"));
    }
    checked(std::str::from_utf8(bytes).map_err(|_| WireFault::idempotency("idempotency key is not ascii"))?)
}

fn checked(text: &str) -> Result<IdempotencyKey, WireFault> {
    match text.len() {
        0 => Err(WireFault::idempotency("idempotency key is empty")),
        1..=IDEMPOTENCY_KEY_BYTES_MAX => Ok(IdempotencyKey(text.into())),
        _ => Err(WireFault::idempotency("idempotency key is too long")),
    }
}
