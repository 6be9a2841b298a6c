// SPDX-License-Identifier: Apache-2.0
//! Structured field values (RFC 9651), as far as a gateway speaks them: the `Idempotency-Key` it reads (ID-1) and
//! the lists it writes into `RateLimit-Policy` and `RateLimit` (RL-1..RL-3).

mod idempotency_key;
mod list;

pub use idempotency_key::{IDEMPOTENCY_KEY_BYTES_MAX, IdempotencyKey, KeyForm, idempotency_key};
pub use list::{INTEGER_MAX, ItemWriter, Key, ListWriter, StringItem, StructuredFault};

#[cfg(test)]
mod tests;
