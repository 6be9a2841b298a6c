// SPDX-License-Identifier: Apache-2.0
//! The tracked task set of a core: what is spawned here can be waited for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// Tasks of one kind on one core.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    runtime: Handle,
    live: AtomicUsize,
    none_left: Notify,
}

impl Tasks {
    /// A set whose tasks run on `runtime`.
    pub(crate) fn on(runtime: Handle) -> Self {
        Self { shared: Arc::new(Shared { runtime, live: AtomicUsize::new(0), none_left: Notify::new() }) }
    }

    /// Runs `work` to its end, or until the core stops.
    pub(crate) fn spawn<F>(&self, work: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.shared.live.fetch_add(1, Ordering::AcqRel);
        let tracked = Tracked { work: Box::pin(work), _live: Live(Arc::clone(&self.shared)) };
        // From the core's own thread this is a push to its local queue: no lock, no wake-up through the kernel.
        drop(self.shared.runtime.spawn(tracked));
    }

    /// How many run.
    pub(crate) fn live(&self) -> usize {
        self.shared.live.load(Ordering::Acquire)
    }

    /// Resolves when none runs.
    pub(crate) async fn finished(&self) {
        loop {
            let none_left = self.shared.none_left.notified();
            tokio::pin!(none_left);
            // Listen before looking, so that the last end cannot fall between the two.
            none_left.as_mut().enable();
            if self.live() == 0 {
                return;
            }
            none_left.await;
        }
    }
}

struct Tracked<F> {
    work: Pin<Box<F>>,
    _live: Live,
}

impl<F: Future<Output = ()>> Future for Tracked<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.work.as_mut().poll(cx)
    }
}

struct Live(Arc<Shared>);

impl Drop for Live {
    fn drop(&mut self) {
        if self.0.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none_left.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_every_task_a_panicking_one_included() {
        let tasks = Tasks::on(Handle::current());
        tasks.finished().await;
        tasks.spawn(async { tokio::time::sleep(std::time::Duration::from_millis(20)).await });
        tasks.spawn(async { panic!("expected by this test") });
        assert_eq!(tasks.live(), 2);
        tasks.finished().await;
        assert_eq!(tasks.live(), 0);
    }
}
