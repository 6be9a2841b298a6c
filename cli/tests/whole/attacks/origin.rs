// SPDX-License-Identifier: Apache-2.0
//! An upstream that records every request it understands and answers with bytes of the test's choice.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as the upstream understood it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

pub(super) struct Origin {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Origin {
    pub(super) fn start(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let all = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (all, answer) = (Arc::clone(&all), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream, &all, &*answer));
            }
        });
        Self { address, seen }
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(super) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

impl Seen {
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }
}

/// Ends with the connection; an answer without a length is ended by closing.
fn serve(stream: &TcpStream, all: &Mutex<Vec<Seen>>, answer: &dyn Fn(&Seen) -> Vec<u8>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let request = read(&mut reader)?;
        all.lock().unwrap().push(request.clone());
        let bytes = answer(&request);
        let mut out = stream;
        out.write_all(&bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if !text.contains("content-length") && !text.contains("chunked") && !text.contains(" 204 ") {
            stream.shutdown(std::net::Shutdown::Both).ok()?;
            return None;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let mut seen = Seen { method: words.next()?.into(), target: words.next()?.into(), ..Seen::default() };
    assert_eq!((words.next(), words.next()), (Some("HTTP/1.1"), None), "{first}");
    loop {
        let field = line(reader)?;
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':').unwrap();
        seen.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if let [coding] = seen.all("transfer-encoding")[..] {
        assert_eq!((coding, seen.all("content-length").len()), ("chunked", 0));
        loop {
            let size = usize::from_str_radix(&line(reader)?, 16).unwrap();
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            seen.body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                return Some(seen);
            }
        }
    }
    let length = seen.all("content-length").first().map_or(0, |digits| digits.parse().unwrap());
    seen.body.resize(length, 0);
    reader.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

fn line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut text = String::new();
    reader.read_line(&mut text).ok().filter(|n| *n > 0)?;
    Some(text.strip_suffix("\r\n")?.to_owned())
}

/// An answer with a length.
pub(super) fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

pub(super) const JSON: &str = "Content-Type: application/json\r\n";
pub(super) const NOTE: &[u8] = br#"{"id":1,"author":"alice","text":"t"}"#;

/// A notes API that does what it is told; every note is the first of alice.
pub(super) fn notes(seen: &Seen) -> Vec<u8> {
    let tagged = format!("{JSON}ETag: \"v1\"\r\n");
    match (seen.method.as_str(), seen.target.split(['/', '?']).nth(1).unwrap_or_default()) {
        ("DELETE", _) => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
        ("POST", "uploads") => answer("200 OK", JSON, format!("{{\"bytes\":{}}}", seen.body.len()).as_bytes()),
        ("POST", _) => answer("201 Created", JSON, NOTE),
        (_, "exports") => answer("200 OK", "Content-Type: text/plain\r\n", b"a,b\n"),
        (_, "notes") if seen.target.matches('/').count() == 1 => {
            answer("200 OK", JSON, &[b"[".as_slice(), NOTE, b"]"].concat())
        }
        _ => answer("200 OK", &tagged, NOTE),
    }
}
