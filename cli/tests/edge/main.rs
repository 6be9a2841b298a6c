// SPDX-License-Identifier: Apache-2.0
//! The edge from outside: what attackers send, byte for byte, at the real binary in front of origins that tell exactly
//! what they understood. Expectations are those of the standards (RFC 9110, 9112) and of the threats table; nothing
//! here is taken from the product's own parser.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::print_stdout,
    reason = "a test that meets something else than it expects has failed"
)]

mod awaiting;
mod case;
mod cases;
#[path = "../whole/client.rs"]
#[expect(dead_code, reason = "shared with the other tests of the binary, which use more of it")]
mod client;
mod corpus;
#[path = "../whole/gate.rs"]
#[expect(dead_code, reason = "shared with the other tests of the binary, which use more of it")]
mod gate;
#[path = "../whole/journal.rs"]
mod journal;
mod load;
mod origin;
mod scanned;
mod slow;
mod smuggle;
mod socket;
mod stand;
mod strict;
#[path = "../whole/token.rs"]
#[expect(dead_code, reason = "shared with the other tests of the binary, which use more of it")]
mod token;
