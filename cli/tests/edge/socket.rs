// SPDX-License-Identifier: Apache-2.0
//! A client that sends exactly what it is told, from an address of its own, and reads answers without leniency.
//!
//! Every connection comes from another address of 127.0.0.0/8, so that each record of the trail and each request at an
//! origin belongs to exactly one connection, and caps by address never disturb.

use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// 127.16.0.1, and so on upwards.
static NEXT_ADDRESS: AtomicU32 = AtomicU32::new(0x7f10_0001);

/// An address no connection of this process came from before.
pub(crate) fn fresh_address() -> Ipv4Addr {
    Ipv4Addr::from_bits(NEXT_ADDRESS.fetch_add(1, Ordering::Relaxed))
}

/// Connects from an address of this machine.
pub(crate) fn connect(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&to.into())?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

/// An answer as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) head: String,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn says_close(&self) -> bool {
        self.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// What a read met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// An answer that is complete.
    Answer,
    /// The end of the connection: closed.
    Closed,
    /// The end of the connection: reset.
    Reset,
    /// Nothing until the time was up.
    Silence,
    /// Bytes that are no answer.
    Garbage,
}

/// One connection and what came back on it.
pub(crate) struct Dialogue {
    stream: TcpStream,
    held: Vec<u8>,
    /// Final answers, in order.
    pub(crate) answers: Vec<Answer>,
    /// Statuses of interim answers.
    pub(crate) interim: Vec<u16>,
    /// Answers without a body whatever they say: those to HEAD.
    pub(crate) bodiless: bool,
    /// Whether a refused request may have been HEAD, which only the gate's answer tells: it ends with its head.
    pub(crate) may_be_head: bool,
}

impl Dialogue {
    pub(crate) fn open(from: Ipv4Addr, to: SocketAddr) -> std::io::Result<Self> {
        let stream = connect(from, to)?;
        Ok(Self {
            stream,
            held: Vec::new(),
            answers: Vec::new(),
            interim: Vec::new(),
            bodiless: false,
            may_be_head: false,
        })
    }

    /// Sends; a gate that closed already is no fault of the client.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.set_write_timeout(Some(Duration::from_secs(10))).ok();
        self.stream.write_all(bytes).ok();
    }

    pub(crate) fn half_close(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).ok();
    }

    /// Reads until there are `wanted` final answers, or something else happens.
    #[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
    pub(crate) fn read(&mut self, wanted: usize, patience: Duration) -> Met {
        let until = Instant::now() + patience;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if self.answers.len() >= wanted {
                return Met::Answer;
            }
            match self.take_answer() {
                Some(true) => continue,
                Some(false) => return Met::Garbage,
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Met::Silence;
            }
            self.stream.set_read_timeout(Some(left)).unwrap();
            match self.stream.read(&mut buffer) {
                Ok(0) if self.held.is_empty() => return Met::Closed,
                Ok(0) if self.may_be_head && self.held.ends_with(b"\r\n\r\n") && !self.bodiless => self.bodiless = true,
                Ok(0) => return Met::Garbage,
                Ok(read) => self.held.extend_from_slice(&buffer[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Met::Silence;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Met::Reset,
            }
        }
    }

    /// Waits for an interim answer, or for whatever else comes first.
    pub(crate) fn await_interim(&mut self, patience: Duration) {
        let mut buffer = vec![0; 16 * 1024];
        self.stream.set_read_timeout(Some(patience)).unwrap();
        while self.interim.is_empty() && self.answers.is_empty() {
            match self.stream.read(&mut buffer) {
                Ok(read) if read > 0 => self.held.extend_from_slice(&buffer[..read]),
                _ => return,
            }
            if self.take_answer() == Some(false) {
                return;
            }
        }
    }

    /// Bytes that came and are no complete answer yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.held
    }

    /// Takes one final answer, and interim ones before it; `Some(false)`: what stands there is none.
    fn take_answer(&mut self) -> Option<bool> {
        loop {
            let end = match self.held.windows(4).position(|w| w == b"\r\n\r\n") {
                Some(end) => end,
                None if looks_like_an_answer(&self.held) => return None,
                None => return Some(false),
            };
            let Some(mut answer) = head(&self.held[..end]) else { return Some(false) };
            if answer.status < 200 {
                self.interim.push(answer.status);
                self.held.drain(..end + 4);
                continue;
            }
            let mut at = end + 4;
            match body(&self.held, &mut at, &answer, self.bodiless)? {
                Ok(body) => answer.body = body,
                Err(()) => return Some(false),
            }
            self.held.drain(..at);
            self.answers.push(answer);
            return Some(true);
        }
    }
}

fn looks_like_an_answer(bytes: &[u8]) -> bool {
    let start = b"HTTP/1.";
    let shared = bytes.len().min(start.len());
    bytes[..shared] == start[..shared]
}

fn head(bytes: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let first = lines.next()?;
    let rest = first.strip_prefix("HTTP/1.1 ").or_else(|| first.strip_prefix("HTTP/1.0 "))?;
    let status = rest.get(..3)?.parse().ok()?;
    let mut answer = Answer { status, head: text.to_owned(), ..Answer::default() };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        if name.is_empty() || line.contains(['\r', '\n']) || name.contains(' ') {
            return None;
        }
        answer.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(answer)
}

/// `None`: more is needed. `Err`: no body that has one reading.
fn body(bytes: &[u8], at: &mut usize, answer: &Answer, bodiless: bool) -> Option<Result<Vec<u8>, ()>> {
    if bodiless || matches!(answer.status, 204 | 304) {
        return Some(Ok(Vec::new()));
    }
    match (answer.field("content-length"), answer.field("transfer-encoding")) {
        (Some(length), None) => {
            let Ok(length) = length.parse::<usize>() else { return Some(Err(())) };
            let body = bytes.get(*at..*at + length)?.to_vec();
            *at += length;
            Some(Ok(body))
        }
        (None, Some("chunked")) => {
            let mut body = Vec::new();
            loop {
                let line = bytes.get(*at..)?.windows(2).position(|w| w == b"\r\n")?;
                let Ok(size) = usize::from_str_radix(&String::from_utf8_lossy(&bytes[*at..*at + line]), 16) else {
                    return Some(Err(()));
                };
                *at += line + 2;
                body.extend_from_slice(bytes.get(*at..*at + size)?);
                if bytes.get(*at + size..*at + size + 2)? != b"\r\n" {
                    return Some(Err(()));
                }
                *at += size + 2;
                if size == 0 {
                    return Some(Ok(body));
                }
            }
        }
        _ => Some(Err(())),
    }
}
