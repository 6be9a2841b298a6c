// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask load`: requests at a constant rate whatever the answers do, and an upstream that can do only so much.
//!
//! What a client that waits for answers measures is its own patience; latency at half load and behaviour under overload
//! need a rate that does not give in.

use super::{Client, serve};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests of the first moments are sent and not counted.
const WARM_UP: Duration = Duration::from_secs(1);
/// Threads, and connections; each asks one thing after another.
const CONNECTIONS_MAX: u32 = 1024;

/// `client` or `upstream`, and their words.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut words = BTreeMap::new();
    for pair in arguments.get(1..).unwrap_or_default().chunks(2) {
        let [name, value] = pair else { bail!("load: `{}` needs a value", pair.concat()) };
        words.insert(name.as_str(), value.as_str());
    }
    let word = |name: &str| words.get(name).copied().with_context(|| format!("load: {name} is missing"));
    match arguments.first().map(String::as_str) {
        Some("client") => {
            let paced = Paced {
                port: word("--port")?.parse()?,
                rate: word("--rate")?.parse()?,
                connections: word("--connections")?.parse::<u32>()?.clamp(1, CONNECTIONS_MAX),
                span: Duration::from_secs(word("--secs")?.parse()?),
                request: std::fs::read(word("--request")?)?,
            };
            println!("{}", paced.run());
            Ok(())
        }
        Some("upstream") => {
            let busy = Duration::from_micros(word("--work-us")?.parse()?);
            limited(word("--port")?.parse()?, word("--places")?.parse()?, busy, Path::new(word("--answer")?))
        }
        _ => bail!("load: `client` or `upstream`"),
    }
}

struct Paced {
    port: u16,
    rate: f64,
    connections: u32,
    span: Duration,
    request: Vec<u8>,
}

/// Microseconds of every answer, by status; 0 is a connection that failed.
type Seen = BTreeMap<u16, Vec<u128>>;

impl Paced {
    /// One line of JSON.
    fn run(&self) -> String {
        let interval = Duration::from_secs_f64(f64::from(self.connections) / self.rate);
        let begun = now();
        let mut seen = Seen::new();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|i| scope.spawn(move || self.one(begun + interval * i / self.connections, interval)))
                .collect();
            for thread in threads {
                for (status, mut times) in thread.join().unwrap_or_default() {
                    seen.entry(status).or_default().append(&mut times);
                }
            }
        });
        let rows: Vec<String> = seen.into_iter().map(|(status, times)| summary(status, times)).collect();
        format!("{{\"secs\":{},\"answers\":{{{}}}}}", self.span.as_secs_f64(), rows.join(","))
    }

    /// A connection: asks when it is due, or at once where the answer before came too late.
    fn one(&self, begin: Instant, interval: Duration) -> Seen {
        let (mut seen, mut client, mut due) = (Seen::new(), None, begin);
        let end = begin + WARM_UP + self.span;
        while due < end {
            let early = due.saturating_duration_since(now());
            // Waking late is this machine's doing; asking late is the answer's, and counts.
            let from = if early.is_zero() {
                due
            } else {
                std::thread::sleep(early);
                now()
            };
            if now() >= end {
                break;
            }
            let counts = now() >= begin + WARM_UP;
            let answer = ask(&mut client, self.port, &self.request);
            if counts {
                let status = answer.unwrap_or(0);
                seen.entry(status).or_default().push(from.elapsed().as_micros());
            }
            due += interval;
        }
        seen
    }
}

/// The status of the answer; the connection is made anew after a failure.
fn ask(client: &mut Option<Client>, port: u16, request: &[u8]) -> Option<u16> {
    if client.is_none() {
        *client = Client::connect(port).ok();
    }
    let answer = client.as_mut()?.ask(request).ok();
    if answer.is_none() {
        *client = None;
    }
    answer?.status()
}

fn summary(status: u16, mut times: Vec<u128>) -> String {
    times.sort_unstable();
    let at = |hundredths: usize| times.get(times.len() * hundredths / 100).or(times.last()).copied().unwrap_or(0);
    format!("\"{status}\":{{\"count\":{},\"p50_us\":{},\"p99_us\":{}}}", times.len(), at(50), at(99))
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch at the client's end; no decision depends on it")]
fn now() -> Instant {
    Instant::now()
}

/// An upstream with `places`: each request has one for `work`, the others wait.
fn limited(port: u16, places: usize, work: Duration, answer: &Path) -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let answer = super::answer(&std::fs::read(answer)?);
    let free = Arc::new((Mutex::new(places), Condvar::new()));
    for stream in listener.incoming().flatten() {
        let (free, answer) = (free.clone(), answer.clone());
        std::thread::spawn(move || {
            serve(stream, &answer, || {
                let (count, freed) = &*free;
                let count_of = count.lock().unwrap_or_else(PoisonError::into_inner);
                let mut left = freed.wait_while(count_of, |c| *c == 0).unwrap_or_else(PoisonError::into_inner);
                *left -= 1;
                drop(left);
                std::thread::sleep(work);
                *count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                freed.notify_one();
            })
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::summary;

    #[test]
    fn percentiles_are_of_sorted_times() {
        let times = (1..=200).rev().collect();
        assert_eq!(summary(503, times), r#""503":{"count":200,"p50_us":101,"p99_us":199}"#);
        assert_eq!(summary(0, vec![7]), r#""0":{"count":1,"p50_us":7,"p99_us":7}"#);
    }
}
