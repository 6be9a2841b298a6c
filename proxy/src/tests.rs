// SPDX-License-Identifier: Apache-2.0
//! Real sockets on loopback: a scripted origin, raw clients, and a handler that forwards without deciding.

mod chaos;
mod client;
mod drain;
mod h2;
mod h2raw;
mod h2up;
mod hostile;
mod overload;
mod pace;
mod resilience;
mod secured;
mod stale;
mod streams;
mod strict;
mod upstream;

use crate::config::{Config, Events};
use crate::connection::{Handler, Rules, Switches};
use crate::drain::Running;
use crate::worker::Worker;
use crate::{RequestBody, Target, UpstreamBody, UpstreamConfig, UpstreamOrigin, Upstreams};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use portcullis_decision::{Reason, SystemClock};
use portcullis_pipeline::body::{Capped, FaultMemo, collect};
use portcullis_pipeline::{
    Arrived, BodyFault, Connection, Destination, Flow, Origin as _, OriginBody as _, OriginRequest, Outgoing,
};
use portcullis_wire::{HeadLimits, Reserved};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(8);

/// A duration in milliseconds.
const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// One request or answer as it stood on the wire.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    line: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Message {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn status(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or("")
    }
}

/// Reads one message; an error when it ends before its framing says so.
fn read_message(reader: &mut impl BufRead, may_be_headless: bool) -> std::io::Result<Option<Message>> {
    let mut message = Message::default();
    if reader.read_line(&mut message.line)? == 0 && may_be_headless {
        return Ok(None);
    }
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        message.fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if message.field("transfer-encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim_end(), 16).map_err(|_| std::io::ErrorKind::UnexpectedEof)?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            chunk.truncate(size);
            message.body.extend_from_slice(&chunk);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = message.field("content-length") {
        message.body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut message.body)?;
    }
    Ok(Some(message))
}

/// A raw client or origin side of a connection.
struct Wire {
    reader: BufReader<TcpStream>,
}

impl Wire {
    fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).unwrap())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Writes what may go nowhere.
    fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_ref())
    }

    fn read(&mut self) -> std::io::Result<Message> {
        read_message(&mut self.reader, false).map(Option::unwrap)
    }

    fn get(&mut self, path: &str) -> std::io::Result<Message> {
        self.try_send(format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n\r\n"))?;
        self.read()
    }

    /// The next request, `None` at the end.
    fn request(&mut self) -> Option<Message> {
        read_message(&mut self.reader, true).ok().flatten()
    }

    fn ok(&mut self, body: &str) {
        let _ = self.try_send(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    }

    /// Everything until the other side closes; an error when it resets.
    fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).map(|_| rest)
    }
}

/// A scripted origin; the script gets each connection with its number.
struct Scripted {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

fn origin(script: impl Fn(usize, Wire) + Send + Sync + 'static) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (script, connections) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&connections);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (script, stream) = (Arc::clone(&script), stream.unwrap());
            let number = counted.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || script(number, Wire::over(stream)));
        }
    });
    Scripted { address, connections }
}

/// An origin that answers everything with the request's first line.
fn echo() -> Scripted {
    origin(|_, mut wire| {
        while let Some(request) = wire.request() {
            wire.ok(request.line.trim_end());
        }
    })
}

/// A proxy in front of one origin.
struct Bench {
    running: Running,
    control: tokio::runtime::Runtime,
    handled: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
}

impl Bench {
    fn client(&self) -> Wire {
        Wire::connect(self.running.public)
    }

    fn get(&self, path: &str) -> std::io::Result<Message> {
        self.client().get(path)
    }
}

fn bench(origin: &Scripted, tweak: impl FnOnce(&mut Config, &mut UpstreamConfig)) -> Bench {
    let events: Events = Arc::new(|_| {});
    let mut config = Config::new("127.0.0.1:0".parse().unwrap(), Arc::new(SystemClock::new()), events);
    config.cores = NonZeroUsize::MIN;
    let target = Target::parse(&format!("http://{}/base", origin.address)).unwrap();
    let mut upstream = UpstreamConfig::new("origin".into(), vec![target]);
    // Tests of what happens to single requests make many of them fail.
    upstream.circuit_breaker = None;
    tweak(&mut config, &mut upstream);
    let upstreams = Upstreams::build(vec![upstream], OPERATIONS, config.cores, None);
    bench_over(config, upstreams)
}

/// Operations of the tests; requests name theirs in `x-operation`.
const OPERATIONS: usize = 4;

fn bench_over(config: Config, upstreams: Upstreams) -> Bench {
    let upstreams = Arc::new(upstreams);
    let (handled, finished) = (Arc::default(), Arc::default());
    let forward = Forward { upstreams, handled: Arc::clone(&handled), finished: Arc::clone(&finished) };
    let bound = crate::drain::bind(config.address, config.cores).unwrap();
    let running = crate::drain::start(config, bound, || forward.clone()).unwrap();
    let control = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Bench { running, control, handled, finished }
}

/// Forwards everything, but: `/deny` refuses without reading, `/load` collects as a look-up does, `/finish` works on
/// after the client left; with `x-buffer` the body is read first, with `x-flow` the answer is passed on.
#[derive(Clone)]
struct Forward {
    upstreams: Arc<Upstreams>,
    handled: Arc<AtomicUsize>,
    finished: Arc<AtomicUsize>,
}

/// The defaults.
struct DefaultRules(HeadLimits, Reserved);

impl Rules for DefaultRules {
    fn limits(&self) -> &HeadLimits {
        &self.0
    }

    fn reserved(&self) -> &Reserved {
        &self.1
    }
}

impl Handler for Forward {
    type Body = TestBody;
    type Rules = DefaultRules;

    fn begin(&self, worker: &Arc<Worker>) {
        let upstreams = Arc::clone(&self.upstreams);
        let current = move || Arc::clone(&upstreams);
        worker.upstream_tasks.spawn(crate::upstream::pool::keep(Arc::clone(worker), current.clone()));
        worker.upstream_tasks.spawn(crate::upstream::health::keep(Arc::clone(worker), current));
    }

    fn rules(&self) -> DefaultRules {
        DefaultRules(HeadLimits::default(), Reserved::default())
    }

    async fn handle(
        &self,
        worker: &Arc<Worker>,
        _: &Connection,
        _: DefaultRules,
        arrived: Arrived<RequestBody>,
    ) -> Response<TestBody> {
        self.handled.fetch_add(1, Ordering::SeqCst);
        let origin = UpstreamOrigin::new(Arc::clone(worker), Arc::clone(&self.upstreams));
        let Arrived { received, body, .. } = arrived;
        let head = match received {
            Ok(head) => head,
            Err(fault) => return refuse(fault.reason),
        };
        match head.path.as_str() {
            "/deny" => return answer(StatusCode::FORBIDDEN, "no"),
            "/finish" => {
                let finished = Arc::clone(&self.finished);
                origin.finish(Box::pin(async move {
                    tokio::time::sleep(ms(500)).await;
                    finished.fetch_add(1, Ordering::SeqCst);
                }));
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        let body = if head.headers.contains_key("x-buffer") {
            match collect(body, 1 << 20).await {
                Ok(bytes) => Outgoing::Full(bytes),
                Err(fault) => return refuse(fault.reason()),
            }
        } else if body.is_end_stream() {
            Outgoing::Empty
        } else {
            Outgoing::Stream { body: Capped::new(body, usize::MAX, FaultMemo::default()), framing: head.framing }
        };
        let target =
            if head.query.is_empty() { head.path.to_string() } else { format!("{}?{}", head.path, head.query) };
        let flow = head.headers.get("x-flow").map(|f| if f == "events" { Flow::Events } else { Flow::Content });
        let load = target == "/load";
        let number = |name| head.headers.get(name).map(|value| value.to_str().unwrap().parse::<u8>().unwrap());
        let operation = usize::from(number("x-operation").unwrap_or(0));
        let to = Destination { upstream: 0, operation, priority: number("x-priority").unwrap_or(5) };
        let mut headers = head.headers;
        if headers.contains_key("x-grpc") {
            headers.insert("te", HeaderValue::from_static("trailers"));
        }
        let request = OriginRequest { to, method: head.method, target, headers, body, websocket: None };
        if load {
            return match origin.load(request).await {
                Ok(response) => response.map(|bytes| TestBody::Full(Some(bytes))),
                Err(fault) => refuse(fault.reason),
            };
        }
        match origin.exchange(request, Duration::MAX).await {
            Ok(response) => response.map(|body| {
                let mut body = UpstreamBody::from(body);
                if let Some(flow) = flow {
                    body.pass_on(flow);
                }
                TestBody::Origin(body)
            }),
            Err(fault) => {
                let mut response = refuse(fault.reason);
                if let Some(after) = fault.retry_after {
                    response
                        .headers_mut()
                        .insert("x-retry-after-ms", HeaderValue::from_str(&after.as_millis().to_string()).unwrap());
                }
                response
            }
        }
    }
}

fn refuse(reason: Reason) -> Response<TestBody> {
    answer(reason.status().unwrap_or(StatusCode::BAD_REQUEST), reason.code())
}

fn answer(status: StatusCode, body: &'static str) -> Response<TestBody> {
    let mut response = Response::new(TestBody::Full(Some(Bytes::from_static(body.as_bytes()))));
    *response.status_mut() = status;
    response
}

enum TestBody {
    Full(Option<Bytes>),
    Origin(UpstreamBody),
}

impl Switches for TestBody {}

impl Body for TestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match &mut *self {
            TestBody::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            TestBody::Origin(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            TestBody::Full(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            TestBody::Origin(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            TestBody::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            TestBody::Origin(body) => body.size_hint(),
        }
    }
}

/// Waits until `done`, or fails.
fn eventually(what: &str, done: impl Fn() -> bool) {
    for _ in 0..400 {
        if done() {
            return;
        }
        std::thread::sleep(ms(20));
    }
    panic!("never happened: {what}");
}

/// What a test saw, in order.
type Seen<T> = Arc<Mutex<Vec<T>>>;
