// SPDX-License-Identifier: Apache-2.0
//! The origins of the oracle, each on a parser of its own, and what they say they understood.

use crate::origin::{Arrival, Origin, echo};
use crate::strict::Message;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A line of an origin: what it met.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// A request, whole.
    Understood { id: String, method: String, target: String, length: usize },
    /// A request that ended too early.
    CutShort { id: String },
    /// Bytes its parser refused.
    Refused(String),
}

/// Where an origin writes what it met.
enum Notes {
    File { path: PathBuf, read_to: u64 },
    Memory(Arc<Mutex<Vec<Said>>>),
    Recorder(Origin, usize),
}

pub(super) struct Reader {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    notes: Notes,
    child: Option<Child>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Every origin this machine has; what is absent is named.
pub(super) fn start(directory: &Path) -> Vec<Reader> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge/smuggle/origins");
    let script = |name, program: &str, file: &str| scripted(name, program, &scripts.join(file), directory);
    let mut readers = vec![
        recorder(),
        on_hyper(),
        script("node", "node", "node.mjs"),
        script("http.server", &python(), "http_server.py"),
        script("h11", &python(), "h11_origin.py"),
        script("aiohttp", &python(), "aiohttp_origin.py"),
    ];
    match nginx(directory) {
        Some(reader) => readers.push(reader),
        None => println!("not run: t24_nginx, because nginx is not installed"),
    }
    readers
}

fn python() -> String {
    std::env::var("PORTCULLIS_TEST_PYTHON").unwrap_or_else(|_| {
        let prepared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-python/bin/python3");
        if prepared.exists() { prepared.display().to_string() } else { "python3".to_owned() }
    })
}

fn scripted(name: &'static str, program: &str, script: &Path, directory: &Path) -> Reader {
    let path = directory.join(format!("{name}.log"));
    let mut child = Command::new(program)
        .arg(script)
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let Ok(port) = line.trim().parse::<u16>() else {
        panic!("{name} did not start; `cargo xtask test` installs what it imports")
    };
    Reader {
        name,
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        notes: Notes::File { path, read_to: 0 },
        child: Some(child),
    }
}

fn nginx(directory: &Path) -> Option<Reader> {
    // Free a moment ago; nobody else here asks for ports meanwhile.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let path = directory.join("nginx.log");
    let config = include_str!("origins/nginx.conf")
        .replace("{DIRECTORY}", &directory.display().to_string())
        .replace("{LOG}", &path.display().to_string())
        .replace("{PORT}", &address.port().to_string());
    let file = directory.join("nginx.conf");
    std::fs::write(&file, config).unwrap();
    let child =
        Command::new("nginx").arg("-p").arg(directory).arg("-c").arg(&file).stderr(Stdio::null()).spawn().ok()?;
    for _ in 0..100 {
        if std::net::TcpStream::connect(address).is_ok() {
            let notes = Notes::File { path, read_to: 0 };
            return Some(Reader { name: "nginx", address, notes, child: Some(child) });
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("nginx is installed and did not start")
}

/// The strict origin of the corpus.
fn recorder() -> Reader {
    let origin = Origin::start(echo);
    Reader { name: "strict", address: origin.address, notes: Notes::Recorder(origin, 0), child: None }
}

/// hyper's own server, in this process.
fn on_hyper() -> Reader {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let notes = Notes::Memory(Arc::clone(&said));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let local = tokio::task::LocalSet::new();
            local
                .run_until(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        let said = Arc::clone(&said);
                        tokio::task::spawn_local(async move {
                            let service = service_fn(|request| understand(request, Arc::clone(&said)));
                            let connection = hyper::server::conn::http1::Builder::new()
                                // The gate adds fields of its own to the hundred a client may send.
                                .max_headers(200)
                                .serve_connection(TokioIo::new(stream), service)
                                .await;
                            if let Err(error) = connection
                                && error.is_parse()
                            {
                                said.lock().unwrap().push(Said::Refused(error.to_string()));
                            }
                        });
                    }
                })
                .await;
        });
    });
    Reader { name: "hyper", address, notes, child: None }
}

async fn understand(
    request: Request<Incoming>,
    said: Arc<Mutex<Vec<Said>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let id = parts.headers.get("request-id").map_or("-", |value| value.to_str().unwrap_or("-")).to_owned();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            said.lock().unwrap().push(Said::CutShort { id });
            return Err(error);
        }
    };
    let (method, target) = (parts.method.to_string(), parts.uri.to_string());
    let text = serde_json::json!({"method": method, "target": target, "length": body.len(), "request": id}).to_string();
    said.lock().unwrap().push(Said::Understood { id, method, target, length: body.len() });
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

impl Reader {
    /// What was met since the last call.
    pub(super) fn said(&mut self) -> Vec<Said> {
        match &mut self.notes {
            Notes::File { path, read_to } => lines_since(path, read_to),
            Notes::Memory(said) => std::mem::take(&mut *said.lock().unwrap()),
            Notes::Recorder(origin, taken) => {
                let arrivals = origin.take();
                *taken += arrivals.len();
                arrivals.into_iter().map(of_arrival).collect()
            }
        }
    }
}

fn of_arrival(arrival: Arrival) -> Said {
    let id = |message: &Message| message.one("request-id").unwrap_or("-").to_owned();
    match arrival {
        Arrival::Whole(message) => Said::Understood {
            id: id(&message),
            length: message.body.len(),
            method: message.method,
            target: message.target,
        },
        Arrival::CutShort(message, _) => Said::CutShort { id: message.as_ref().map_or("-".to_owned(), id) },
        Arrival::Unreadable(why, bytes) => Said::Refused(format!("{why}: {}", String::from_utf8_lossy(&bytes))),
        Arrival::Reused(target) => Said::Refused(target),
    }
}

/// Whole lines only: the rest is read the next time.
fn lines_since(path: &Path, read_to: &mut u64) -> Vec<Said> {
    let Ok(mut file) = std::fs::File::open(path) else { return Vec::new() };
    file.seek(SeekFrom::Start(*read_to)).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    *read_to += whole as u64;
    String::from_utf8_lossy(&bytes[..whole]).lines().map(of_line).collect()
}

fn of_line(line: &str) -> Said {
    let words: Vec<&str> = line.split('\t').collect();
    match words[..] {
        ["R", id, method, target, length] => Said::Understood {
            id: id.into(),
            method: method.into(),
            target: target.into(),
            length: length.parse().unwrap_or(usize::MAX),
        },
        ["C", id, ..] => Said::CutShort { id: id.into() },
        _ => Said::Refused(line.to_owned()),
    }
}
