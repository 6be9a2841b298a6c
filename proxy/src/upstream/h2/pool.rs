// SPDX-License-Identifier: Apache-2.0
//! The HTTP/2 connections to one target on one core, and the places on them.
//!
//! One connection serves until its places are taken; then another is opened, and where there are enough of them a
//! request waits for a place, first come first served. Who waits is bounded by the upstream's places
//! (`concurrency.max`), for how long by the request's own deadline.

use super::connect::{Connected, Times, connect};
use super::line::Line;
use crate::upstream::addresses::Addresses;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::line;
use crate::worker::Worker;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tokio::sync::oneshot;

/// Connections that take streams, for one core and target.
const CONNECTIONS_MAX: usize = 8;

/// The connections.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<Arc<Line>>,
    waiting: VecDeque<oneshot::Sender<Turn>>,
    /// One of the requests is opening a connection.
    connecting: bool,
    /// The upstream chose HTTP/1.1 the last time it was asked: a connection is no use to others then.
    speaks_one: bool,
}

/// What a request gets that asks for a connection.
#[derive(Debug)]
pub(crate) enum Turn {
    /// A place.
    Place(Place),
    /// It opens a connection, for itself and for others.
    Connect(Connecting),
    /// The connection that was waited for could not be opened.
    Failed(Arc<io::Error>),
}

/// A place for one stream; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) line: Arc<Line>,
    pool: Option<Arc<Pool>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.watch.exit();
        if let Some(pool) = self.pool.take() {
            pool.pass_on();
        }
    }
}

/// A place, or somewhere to wait for one.
pub(crate) enum Entered {
    Now(Turn),
    Waiting(oneshot::Receiver<Turn>),
}

impl Pool {
    /// Asks for a place.
    pub(crate) fn enter(self: &Arc<Self>, addresses: &Addresses) -> Entered {
        let mut inner = self.inner.lock();
        // What is no use any more ends with its last stream.
        inner.lines.retain(|line| line.is_usable(addresses));
        if inner.first_waiting().is_none()
            && let Some(turn) = self.next(&mut inner)
        {
            return Entered::Now(turn);
        }
        let (sender, receiver) = oneshot::channel();
        if inner.waiting.len() == inner.waiting.capacity() {
            inner.waiting.retain(|waiter| !waiter.is_closed());
        }
        inner.waiting.push_back(sender);
        Entered::Waiting(receiver)
    }

    /// What the next in line can have now.
    fn next(self: &Arc<Self>, inner: &mut Inner) -> Option<Turn> {
        if let Some(line) = inner.lines.iter().find(|line| line.enter()) {
            return Some(Turn::Place(Place { line: Arc::clone(line), pool: Some(Arc::clone(self)) }));
        }
        if inner.speaks_one || (!inner.connecting && inner.lines.len() < CONNECTIONS_MAX) {
            inner.connecting = true;
            return Some(Turn::Connect(Connecting { pool: Some(Arc::clone(self)) }));
        }
        None
    }

    /// Something changed: whoever waits longest gets what there is now.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let (waiter, turn) = {
                let mut inner = self.inner.lock();
                if inner.first_waiting().is_none() {
                    return;
                }
                let Some(turn) = self.next(&mut inner) else { return };
                let Some(waiter) = inner.waiting.pop_front() else { return };
                (waiter, turn)
            };
            // Whoever left meanwhile gives back what it got by dropping it, without the lock.
            drop(waiter.send(turn));
        }
    }

    /// A connection ended.
    pub(super) fn lost(self: &Arc<Self>) {
        self.inner.lock().lines.retain(|line| line.watch.is_usable());
        self.pass_on();
    }
}

impl Inner {
    /// The first that still waits.
    fn first_waiting(&mut self) -> Option<&oneshot::Sender<Turn>> {
        while self.waiting.front().is_some_and(oneshot::Sender::is_closed) {
            self.waiting.pop_front();
        }
        self.waiting.front()
    }
}

/// The right to open a connection. Where its owner leaves, the next in line has it.
#[derive(Debug)]
pub(crate) struct Connecting {
    pool: Option<Arc<Pool>>,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) enum Reached {
    Two(Place),
    One(Box<line::Line>),
}

impl Connecting {
    /// Opens a connection.
    pub(crate) async fn open(
        mut self,
        worker: &Arc<Worker>,
        endpoint: &Endpoint,
        times: Times,
    ) -> Result<Reached, Arc<io::Error>> {
        let known = self.pool.as_ref().map(Arc::downgrade).unwrap_or_default();
        let connected = connect(worker, endpoint, times, known).await;
        let Some(pool) = self.pool.take() else { return Err(Arc::new(io::ErrorKind::NotConnected.into())) };
        match connected {
            Ok(Connected::Two(line)) => {
                // Its own place comes first, so that the others cannot take them all.
                line.enter();
                let place = Place { line: Arc::clone(&line), pool: Some(Arc::clone(&pool)) };
                {
                    let mut inner = pool.inner.lock();
                    inner.connecting = false;
                    inner.speaks_one = false;
                    inner.lines.push(line);
                }
                pool.pass_on();
                Ok(Reached::Two(place))
            }
            Ok(Connected::One(line)) => {
                {
                    let mut inner = pool.inner.lock();
                    inner.connecting = false;
                    inner.speaks_one = true;
                }
                pool.pass_on();
                Ok(Reached::One(line))
            }
            Err(error) => {
                let error = Arc::new(error);
                let waiting = {
                    let mut inner = pool.inner.lock();
                    inner.connecting = false;
                    // Where there are other connections, their places are still worth waiting for.
                    if inner.lines.is_empty() { std::mem::take(&mut inner.waiting) } else { VecDeque::new() }
                };
                for waiter in waiting {
                    drop(waiter.send(Turn::Failed(Arc::clone(&error))));
                }
                Err(error)
            }
        }
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.inner.lock().connecting = false;
            pool.pass_on();
        }
    }
}

/// A place on a connection of its own, outside of every pool.
pub(crate) fn alone(line: Arc<Line>) -> Place {
    line.enter();
    Place { line, pool: None }
}
