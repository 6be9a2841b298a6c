// SPDX-License-Identifier: Apache-2.0
//! Over real sockets: what is sent again and what is not, what is left alone, who is asked instead, and who waits.

use super::*;
use crate::config::{Condition, Event};
use crate::upstream::addresses::{Resolve, tests as resolving};
use crate::upstream::{CircuitBreaker, Concurrency, HealthCheck, Per, Retry};
use std::sync::atomic::AtomicBool;
use tokio::time::Instant;

const UNWELL: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 4\r\n\r\nbusy";

/// Counts requests; each is answered by `answer` with its number, an empty answer closes.
fn counting(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> (Scripted, Arc<AtomicUsize>) {
    let count: Arc<AtomicUsize> = Arc::default();
    let counted = Arc::clone(&count);
    let origin = origin(move |_, mut wire| {
        while wire.request().is_some() {
            let answer = answer(counted.fetch_add(1, Ordering::SeqCst));
            if answer.is_empty() || wire.try_send(answer).is_err() {
                return;
            }
        }
    });
    (origin, count)
}

fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())
}

fn target(origin: &Scripted) -> Target {
    Target::parse(&format!("http://{}", origin.address)).unwrap()
}

fn send(client: &mut Wire, method: &str, fields: &str) -> Message {
    client.send(format!("{method} / HTTP/1.1\r\nhost: a\r\n{fields}\r\n"));
    client.read().unwrap()
}

const RETRY: Retry = Retry { attempts: 3, budget_percent: 10 };

#[test]
fn f31_an_origin_that_fails_everything_is_not_asked_more_than_a_tenth_more_often() {
    for failure in [UNWELL, ""] {
        let (origin, count) = counting(move |number| if number < 300 { ok("ok") } else { failure.to_owned() });
        let bench = bench(&origin, |config, upstream| {
            upstream.retry = RETRY;
            config.connections.requests_max = 10_000;
        });
        let mut client = bench.client();
        for _ in 0..600 {
            client.get("/").unwrap();
        }
        let seen = count.load(Ordering::SeqCst);
        assert!(seen > 600 && seen <= 660, "{seen} attempts for 600 requests");
    }
    let (origin, count) = counting(|_| UNWELL.to_owned());
    let bench = bench(&origin, |_, upstream| upstream.retry = RETRY);
    let mut client = bench.client();
    for _ in 0..200 {
        assert_eq!(client.get("/").unwrap().body, b"busy", "the origin's own answer");
    }
    assert_eq!(count.load(Ordering::SeqCst), 200, "nothing ever succeeded: nothing is retried");
}

#[test]
fn f31_a_single_failure_is_hidden_from_idempotent_requests_only() {
    for failure in [UNWELL, ""] {
        let (origin, count) = counting(move |number| if number % 50 == 49 { failure.to_owned() } else { ok("ok") });
        let bench = bench(&origin, |_, upstream| upstream.retry = RETRY);
        let mut client = bench.client();
        for n in 0..200 {
            assert_eq!(client.get("/").unwrap().body, b"ok", "{n}");
        }
        assert!(count.load(Ordering::SeqCst) > 200);
    }
    for (method, fields, failure) in [
        ("POST", "x-buffer: 1\r\ncontent-length: 0\r\n", UNWELL),
        ("PATCH", "x-buffer: 1\r\ncontent-length: 0\r\n", UNWELL),
        ("GET", "", BUSY),
        ("GET", "", "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n"),
        ("GET", "", "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let (origin, count) = counting(move |number| if number < 100 { ok("ok") } else { failure.to_owned() });
        let bench = bench(&origin, |_, upstream| upstream.retry = RETRY);
        let mut client = bench.client();
        for _ in 0..110 {
            send(&mut client, method, fields);
        }
        assert_eq!(count.load(Ordering::SeqCst), 110, "{method} {failure}");
    }
}

#[test]
fn f27_the_deadline_shrinks_over_attempts() {
    let origin = origin(|_, mut wire| {
        wire.request();
        std::thread::sleep(ms(5_000));
    });
    let (good, _) = counting(|_| ok("ok"));
    let bench = bench(&good, |_, upstream| {
        upstream.targets.push(target(&origin));
        (upstream.first_byte, upstream.total) = (ms(600), ms(900));
        upstream.retry = Retry { attempts: 3, budget_percent: 100 };
    });
    let mut slowest = ms(0);
    for _ in 0..12 {
        let began = Instant::now();
        let status = bench.get("/").unwrap().status().to_owned();
        slowest = slowest.max(began.elapsed());
        assert!(status == "200" || status == "504", "{status}");
    }
    // Two ticks of the deadlines on top, and a machine that does other things.
    assert!(slowest < ms(1_600), "{slowest:?}");
}

#[test]
fn f26_a_broken_operation_is_left_alone_and_the_others_are_not() {
    let broken = Arc::new(AtomicBool::new(true));
    let seen = Arc::clone(&broken);
    let (origin, count) = counting(move |_| if seen.load(Ordering::SeqCst) { UNWELL.to_owned() } else { ok("ok") });
    let told: Seen<Event> = Arc::default();
    let events = Arc::clone(&told);
    let bench = bench(&origin, |config, upstream| {
        config.events = Arc::new(move |event| events.lock().push(event));
        upstream.circuit_breaker = Some(CircuitBreaker { open: ms(600), ..CircuitBreaker::default() });
    });
    let mut client = bench.client();
    for _ in 0..5 {
        assert_eq!(client.get("/").unwrap().body, b"busy");
    }
    let began = Instant::now();
    for _ in 0..50 {
        let refused = client.get("/").unwrap();
        assert_eq!((refused.status(), refused.body.as_slice()), ("503", b"upstream.breaker_open" as &[u8]));
        let after: u64 = refused.field("x-retry-after-ms").unwrap().parse().unwrap();
        assert!((1..=950).contains(&after), "{after}");
    }
    assert!(began.elapsed() < ms(250), "50 refusals took {:?}", began.elapsed());
    assert_eq!(count.load(Ordering::SeqCst), 5);
    assert_eq!(*told.lock(), [Event::CircuitOpened { upstream: "origin".into(), target: None }]);
    assert_eq!(send(&mut client, "GET", "x-operation: 1\r\n").body, b"busy", "another operation is asked");
    broken.store(false, Ordering::SeqCst);
    eventually("one tries, and it is well again", || bench.get("/").unwrap().body == b"ok");
    assert_eq!(bench.get("/").unwrap().body, b"ok");
}

#[test]
fn f26_a_500_is_an_answer_and_opens_nothing() {
    let (origin, count) = counting(|_| "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_owned());
    let bench = bench(&origin, |_, upstream| upstream.circuit_breaker = Some(CircuitBreaker::default()));
    let mut client = bench.client();
    for _ in 0..50 {
        assert_eq!(client.get("/").unwrap().status(), "500");
    }
    assert_eq!(count.load(Ordering::SeqCst), 50);
}

#[test]
fn f26_a_dead_target_costs_a_few_requests_and_none_where_one_may_be_sent_again() {
    for (attempts, failures_max) in [(0, 8), (1, 0)] {
        let (good, _) = counting(|_| ok("ok"));
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let bench = bench(&good, |config, upstream| {
            upstream.targets = vec![target(&good)];
            config.connections.requests_max = 10_000;
            upstream.circuit_breaker =
                Some(CircuitBreaker { consecutive_failures: 1_000, ..CircuitBreaker::default() });
            if attempts > 0 {
                upstream.retry = Retry { attempts, budget_percent: 10 };
            }
            upstream.targets.push(Target::parse(&format!("http://{free}")).unwrap());
            upstream.circuit_breaker = Some(CircuitBreaker { per: Per::Target, ..CircuitBreaker::default() });
        });
        let mut client = bench.client();
        // Enough successes to pay for retries, and for the latency of the good one to be known.
        let failed = (0..300).filter(|_| client.get("/").unwrap().status() != "200").count();
        assert!(failed <= failures_max + 5, "{failed}");
        let later = (0..100).filter(|_| client.get("/").unwrap().status() != "200").count();
        assert_eq!(later, 0, "it is left alone");
    }
}

#[test]
fn f26_targets_that_are_not_well_get_nothing_and_come_back() {
    let well = Arc::new(AtomicBool::new(false));
    let (seen, probes) = (Arc::clone(&well), Seen::default());
    let asked: Seen<Message> = Arc::clone(&probes);
    let sick = origin(move |_, mut wire| {
        while let Some(request) = wire.request() {
            let unwell = request.line.starts_with("GET /healthz?deep=1 ") && !seen.load(Ordering::SeqCst);
            let answer = if unwell { UNWELL.to_owned() } else { ok("sick") };
            if request.line.contains("healthz") {
                asked.lock().push(request);
            }
            wire.send(answer);
        }
    });
    let (good, _) = counting(|_| ok("good"));
    let told: Seen<Event> = Arc::default();
    let events = Arc::clone(&told);
    let bench = bench(&good, |config, upstream| {
        config.events = Arc::new(move |event| events.lock().push(event));
        upstream.targets = vec![target(&good), target(&sick)];
        upstream.health = Some(HealthCheck { path: "/healthz?deep=1".into(), every: ms(100) });
    });
    let sick_ones = || (0..30).filter(|_| bench.get("/").unwrap().body == b"sick").count();
    eventually("its probes fail", || told.lock().len() == 1);
    assert_eq!(sick_ones(), 0);
    well.store(true, Ordering::SeqCst);
    eventually("a probe succeeds", || told.lock().len() == 2);
    eventually("it is used again", || sick_ones() > 0);
    let host = sick.address.to_string();
    let turned = |now| Event::TargetTurned { upstream: "origin".into(), target: host.clone(), now };
    assert_eq!(*told.lock(), [turned(Condition::Unwell), turned(Condition::Well)]);
    let fields = ["host", "connection", "user-agent"];
    for probe in &*probes.lock() {
        let sent = fields.map(|name| probe.field(name));
        assert_eq!(sent, [Some(host.as_str()), Some("close"), Some("portcullis-health")]);
    }
}

#[test]
fn f26_when_no_target_is_well_the_refusal_is_at_once() {
    let well = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&well);
    let (origin, _) = counting(move |_| if seen.load(Ordering::SeqCst) { ok("ok") } else { UNWELL.to_owned() });
    let bench = bench(&origin, |_, upstream| {
        upstream.health = Some(HealthCheck { path: "/healthz".into(), every: ms(100) });
    });
    eventually("the probes fail", || bench.get("/").unwrap().body == b"upstream.breaker_open");
    let mut client = bench.client();
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(client.get("/").unwrap().body, b"upstream.breaker_open");
    }
    assert!(began.elapsed() < ms(250), "{:?}", began.elapsed());
    well.store(true, Ordering::SeqCst);
    eventually("a probe succeeds", || bench.get("/").unwrap().body == b"ok");
}

#[test]
fn f33_waiting_for_a_place_and_the_lowest_priority_goes_first() {
    let origin = origin(|_, mut wire| {
        while wire.request().is_some() {
            std::thread::sleep(ms(300));
            wire.ok("ok");
        }
    });
    let bench = bench(&origin, |_, upstream| {
        upstream.concurrency = Concurrency { max: 1, queue: 2, queue_timeout: ms(2_000), adaptive: false };
    });
    let ask = |priority: u8| {
        let mut client = bench.client();
        client.send(format!("GET / HTTP/1.1\r\nhost: a\r\nx-priority: {priority}\r\n\r\n"));
        std::thread::sleep(ms(40));
        client
    };
    let (mut first, mut low, mut middle, mut high) = (ask(1), ask(1), ask(5), ask(9));
    let mut late = ask(1);
    assert_eq!(low.read().unwrap().body, b"upstream.overloaded", "pushed out");
    assert_eq!(late.read().unwrap().body, b"upstream.overloaded", "no place to wait");
    assert_eq!(first.read().unwrap().body, b"ok");
    let began = Instant::now();
    assert_eq!(high.read().unwrap().body, b"ok");
    assert_eq!(middle.read().unwrap().body, b"ok");
    assert!(began.elapsed() > ms(150), "one after the other");
}

#[test]
fn f30_an_address_that_does_not_answer_is_not_the_last_one_tried() {
    let (good, _) = counting(|_| ok("ok"));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let found = crate::upstream::addresses::Found { addresses: vec![free, good.address], ttl: None };
    let resolver: Arc<dyn Resolve> = resolving::Script::of([Ok(found)]);
    let mut config = Config::new("127.0.0.1:0".parse().unwrap(), Arc::new(SystemClock::new()), Arc::new(|_| {}));
    config.cores = NonZeroUsize::MIN;
    let mut upstream =
        UpstreamConfig::new("origin".into(), vec![Target::parse("http://orders.internal:9000").unwrap()]);
    upstream.idle_max = 1;
    let upstreams = Upstreams::resolved_by(&resolver, vec![upstream], OPERATIONS, config.cores, None);
    let bench = bench_over(config, upstreams);
    for _ in 0..10 {
        assert_eq!(bench.get("/").unwrap().body, b"ok");
    }
}

#[test]
fn sm_13_a_connection_is_not_used_after_an_answer_before_the_end_of_its_request() {
    let origin = origin(|_, mut wire| {
        let mut line = String::new();
        while wire.reader.read_line(&mut line).is_ok_and(|read| read > 2) {
            line.clear();
        }
        wire.ok("early");
        drop(wire.rest());
    });
    let bench = bench(&origin, |_, _| {});
    for round in 1..=3 {
        let mut client = bench.client();
        client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 30\r\n\r\npart");
        assert_eq!(client.read().unwrap().body, b"early");
        drop(client.try_send("GET /smuggled HTTP/1.1\r\n\r\n"));
        eventually("a new one each time", || origin.connections.load(Ordering::SeqCst) == round);
        std::thread::sleep(ms(30));
    }
}

#[test]
fn t18_an_answer_to_nothing_is_nobodys_answer() {
    let origin = origin(|_, mut wire| {
        while wire.request().is_some() {
            wire.ok("ok");
            std::thread::sleep(ms(20));
            wire.ok("before its request");
        }
    });
    let bench = bench(&origin, |_, _| {});
    for round in 1..=5 {
        assert_eq!(bench.get("/").unwrap().body, b"ok");
        std::thread::sleep(ms(80));
        assert_eq!(origin.connections.load(Ordering::SeqCst), round, "its connection is not used again");
    }
}
