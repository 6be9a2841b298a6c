// SPDX-License-Identifier: Apache-2.0
//! The whole order over a small orders API: real stages, a real trail, and an origin that only remembers.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod client_head;
#[cfg(test)]
mod closing;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod grpc;
#[cfg(test)]
mod handshake;
mod leaving;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod observed;
#[cfg(test)]
mod panics;
#[cfg(test)]
mod payloads;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replays;
#[cfg(test)]
mod trail;
#[cfg(test)]
mod upstream_head;
