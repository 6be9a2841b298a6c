// SPDX-License-Identifier: Apache-2.0
//! Which HTTP a client speaks, told by its first bytes without taking them (RFC 9113 §3.3). Over TLS, ALPN says it.

use super::Link;
use crate::stream::Socket;
use portcullis_wire::frames::PREFACE;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::ReadBuf;

/// How long the rest of a preface that came in pieces is waited for before looking again.
const PIECE_PAUSE: Duration = Duration::from_millis(20);
/// How often; then it is what it is, which HTTP/1 refuses.
const PIECE_PAUSES_MAX: u32 = 50;

/// A version of HTTP with a connection of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// The name of HTTP/2 in ALPN (RFC 9113 §3.2).
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

impl Spoken {
    /// What was agreed on; who offered nothing speaks HTTP/1.1.
    pub(super) fn agreed(protocol: Option<&[u8]>) -> Self {
        if protocol == Some(ALPN_HTTP2) { Self::Http2 } else { Self::Http1 }
    }
}

/// What the first bytes say so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    All(Spoken),
    /// They begin a preface that is not whole.
    Part,
    /// Nothing came in time, or the connection is gone.
    Nothing,
}

/// Looks at the first bytes; `None`: there were none in time.
pub(super) async fn listen(link: &Link, socket: &Socket) -> Option<Spoken> {
    for _ in 0..PIECE_PAUSES_MAX {
        match std::future::poll_fn(|cx| peek(link, socket, cx)).await {
            Seen::All(spoken) => return Some(spoken),
            Seen::Nothing => return None,
            // Bytes that were peeked at stay readable, so readiness tells nothing of the next ones.
            Seen::Part => tokio::time::sleep(PIECE_PAUSE).await,
        }
    }
    Some(Spoken::Http1)
}

fn peek(link: &Link, socket: &Socket, cx: &mut Context<'_>) -> Poll<Seen> {
    let deadline = link.pace.deadline();
    deadline.watch(cx.waker());
    let mut first = [0_u8; PREFACE.len()];
    let mut buf = ReadBuf::new(&mut first);
    match socket.poll_peek(cx, &mut buf) {
        Poll::Ready(Ok(_)) if !deadline.fired() => Poll::Ready(of(buf.filled())),
        Poll::Pending if !deadline.fired() && !link.worker.is_draining() => Poll::Pending,
        Poll::Ready(_) | Poll::Pending => Poll::Ready(Seen::Nothing),
    }
}

/// What bytes say; an end without bytes is for HTTP/1 to find.
fn of(first: &[u8]) -> Seen {
    match PREFACE.strip_prefix(first) {
        Some([]) => Seen::All(Spoken::Http2),
        Some(_) if !first.is_empty() => Seen::Part,
        _ => Seen::All(Spoken::Http1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_preface_is_http_2() {
        assert_eq!(of(PREFACE), Seen::All(Spoken::Http2));
        for length in 1..PREFACE.len() {
            assert_eq!(of(&PREFACE[..length]), Seen::Part);
        }
        for other in ["", "POST", "PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n", "PRI / HTTP/2.0", "\x16\x03\x01"] {
            assert_eq!(of(other.as_bytes()), Seen::All(Spoken::Http1), "{other}");
        }
    }
}
