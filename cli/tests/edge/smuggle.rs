// SPDX-License-Identifier: Apache-2.0
//! T24: whatever bytes arrive, requests understood by the origin are those the trail allowed, and every answer belongs to
//! its request. Streams are made from the corpus by a seed, and are the same on every machine.
//!
//! `cargo xtask smuggle --streams 10000000 --seed N` runs more of them; `EDGE_STREAM=N` one of a seed.

mod chance;
mod field;
pub(crate) mod mutate;
mod origins;

use crate::cases;
use crate::journal;
use crate::socket::{Answer, Dialogue, Met, fresh_address};
use crate::strict;
use field::Field;
use mutate::Seeds;
use origins::Said;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Streams of a run of the tests, and the seed they are made from.
const STREAMS: u64 = 100_000;
const SEED: u64 = 20_261_101;
/// Streams after which the books are balanced.
const BATCH: u64 = 5_000;
/// Streams under way at once.
const LANES: usize = 32;
/// An answer that is due comes within this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// For records and notes that are written behind the client's back.
const SETTLING: Duration = Duration::from_secs(20);
/// Faults shown before a run ends.
const FAULTS_MAX: usize = 20;

/// What a stream met.
struct Heard {
    stream: u64,
    address: String,
    answers: Vec<Answer>,
    /// The client did not wait for an answer: the stream ends inside a request.
    left: bool,
    fault: Option<String>,
}

#[derive(Default)]
struct Tally {
    streams: u64,
    answers: u64,
    allowed: u64,
    given_up: u64,
    cut_short: u64,
    understood: HashMap<&'static str, u64>,
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect(variable))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test measures in real time")]
fn t24_requests_understood_upstream_are_those_the_trail_allowed() {
    let (streams, seed) = (number("EDGE_STREAMS", STREAMS), number("EDGE_SEED", SEED));
    let (first, streams) = match std::env::var("EDGE_STREAM") {
        Ok(one) => (one.parse().unwrap(), 1),
        Err(_) => (0, streams),
    };
    let seeds = Seeds::of(&cases::all());
    let mut field = Field::start();
    let names: Vec<&str> = field.readers.iter().map(|reader| reader.name).collect();
    println!("{streams} streams of seed {seed} against {}", names.join(", "));
    assert!(names.len() >= 6, "too few origins");
    let (mut tally, mut next_record, began) = (Tally::default(), 0, Instant::now());
    let mut from = first;
    while from < first + streams {
        let to = (from + BATCH).min(first + streams);
        let mets = converse(&field, &seeds, seed, from, to);
        let mut faults = balance(&mut field, &mets, &mut next_record, &mut tally);
        if !faults.is_empty() {
            faults.truncate(FAULTS_MAX);
            panic!(
                "seed {seed}: {}",
                faults.iter().map(|(s, why)| told(&field, &seeds, seed, *s, why)).collect::<String>()
            );
        }
        from = to;
    }
    let Tally { streams, answers, allowed, given_up, cut_short, understood } = tally;
    println!(
        "{streams} streams in {:.0?}: {answers} answers, {allowed} allowed, {understood:?} understood",
        began.elapsed()
    );
    println!("{cut_short} requests were cut short upstream, {given_up} were whole there when their client left");
    let enough = first > 0 || streams < 1_000 || understood.values().all(|count| *count > streams / 100);
    assert!(enough, "an origin saw too little to tell anything");
}

fn told(field: &Field, seeds: &Seeds, seed: u64, stream: u64, why: &str) -> String {
    let bytes = seeds.stream(seed, stream, &field.mount(stream));
    format!("\n\nEDGE_SEED={seed} EDGE_STREAM={stream}: {why}\n{}", bytes.escape_ascii())
}

/// Sends streams, many at once.
fn converse(field: &Field, seeds: &Seeds, seed: u64, from: u64, to: u64) -> Vec<Heard> {
    let next = AtomicU64::new(from);
    let mets = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(stream) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|stream| *stream < to) {
                    let bytes = seeds.stream(seed, stream, &field.mount(stream));
                    let met = send(field, stream, &bytes);
                    mets.lock().unwrap().push(met);
                }
            });
        }
    });
    mets.into_inner().unwrap()
}

/// Sends one stream, a last request after it, and reads what is due.
fn send(field: &Field, stream: u64, bytes: &[u8]) -> Heard {
    let address = fresh_address();
    let mut dialogue = Dialogue::open(address, field.gate.public).unwrap();
    let last = format!(
        "GET {}/items/s{stream}last HTTP/1.1\r\nHost: edge.example.com\r\nConnection: close\r\n\r\n",
        field.mount(stream)
    );
    let whole = [bytes, last.as_bytes()].concat();
    let (messages, wrong) = strict::read_all(without_empty_lines(&whole));
    dialogue.may_be_head = whole.windows(5).any(|w| w == b"HEAD ");
    dialogue.send(&whole);
    let ends_inside = wrong.is_none() && messages.last().is_none_or(|m| !m.target.ends_with(&format!("s{stream}last")));
    let mut fault = None;
    loop {
        let count = dialogue.answers.len();
        dialogue.bodiless = messages.get(count).is_some_and(|m| m.method == "HEAD");
        if ends_inside && count >= messages.len() {
            // The rest never comes; a gate that waits for it is right.
            break;
        }
        match dialogue.read(count + 1, PATIENCE) {
            Met::Answer => {}
            Met::Closed | Met::Reset => break,
            met => {
                fault = Some(format!("{met:?} after {count} answers: {}", dialogue.rest().escape_ascii()));
                break;
            }
        }
    }
    let answers = std::mem::take(&mut dialogue.answers);
    let fault = fault.or_else(|| misread(&answers, &messages, wrong).err());
    Heard { stream, address: address.to_string(), answers, left: ends_inside, fault }
}

/// Empty lines before a request may be passed over (RFC 9112 §2.2).
fn without_empty_lines(mut bytes: &[u8]) -> &[u8] {
    while let Some(rest) = bytes.strip_prefix(b"\r\n") {
        bytes = rest;
    }
    bytes
}

/// Whether each answer that serves something serves the request a strict reader finds at its place.
fn misread(answers: &[Answer], messages: &[strict::Message], wrong: Option<&str>) -> Result<(), String> {
    if answers.len() > messages.len() + 1 {
        return Err(format!("{} answers to {} requests ({wrong:?})", answers.len(), messages.len()));
    }
    for (index, answer) in answers.iter().enumerate().filter(|(_, answer)| answer.status == 200) {
        let Some(message) = messages.get(index) else {
            return Err(format!("answer {index} serves what is no request: {wrong:?}"));
        };
        let said = answer.json();
        let (target, length) = (said["target"].as_str().unwrap_or_default(), said["length"].as_u64());
        let segment = |target: &str| target.split('?').next().and_then(|p| p.rsplit('/').next()).map(str::to_owned);
        let plain = !message.target.contains(['%', '+']);
        if said["method"] != message.method.as_str() || (plain && segment(target) != segment(&message.target)) {
            return Err(format!(
                "answer {index} is about {said}, request {index} was {} {}",
                message.method, message.target
            ));
        }
        if length != Some(message.body.len() as u64) {
            return Err(format!("answer {index}: {length:?} bytes upstream, {} sent", message.body.len()));
        }
    }
    Ok(())
}

struct Decided {
    address: String,
    status: u64,
    allowed: bool,
    aborted: bool,
}

/// Balances the books of a batch: answers, records and what the origins understood.
#[expect(clippy::disallowed_methods, reason = "a test waits in real time")]
fn balance(field: &mut Field, mets: &[Heard], next_record: &mut u64, tally: &mut Tally) -> Vec<(u64, String)> {
    let until = Instant::now() + SETTLING;
    let mut books = Books::default();
    loop {
        books.collect(field, next_record);
        let faults = books.faults(mets);
        if faults.is_empty() || Instant::now() > until {
            books.count(mets, tally);
            return faults;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[derive(Default)]
struct Books {
    /// By request id.
    decided: HashMap<String, Decided>,
    /// Request ids by address, in order.
    order: HashMap<String, Vec<String>>,
    /// How often an origin understood a request of this id, and which.
    understood: HashMap<String, Vec<(&'static str, String)>>,
    cut_short: Vec<String>,
    refused: Vec<String>,
}

impl Books {
    fn collect(&mut self, field: &mut Field, next_record: &mut u64) {
        for reader in &mut field.readers {
            let name = reader.name;
            for said in reader.said() {
                match said {
                    Said::Understood { id, method, target, length } => {
                        self.understood.entry(id).or_default().push((name, format!("{method} {target} {length}")));
                    }
                    Said::CutShort { id } => self.cut_short.push(id),
                    Said::Refused(why) => self.refused.push(format!("{name} refused what the gate sent: {why}")),
                }
            }
        }
        let (records, next) = journal::records_from(&field.data(), *next_record);
        *next_record = next;
        for record in records {
            let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
            let decided = Decided {
                address: text("address"),
                status: record["status"].as_u64().unwrap_or_default(),
                allowed: record["decision"] == "allow",
                aborted: record["reason"] == "client.aborted",
            };
            self.order.entry(decided.address.clone()).or_default().push(text("request"));
            self.decided.insert(text("request"), decided);
        }
    }

    fn faults(&self, mets: &[Heard]) -> Vec<(u64, String)> {
        let stream_of: HashMap<&str, &Heard> = mets.iter().map(|met| (met.address.as_str(), met)).collect();
        let mut faults: Vec<(u64, String)> =
            mets.iter().filter_map(|met| Some((met.stream, met.fault.clone()?))).collect();
        let any = mets.first().map_or(0, |met| met.stream);
        faults.extend(self.refused.iter().map(|why| (any, why.clone())));
        for (id, seen) in &self.understood {
            match self.decided.get(id) {
                None => faults.push((any, format!("{seen:?} has no record"))),
                Some(decided) => {
                    let stream = stream_of.get(decided.address.as_str()).map_or(any, |met| met.stream);
                    if seen.len() != 1 {
                        faults.push((stream, format!("{id} reached origins {} times: {seen:?}", seen.len())));
                    }
                    if !decided.allowed && !decided.aborted {
                        faults
                            .push((stream, format!("{seen:?} was refused ({}) and reached an origin", decided.status)));
                    }
                }
            }
        }
        for (id, decided) in self.decided.iter().filter(|(_, decided)| decided.allowed) {
            let stream = stream_of.get(decided.address.as_str()).map_or(any, |met| met.stream);
            if !self.understood.contains_key(id) {
                faults.push((stream, format!("{id} was allowed and no origin understood it")));
            }
        }
        faults.extend(mets.iter().filter_map(|met| Some((met.stream, self.answered(met).err()?))));
        faults
    }

    /// Whether the answers of a stream are those its records tell of, in their order.
    fn answered(&self, met: &Heard) -> Result<(), String> {
        let none = Vec::new();
        let order = self.order.get(&met.address).unwrap_or(&none);
        let decided: Vec<(&str, u64)> = order
            .iter()
            .filter(|id| !self.decided[*id].aborted)
            .map(|id| (id.as_str(), self.decided[id].status))
            .collect();
        let answers: Vec<(&str, u64)> =
            met.answers.iter().map(|a| (a.field("request-id").unwrap_or_default(), u64::from(a.status))).collect();
        // A client that left did not read the last answers.
        let fits = if met.left { decided.starts_with(&answers) } else { decided == answers };
        for answer in met.answers.iter().filter(|answer| answer.status == 200) {
            let (said, id) = (answer.json(), answer.field("request-id").unwrap_or_default());
            let asked = format!(
                "{} {} {}",
                said["method"].as_str().unwrap_or_default(),
                said["target"].as_str().unwrap_or_default(),
                said["length"]
            );
            if said["request"] != id || self.understood.get(id).is_none_or(|seen| seen[0].1 != asked) {
                return Err(format!("the answer {id} tells of {said}, upstream was {:?}", self.understood.get(id)));
            }
        }
        if fits { Ok(()) } else { Err(format!("answers {answers:?}, records {decided:?}")) }
    }

    fn count(&self, mets: &[Heard], tally: &mut Tally) {
        tally.streams += mets.len() as u64;
        tally.answers += mets.iter().map(|met| met.answers.len() as u64).sum::<u64>();
        tally.allowed += self.decided.values().filter(|decided| decided.allowed).count() as u64;
        tally.cut_short += self.cut_short.len() as u64;
        for (id, seen) in &self.understood {
            *tally.understood.entry(seen[0].0).or_default() += 1;
            tally.given_up += u64::from(self.decided.get(id).is_some_and(|decided| decided.aborted));
        }
    }
}
