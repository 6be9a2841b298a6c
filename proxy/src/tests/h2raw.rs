// SPDX-License-Identifier: Apache-2.0
//! An HTTP/2 client that sends frames, sensible or not, and tells what came back. It knows no more of the protocol
//! than that: every frame is the test's own.

#[path = "h2raw/hpack.rs"]
mod hpack;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RESET: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;
pub(crate) const PRIORITIZED: u8 = 0x20;
/// Error codes of RFC 9113 §7.
pub(crate) const NO_ERROR: u32 = 0x0;
pub(crate) const PROTOCOL_ERROR: u32 = 0x1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 0x3;
pub(crate) const STREAM_CLOSED: u32 = 0x5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 0x6;
pub(crate) const CANCEL: u32 = 0x8;
pub(crate) const COMPRESSION_ERROR: u32 = 0x9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 0xb;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A field of a head, name and value.
pub(crate) type Field<'a> = (&'a str, &'a str);

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The error code of a `RST_STREAM` or GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

/// A frame as it goes over the wire.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A header block of literals that leave no trace in the table.
pub(crate) fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        hpack::string(&mut bytes, name);
        hpack::string(&mut bytes, value);
    }
    bytes
}

/// A field that both sides remember as the newest of their tables.
pub(crate) fn remembered((name, value): Field<'_>) -> Vec<u8> {
    let mut bytes = vec![0x40];
    hpack::string(&mut bytes, name);
    hpack::string(&mut bytes, value);
    bytes
}

/// The pseudo-fields of a request.
pub(crate) fn pseudo<'a>(method: &'a str, path: &'a str) -> [Field<'a>; 4] {
    [(":method", method), (":scheme", "http"), (":authority", "a.example"), (":path", path)]
}

/// A whole header block in one frame.
pub(crate) fn headers(stream: u32, flags: u8, fields: &[Field<'_>]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, &block(fields))
}

/// A request without a body.
pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    headers(stream, END_STREAM, &pseudo("GET", path))
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RESET, 0, stream, &code.to_be_bytes())
}

pub(crate) fn window(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes())
}

/// One setting.
pub(crate) fn setting(id: u16, value: u32) -> Vec<u8> {
    let mut payload = id.to_be_bytes().to_vec();
    payload.extend_from_slice(&value.to_be_bytes());
    frame(SETTINGS, 0, 0, &payload)
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With an answer that is whole.
    Whole,
    /// By `RST_STREAM`.
    Reset(u32),
    /// With the connection: the code of GOAWAY.
    GoAway(u32),
    /// With the connection, without a word.
    Closed,
}

/// What came back on one stream.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) end: End,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection.
pub(crate) struct H2 {
    stream: TcpStream,
    /// Frames that were read while looking for others.
    waiting: Vec<Frame>,
}

impl H2 {
    /// A connection with a preface and settings that keep the other side's compression without a memory.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let mut client = Self::silent(address);
        client.send([PREFACE.to_vec(), setting(1, 0)].concat());
        client
    }

    /// A connection on which nothing was said.
    pub(crate) fn silent(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, waiting: Vec::new() }
    }

    /// The other side of a connection: reads the preface and sends settings, with which the client's compression has
    /// no memory, and `more` of them.
    pub(crate) fn accept(stream: TcpStream, more: &[(u16, u32)]) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut server = Self { stream, waiting: Vec::new() };
        let mut preface = [0; 24];
        server.stream.read_exact(&mut preface).unwrap();
        assert_eq!(preface, PREFACE);
        let mut payload = Vec::new();
        for (id, value) in [(1, 0)].iter().chain(more) {
            payload.extend_from_slice(&u16::to_be_bytes(*id));
            payload.extend_from_slice(&u32::to_be_bytes(*value));
        }
        server.send(frame(SETTINGS, 0, 0, &payload)).send(frame(SETTINGS, ACK, 0, b""));
        server
    }

    /// The head of the next request, `None` at the end; what is no head is passed over.
    pub(crate) fn request(&mut self) -> Option<(u32, Vec<(String, String)>)> {
        self.find(|frame| frame.kind == HEADERS).map(|frame| (frame.stream, hpack::fields(&frame.payload)))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.try_send(bytes).unwrap();
        self
    }

    /// Sends what may find nobody any more.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// The next frame, from the wire; `None` at the end.
    fn receive(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                panic!("nothing came in time")
            }
            Err(_) => return None,
        }
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]).try_into().unwrap()];
        self.stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes(head[5..].try_into().unwrap());
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The next frame that `wanted` takes, in order; others wait for their turn.
    pub(crate) fn find(&mut self, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        if let Some(at) = self.waiting.iter().position(&wanted) {
            return Some(self.waiting.remove(at));
        }
        loop {
            let frame = self.receive()?;
            if wanted(&frame) {
                return Some(frame);
            }
            self.waiting.push(frame);
        }
    }

    /// What comes back on a stream, to its end or the connection's.
    pub(crate) fn answer(&mut self, stream: u32) -> Answer {
        let mut answer =
            Answer { status: 0, fields: Vec::new(), trailers: Vec::new(), body: Vec::new(), end: End::Closed };
        while let Some(frame) = self.find(|frame| frame.stream == stream || frame.kind == GOAWAY) {
            match frame.kind {
                // A farewell that lets this stream be finished is not its end.
                GOAWAY if frame.code() == NO_ERROR => continue,
                GOAWAY => answer.end = End::GoAway(frame.code()),
                RESET => answer.end = End::Reset(frame.code()),
                HEADERS if answer.status == 0 => {
                    answer.fields = hpack::fields(&frame.payload);
                    answer.status = answer.field(":status").unwrap().parse().unwrap();
                }
                HEADERS => answer.trailers = hpack::fields(&frame.payload),
                DATA => answer.body.extend_from_slice(&frame.payload),
                _ => continue,
            }
            if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM == 0 {
                continue;
            }
            if matches!(frame.kind, HEADERS | DATA) {
                answer.end = End::Whole;
            }
            return answer;
        }
        answer
    }

    /// One request without a body and what comes back.
    pub(crate) fn fetch(&mut self, stream: u32, fields: &[Field<'_>]) -> Answer {
        if self.try_send(headers(stream, END_STREAM, fields)).is_err() {
            // The farewell may still be there to be read.
            return self.answer(stream);
        }
        self.answer(stream)
    }

    /// Every frame until the other side closes.
    pub(crate) fn rest(&mut self) -> Vec<Frame> {
        let mut frames = std::mem::take(&mut self.waiting);
        frames.extend(std::iter::from_fn(|| self.receive()));
        frames
    }

    /// The code of the last GOAWAY before the other side closes; `None`: it closed without a word.
    pub(crate) fn farewell(&mut self) -> Option<u32> {
        self.rest().iter().rev().find(|frame| frame.kind == GOAWAY).map(Frame::code)
    }

    pub(crate) fn try_clone(&self) -> Self {
        Self { stream: self.stream.try_clone().unwrap(), waiting: Vec::new() }
    }
}
