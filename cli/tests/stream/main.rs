// SPDX-License-Identifier: Apache-2.0
//! What stays open: WebSockets, events, large bodies. The real binary, real peers and hostile ones.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    reason = "a test that meets something else than it expects has failed"
)]

#[path = "../whole/client.rs"]
#[expect(dead_code, reason = "shared with the tests of the whole, which use all of it")]
mod client;
#[path = "../whole/gate.rs"]
#[expect(dead_code, reason = "shared with the tests of the whole, which use all of it")]
mod gate;
#[path = "../whole/token.rs"]
#[expect(dead_code, reason = "shared with the tests of the whole, which use all of it")]
mod token;

mod ends;
mod events;
mod frames;
mod grpc;
mod handshakes;
mod idle;
mod large;
mod peers;
mod raw;
mod scene;
