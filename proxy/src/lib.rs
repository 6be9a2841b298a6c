// SPDX-License-Identifier: Apache-2.0
//! Bytes in, bytes out: listeners, client connections, upstream connections, deadlines, drain.
//!
//! Invariants: what goes to an upstream was taken out of a [`portcullis_pipeline::Cleared`] or a
//! [`portcullis_pipeline::Lookup`], or is a health probe of our own; every connection, buffer and wait has a maximum; an answer that breaks off
//! upstream breaks off at the client, and never looks whole; a connection whose framing is in doubt is not used
//! again; everything of one request stays on one core.
//!
//! Deliberately absent: any decision about a request, HTTP/2 to upstreams, upgrades to anything but WebSockets.

mod body;
mod caps;
mod config;
mod connection;
mod deadline;
mod drain;
mod gate;
mod listener;
mod origin;
mod outlet;
mod stream;
mod tasks;
mod timed;
mod tls;
mod upstream;
mod websocket;
mod worker;

pub use body::RequestBody;
pub use config::{
    BODY_GRACE, BodyBounds, Condition, Config, ConnectionBounds, Event, Events, HeadBounds, StreamBounds,
};
pub use drain::{Drained, Running, StartError};
pub use gate::{Binding, Revision};
pub use origin::UpstreamOrigin;
pub use tls::{Prepared, TlsEntry, TlsError, TlsListener, UpstreamTls, UpstreamTlsError, UpstreamTlsFiles};
pub use upstream::passed::UpstreamBody;
pub use upstream::{
    CircuitBreaker, Concurrency, HealthCheck, Http, Per, Retry, TARGETS_MAX, Target, TargetError, UpstreamConfig,
    Upstreams,
};

#[cfg(test)]
mod tests;
