// SPDX-License-Identifier: Apache-2.0
//! The whole binary on loopback: real sockets, real files, real clients.

mod client;
mod conditional;
mod durability;
mod gate;
mod isolation;
mod six_answers;
mod token;
mod traffic;
mod unwritable;
mod wrong_configuration;
