// SPDX-License-Identifier: Apache-2.0
//! WebSockets (RFC 6455) as a gateway sees them: the handshake of a client, the answer of an origin, and the frames
//! that follow, judged as they pass without holding what they carry.

mod answer;
mod frames;
mod offer;

pub use answer::{SwitchFault, switched};
pub use frames::{Bounds, Breach, CLOSE_BYTES_MAX, Close, FrameReader, Kind, Side, Step, close_frame};
pub use offer::{Offer, OfferFault, VERSION};

#[cfg(test)]
mod tests;
