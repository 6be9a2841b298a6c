// SPDX-License-Identifier: Apache-2.0
//! A connection to a target that may speak HTTP/2: over TLS it is agreed on, in the clear it is known beforehand.

use super::builder;
use super::drive::drive;
use super::line::Line;
use super::pool::Pool;
use super::transport::Watched;
use super::watch::Watch;
use crate::tls::Offer;
use crate::upstream::carrier::{Carrier, Spoken};
use crate::upstream::endpoint::Endpoint;
use crate::upstream::line;
use crate::worker::Worker;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

/// What was connected.
#[derive(Debug)]
pub(crate) enum Connected {
    /// An HTTP/2 connection whose settings have come.
    Two(Arc<Line>),
    /// The upstream chose HTTP/1.1.
    One(Box<line::Line>),
}

/// How long a connection may take to stand, and how long it is kept without a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) connect: Duration,
    pub(crate) idle: Duration,
}

/// Opens a connection and starts its task; `pool` hears when it ends.
pub(crate) async fn connect(
    worker: &Arc<Worker>,
    endpoint: &Endpoint,
    times: Times,
    pool: Weak<Pool>,
) -> io::Result<Connected> {
    tokio::time::timeout(times.connect, open(worker, endpoint, times, pool)).await?
}

async fn open(worker: &Arc<Worker>, endpoint: &Endpoint, times: Times, pool: Weak<Pool>) -> io::Result<Connected> {
    let (carrier, peer) = line::dial(worker, endpoint, times.connect, Offer::Two).await?;
    let generation = endpoint.addresses.generation_of(peer);
    let speaks_two = match (&carrier, carrier.spoken()) {
        (Carrier::Plain(_), _) | (_, Spoken::Two) => true,
        (Carrier::Tls(_), Spoken::One) => false,
    };
    if !speaks_two {
        return Ok(Connected::One(line::Line::over(worker, carrier, (peer, generation))));
    }
    let watch = Watch::new(&worker.deadlines, times.idle);
    let io = Watched::new(carrier, Arc::clone(&watch));
    let (sender, mut connection) = builder().handshake(io).await.map_err(io::Error::other)?;
    // Whoever sends no settings does not speak it; nothing was asked yet, so nothing can have been done.
    std::future::poll_fn(|cx| {
        let ended = Pin::new(&mut connection).poll(cx);
        match ended {
            Poll::Ready(_) => Poll::Ready(Err(watch.take_error().unwrap_or(io::ErrorKind::ConnectionAborted.into()))),
            Poll::Pending if watch.is_greeted() => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        }
    })
    .await?;
    let line = Line::new(worker, sender, watch, (peer, generation));
    let driven = Arc::clone(&line);
    worker.upstream_tasks.spawn(drive(connection, driven, pool));
    Ok(Connected::Two(line))
}
