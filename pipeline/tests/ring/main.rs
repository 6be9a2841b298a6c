// SPDX-License-Identifier: Apache-2.0
//! The whole order over a small orders API: real stages, a real trail, and an origin that only remembers.

mod answers;
mod client_head;
mod decisions;
mod gate;
mod leaving;
mod matrix;
mod panics;
mod payloads;
mod refusals;
mod replays;
mod trail;
mod upstream_head;
