// SPDX-License-Identifier: Apache-2.0
//! The life of the process while requests go on: reload, drain, hand-over, a log nobody reads. The real binary, real
//! signals, real sockets.
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

mod leaving;
mod load;
mod origin;
mod rejected;
mod reload;
mod scene;
mod tls;
mod upgrade;
