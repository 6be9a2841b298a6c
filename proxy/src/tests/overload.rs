// SPDX-License-Identifier: Apache-2.0
//! Three times what an origin can do (F33): as much gets done as at its peak, and the rest is refused at once.
//!
//! `cargo nextest run -p portcullis-proxy f33_goodput --no-capture` prints the figures.

use super::*;
use crate::upstream::Concurrency;
use tokio::time::Instant;

/// The origin works on so many at once, each for so long; the rest wait inside it.
const WORKERS: usize = 8;
const WORK: Duration = ms(20);

/// What a round of clients saw.
#[derive(Debug, Default)]
struct Seen3 {
    done: usize,
    refusals: Vec<Duration>,
}

fn working() -> Scripted {
    let places = Arc::new((parking_lot::Mutex::new(WORKERS), parking_lot::Condvar::new()));
    origin(move |_, mut wire| {
        while wire.request().is_some() {
            let (free, freed) = &*places;
            {
                let mut free = free.lock();
                freed.wait_while(&mut free, |free| *free == 0);
                *free -= 1;
            }
            std::thread::sleep(WORK);
            *free.lock() += 1;
            freed.notify_one();
            wire.ok("ok");
        }
    })
}

/// So many clients ask again and again; one that was refused waits a moment.
fn run(bench: &Bench, clients: usize, warm_up: Duration, span: Duration) -> Seen3 {
    let all = Mutex::new(Seen3::default());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let (mut client, mut seen) = (bench.client(), Seen3::default());
                while began.elapsed() < warm_up + span {
                    let asked = Instant::now();
                    let answer = client.get("/").unwrap();
                    let counts = began.elapsed() > warm_up;
                    if answer.status() == "200" {
                        seen.done += usize::from(counts);
                    } else {
                        assert_eq!(answer.body, b"upstream.overloaded");
                        if counts {
                            seen.refusals.push(asked.elapsed());
                        }
                        std::thread::sleep(ms(40));
                    }
                }
                let mut all = all.lock();
                all.done += seen.done;
                all.refusals.append(&mut seen.refusals);
            });
        }
    });
    all.into_inner()
}

#[test]
fn f33_goodput_at_three_times_the_load_is_that_of_the_peak() {
    let origin = working();
    let adaptive = bench(&origin, |config, upstream| {
        config.connections.requests_max = 1_000_000;
        upstream.concurrency = Concurrency { max: 200, queue: 4, queue_timeout: ms(50), adaptive: true };
    });
    let open = bench(&origin, |config, _| config.connections.requests_max = 1_000_000);
    let peak = run(&open, WORKERS, ms(300), ms(1_500)).done;
    let mut over = run(&adaptive, WORKERS * 3, ms(2_500), ms(1_500));
    over.refusals.sort_unstable();
    let median = over.refusals.get(over.refusals.len() / 2).copied().unwrap_or_default();
    println!(
        "peak {peak}, at three times the load {} with {} refusals, median {median:?}",
        over.done,
        over.refusals.len()
    );
    assert!(over.done * 10 >= peak * 9, "{} of {peak}", over.done);
    assert!(median < ms(5), "{median:?}");
}
