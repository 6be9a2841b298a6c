// SPDX-License-Identifier: Apache-2.0
//! An upstream that keeps every byte it is sent, reads it without leniency, and answers what the target asks for.

use crate::strict::{self, Message, Reading};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Something that reached the upstream.
#[derive(Clone, Debug)]
pub(crate) enum Arrival {
    /// A request, whole.
    Whole(Message),
    /// The connection ended inside a request; its head, when that was whole, and the bytes that came.
    CutShort(Option<Message>, Vec<u8>),
    /// Bytes no strict reader takes for a request.
    Unreadable(&'static str, Vec<u8>),
    /// A request on a connection that no request may use any more.
    Reused(String),
}

/// What happens to the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It takes the next request.
    Keep,
    /// It is closed.
    Close,
    /// It stays open, and any further request on it is [`Arrival::Reused`].
    Poisoned,
}

/// Bytes sent as an answer, and what follows.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: Then,
}

/// Answers a request; the request has arrived whole.
pub(crate) type Script = dyn Fn(&Message) -> Reply + Send + Sync;

pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

impl Origin {
    pub(crate) fn start(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let arrivals = Arc::new(Mutex::new(Vec::new()));
        let (all, script): (_, Arc<Script>) = (Arc::clone(&arrivals), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, script) = (Arc::clone(&all), Arc::clone(&script));
                std::thread::spawn(move || serve(&stream, &all, &*script));
            }
        });
        Self { address, arrivals }
    }

    /// What arrived since the last call.
    pub(crate) fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut *self.arrivals.lock().unwrap())
    }

    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, all: &Mutex<Vec<Arrival>>, script: &Script) {
    let keep = |arrival| all.lock().unwrap().push(arrival);
    let (mut held, mut buffer, mut poisoned) = (Vec::new(), vec![0; 64 * 1024], false);
    let mut source = stream;
    stream.set_nodelay(true).ok();
    loop {
        match strict::read(&held) {
            Reading::Complete(message, used) => {
                held.drain(..used);
                if poisoned {
                    keep(Arrival::Reused(message.target.clone()));
                }
                keep(Arrival::Whole((*message).clone()));
                let reply = script(&message);
                let written = source.write_all(&reply.bytes);
                if written.is_err() || reply.then == Then::Close {
                    stream.shutdown(Shutdown::Both).ok();
                    return;
                }
                poisoned |= reply.then == Then::Poisoned;
                continue;
            }
            Reading::Malformed(why) => {
                keep(Arrival::Unreadable(why, held));
                stream.shutdown(Shutdown::Both).ok();
                return;
            }
            Reading::Partial(_) => {}
        }
        match source.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(read) => held.extend_from_slice(&buffer[..read]),
        }
    }
    if !held.is_empty() {
        let begun = if let Reading::Partial(Some(message)) = strict::read(&held) { Some(*message) } else { None };
        keep(Arrival::CutShort(begun, held));
    }
}

/// An answer with a length.
pub(crate) fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";

/// Tells the client what was understood.
pub(crate) fn echo(message: &Message) -> Reply {
    let said = serde_json::json!({
        "method": message.method,
        "target": message.target,
        "length": message.body.len(),
        "request": message.one("request-id").unwrap_or_default(),
        "owner": "alice",
        "id": "1",
    });
    if message.target.contains("/slow") {
        std::thread::sleep(Duration::from_millis(300));
    }
    Reply { bytes: answer("200 OK", JSON, said.to_string().as_bytes()), then: Then::Keep }
}
