// SPDX-License-Identifier: Apache-2.0
//! The task of one connection: frames go in and out, and twice a second it is looked whether anybody needs it still.

use super::line::Line;
use super::pool::Pool;
use super::transport::Watched;
use super::watch::Look;
use bytes::Bytes;
use h2::client::Connection;
use h2::{Ping, PingPong};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

/// How often a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A connection on its own.
pub(super) type H2 = Connection<Watched, Bytes>;

/// Drives a connection to its end.
pub(super) async fn drive(mut connection: H2, line: Arc<Line>, pool: Weak<Pool>) {
    let (watch, deadline) = (Arc::clone(&line.watch), line.worker.deadlines.register());
    let known = Arc::downgrade(&line);
    // Its users keep it alive, not its task.
    drop(line);
    let mut pings = connection.ping_pong();
    std::future::poll_fn(|cx| {
        deadline.watch(cx.waker());
        loop {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(());
            }
            poll_pong(pings.as_mut(), cx);
            if deadline.runs() {
                return Poll::Pending;
            }
            deadline.arm(LOOK_EVERY);
            match watch.look() {
                Look::Nothing => return Poll::Pending,
                Look::Cut => return Poll::Ready(()),
                Look::Retire => {
                    if let Some(line) = known.upgrade() {
                        line.retire();
                    }
                }
                Look::Ask => {
                    // One that was sent and not answered is question enough.
                    let _ = pings.as_mut().map(|pings| pings.send_ping(Ping::opaque()));
                }
            }
        }
    })
    .await;
    // Its streams end here; that they did is told by the connection, not by its users.
    drop(connection);
    watch.leave();
    if let Some(pool) = pool.upgrade() {
        pool.lost();
    }
}

/// Takes an answer, so that the next question can be asked; what it says is that bytes came.
fn poll_pong(pings: Option<&mut PingPong>, cx: &mut Context<'_>) {
    if let Some(pings) = pings {
        let _ = pings.poll_pong(cx);
    }
}
