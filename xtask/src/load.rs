// SPDX-License-Identifier: Apache-2.0
//! The two ends of a measurement: an upstream that always answers the same, and a client that asks one thing after another.
//!
//! Blocking, standard library only: nothing has to be installed, and nothing that is measured depends on a runtime.

pub(crate) mod paced;

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// No exchange of a measurement takes this long, under valgrind neither.
const PATIENCE: Duration = Duration::from_mins(1);

/// What one end sent: the head's first line, and the body.
pub(crate) struct Message {
    pub(crate) first_line: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The status of an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        self.first_line.split(' ').nth(1)?.parse().ok()
    }
}

/// Answers every request on every connection with `body`; ends with the process. The port is the answer.
pub(crate) fn upstream(body: &[u8]) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let answer = answer(body);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // A connection that breaks ends its thread; the client notices what is missing.
            std::thread::spawn(move || serve(stream, &answer, || ()));
        }
    });
    Ok(port)
}

/// An answer with this body, as bytes.
fn answer(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Works on each request of a connection, and answers it.
fn serve(stream: TcpStream, answer: &[u8], work: impl Fn()) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while read(&mut reader)?.is_some() {
        work();
        writer.write_all(answer)?;
    }
    Ok(())
}

/// One message with a `Content-Length` or without a body; nothing where the other side closed between two.
fn read(reader: &mut BufReader<TcpStream>) -> Result<Option<Message>> {
    let mut first_line = String::new();
    if reader.read_line(&mut first_line)? == 0 {
        return Ok(None);
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            bail!("the connection ended inside a head");
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').with_context(|| format!("a field without a colon: {line}"))?;
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().with_context(|| line.to_owned())?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("a measurement sends lengths, not `{line}`");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Message { first_line: first_line.trim_end().to_owned(), body }))
}

/// One connection, one request at a time.
pub(crate) struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let writer = TcpStream::connect(("127.0.0.1", port))?;
        writer.set_nodelay(true)?;
        writer.set_read_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(writer.try_clone()?);
        Ok(Self { writer, reader })
    }

    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Message> {
        self.writer.write_all(request)?;
        read(&mut self.reader)?.context("the connection was closed instead of an answer")
    }
}

/// A request as bytes: `GET` without a body, `POST` with one.
pub(crate) fn request(path: &str, authorization: Option<&str>, body: Option<&[u8]>) -> Vec<u8> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let token = authorization.map(|t| format!("Authorization: Bearer {t}\r\n")).unwrap_or_default();
    let about =
        body.map(|b| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", b.len())).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}{about}\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    bytes
}
