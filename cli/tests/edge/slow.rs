// SPDX-License-Identifier: Apache-2.0
//! T55–T57, T59, F41: clients that take their time and clients that are many, while others are served as ever.
//!
//! `cargo xtask slow` runs the same with 10 000 connections, and `slowhttptest` where it is installed.

use crate::gate::{BINARY, Gate};
use crate::origin::{Reply, Then, answer, echo};
use crate::socket::{Dialogue, Met, connect, fresh_address};
use crate::stand::Stand;
use crate::strict::Message;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Slow connections of a run of the tests.
const MANY: usize = 1_000;
/// The figure of ten thousand slow heads, for the whole process.
const RSS_KIB_MAX: u64 = 120 * 1024;
/// What one slow head may cost beside it, at most.
const RSS_KIB_EACH_MAX: u64 = 16;
/// Of a body nobody reads.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// What is kept for clients that read nothing: buffers of both connections.
const RSS_KIB_UNREAD_MAX: u64 = 512;
/// What a machine that does other work may add to the wait of others: all of the clients are threads of this process.
const OTHER_WORK: Duration = Duration::from_millis(100);
const SHORT: &[(&str, &str)] = &[
    ("head: { timeout: 6s }", "head: { timeout: 3s }"),
    ("connections: { idle: 20s }", "connections: { idle: 3s, max: 20000, per_address: 20000 }"),
];

fn rss_kib(gate: &Gate) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// As many connections as are asked for and as this process may open.
fn many() -> usize {
    let asked = std::env::var("EDGE_SLOW").ok().map_or(MANY, |text| text.parse().unwrap());
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let may: usize = line.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX);
    // The gate keeps half of its own for upstreams, and a few for itself; so many others are served beside.
    let count = asked.min((may.saturating_sub(64) / 2).saturating_sub(32));
    if count < asked {
        println!("{count} connections instead of {asked}: no more than {may} files may be open");
    }
    count
}

fn is_served(stand: &Stand) -> Result<Duration, String> {
    #[expect(clippy::disallowed_methods, reason = "a test measures in real time")]
    let began = Instant::now();
    let mut dialogue = Dialogue::open(fresh_address(), stand.gate.public).map_err(|error| error.to_string())?;
    dialogue.send(b"GET /v1/items/others HTTP/1.1\r\nHost: edge.example.com\r\nConnection: close\r\n\r\n");
    match dialogue.read(1, Duration::from_secs(10)) {
        Met::Answer if dialogue.answers[0].status == 200 => Ok(began.elapsed()),
        met => Err(format!("{met:?}")),
    }
}

/// How long others waited, the shortest first.
struct Waits(Vec<Duration>);

impl Waits {
    fn of_hundred(&self, part: usize) -> Duration {
        self.0[(self.0.len() * part / 100).min(self.0.len() - 1)]
    }
}

/// Says so even where what is done fails: nobody would end the others otherwise.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Serves others all the while; answers how long each of them waited.
fn while_others_are_served(stand: &Stand, what: &str, act: impl FnOnce()) -> Waits {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut waits = Vec::new();
            while !over.load(Ordering::Relaxed) {
                waits.push(is_served(stand).unwrap_or_else(|why| panic!("others wait: {why}")));
                std::thread::sleep(Duration::from_millis(10));
            }
            waits.sort_unstable();
            let (count, waits) = (waits.len(), Waits(waits));
            let [half, most, all] = [50, 99, 100].map(|part| waits.of_hundred(part));
            println!("{what}: {count} others were served, p50 {half:?}, p99 {most:?}, the slowest {all:?}");
            assert!(count > 10, "{count}");
            waits
        });
        {
            let _over = Over(&over);
            act();
        }
        others.join().unwrap()
    })
}

fn open(stand: &Stand, count: usize, start: &[u8]) -> Vec<TcpStream> {
    let begin = |_| {
        let mut stream = connect(fresh_address(), stand.gate.public).unwrap();
        stream.write_all(start).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    (0..count).map(begin).collect()
}

/// Writes one byte after the other to each, until every one is closed or the time is up; what each was told.
#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
fn drip(streams: Vec<TcpStream>, byte: &[u8], pause: Duration, patience: Duration) -> (Vec<String>, usize) {
    let until = Instant::now() + patience;
    let mut open: Vec<(TcpStream, Vec<u8>)> = streams.into_iter().map(|stream| (stream, Vec::new())).collect();
    let mut told = Vec::new();
    while !open.is_empty() && Instant::now() < until {
        let mut buffer = [0; 2048];
        open.retain_mut(|(stream, heard)| {
            stream.write_all(byte).ok();
            match stream.read(&mut buffer) {
                Ok(read) if read > 0 => {
                    heard.extend_from_slice(&buffer[..read]);
                    true
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => true,
                _ => {
                    told.push(String::from_utf8_lossy(heard).into_owned());
                    false
                }
            }
        });
        std::thread::sleep(pause);
    }
    (told, open.len())
}

/// F41: the 99th of a hundred waits a fifth longer at most, beside what a machine that does other work adds.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test measures in real time")]
fn t55_f41_slow_heads_are_cut_off_and_cost_little_while_others_are_served() {
    let count = many();
    let (patience, pause) = if count > MANY { (10, Duration::from_secs(4)) } else { (3, Duration::from_millis(400)) };
    let words = [("head: { timeout: 6s }", &*format!("head: {{ timeout: {patience}s }}")), SHORT[1]];
    let stand = Stand::prepared(echo, &words, Gate::configured);
    let calm = while_others_are_served(&stand, "alone", || std::thread::sleep(Duration::from_secs(2)));
    let before = rss_kib(&stand.gate);
    let began = Instant::now();
    let streams = open(&stand, count, b"GET /v1/items/1 HTTP/1.1\r\nHost: edge.example.com\r\nX-A: ");
    assert!(began.elapsed() < Duration::from_secs(patience), "the first is cut before the last is there");
    let beside = while_others_are_served(&stand, "beside slow heads", || {
        std::thread::sleep(Duration::from_millis(100));
        let held = rss_kib(&stand.gate);
        println!("{before} KiB before, {held} KiB with {count} slow heads");
        assert!(held <= RSS_KIB_MAX, "{held} KiB");
        assert!(held.saturating_sub(before) <= RSS_KIB_EACH_MAX * count as u64, "{before} KiB before, {held} KiB");
        let (told, left) = drip(streams, b"a", pause, Duration::from_secs(3 * patience));
        assert_eq!(left, 0, "heads that still wait");
        let refused = told.iter().filter(|text| text.starts_with("HTTP/1.1 408 ")).count();
        println!("{refused} of {count} were told 408 before the end");
        let other = told.iter().find(|text| !text.starts_with("HTTP/1.1 408 "));
        assert!(refused * 10 >= count * 9, "{refused} of {count}: {other:?}");
    });
    let most = calm.of_hundred(99).mul_f64(1.2) + OTHER_WORK;
    assert!(beside.of_hundred(99) <= most, "{:?} beside {:?}", beside.of_hundred(99), calm.of_hundred(99));
}

#[test]
fn t55_connections_that_say_nothing_are_closed() {
    let stand = Stand::prepared(echo, SHORT, Gate::configured);
    while_others_are_served(&stand, "silent connections", || {
        let silent = open(&stand, 100, b"");
        let rested = open(&stand, 100, b"GET /v1/items/1 HTTP/1.1\r\nHost: edge.example.com\r\n\r\n");
        let (_, left) =
            drip(silent.into_iter().chain(rested).collect(), b"", Duration::from_millis(100), Duration::from_secs(9));
        assert_eq!(left, 0, "connections that still wait");
    });
}

#[test]
fn t56_slow_bodies_are_cut_off_and_none_is_taken_for_whole() {
    let stand = Stand::prepared(echo, SHORT, Gate::configured);
    while_others_are_served(&stand, "slow bodies", || {
        let begin = |line: &str, kind: &str, framing: &str| {
            format!("POST {line} HTTP/1.1\r\nHost: edge.example.com\r\nContent-Type: {kind}\r\n{framing}\r\n\r\n")
        };
        let mut streams = Vec::new();
        for (line, kind) in [("/v1/uploads", "application/octet-stream"), ("/v1/items", "application/json")] {
            for framing in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
                let start = begin(line, kind, framing) + if framing.starts_with('T') { "3e8\r\n" } else { "" };
                streams.extend(open(&stand, 25, start.as_bytes()));
            }
        }
        let count = streams.len();
        let (told, left) = drip(streams, b" ", Duration::from_millis(250), Duration::from_secs(20));
        assert_eq!(left, 0, "bodies that still wait");
        let refused = told.iter().filter(|text| text.starts_with("HTTP/1.1 408 ")).count();
        assert!(refused * 10 >= count * 9, "{refused} of {count}: {told:?}");
    });
    let bodies = stand
        .origin
        .arrivals()
        .iter()
        .filter(|a| matches!(a, crate::origin::Arrival::Whole(m) if m.method == "POST"))
        .count();
    assert_eq!(bodies, 0, "bodies that never came were taken for whole");
}

fn long(bytes: usize) -> Reply {
    Reply { bytes: answer("200 OK", "Content-Type: text/plain\r\n", &vec![b'a'; bytes]), then: Then::Keep }
}

fn long_answer(message: &Message) -> Reply {
    if message.target != "/script/long" {
        return echo(message);
    }
    long(ANSWER_BYTES)
}

/// Clients that read nothing (their window closes) are cut after a stall; those that read a little cost no more.
#[test]
fn t57_clients_that_do_not_read_are_cut_and_hold_little() {
    let stand = Stand::prepared(long_answer, SHORT, Gate::configured);
    // Others leave their traces, too: they are there before it is measured.
    while_others_are_served(&stand, "alone", || std::thread::sleep(Duration::from_secs(3)));
    let (before, count) = (rss_kib(&stand.gate), 24);
    while_others_are_served(&stand, "clients that do not read", || {
        let streams = open(&stand, count, b"GET /v1/script/long HTTP/1.1\r\nHost: edge.example.com\r\n\r\n");
        for second in 0..16 {
            std::thread::sleep(Duration::from_secs(1));
            let held = rss_kib(&stand.gate);
            assert!(held.saturating_sub(before) < RSS_KIB_UNREAD_MAX * count as u64, "{before} KiB before, {held} KiB");
            // A byte at a time, from some of them.
            for mut stream in streams.iter().take(10) {
                let _ = stream.read_exact(&mut [0; 1]);
            }
            if second == 0 {
                println!("{before} KiB before, {held} KiB with {count} answers nobody reads");
            }
        }
        for mut stream in streams.iter().skip(10) {
            stream.set_nonblocking(false).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let (mut heard, mut buffer) = (0, vec![0; 65_536]);
            let end = loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break "closed",
                    Ok(read) => heard += read,
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break "open",
                    Err(_) => break "reset",
                }
            };
            assert!(end != "open" && heard < ANSWER_BYTES, "{end} after {heard} bytes");
        }
    });
}

#[test]
fn t59_a_flood_over_every_descriptor_ends_nothing() {
    let start = |directory: &std::path::Path| {
        let mut command = Command::new("prlimit");
        Gate::spawn(directory, command.args(["--nofile=256:256", BINARY, "run", "-c", "portcullis.yaml"]))
    };
    let stand =
        Stand::prepared(echo, &[("connections: { idle: 20s }", "connections: { idle: 20s, max: 20000 }")], start);
    let mut first = Dialogue::open(fresh_address(), stand.gate.public).unwrap();
    let request = b"GET /v1/items/1 HTTP/1.1\r\nHost: edge.example.com\r\n\r\n";
    first.send(request);
    assert_eq!(first.read(1, Duration::from_secs(5)), Met::Answer);
    for round in 2..5 {
        let flood: Vec<_> = (0..600).filter_map(|_| connect(fresh_address(), stand.gate.public).ok()).collect();
        assert!(flood.len() > 256, "{}", flood.len());
        first.send(request);
        assert_eq!(first.read(round, Duration::from_secs(10)), Met::Answer, "who is in goes on");
        assert_eq!(first.answers[round - 1].status, 200);
        drop(flood);
        let after = (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            is_served(&stand).ok()
        });
        assert!(after.is_some(), "nobody is served after the flood");
    }
}

/// A tool of other people: slow heads, slow bodies, slow readers, all from one address.
#[test]
#[ignore = "a minute of 4000 connections; cargo xtask slow"]
fn t55_t56_t57_slowhttptest_leaves_the_service_available() {
    if Command::new("slowhttptest").arg("-h").output().is_err() {
        println!("not run: t55_t56_t57_slowhttptest_leaves_the_service_available (slowhttptest is not installed)");
        return;
    }
    let words = [SHORT, &[("hosts: [edge.example.com]", "hosts: [edge.example.com, localhost]")]].concat();
    let stand = Stand::prepared(
        |message| if message.target == "/script/long" { long(64 * 1024) } else { echo(message) },
        &words,
        Gate::configured,
    );
    for (mode, target) in [
        (&["-H", "-i", "1"] as &[&str], "/v1/items/1"),
        (&["-B", "-i", "1", "-s", "8192", "-f", "application/octet-stream"], "/v1/uploads"),
        (&["-X", "-w", "1", "-y", "10", "-n", "1", "-z", "1"], "/v1/script/long"),
    ] {
        let url = format!("http://localhost:{}{target}", stand.gate.public.port());
        while_others_are_served(&stand, "slowhttptest", || {
            let output = Command::new("slowhttptest")
                .args(mode)
                .args(["-c", "4000", "-r", "1000", "-l", "20", "-p", "5", "-u", &url])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let line = |word: &str| said.lines().rfind(|line| line.contains(word)).unwrap_or_default().to_owned();
            println!("slowhttptest {mode:?}: {}; {}", line("service available"), line("Exit status"));
            assert!(said.contains("service available") && said.contains("YES"), "{said}");
            assert!(!line("service available").contains("NO"), "{said}");
        });
    }
}
