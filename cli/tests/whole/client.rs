// SPDX-License-Identifier: Apache-2.0
//! A plain HTTP/1.1 client that sends exactly what it is told.

use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A request, one connection each.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str) -> Self {
        Self { method: method.into(), target: target.into(), headers: Vec::new(), body: None }
    }

    pub(crate) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(mut self, body: &str) -> Self {
        self.body = Some(body.as_bytes().to_vec());
        self.header("Content-Type", "application/json")
    }

    pub(crate) fn bytes(&self, host: SocketAddr) -> Vec<u8> {
        self.written(host, "Connection: close\r\n")
    }

    /// The same on a connection that is kept.
    pub(crate) fn keeping_bytes(&self, host: SocketAddr) -> Vec<u8> {
        self.written(host, "")
    }

    fn written(&self, host: SocketAddr, connection: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n{connection}", self.method, self.target);
        for (name, value) in &self.headers {
            head = head + name + ": " + value + "\r\n";
        }
        if let Some(body) = &self.body {
            head = head + "Content-Length: " + &body.len().to_string() + "\r\n";
        }
        let mut bytes = format!("{head}\r\n").into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    pub(crate) fn send(&self, to: SocketAddr) -> Answer {
        self.try_send(to).unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.target))
    }

    pub(crate) fn try_send(&self, to: SocketAddr) -> std::io::Result<Answer> {
        let raw = exchange(to, &self.bytes(to))?;
        Answer::parse(&raw, self.method == "HEAD")
            .ok_or_else(|| std::io::Error::other(format!("no answer in {} bytes", raw.len())))
    }
}

/// Sends bytes, reads until the other side closes.
pub(crate) fn exchange(to: SocketAddr, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(bytes)?;
    let mut raw = Vec::new();
    match stream.read_to_end(&mut raw) {
        Ok(_) => Ok(raw),
        // A close with unread input is a reset; what came before it counts.
        Err(_) if !raw.is_empty() => Ok(raw),
        Err(error) => Err(error),
    }
}

impl Answer {
    /// `None`: not a complete answer.
    pub(crate) fn parse(raw: &[u8], to_head: bool) -> Option<Self> {
        let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&raw[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Self { status, headers, body: raw[end + 4..].to_vec() };
        if to_head || status == 204 || status == 304 {
            return Some(answer);
        }
        if answer.header("transfer-encoding").is_some() {
            answer.body = unchunk(&answer.body)?;
        } else {
            let length: usize = answer.header("content-length")?.parse().ok()?;
            (answer.body.len() == length).then_some(())?;
        }
        Some(answer)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn id(&self) -> &str {
        self.header("request-id").expect("every answer has a Request-Id")
    }

    /// Everything but what names this one request: its id, the time and the counts.
    pub(crate) fn without_identity(&self) -> (u16, Vec<(String, String)>, String) {
        let id = self.id().to_owned();
        let mut headers = self.headers.clone();
        headers.retain(|(n, _)| !["request-id", "date", "ratelimit", "ratelimit-policy"].contains(&n.as_str()));
        headers.sort();
        (self.status, headers, String::from_utf8_lossy(&self.body).replace(&id, "ID"))
    }
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?.trim(), 16).ok()?;
        rest = rest.get(line + 2..)?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
