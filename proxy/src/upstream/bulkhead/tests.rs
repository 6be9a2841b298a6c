// SPDX-License-Identifier: Apache-2.0
//! Places, lines and priorities, with the clock stopped.

use super::*;
use std::future::Future;
use std::sync::atomic::AtomicU64;
use tokio::task::JoinHandle;

fn rules(max: usize, queue: usize) -> Concurrency {
    Concurrency { max, queue, queue_timeout: Duration::from_millis(250), adaptive: false }
}

fn full(max: usize, queue: usize) -> Arc<Bulkhead> {
    let bulkhead = Bulkhead::new(rules(max, queue));
    for _ in 0..max {
        bulkhead.enter().unwrap();
    }
    bulkhead
}

/// Waits in the background and notes when it was served.
fn waiter(bulkhead: &Arc<Bulkhead>, priority: u8, served: &Arc<Mutex<Vec<u32>>>, number: u32) -> JoinHandle<bool> {
    let (bulkhead, served) = (Arc::clone(bulkhead), Arc::clone(served));
    spawn(async move {
        let got = bulkhead.wait(priority, Duration::from_mins(1)).await.is_ok();
        if got {
            served.lock().push(number);
        }
        got
    })
}

fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    tokio::runtime::Handle::current().spawn(work)
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn f33_a_full_queue_refuses_at_once() {
    let bulkhead = full(2, 1);
    let served = Arc::default();
    let first = waiter(&bulkhead, 5, &served, 1);
    settle().await;
    let before = Instant::now();
    assert_eq!(bulkhead.wait(5, Duration::from_secs(1)).await, Err(NoPlace));
    assert_eq!(before.elapsed(), Duration::ZERO);
    bulkhead.leave();
    assert!(first.await.unwrap());
    assert_eq!(bulkhead.under_way(), 2);
}

#[tokio::test(start_paused = true)]
async fn f33_nobody_waits_longer_than_the_timeout_or_than_its_deadline() {
    let bulkhead = full(1, 5);
    for (patience, expected) in [(60_000, 250), (40, 40)] {
        let before = Instant::now();
        assert_eq!(bulkhead.wait(5, Duration::from_millis(patience)).await, Err(NoPlace));
        let waited = before.elapsed().as_millis();
        assert!((expected..expected + 5).contains(&waited), "{waited}");
    }
    bulkhead.leave();
    assert_eq!(bulkhead.enter(), Ok(()), "who left the queue holds no place");
    assert_eq!(bulkhead.under_way(), 1);
}

#[tokio::test(start_paused = true)]
async fn f33_higher_priorities_are_served_first_and_push_out_lower_ones() {
    let bulkhead = full(1, 3);
    let served: Arc<Mutex<Vec<u32>>> = Arc::default();
    let mut waiting = Vec::new();
    for (number, priority) in [(1, 1), (2, 1), (3, 5), (4, 9)] {
        waiting.push(waiter(&bulkhead, priority, &served, number));
        settle().await;
    }
    // The queue has three places: the youngest of the lowest priority went.
    assert!(waiting[1].is_finished());
    assert_eq!(bulkhead.wait(1, Duration::from_secs(1)).await, Err(NoPlace), "nobody lower to push out");
    for _ in 0..3 {
        bulkhead.leave();
        settle().await;
    }
    assert_eq!(*served.lock(), [4, 3, 1]);
}

#[tokio::test(start_paused = true)]
async fn f33_first_come_first_served_until_the_first_waited_too_long() {
    let bulkhead = full(1, 10);
    let served: Arc<Mutex<Vec<u32>>> = Arc::default();
    for number in 1..=4 {
        waiter(&bulkhead, 5, &served, number);
        settle().await;
        tokio::time::advance(Duration::from_millis(2)).await;
    }
    bulkhead.leave();
    settle().await;
    tokio::time::advance(Duration::from_millis(20)).await;
    bulkhead.leave();
    settle().await;
    assert_eq!(*served.lock(), [1, 4]);
}

#[tokio::test(start_paused = true)]
async fn f33_nobody_overtakes_those_who_wait() {
    let bulkhead = full(1, 2);
    let served = Arc::default();
    let first = waiter(&bulkhead, 1, &served, 1);
    settle().await;
    assert_eq!(bulkhead.enter(), Err(NoPlace));
    bulkhead.leave();
    assert!(first.await.unwrap());
}

/// Real threads: never more than the limit, and no place and no waiter is lost.
#[test]
fn f33_places_are_exact_over_all_cores() {
    let bulkhead = Bulkhead::new(Concurrency { queue_timeout: Duration::from_secs(20), ..rules(3, 64) });
    let (inside, most, served) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for core in 0..4_u8 {
            let (bulkhead, inside, most, served) = (&bulkhead, &inside, &most, &served);
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(async {
                    let tasks: Vec<_> = (0..8)
                        .map(|_| {
                            let (bulkhead, inside, most) = (Arc::clone(bulkhead), Arc::clone(inside), Arc::clone(most));
                            spawn(async move {
                                for _ in 0..200 {
                                    if bulkhead.enter().is_err() {
                                        bulkhead.wait(core + 1, Duration::from_secs(20)).await.unwrap();
                                    }
                                    let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                                    most.fetch_max(now, Ordering::SeqCst);
                                    tokio::task::yield_now().await;
                                    inside.fetch_sub(1, Ordering::SeqCst);
                                    bulkhead.leave();
                                }
                            })
                        })
                        .collect();
                    for task in tasks {
                        task.await.unwrap();
                        served.fetch_add(200, Ordering::SeqCst);
                    }
                });
            });
        }
    });
    assert_eq!(served.load(Ordering::SeqCst), 4 * 8 * 200);
    assert!(most.load(Ordering::SeqCst) <= 3);
    assert_eq!(bulkhead.under_way(), 0);
}
