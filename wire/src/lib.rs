// SPDX-License-Identifier: Apache-2.0
//! What did the client really say.
//!
//! Bytes are read once into one canonical value; routing, validation, authorization, limits, audit and the
//! upstream all see that value and nothing else. What has two readings is refused, never repaired.
//!
//! Invariants: a [`CanonicalPath`] has no dot segment, no empty inner segment, no escape that decodes to a
//! separator, and is its own canonical form; a [`Head`] holds no hop-by-hop, framing, reserved or identity
//! field of the client, in any spelling; a [`json::Document`] has no duplicate member and no number that two
//! readers could understand differently; nothing here recurses over input or grows without a named maximum.
//!
//! Deliberately absent: sockets, an async runtime, and any decision about who the caller is or what he may do.

mod answer;
mod authority;
mod chunks;
mod fault;
mod field_line;
mod fields;
pub mod frames;
mod framing;
mod grammar;
mod head;
pub mod json;
pub mod media;
mod path;
mod percent;
mod query;
mod receive;
mod reserved;
mod scan;
pub mod structured;
pub mod websocket;

pub use answer::{AnswerFault, AnswerFraming, AnswerHead, AnswerScan, AnswerScanned, INTERIM_MAX};
pub use authority::Authority;
pub use chunks::{ChunkReader, Piece, Pieces};
pub use fault::WireFault;
pub use framing::Framing;
pub use head::{Head, HeadLimits};
pub use path::{CanonicalPath, Segments};
pub use query::Query;
pub use receive::receive;
pub use reserved::Reserved;
pub use scan::{Refusal, Scan, Scanned};
