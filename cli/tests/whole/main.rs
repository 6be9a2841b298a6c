// SPDX-License-Identifier: Apache-2.0
//! The whole binary on loopback: real sockets, real files, real clients.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unreachable,
    reason = "a test that meets something else than it expects has failed"
)]

mod attacks;
#[expect(dead_code, reason = "shared with the tests of the process's life, which use the rest of it")]
mod client;
mod conditional;
mod durability;
mod findings;
#[expect(dead_code, reason = "shared with the tests of the process's life, which use the rest of it")]
mod gate;
mod isolation;
mod journal;
mod limits;
mod six_answers;
mod specs;
mod token;
mod traffic;
mod unwritable;
mod wrong_configuration;
