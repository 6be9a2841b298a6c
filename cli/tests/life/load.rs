// SPDX-License-Identifier: Apache-2.0
//! Clients that keep their connections and notice everything: a refused or reset connection, an answer cut off, a status
//! they did not ask for.

use crate::client::{Answer, Request};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the clients saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// The complete answers: request id, and what the `RateLimit-Policy` said.
    pub(crate) answered: Vec<(String, String)>,
    /// Whatever else came, in words.
    pub(crate) failed: Vec<String>,
    /// The longest any request took.
    pub(crate) slowest: Duration,
}

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts clients; each rests for `pause` after an answer.
    pub(crate) fn start(clients: usize, to: SocketAddr, request: &Request, pause: Duration) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let bytes: Vec<u8> = request.keeping_bytes(to);
        let client = || {
            let (stop, seen, bytes) = (Arc::clone(&stop), Arc::clone(&seen), bytes.clone());
            std::thread::spawn(move || work(to, &bytes, pause, &stop, &seen))
        };
        let clients = (0..clients).map(|_| client()).collect();
        Self { stop, seen, clients }
    }

    /// Stops the clients after the request each is at.
    pub(crate) fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.join().unwrap();
        }
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

#[expect(clippy::disallowed_methods, reason = "a client measures how long it waits")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn work(to: SocketAddr, bytes: &[u8], pause: Duration, stop: &AtomicBool, seen: &Mutex<Seen>) {
    let mut connection: Option<TcpStream> = None;
    while !stop.load(Ordering::SeqCst) {
        let began = now();
        let outcome = exchange(&mut connection, to, bytes);
        let took = began.elapsed();
        {
            let mut seen = seen.lock().unwrap();
            seen.slowest = seen.slowest.max(took);
            match outcome {
                Ok(answer) if answer.status == 200 => {
                    let policy = answer.header("ratelimit-policy").unwrap_or_default().to_owned();
                    seen.answered.push((answer.id().to_owned(), policy));
                }
                Ok(answer) => seen.failed.push(format!("status {}", answer.status)),
                Err(error) => {
                    connection = None;
                    seen.failed.push(error);
                }
            }
        }
        std::thread::sleep(pause);
    }
}

/// One request on the kept connection, or on a new one.
fn exchange(connection: &mut Option<TcpStream>, to: SocketAddr, bytes: &[u8]) -> Result<Answer, String> {
    let kept = connection.is_some();
    let mut stream = if let Some(stream) = connection.take() {
        stream
    } else {
        let stream = TcpStream::connect_timeout(&to, Duration::from_secs(10)).map_err(|e| format!("connect: {e}"))?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    };
    stream.write_all(bytes).map_err(|e| format!("write (kept {kept}): {e}"))?;
    let answer = read(&mut stream).map_err(|e| format!("read (kept {kept}): {e}"))?;
    if answer.header("connection") != Some("close") {
        *connection = Some(stream);
    }
    Ok(answer)
}

/// Reads one answer with a length.
fn read(stream: &mut TcpStream) -> std::io::Result<Answer> {
    let mut raw = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(answer) = Answer::parse(&raw, false) {
            return Ok(answer);
        }
        match stream.read(&mut buffer)? {
            0 => return Err(std::io::Error::new(ErrorKind::UnexpectedEof, format!("after {} bytes", raw.len()))),
            n => raw.extend_from_slice(&buffer[..n]),
        }
    }
}
