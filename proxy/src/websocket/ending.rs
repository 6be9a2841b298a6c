// SPDX-License-Identifier: Apache-2.0
//! How a WebSocket ends: what each side is told (RFC 6455 §7.4), and what the record says.

use super::Relay;
use super::way::Way;
use portcullis_decision::{Facts, Reason};
use portcullis_pipeline::OpenEnd;
use portcullis_wire::websocket::{Breach, Close, Side, close_frame};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The endpoint goes away.
const GOING_AWAY: u16 = 1001;
/// A frame that may not be.
const PROTOCOL_ERROR: u16 = 1002;
/// Not allowed (any more).
const POLICY_VIOLATION: u16 = 1008;
/// A message larger than is taken.
const TOO_BIG: u16 = 1009;

/// What ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Both sides said goodbye, or one did and the other left.
    Closed(Option<Close>),
    /// The caller's token ended.
    Expired,
    /// The process ends.
    Draining,
    /// Nothing came from either side for too long.
    Quiet,
    /// Without a close frame.
    ClientGone,
    /// The client takes nothing, or not any more.
    ClientStalled,
    /// What the client sends is no WebSocket, or too much.
    ClientBreach(Breach),
    /// More control frames than anybody needs.
    ClientFlood,
    /// Without a close frame.
    UpstreamGone,
    /// The upstream takes nothing.
    UpstreamStalled,
    /// What the upstream sends is no WebSocket, or too much.
    UpstreamBreach(Breach),
    /// More control frames than anybody needs.
    UpstreamFlood,
}

impl Ended {
    /// What the client and the upstream are told.
    fn codes(self) -> (Option<u16>, Option<u16>) {
        match self {
            Self::Closed(_) => (None, None),
            Self::Expired => (Some(POLICY_VIOLATION), Some(POLICY_VIOLATION)),
            Self::Draining | Self::Quiet => (Some(GOING_AWAY), Some(GOING_AWAY)),
            Self::ClientGone | Self::ClientStalled => (None, Some(GOING_AWAY)),
            Self::ClientBreach(breach) => (Some(code(breach)), Some(GOING_AWAY)),
            Self::ClientFlood => (Some(POLICY_VIOLATION), Some(GOING_AWAY)),
            Self::UpstreamGone | Self::UpstreamStalled => (Some(GOING_AWAY), None),
            Self::UpstreamBreach(breach) => (Some(GOING_AWAY), Some(code(breach))),
            Self::UpstreamFlood => (Some(GOING_AWAY), Some(POLICY_VIOLATION)),
        }
    }

    fn reason(self) -> Option<Reason> {
        Some(match self {
            Self::Closed(_) | Self::Quiet => return None,
            Self::Expired => Reason::IdentityExpired,
            Self::Draining => Reason::GateDraining,
            Self::ClientGone | Self::ClientStalled => Reason::ClientAborted,
            Self::ClientBreach(Breach::TooLarge | Breach::TooManyFragments) => Reason::PayloadTooLarge,
            Self::ClientBreach(_) | Self::ClientFlood => Reason::WireFraming,
            Self::UpstreamBreach(Breach::TooLarge | Breach::TooManyFragments) => Reason::ResponseTooLarge,
            Self::UpstreamGone | Self::UpstreamBreach(_) | Self::UpstreamFlood => Reason::UpstreamInvalidResponse,
            Self::UpstreamStalled => Reason::UpstreamTimeout,
        })
    }

    /// For the record.
    fn word(self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::Expired => "the token ended",
            Self::Draining => "the gateway ends",
            Self::Quiet => "quiet",
            Self::ClientGone => "the client left",
            Self::ClientStalled => "the client takes nothing",
            Self::ClientBreach(_) => "the client broke the protocol",
            Self::ClientFlood => "the client sends too many control frames",
            Self::UpstreamGone => "the upstream left",
            Self::UpstreamStalled => "the upstream takes nothing",
            Self::UpstreamBreach(_) => "the upstream broke the protocol",
            Self::UpstreamFlood => "the upstream sends too many control frames",
        }
    }
}

fn code(breach: Breach) -> u16 {
    match breach {
        Breach::TooLarge => TOO_BIG,
        Breach::TooManyFragments => POLICY_VIOLATION,
        _ => PROTOCOL_ERROR,
    }
}

impl Relay {
    /// What the record says.
    pub(crate) fn end(&self, ended: Ended) -> OpenEnd {
        let mut facts = Facts::none()
            .with("bytes_down", self.down.bytes)
            .with("bytes_up", self.up.bytes)
            .with("ended", ended.word())
            .with("messages_down", self.down.messages)
            .with("messages_up", self.up.messages)
            .with("stream", "websocket");
        facts = match ended {
            Ended::Closed(Some(Close(code))) => facts.with("code", u64::from(code)),
            Ended::ClientBreach(breach) | Ended::UpstreamBreach(breach) => facts.with("breach", breach.to_string()),
            _ => facts,
        };
        OpenEnd { reason: ended.reason(), facts }
    }
}

/// Tells both sides, where that can still be said: not in the middle of a frame.
pub(crate) async fn farewell<C: AsyncWrite + Unpin>(relay: &mut Relay, client: &mut C, ended: Ended) {
    let (to_client, to_upstream) = ended.codes();
    let Relay { upstream, up, down, .. } = relay;
    let told = async {
        tokio::join!(tell(down, client, Side::Server, to_client), async {
            tell(up, upstream, Side::Client, to_upstream).await;
            // Both directions are over: whoever is told waits for nothing more.
            let _ = upstream.shutdown().await;
        })
    };
    // Who does not take it in time has left.
    let _ = tokio::time::timeout(crate::upstream::upgrade::FAREWELL_TIMEOUT, told).await;
}

async fn tell<W: AsyncWrite + Unpin>(way: &mut Way, to: &mut W, from: Side, code: Option<u16>) {
    let passed = std::future::poll_fn(|cx| way.poll_pass(cx, to)).await;
    if let (Ok(()), Some(code)) = (passed, code.filter(|_| way.takes_a_frame())) {
        let (frame, length) = close_frame(from, code, rand::random());
        // Who has left does not read it.
        let _ = to.write_all(frame.get(..length).unwrap_or_default()).await;
        let _ = to.flush().await;
    }
}
