// SPDX-License-Identifier: Apache-2.0
//! A resolver that says what the test wants.

use super::*;
use std::collections::VecDeque;

/// Answers in order; the last one again and again.
#[derive(Debug)]
pub(crate) struct Script(Mutex<VecDeque<io::Result<Found>>>, pub(crate) AtomicUsize);

impl Script {
    pub(crate) fn of(answers: impl IntoIterator<Item = io::Result<Found>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.into_iter().collect()), AtomicUsize::new(0)))
    }
}

impl Resolve for Script {
    fn resolve(&self, _: &str, _: u16) -> Looking {
        self.1.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.0.lock();
        let again = match answers.front() {
            Some(Ok(found)) => Ok(found.clone()),
            Some(Err(error)) => Err(error.kind().into()),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        let answer = if answers.len() > 1 { answers.pop_front().unwrap() } else { again };
        Box::pin(std::future::ready(answer))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as a resolver says it")]
pub(crate) fn found(hosts: impl IntoIterator<Item = u16>, ttl_s: Option<u64>) -> io::Result<Found> {
    let addresses =
        hosts.into_iter().map(|n| SocketAddr::from(([10, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]], 80))).collect();
    Ok(Found { addresses, ttl: ttl_s.map(Duration::from_secs) })
}

fn gone() -> io::Result<Found> {
    Err(io::ErrorKind::NotFound.into())
}

fn addresses(script: &Arc<Script>) -> Arc<Addresses> {
    Addresses::of(&Target::parse("http://orders.internal").unwrap(), Arc::clone(script) as Arc<dyn Resolve>)
}

/// The last octets of what would be tried, the refresh run to its end first or after.
async fn tried(addresses: &Arc<Addresses>, now_s: u64) -> Vec<u8> {
    let mut work = None;
    let tried = addresses.to_try(now_s * 1_000, |refresh| work = Some(refresh)).await;
    if let Some(refresh) = work {
        refresh.await;
    }
    let last = |address: SocketAddr| match address {
        SocketAddr::V4(four) => four.ip().octets()[3],
        SocketAddr::V6(_) => 0,
    };
    let mut tried: Vec<u8> = tried.unwrap_or_default().into_iter().map(last).collect();
    tried.sort_unstable();
    tried
}

#[tokio::test]
async fn f30_the_last_good_addresses_outlive_a_failing_resolver_for_an_hour() {
    let script = Script::of([found([1], None), gone(), gone()]);
    let addresses = addresses(&script);
    assert_eq!(tried(&addresses, 10).await, [1]);
    for now_s in [40, 60, 600, 3_000] {
        assert_eq!(tried(&addresses, now_s).await, [1], "{now_s}");
    }
    assert_eq!(tried(&addresses, 10 + 3_601).await, [0_u8; 0], "not for ever");
}

#[tokio::test]
async fn f30_a_change_is_seen_after_the_time_to_live_which_has_a_floor_and_a_ceiling() {
    for (ttl_s, fresh_for_s) in [(Some(0), 5), (Some(1), 5), (Some(60), 60), (Some(86_400), 300), (None, 30)] {
        let script = Script::of([found([1], ttl_s), found([2], ttl_s)]);
        let addresses = addresses(&script);
        assert_eq!(tried(&addresses, 10).await, [1]);
        assert_eq!(tried(&addresses, 10 + fresh_for_s - 1).await, [1]);
        assert_eq!(script.1.load(Ordering::SeqCst), 1, "nobody was asked before {fresh_for_s} s");
        let before = addresses.generation();
        assert_eq!(tried(&addresses, 10 + fresh_for_s).await, [1], "this one does not wait for the answer");
        assert_eq!(tried(&addresses, 11 + fresh_for_s).await, [2]);
        assert!(!addresses.leads_to("10.0.0.1:80".parse().unwrap(), before));
        assert!(addresses.leads_to("10.0.0.2:80".parse().unwrap(), before));
    }
}

#[tokio::test]
async fn f30_of_a_thousand_addresses_sixteen_are_used_in_turn() {
    let script = Script::of([found((0..1_000).chain(0..1_000), None)]);
    let addresses = addresses(&script);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let some = tried(&addresses, 10).await;
        assert_eq!(some.len(), TRIED_MAX);
        seen.extend(some);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), (0..16).collect::<Vec<_>>());
}

#[tokio::test]
async fn f30_a_name_that_was_never_found_is_asked_for_each_time() {
    let script = Script::of([gone(), Ok(Found { addresses: Vec::new(), ttl: None }), found([3], None)]);
    let addresses = addresses(&script);
    assert_eq!(tried(&addresses, 10).await, [0_u8; 0]);
    assert_eq!(tried(&addresses, 10).await, [0_u8; 0]);
    assert_eq!(tried(&addresses, 10).await, [3]);
}

#[tokio::test]
async fn f30_only_one_looks_again() {
    let script = Script::of([found([1], Some(5)), found([1], Some(5))]);
    let addresses = addresses(&script);
    tried(&addresses, 10).await;
    let mut refreshes = Vec::new();
    for _ in 0..10 {
        addresses.to_try(20_000, |refresh| refreshes.push(refresh)).await.unwrap();
    }
    assert_eq!(refreshes.len(), 1);
    // A look-up that is dropped half-way does not block the next one for ever.
    drop(refreshes);
}
