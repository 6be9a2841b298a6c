// SPDX-License-Identifier: Apache-2.0
//! What happened, provably.
//!
//! An append-only Merkle log (RFC 6962 hashing) in C2SP `tlog-tiles` layout, with Ed25519 `signed-note` checkpoints.
//! Its entries are RFC 8785 canonical JSON, one record per finished request.
//!
//! INVARIANT: a ticket resolves `Ok` only after its record has left the process with `write(2)`.
//! INVARIANT: a checkpoint is signed only for a tree that extends every checkpoint signed before, and only after what it
//! covers was synced.
//! INVARIANT: nothing is dropped in silence: a torn tail is cut and noted in the log itself, any other damage stops the
//! start and is reported with file and offset.
//!
//! Deliberately absent: sampling, log levels, deletion, a way to go on when the log cannot be written.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod bundle;
mod canonical;
mod checkpoint;
mod disk;
mod error;
#[cfg(test)]
mod fixture;
mod frame;
mod journal;
mod keeper;
mod lane;
mod layout;
pub mod merkle;
mod note;
pub mod query;
mod queue;
mod record;
mod recovery;
mod signer;
mod text;
mod ticket;
mod tiles;
mod timestamp;
mod verify;
mod writer;

pub use checkpoint::Checkpoint;
pub use error::{AuditError, AuditFault, Refusal};
pub use journal::{Journal, JournalConfig, open};
pub use lane::{Relay, Slot};
pub use query::{CheckpointInfo, Found, Proof, QueryError, StoredRecord};
pub use queue::JournalState;
pub use record::{ENTRY_BYTES_MAX, Happening, NOTE_SCHEMA, RECORD_SCHEMA};
pub use signer::{Signer, VerifyingKey};
pub use text::{TEXT_BYTES_MAX, hex, readable};
pub use ticket::Ticket;
pub use timestamp::rfc3339;
pub use verify::{Report, TornTail, VerifyError, verify, verify_against};
