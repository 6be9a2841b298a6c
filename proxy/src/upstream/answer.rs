// SPDX-License-Identifier: Apache-2.0
//! An upstream's answer: its head is judged before it is believed (T18), its body is passed on or broken off, never
//! shortened (F28).

use crate::upstream::passage::{Outcome, Passage};
use crate::upstream::pool::Lease;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use portcullis_pipeline::BodyFault;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields of one hop (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 8] =
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Why a head is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disbelieved {
    /// `Content-Length` twice, not a number, or beside `Transfer-Encoding` (RFC 9112 §6.3).
    Framing,
    /// 101 to a request that asked for no upgrade.
    Switching,
}

/// Checks the framing of an answer and leaves its end-to-end fields. `Content-Length` stays: it is one number.
pub(crate) fn believe(parts: &mut Parts) -> Result<(), Disbelieved> {
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Disbelieved::Switching);
    }
    let headers = &mut parts.headers;
    if !framing_is_plain(headers, parts.version) {
        return Err(Disbelieved::Framing);
    }
    if headers.contains_key(CONNECTION) {
        remove_named(headers);
    }
    // Few of them are there as a rule, and looking costs less than removing.
    let mut there = 0_u32;
    for name in headers.keys() {
        if let Some(at) = HOP_BY_HOP.iter().position(|known| known == name) {
            there |= 1 << at;
        }
    }
    for (at, name) in HOP_BY_HOP.iter().enumerate() {
        if there >> at & 1 == 1 {
            headers.remove(name);
        }
    }
    // A reason phrase is the upstream's prose; the status says it.
    parts.extensions.clear();
    parts.version = Version::HTTP_11;
    Ok(())
}

fn framing_is_plain(headers: &HeaderMap, version: Version) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (lengths.next(), lengths.next(), codings.next(), codings.next()) {
        (None, None, None, None) => true,
        (Some(length), None, None, None) => is_number(length),
        (None, None, Some(coding), None) => {
            version == Version::HTTP_11 && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        }
        _ => false,
    }
}

/// Digits and nothing else: hyper also reads `5, 5`.
fn is_number(length: &HeaderValue) -> bool {
    let digits = length.as_bytes();
    !digits.is_empty() && digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit)
}

fn remove_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        // An upstream cannot have the framing it was believed for removed.
        .filter(|name| *name != CONTENT_LENGTH)
        .collect();
    for name in named {
        headers.remove(name);
    }
}

/// Whether an answer of this head carries no content, whatever its fields say (RFC 9112 §6.3).
pub(crate) fn is_bodiless(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The body of an upstream's answer. It owns the connection: given back at the end, closed when dropped early.
#[derive(Debug)]
pub struct ResponseBody {
    incoming: Incoming,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Lease, Passage),
    Ended,
    /// Broken off, and whether because the time was up.
    Broken(Why),
}

/// Why a body broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    TimedOut,
    Upstream,
}

impl ResponseBody {
    /// `total` is what the exchange had when it began.
    pub(crate) fn new(incoming: Incoming, lease: Lease, passage: Passage, total: Duration) -> Self {
        if incoming.is_end_stream() {
            lease.release(&passage);
            return Self { incoming, state: State::Ended };
        }
        lease.line.step.clear();
        // Cleared while an upload waited for its client; from here on it is the upstream's time.
        if !lease.line.total.runs() && !lease.line.total.fired() {
            lease.line.total.arm(total);
        }
        Self { incoming, state: State::Open(lease, passage) }
    }

    /// Why the body broke off, if it did.
    pub(crate) fn broken(&self) -> Option<Why> {
        match self.state {
            State::Broken(why) => Some(why),
            State::Open(..) | State::Ended => None,
        }
    }

    fn end(&mut self) {
        if let State::Open(lease, passage) = std::mem::replace(&mut self.state, State::Ended) {
            lease.release(&passage);
        }
    }

    /// The connection closes with its lease.
    fn break_off(&mut self, why: Why) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        if let State::Open(lease, mut passage) = std::mem::replace(&mut self.state, State::Broken(why)) {
            passage.tell(Outcome::Bad, None, &lease.line.worker);
        }
        Poll::Ready(Some(Err(BodyFault::Aborted)))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = &mut *self;
        loop {
            let State::Open(lease, _) = &this.state else { return Poll::Ready(None) };
            if lease.line.total.fired() {
                return this.break_off(Why::TimedOut);
            }
            match Pin::new(&mut this.incoming).poll_frame(cx) {
                Poll::Pending => {
                    lease.line.total.watch(cx.waker());
                    return Poll::Pending;
                }
                Poll::Ready(None) => {
                    this.end();
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(_))) => return this.break_off(Why::Upstream),
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers were not negotiated with the client (SM-12).
                    let Ok(data) = frame.into_data() else { continue };
                    if this.incoming.is_end_stream() {
                        this.end();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(version: Version, fields: &[(&'static str, &'static str)]) -> Parts {
        let mut response = http::Response::new(());
        *response.version_mut() = version;
        for (name, value) in fields {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        response.into_parts().0
    }

    #[test]
    fn t18_ambiguous_framing_is_not_believed() {
        for fields in [
            &[("content-length", "5"), ("content-length", "5")] as &[_],
            &[("content-length", "5, 5")],
            &[("content-length", "+5")],
            &[("content-length", "")],
            &[("content-length", "5"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "gzip, chunked")],
            &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            &[("transfer-encoding", "xchunked")],
        ] {
            let mut parts = parts(Version::HTTP_11, fields);
            assert_eq!(believe(&mut parts), Err(Disbelieved::Framing), "{fields:?}");
        }
        assert!(believe(&mut parts(Version::HTTP_10, &[("transfer-encoding", "chunked")])).is_err());
    }

    #[test]
    fn fields_of_one_hop_stay_on_it() {
        let mut parts = parts(
            Version::HTTP_10,
            &[
                ("connection", "close, X-Private"),
                ("connection", "content-length"),
                ("x-private", "1"),
                ("keep-alive", "timeout=5"),
                ("upgrade", "h2c"),
                ("content-length", "2"),
                ("etag", "\"a\""),
            ],
        );
        believe(&mut parts).unwrap();
        let left: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["content-length", "etag"]);
        assert_eq!(parts.version, Version::HTTP_11);
    }
}
