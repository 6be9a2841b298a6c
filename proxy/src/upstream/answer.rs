// SPDX-License-Identifier: Apache-2.0
//! The body of an upstream's answer: passed on or broken off, never shortened (F28).

use crate::upstream::course::{Answered, Via};
use crate::upstream::h2::{self, Piece};
use crate::upstream::line::Line;
use crate::upstream::outgoing::OutgoingBody;
use crate::upstream::passage::{Outcome, Passage};
use crate::upstream::pool;
use crate::worker::Worker;
use bytes::{Buf, Bytes};
use http::{HeaderMap, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use portcullis_pipeline::BodyFault;
use portcullis_wire::{AnswerFraming, AnswerHead, ChunkReader, Piece as Chunk};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// The body of an answer. It owns the connection: given back at the end, closed when dropped early.
#[derive(Debug)]
pub struct ResponseBody(State);

#[derive(Debug)]
enum State {
    Open(Box<Open>),
    /// A stream of an HTTP/2 connection.
    Stream(Box<Streaming>),
    /// All of it was here with its head, and the connection went back.
    Whole(Bytes),
    Ended,
    /// Broken off, and why.
    Broken(Why),
}

/// Why a body broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    TimedOut,
    Upstream,
    /// The request, whose rest was still to come.
    Client,
}

#[derive(Debug)]
struct Streaming {
    open: h2::Open,
    passage: Passage,
}

struct Open {
    line: Box<Line>,
    passage: Passage,
    content: Content,
    /// The request, where the answer came before its end.
    upload: OutgoingBody,
    keeps_alive: bool,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").field("line", &self.line).field("content", &self.content).finish_non_exhaustive()
    }
}

/// What is left of a body.
#[derive(Debug)]
enum Content {
    Length(u64),
    Chunked {
        reader: ChunkReader,
        /// Bytes of the current chunk that are in the buffer.
        here: usize,
    },
    UntilClose,
    /// What came is no chunk.
    Malformed,
}

/// What the buffer held.
enum Taken {
    Data(Bytes),
    NeedMore,
    End,
}

/// The framing of the body is broken.
struct Malformed;

impl ResponseBody {
    /// The answer, with the connection that its body comes from.
    pub(crate) fn of(answered: Answered, passage: Passage) -> Response<Self> {
        let Answered { head, via, left } = answered;
        let (mut line, upload) = match via {
            Via::One { line, upload } => (line, upload),
            Via::Two(open) => {
                let AnswerHead { status, headers, .. } = head;
                return respond((status, headers), Self::streaming(open, passage));
            }
        };
        line.step.clear();
        let state = match head.framing {
            AnswerFraming::Length(length) if length > line.buffer.len() as u64 => Ok(Content::Length(length)),
            AnswerFraming::Length(length) => Err(usize::try_from(length).unwrap_or_default()),
            AnswerFraming::None => Err(0),
            AnswerFraming::Chunked => Ok(Content::Chunked { reader: ChunkReader::new(), here: 0 }),
            AnswerFraming::UntilClose => Ok(Content::UntilClose),
        };
        let state = match state {
            Ok(content) => {
                // Cleared while an upload waited for its client; from here on it is the upstream's time.
                if !line.total.runs() && !line.total.fired() {
                    line.total.arm(left);
                }
                State::Open(Box::new(Open { line, passage, content, upload, keeps_alive: head.keeps_alive }))
            }
            Err(length) => {
                let bytes = line.buffer.split_to(length.min(line.buffer.len())).freeze();
                if head.keeps_alive && line.is_reusable() {
                    pool::release(line, &passage);
                }
                if bytes.is_empty() { State::Ended } else { State::Whole(bytes) }
            }
        };
        respond((head.status, head.headers), Self(state))
    }

    fn streaming(open: h2::Open, passage: Passage) -> Self {
        if open.is_end() { Self(State::Ended) } else { Self(State::Stream(Box::new(Streaming { open, passage }))) }
    }

    /// From here on the time of the whole does not count: whoever passes the body on keeps its time. Answers on which
    /// core that is, and what the time was; `None`: nothing more comes.
    pub(crate) fn untime(&mut self) -> Option<(Arc<Worker>, Duration)> {
        let (deadline, worker, passage) = match &self.0 {
            State::Open(open) => (&open.line.total, &open.line.worker, &open.passage),
            State::Stream(streaming) => (streaming.open.total(), streaming.open.worker(), &streaming.passage),
            State::Whole(_) | State::Ended | State::Broken(_) => return None,
        };
        deadline.clear();
        Some((Arc::clone(worker), passage.upstream().ok()?.config.total))
    }

    /// Why the body broke off, if it did.
    pub(crate) fn broken(&self) -> Option<Why> {
        match self.0 {
            State::Broken(why) => Some(why),
            State::Open(_) | State::Stream(_) | State::Whole(_) | State::Ended => None,
        }
    }

    fn end(&mut self) {
        if let State::Open(open) = std::mem::replace(&mut self.0, State::Ended)
            && open.keeps_alive
            && open.line.is_reusable()
        {
            pool::release(open.line, &open.passage);
        }
    }

    /// The connection closes.
    fn break_off(&mut self, why: Why) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match std::mem::replace(&mut self.0, State::Broken(why)) {
            _ if why == Why::Client => {}
            State::Open(mut open) => open.passage.tell(Outcome::Bad, None, &open.line.worker),
            State::Stream(mut streaming) => streaming.passage.tell(Outcome::Bad, None, streaming.open.worker()),
            State::Whole(_) | State::Ended | State::Broken(_) => {}
        }
        Poll::Ready(Some(Err(BodyFault::Aborted)))
    }
}

impl Open {
    /// The next piece; whether the time was up where there is none.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Why>> {
        if self.line.total.fired() {
            return Poll::Ready(Err(Why::TimedOut));
        }
        if self.line.is_sending() && self.line.poll_send(&mut self.upload, None, cx).is_err() {
            // Without the rest of its request an answer is worth nothing, and the client knows why.
            return Poll::Ready(Err(Why::Client));
        }
        loop {
            match self.take().map_err(|Malformed| Why::Upstream)? {
                Taken::Data(data) => return Poll::Ready(Ok(Some(data))),
                Taken::End => return Poll::Ready(Ok(None)),
                Taken::NeedMore => {}
            }
            let expected = match self.content {
                Content::Length(left) => left,
                Content::Chunked { .. } | Content::UntilClose | Content::Malformed => u64::MAX,
            };
            let Poll::Ready(read) = self.line.poll_fill(expected, cx) else {
                self.line.total.watch(cx.waker());
                return Poll::Pending;
            };
            match (read, &self.content) {
                (Ok(0), Content::UntilClose) => return Poll::Ready(Ok(None)),
                (Ok(0) | Err(_), _) => return Poll::Ready(Err(Why::Upstream)),
                (Ok(_), _) => {}
            }
        }
    }

    /// Takes content off the buffer.
    fn take(&mut self) -> Result<Taken, Malformed> {
        let buffer = &mut self.line.buffer;
        let bytes = match &mut self.content {
            Content::Length(0) => return Ok(Taken::End),
            Content::Length(left) => {
                let bytes = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
                *left = left.saturating_sub(bytes as u64);
                bytes
            }
            Content::UntilClose => buffer.len(),
            Content::Malformed => return Err(Malformed),
            Content::Chunked { reader, here } => {
                if *here == 0 && next_chunk(reader, buffer, here)? {
                    return Ok(Taken::End);
                }
                std::mem::take(here)
            }
        };
        if bytes == 0 { Ok(Taken::NeedMore) } else { Ok(Taken::Data(buffer.split_to(bytes).freeze())) }
    }

    /// Whether it is known that nothing more comes.
    fn is_end(&mut self) -> bool {
        match &mut self.content {
            Content::Length(left) => *left == 0,
            Content::UntilClose | Content::Malformed | Content::Chunked { here: 1.., .. } => false,
            Content::Chunked { reader, here } => {
                let end = next_chunk(reader, &mut self.line.buffer, here);
                // What is wrong behind a piece is told when the next is asked for.
                end.unwrap_or_else(|Malformed| {
                    self.content = Content::Malformed;
                    false
                })
            }
        }
    }
}

/// Reads framing up to the next content, or to the end of the body.
fn next_chunk(reader: &mut ChunkReader, buffer: &mut bytes::BytesMut, here: &mut usize) -> Result<bool, Malformed> {
    let pieces = reader.read(buffer).map_err(|_| Malformed)?;
    buffer.advance(pieces.framing);
    match pieces.piece {
        Chunk::NeedMore => Ok(false),
        Chunk::Data(bytes) => {
            *here = bytes;
            Ok(false)
        }
        Chunk::End => Ok(true),
    }
}

fn respond((status, headers): (StatusCode, HeaderMap), body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = &mut *self;
        match &mut this.0 {
            State::Ended | State::Broken(_) => Poll::Ready(None),
            State::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                this.0 = State::Ended;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            State::Stream(streaming) => match ready!(streaming.open.poll(cx)) {
                Ok(Piece::Data(data)) => {
                    if streaming.open.is_end() {
                        this.0 = State::Ended;
                    }
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Ok(Piece::Trailers(trailers)) => {
                    this.0 = State::Ended;
                    Poll::Ready(Some(Ok(Frame::trailers(trailers))))
                }
                Ok(Piece::End) => {
                    this.0 = State::Ended;
                    Poll::Ready(None)
                }
                Err(why) => this.break_off(why),
            },
            State::Open(open) => match ready!(open.poll_data(cx)) {
                Ok(Some(data)) => {
                    if open.is_end() {
                        this.end();
                    }
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Ok(None) => {
                    this.end();
                    Poll::Ready(None)
                }
                Err(why) => this.break_off(why),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, State::Ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            State::Open(open) => match open.content {
                Content::Length(left) => SizeHint::with_exact(left),
                Content::Chunked { .. } | Content::UntilClose | Content::Malformed => SizeHint::default(),
            },
            State::Stream(streaming) => streaming.open.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            State::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            State::Ended | State::Broken(_) => SizeHint::with_exact(0),
        }
    }
}
