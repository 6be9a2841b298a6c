// SPDX-License-Identifier: Apache-2.0
//! What the operator decided, already checked.

use crate::tls::TlsListener;
use portcullis_decision::Clock;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

/// Something an operator should know. Holds no data of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `accept` failed and is tried again after a pause.
    AcceptFailed {
        /// The kind of failure.
        kind: std::io::ErrorKind,
        /// The operating system's number, where there is one.
        os_error: Option<i32>,
    },
    /// Connections were refused since the last report, because all are in use.
    ConnectionsRefused {
        /// Refused because of the total.
        total: u64,
        /// Refused because of one address.
        per_address: u64,
    },
    /// Something failed so often that it is left alone for a while.
    CircuitOpened {
        /// The upstream.
        upstream: Arc<str>,
        /// The target's host and port; `None`: one operation of the upstream.
        target: Option<String>,
    },
    /// A target's health probes turned.
    TargetTurned {
        /// The upstream.
        upstream: Arc<str>,
        /// The target's host and port.
        target: String,
        /// How it is now.
        now: Condition,
    },
    /// TLS handshakes ended without a connection since the last report.
    HandshakesFailed {
        /// Closed unread, because too many were under way.
        refused: u64,
        /// Cut, because they took too long.
        timed_out: u64,
        /// Ended by an alert, of either side, or by a client that left.
        failed: u64,
    },
    /// A core's thread ended although nobody asked it to.
    CoreLost {
        /// Index of the core.
        core: usize,
    },
}

/// What health probes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It gets requests.
    Well,
    /// It gets none.
    Unwell,
}

/// Where events go.
pub type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// Caps on connections.
#[derive(Clone, Debug)]
pub struct ConnectionBounds {
    /// Open connections in all; also bounded by half of the file descriptors beyond a reserve.
    pub total_max: usize,
    /// Open connections of one address (IPv6: of one /64).
    pub per_address_max: usize,
    /// Requests on one connection; the last answer says `Connection: close`.
    pub requests_max: u32,
    /// How long a connection may stay without a request.
    pub idle: Duration,
    /// How old a connection may become; the first answer after that says `Connection: close`.
    pub age_max: Duration,
    /// How long a client may take nothing of an answer.
    pub write_stall: Duration,
    /// For a TLS handshake, from its first byte to its last (T58).
    pub handshake: Duration,
    /// TLS handshakes under way at once, over all cores; more connections are closed unread (T58).
    pub handshakes_max: usize,
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        Self {
            total_max: 10_000,
            per_address_max: 100,
            requests_max: 1_000,
            idle: Duration::from_secs(30),
            age_max: Duration::from_mins(10),
            write_stall: Duration::from_secs(10),
            handshake: Duration::from_secs(5),
            handshakes_max: 2_000,
        }
    }
}

/// Caps on the head of a request beside those of the gate, which the connection reads it by.
#[derive(Clone, Debug)]
pub struct HeadBounds {
    /// From the first byte of a head to its last.
    pub timeout: Duration,
}

impl Default for HeadBounds {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10) }
    }
}

/// Caps on the body of a request.
#[derive(Clone, Debug)]
pub struct BodyBounds {
    /// Largest body of any operation, in bytes; the gate's own caps are usually lower.
    pub bytes_max: u64,
    /// Slowest acceptable client, in bytes per second, after the grace.
    pub rate_min: u64,
    /// How long a client may be slower than that.
    pub grace: Duration,
    /// For the whole body.
    pub timeout: Duration,
}

/// How long a client may be slower than the minimum rate, unless configured.
pub const BODY_GRACE: Duration = Duration::from_secs(5);

impl Default for BodyBounds {
    fn default() -> Self {
        Self { bytes_max: 1024 * 1024, rate_min: 1024, grace: BODY_GRACE, timeout: Duration::from_secs(30) }
    }
}

/// Caps on what stays open for long: answers that pass through, and tunnels.
#[derive(Clone, Debug)]
pub struct StreamBounds {
    /// Longest pause of an upstream between two pieces of an answer.
    pub pause: Duration,
    /// Slowest acceptable upstream, in bytes per second of waiting for it, once the time of the exchange is over. Events
    /// come when they happen.
    pub rate_min: u64,
    /// How long nothing may come through a tunnel from either side.
    pub quiet: Duration,
    /// How long the other side has for its close frame.
    pub close: Duration,
    /// Largest message of a WebSocket, in bytes of its payload (T128).
    pub message_bytes_max: u64,
    /// Frames one message may be cut into (T128).
    pub fragments_max: u32,
    /// Control frames a side may send in ten seconds (T128).
    pub controls_max: u32,
}

impl Default for StreamBounds {
    fn default() -> Self {
        Self {
            pause: Duration::from_mins(1),
            rate_min: 1024,
            quiet: Duration::from_mins(1),
            close: Duration::from_secs(5),
            message_bytes_max: 1024 * 1024,
            fragments_max: 1024,
            controls_max: 100,
        }
    }
}

/// Everything the proxy needs beside the gate and the upstreams.
#[derive(Clone)]
pub struct Config {
    /// Where clients come in; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Threads, each with a listener and pools of its own.
    pub cores: NonZeroUsize,
    /// Certificates of the listener; `None`: it speaks plain HTTP.
    pub tls: Option<Arc<TlsListener>>,
    /// Caps on connections.
    pub connections: ConnectionBounds,
    /// Caps on heads.
    pub head: HeadBounds,
    /// Caps on bodies.
    pub body: BodyBounds,
    /// Caps on what stays open for long.
    pub streams: StreamBounds,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Events,
}

impl Config {
    /// The secure defaults on `address`, one thread per processor.
    pub fn new(address: SocketAddr, clock: Arc<dyn Clock>, events: Events) -> Self {
        Self {
            address,
            cores: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            tls: None,
            connections: ConnectionBounds::default(),
            head: HeadBounds::default(),
            body: BodyBounds::default(),
            streams: StreamBounds::default(),
            clock,
            events,
        }
    }
}
