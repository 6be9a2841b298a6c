// SPDX-License-Identifier: Apache-2.0
//! One refresh at a time, carried on by whoever waits for it.
//!
//! The refresh is a future kept here and polled by one waiter at a time, under an async lock. A waiter whose client
//! goes away drops the lock, not the refresh: the next waiter, or the driver, goes on where it stopped. So nobody can
//! burn a refresh by asking for it and leaving, and there is no task to supervise.

use portcullis_decision::fetch::BoxFuture;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::sync::Mutex as AsyncMutex;

/// The refresh of one issuer.
#[derive(Default)]
pub(super) struct Flight {
    waiting: Mutex<Waiting>,
    running: AsyncMutex<Option<BoxFuture<'static, ()>>>,
}

#[derive(Default)]
struct Waiting {
    /// Started, and not yet picked up by a waiter.
    queued: Option<BoxFuture<'static, ()>>,
    in_flight: bool,
}

impl Flight {
    /// Whether a refresh was started and has not ended.
    pub(super) fn is_in_flight(&self) -> bool {
        self.lock().in_flight
    }

    /// Starts a refresh unless one is in flight. It runs when somebody calls [`Flight::join`].
    pub(super) fn start(&self, refresh: impl FnOnce() -> BoxFuture<'static, ()>) {
        let mut waiting = self.lock();
        if !waiting.in_flight {
            waiting.in_flight = true;
            waiting.queued = Some(refresh());
        }
    }

    /// Waits until no refresh is in flight, doing its work meanwhile.
    pub(super) async fn join(&self) {
        let mut running = self.running.lock().await;
        if running.is_none() {
            *running = self.lock().queued.take();
        }
        poll_fn(|context| {
            // Taken out while it is polled: a refresh that panics is gone, not polled again after its end.
            let Some(mut refresh) = running.take() else { return Poll::Ready(()) };
            let state = refresh.as_mut().poll(context);
            if state.is_pending() {
                *running = Some(refresh);
            }
            state
        })
        .await;
        let mut waiting = self.lock();
        // A refresh that was started meanwhile still waits for its first poll.
        waiting.in_flight = waiting.queued.is_some();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
