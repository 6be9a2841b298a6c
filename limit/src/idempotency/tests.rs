// SPDX-License-Identifier: Apache-2.0
//! A repeat happens once, for its own caller, and within bounds.

use super::*;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use portcullis_decision::{Identity, Kind, ManualClock};
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn identity(issuer: &str, subject: &str, client: Option<&str>, tenant: Option<&str>) -> Identity {
    Identity {
        issuer: issuer.into(),
        subject: subject.into(),
        client: client.map(Into::into),
        kind: Kind::User,
        tenant: tenant.map(Into::into),
        plan: None,
        scopes: Vec::new(),
        roles: Vec::new(),
        claims: Arc::default(),
        issued_at: None,
        expires_at: None,
        algorithm: "ES256",
        key_id: None,
    }
}

fn scope(key: &str) -> Scope {
    Scope::new(&identity("i", "u-alice", None, None), "orders#createOrder", "/orders", key)
}

fn print(body: &[u8]) -> Fingerprint {
    Fingerprint::of(&Method::POST, "/orders", Some("application/json"), body)
}

fn answer(status: u16, body: &[u8]) -> Stored {
    Stored::new(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), Bytes::copy_from_slice(body))
}

fn store(config: StoreConfig) -> (Store, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Duration::from_secs(1_790_000_000)));
    (Store::new(config, clock.clone()), clock)
}

fn fresh(store: &Store, key: &str, body: &[u8]) -> Lease {
    match store.begin(scope(key), print(body)) {
        Begin::Fresh(lease) => lease,
        other => panic!("{other:?}"),
    }
}

#[test]
fn id_03_id_05_the_same_request_is_replayed_and_another_refused() {
    let (store, clock) = store(StoreConfig::default());
    fresh(&store, "k", b"{}").keep(answer(201, b"{\"id\":1}"));
    for _ in 0..3 {
        let Begin::Replay(stored) = store.begin(scope("k"), print(b"{}")) else { panic!() };
        assert_eq!((stored.status.as_u16(), &*stored.body), (201, &b"{\"id\":1}"[..]));
    }
    assert!(matches!(store.begin(scope("k"), print(b"{} ")), Begin::Mismatch));
    clock.advance(Duration::from_hours(24));
    fresh(&store, "k", b"other").not_kept();
    // An answer that is an error below 500 is an answer.
    fresh(&store, "k2", b"{}").keep(answer(409, b"no"));
    assert!(matches!(store.begin(scope("k2"), print(b"{}")), Begin::Replay(_)));
}

#[test]
fn id_04_t122_a_hundred_at_once_and_one_goes_on() {
    let (store, _) = store(StoreConfig::default());
    let (ran, waiting) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let leases = parking_lot::Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for _ in 0..100 {
            threads.spawn(|| match store.begin(scope("k"), print(b"{}")) {
                Begin::Fresh(lease) => {
                    ran.fetch_add(1, Ordering::SeqCst);
                    leases.lock().push(lease);
                }
                Begin::InFlight => drop(waiting.fetch_add(1, Ordering::SeqCst)),
                other => panic!("{other:?}"),
            });
        }
    });
    assert_eq!((ran.into_inner(), waiting.into_inner()), (1, 99));
    assert!(matches!(store.begin(scope("k"), print(b"x")), Begin::Mismatch));
}

#[test]
fn id_06_t122_another_caller_operation_or_target_has_keys_of_its_own() {
    let base = || (identity("i", "s", Some("c"), Some("t")), "api#op", "/a?b=1", "key");
    let of = |(identity, operation, target, key): (Identity, &str, &str, &str)| {
        Scope::new(&identity, operation, target, key)
    };
    let scopes = [
        of(base()),
        of((identity("i2", "s", Some("c"), Some("t")), "api#op", "/a?b=1", "key")),
        of((identity("i", "s2", Some("c"), Some("t")), "api#op", "/a?b=1", "key")),
        of((identity("i", "s", Some("c2"), Some("t")), "api#op", "/a?b=1", "key")),
        of((identity("i", "s", None, Some("t")), "api#op", "/a?b=1", "key")),
        of((identity("i", "s", Some(""), Some("t")), "api#op", "/a?b=1", "key")),
        of((identity("i", "s", Some("c"), Some("t2")), "api#op", "/a?b=1", "key")),
        of((identity("i", "s", Some("c"), Some("t")), "api#op2", "/a?b=1", "key")),
        of((identity("i", "s", Some("c"), Some("t")), "api#op", "/a?b=2", "key")),
        of((identity("i", "s", Some("c"), Some("t")), "api#op", "/a?b=1", "key2")),
        // T101: a border that moves is another scope.
        of((identity("is", "", Some("c"), Some("t")), "api#op", "/a?b=1", "key")),
        of((identity("i", "s", Some("c"), Some("t")), "api#op", "/a?b=1k", "ey")),
    ];
    for (n, a) in scopes.iter().enumerate() {
        for (m, b) in scopes.iter().enumerate() {
            assert_eq!(a == b, n == m, "{n} {m}");
        }
    }
    assert!(of(base()) == scopes[0]);
    let prints = [
        print(b"{}"),
        Fingerprint::of(&Method::PATCH, "/orders", Some("application/json"), b"{}"),
        Fingerprint::of(&Method::POST, "/orders?x", Some("application/json"), b"{}"),
        Fingerprint::of(&Method::POST, "/orders", Some("text/plain"), b"{}"),
        Fingerprint::of(&Method::POST, "/orders", None, b"{}"),
        print(b"{ }"),
    ];
    for (n, a) in prints.iter().enumerate() {
        for (m, b) in prints.iter().enumerate() {
            assert_eq!(a == b, n == m, "{n} {m}");
        }
    }
}

#[test]
fn id_08_what_failed_before_or_behind_us_is_not_kept() {
    let (store, _) = store(StoreConfig::default());
    for status in [500, 502, 503, 504] {
        fresh(&store, "k", b"{}").keep(answer(status, b"broken"));
    }
    drop(fresh(&store, "k", b"{}"));
    fresh(&store, "k", b"another body: the key is free").keep(answer(200, b""));
    assert_eq!(store.size().0, 1);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _lease = fresh(&store, "panic", b"{}");
        panic!("in the middle of a request");
    }));
    assert!(caught.is_err());
    drop(fresh(&store, "panic", b"{}"));
}

#[test]
fn id_07_one_that_is_too_large_is_done_once_and_a_repeat_is_told_so() {
    let config = StoreConfig { response_bytes_max: 10, ..StoreConfig::default() };
    let (store, _) = store(config);
    fresh(&store, "k", b"{}").keep(answer(200, &[b'x'; 11]));
    assert!(matches!(store.begin(scope("k"), print(b"{}")), Begin::NotKept));
    assert!(matches!(store.begin(scope("k"), print(b"!")), Begin::Mismatch));
    fresh(&store, "k2", b"{}").keep(answer(200, &[b'x'; 10]));
    assert!(matches!(store.begin(scope("k2"), print(b"{}")), Begin::Replay(_)));
}

#[test]
fn t122_full_of_requests_under_way_it_refuses_and_never_runs_twice() {
    let (store, _) = store(StoreConfig { entries_max: 3, ..StoreConfig::default() });
    let leases: Vec<Lease> = (0..3).map(|n| fresh(&store, &n.to_string(), b"{}")).collect();
    assert!(matches!(store.begin(scope("4"), print(b"{}")), Begin::Full));
    for n in 0..3 {
        assert!(matches!(store.begin(scope(&n.to_string()), print(b"{}")), Begin::InFlight));
    }
    for lease in leases {
        lease.keep(answer(200, b""));
    }
    // Finished ones make room, the oldest first.
    let _lease = fresh(&store, "4", b"{}");
    assert!(matches!(store.begin(scope("1"), print(b"{}")), Begin::Replay(_)));
    let _lease = fresh(&store, "0", b"{}");
}

#[test]
fn t64_a_million_random_keys_stay_bounded_in_number_and_bytes() {
    let config = StoreConfig { entries_max: 2_000, bytes_max: 500_000, ..StoreConfig::default() };
    let (store, clock) = store(config);
    let caller = identity("i", "u", None, None);
    for n in 0..1_000_000u32 {
        let scope =
            Scope::new(&caller, "api#op", "/", std::str::from_utf8(&n.to_be_bytes().map(|b| b & 0x7f)).unwrap());
        if let Begin::Fresh(lease) = store.begin(scope, print(b"{}")) {
            match n % 3 {
                0 => lease.keep(answer(200, &[0; 300])),
                1 => lease.not_kept(),
                _ => drop(lease),
            }
        }
        if n % 50_000 == 0 {
            let (entries, bytes) = store.size();
            assert!(entries <= 2_000 && bytes <= 500_000, "{entries} {bytes}");
            clock.advance(Duration::from_hours(1));
        }
    }
    assert!(store.finished_len() <= 3_000, "{}", store.finished_len());
}

/// One step of the state machine.
#[derive(Clone, Debug)]
enum Act {
    Begin(u8, u8),
    Keep(usize, u16, usize),
    NotKept(usize),
    Drop(usize),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0u8..6, 0u8..2).prop_map(|(k, b)| Act::Begin(k, b)),
        2 => (0usize..8, prop_oneof![Just(200u16), Just(404), Just(503)], 0usize..30).prop_map(|(l, s, n)| Act::Keep(l, s, n)),
        1 => (0usize..8).prop_map(Act::NotKept),
        1 => (0usize..8).prop_map(Act::Drop),
        1 => (1u64..80).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 0..120)
}

#[derive(Clone, Debug, PartialEq)]
enum Model {
    InFlight,
    Kept(u16, usize, u64),
    NotKept(u64),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn p9_the_store_answers_as_the_model_does(acts in acts()) {
        let config = StoreConfig { keep: Duration::from_mins(1), response_bytes_max: 20, ..StoreConfig::default() };
        let (store, clock) = store(config);
        let mut model: std::collections::BTreeMap<u8, (u8, Model)> = std::collections::BTreeMap::new();
        let mut leases: Vec<(u8, Lease)> = Vec::new();
        let mut now_s = 0;
        for act in acts {
            match act {
                Act::Wait(s) => {
                    now_s += s;
                    clock.advance(Duration::from_secs(s));
                    model.retain(|_, (_, m)| !matches!(m, Model::Kept(_, _, e) | Model::NotKept(e) if *e <= now_s));
                }
                Act::Begin(key, body) => {
                    let got = store.begin(scope(&key.to_string()), print(&[body]));
                    match (model.get(&key).cloned(), got) {
                        (None, Begin::Fresh(lease)) => {
                            model.insert(key, (body, Model::InFlight));
                            leases.push((key, lease));
                        }
                        (Some((b, _)), Begin::Mismatch) => prop_assert_ne!(b, body),
                        (Some((b, Model::InFlight)), Begin::InFlight) => prop_assert_eq!(b, body),
                        (Some((b, Model::NotKept(_))), Begin::NotKept) => prop_assert_eq!(b, body),
                        (Some((b, Model::Kept(status, len, _))), Begin::Replay(stored)) => {
                            prop_assert_eq!(b, body);
                            prop_assert_eq!((stored.status.as_u16(), stored.body.len()), (status, len));
                        }
                        (expected, got) => prop_assert!(false, "{expected:?} {got:?}"),
                    }
                }
                Act::Keep(n, status, len) if n < leases.len() => {
                    let (key, lease) = leases.remove(n);
                    lease.keep(answer(status, &vec![1; len]));
                    match (status, len) {
                        (500.., _) => drop(model.remove(&key)),
                        (_, 21..) => model.get_mut(&key).unwrap().1 = Model::NotKept(now_s + 60),
                        _ => model.get_mut(&key).unwrap().1 = Model::Kept(status, len, now_s + 60),
                    }
                }
                Act::NotKept(n) if n < leases.len() => {
                    let (key, lease) = leases.remove(n);
                    lease.not_kept();
                    model.get_mut(&key).unwrap().1 = Model::NotKept(now_s + 60);
                }
                Act::Drop(n) if n < leases.len() => {
                    let (key, lease) = leases.remove(n);
                    drop(lease);
                    model.remove(&key);
                }
                Act::Keep(..) | Act::NotKept(_) | Act::Drop(_) => {}
            }
        }
    }

    #[test]
    fn p9_bounds_hold_and_a_request_under_way_is_never_dropped(acts in acts()) {
        let config = StoreConfig { entries_max: 4, bytes_max: 700, ..StoreConfig::default() };
        let (store, _) = store(config);
        let mut leases: Vec<((u8, u8), Lease)> = Vec::new();
        for act in acts {
            match act {
                Act::Begin(key, body) => {
                    let got = store.begin(scope(&key.to_string()), print(&[body]));
                    let running = leases.iter().any(|((k, _), _)| *k == key);
                    match got {
                        Begin::Fresh(lease) => {
                            prop_assert!(!running, "run twice");
                            leases.push(((key, body), lease));
                        }
                        Begin::Full => prop_assert_eq!(leases.len(), 4),
                        Begin::InFlight => prop_assert!(running),
                        Begin::Replay(_) | Begin::Mismatch | Begin::NotKept => {}
                    }
                }
                Act::Keep(n, status, len) if n < leases.len() => leases.remove(n).1.keep(answer(status, &vec![1; len])),
                Act::NotKept(n) if n < leases.len() => leases.remove(n).1.not_kept(),
                Act::Drop(n) if n < leases.len() => drop(leases.remove(n)),
                _ => {}
            }
            let (entries, bytes) = store.size();
            prop_assert!(entries <= 4 && bytes <= 700 && entries >= leases.len());
        }
    }
}

#[test]
fn id_01_keys_are_honoured_on_writes_without_their_own_repetition() {
    for (method, honoured) in [("POST", true), ("PATCH", true), ("PUT", false), ("DELETE", false), ("GET", false)] {
        assert_eq!(honours(&Method::from_bytes(method.as_bytes()).unwrap()), honoured, "{method}");
    }
}

#[test]
fn f01_a_repeat_after_a_reload_is_a_repeat() {
    let (first, clock) = store(StoreConfig::default());
    fresh(&first, "done", b"{}").keep(answer(201, b"{}"));
    let under_way = fresh(&first, "going", b"{}");
    let changed = StoreConfig { response_bytes_max: 1, ..StoreConfig::default() };
    let second = Store::succeeding(Some(&first), changed, clock);
    assert!(matches!(second.begin(scope("done"), print(b"{}")), Begin::Replay(_)));
    assert!(matches!(second.begin(scope("going"), print(b"{}")), Begin::InFlight), "it began before the reload");
    under_way.not_kept();
    assert!(matches!(second.begin(scope("going"), print(b"{}")), Begin::NotKept));
}
