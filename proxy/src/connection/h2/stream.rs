// SPDX-License-Identifier: Apache-2.0
//! One stream: a head judged, a request decided, an answer sent as fast as the client takes it.

use super::StreamBody;
use super::watch::{Live, Watch};
use crate::body::RequestBody;
use crate::connection::{Handler, Link, Rules};
use crate::deadline::Deadline;
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TE, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use portcullis_pipeline::{Arrived, BodyFault};
use portcullis_wire::{Framing, Head, WireFault};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

/// Largest head, counted as RFC 9113 §6.5.2 does: names, values, and 32 bytes for each field (T49, T50).
pub(super) const HEAD_LIST_BYTES_MAX: u32 = 16 * 1024;
/// What each field costs beside its bytes.
const FIELD_OVERHEAD_BYTES: usize = 32;
/// Heads of all open streams together (T50).
const HEADS_BYTES_MAX: usize = 384 * 1024;
/// Content handed to the parser at once.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// Fields of one hop; HTTP/2 has none (RFC 9113 §8.2.2).
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A stream that was opened.
pub(super) struct Stream {
    pub(super) link: Arc<Link>,
    pub(super) live: Live,
}

/// The stream is no more: the client reset it, or the connection ended.
struct Reset;

impl Stream {
    /// Answers the request; a reset ends the work where it stands (T47).
    pub(super) async fn serve<H: Handler>(
        self,
        handler: H,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) {
        let (parts, incoming) = request.into_parts();
        let rules = handler.rules();
        let method = parts.method.clone();
        let answers_head = method == Method::HEAD;
        let body = RequestBody::of_stream(StreamBody::new(incoming, &parts.headers, &self.link.worker));
        let received = judge(parts, &rules, self.live.watch()).map(|mut head| {
            if head.framing == Framing::Chunked && body.is_end_stream() {
                head.framing = Framing::None;
            }
            Box::new(head)
        });
        let arrived = Arrived { received, method, body };
        let response = {
            let mut answering = pin!(handler.handle(&self.link.worker, &self.link.ends, rules, arrived));
            std::future::poll_fn(|cx| {
                if let Poll::Ready(response) = answering.as_mut().poll(cx) {
                    return Poll::Ready(Some(response));
                }
                respond.poll_reset(cx).map(|_| None)
            })
            .await
        };
        let Some(response) = response else { return };
        // Whoever reset it does not wait for an end.
        let _ = self.answer(response, respond, answers_head).await;
    }

    async fn answer<B>(
        &self,
        response: Response<B>,
        mut respond: SendResponse<Bytes>,
        answers_head: bool,
    ) -> Result<(), Reset>
    where
        B: Body<Data = Bytes, Error = BodyFault> + Unpin,
    {
        let (mut parts, mut body) = response.into_parts();
        self.complete(&mut parts.headers, parts.status, &body, answers_head);
        let ended = body.is_end_stream();
        let head = Response::from_parts(parts, ());
        let mut sender = respond.send_response(head, ended).map_err(|_| Reset)?;
        if ended {
            return Ok(());
        }
        let mut taking = Taking { live: &self.live, link: &self.link, deadline: None };
        loop {
            match next(&mut body, &mut sender).await? {
                None => return sender.send_data(Bytes::new(), true).map_err(|_| Reset),
                Some(Err(_)) => {
                    // Never a valid-looking short answer (F28).
                    sender.send_reset(Reason::INTERNAL_ERROR);
                    return Err(Reset);
                }
                Some(Ok(frame)) => {
                    let last = body.is_end_stream();
                    match frame.into_data() {
                        // The answer to a HEAD has no content (RFC 9110 §9.3.2); what was promised of it is said.
                        Ok(_) if answers_head && !last => {}
                        Ok(_) if answers_head => return sender.send_data(Bytes::new(), true).map_err(|_| Reset),
                        Ok(data) => taking.send(&mut sender, data, last).await?,
                        Err(frame) => {
                            let Ok(trailers) = frame.into_trailers() else { continue };
                            return sender.send_trailers(trailers).map_err(|_| Reset);
                        }
                    }
                    if last {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// What hyper adds to an answer in HTTP/1, and without what only HTTP/1 has.
    fn complete<B: Body>(&self, headers: &mut HeaderMap, status: StatusCode, body: &B, answers_head: bool) {
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
        if !headers.contains_key(DATE) {
            let date = HeaderValue::from_bytes(&self.link.worker.date());
            headers.insert(DATE, date.unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT")));
        }
        let may_have_content = !status.is_informational() && status != StatusCode::NO_CONTENT;
        if may_have_content
            && status != StatusCode::NOT_MODIFIED
            && !headers.contains_key(CONTENT_LENGTH)
            && let Some(length) = body.size_hint().exact()
            // No content of an answer to HEAD says nothing of that to GET.
            && !(answers_head && length == 0)
        {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
}

/// The next frame of an answer, unless the stream is reset first.
async fn next<B>(
    body: &mut B,
    sender: &mut SendStream<Bytes>,
) -> Result<Option<Result<http_body::Frame<Bytes>, BodyFault>>, Reset>
where
    B: Body<Data = Bytes, Error = BodyFault> + Unpin,
{
    std::future::poll_fn(|cx| match Pin::new(&mut *body).poll_frame(cx) {
        Poll::Ready(frame) => Poll::Ready(Ok(frame)),
        Poll::Pending => sender.poll_reset(cx).map(|_| Err(Reset)),
    })
    .await
}

/// How fast the client takes an answer (T50, T57).
struct Taking<'a> {
    live: &'a Live,
    link: &'a Link,
    /// Made when the client is first waited for.
    deadline: Option<Waiting>,
}

struct Waiting {
    deadline: Arc<Deadline>,
    /// Bytes the client let go since the deadline was armed.
    taken: u64,
    /// How often the transport had taken nothing by then.
    blocked: u64,
}

impl Taking<'_> {
    async fn send(&mut self, sender: &mut SendStream<Bytes>, mut data: Bytes, last: bool) -> Result<(), Reset> {
        while !data.is_empty() {
            sender.reserve_capacity(data.len().min(PIECE_BYTES_MAX));
            let room = match sender.capacity() {
                0 => std::future::poll_fn(|cx| self.poll_room(sender, cx)).await?,
                room => room,
            };
            let piece = data.split_to(room.min(data.len()));
            if let Some(waiting) = &mut self.deadline {
                waiting.taken = waiting.taken.saturating_add(piece.len() as u64);
            }
            sender.send_data(piece, last && data.is_empty()).map_err(|_| Reset)?;
        }
        if let Some(waiting) = &self.deadline {
            waiting.deadline.clear();
        }
        Ok(())
    }

    fn poll_room(&mut self, sender: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<usize, Reset>> {
        match sender.poll_capacity(cx) {
            Poll::Ready(Some(Ok(room))) => return Poll::Ready(Ok(room)),
            Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(Reset)),
            Poll::Pending => {}
        }
        if sender.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(Reset));
        }
        if self.is_too_slow(cx) {
            sender.send_reset(Reason::ENHANCE_YOUR_CALM);
            return Poll::Ready(Err(Reset));
        }
        Poll::Pending
    }

    /// A client that lets go a byte now and then is one that takes nothing; on a link that is full, all streams wait
    /// for each other, and the connection's own pace counts.
    fn is_too_slow(&mut self, cx: &Context<'_>) -> bool {
        let watch = self.live.watch();
        let waiting = self.deadline.get_or_insert_with(|| Waiting {
            deadline: self.link.worker.deadlines.register(),
            taken: 0,
            blocked: watch.blocked(),
        });
        let slow = waiting.deadline.fired()
            && waiting.taken < watch.progress_bytes_min()
            && waiting.blocked == watch.blocked();
        if !waiting.deadline.runs() {
            waiting.deadline.arm(watch.write_stall());
            waiting.taken = 0;
            waiting.blocked = watch.blocked();
        }
        waiting.deadline.watch(cx.waker());
        slow
    }
}

/// The one canonical head, or why there is none.
fn judge(parts: Parts, rules: &impl Rules, watch: &Watch) -> Result<Head, WireFault> {
    if parts.method == Method::CONNECT {
        // No code path leads from here to a tunnel (T16); the extended form was never offered (RFC 8441).
        return Err(WireFault { reason: portcullis_decision::Reason::RouteMethod, detail: "connect is not offered" });
    }
    let too_large = |detail| Err(WireFault { reason: portcullis_decision::Reason::WireHeadTooLarge, detail });
    if list_bytes(&parts.headers, &parts.uri) > usize::try_from(HEAD_LIST_BYTES_MAX).unwrap_or(usize::MAX) {
        return too_large("the head is too long");
    }
    if watch.heads_bytes() > HEADS_BYTES_MAX {
        return too_large("the heads of the open streams are too long together");
    }
    portcullis_wire::receive(parts, rules.limits(), rules.reserved())
}

/// The size of a head as RFC 9113 §6.5.2 counts it, to a few bytes.
pub(super) fn list_bytes(headers: &HeaderMap, uri: &Uri) -> usize {
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let fields = headers
        .iter()
        .map(|(name, value)| name.as_str().len().saturating_add(value.len()).saturating_add(FIELD_OVERHEAD_BYTES));
    fields.fold(target.saturating_add(authority), usize::saturating_add)
}
