// SPDX-License-Identifier: Apache-2.0
//! Runs cases against one gate, many at once, and judges what the client, the upstream and the trail saw.

use crate::awaiting::{awaiting, unstable};
use crate::case::{Case, Cut, End, Sees, UNCOUNTED};
use crate::origin::{Arrival, Reply};
use crate::socket::{Answer, Dialogue, Met, fresh_address};
use crate::stand::Stand;
use crate::strict::Message;
use serde_json::Value;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Cases under way at once.
const LANES: usize = 24;
/// Longer than any time limit of the gate under test.
const PATIENCE: Duration = Duration::from_secs(12);
/// For what follows at once.
const SOON: Duration = Duration::from_secs(5);
const PROBE: &str = "GET /v1/items/probe HTTP/1.1\r\nHost: edge.example.com\r\n\r\n";
/// What clients write where only the gate may: it reaches no upstream and no head of an answer.
const MARKS: [&str; 3] = ["mallory", "smuggled", "injected"];
/// Fields of one hop, and those a client must not set: never upstream.
const NEVER_UPSTREAM: [&str; 9] = [
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "http2-settings",
    "proxy-authorization",
    "authorization",
];
/// Fields of the gate in every request it sends, once each.
const ONCE: [&str; 6] = ["host", "via", "request-id", "x-forwarded-for", "x-forwarded-proto", "traceparent"];

/// What one connection met.
struct Ran {
    address: Ipv4Addr,
    answers: Vec<Answer>,
    interim: usize,
    end: Result<End, String>,
    probed: bool,
}

/// Runs the cases of a group. Cases that wait for a repair are listed in `awaiting.txt`; the list can only shrink.
pub(crate) fn run(cases: &[Case], script: impl Fn(&Message) -> Reply + Send + Sync + 'static) {
    let stand = Stand::answering(script);
    let next = AtomicUsize::new(0);
    let ran: Vec<Mutex<Option<Ran>>> = cases.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < cases.len())
                {
                    *ran[index].lock().unwrap() = Some(converse(&cases[index], &stand));
                }
            });
        }
    });
    let ran: Vec<Ran> = ran.into_iter().map(|one| one.into_inner().unwrap().unwrap()).collect();
    // Records of connections that were broken off are written behind the client's back.
    std::thread::sleep(Duration::from_millis(300));
    let seen = Seen::collect(&stand);
    let faults: Vec<(String, String)> = cases
        .iter()
        .zip(&ran)
        .filter_map(|(case, ran)| Some((case.id.clone(), judge(case, ran, &seen, &stand).err()?)))
        .collect();
    report(cases, &faults, &seen);
}

fn report(cases: &[Case], faults: &[(String, String)], seen: &Seen) {
    let (awaiting, unstable) = (awaiting(), unstable());
    let waiting = |id: &String| awaiting.contains(&id.as_str());
    let known = |id: &String| waiting(id) || unstable.contains(&id.as_str());
    if std::env::var_os("EDGE_LIST").is_some() {
        for (id, _) in faults {
            println!("AWAITING {id}");
        }
    }
    let new: Vec<String> =
        faults.iter().filter(|(id, _)| !known(id)).map(|(id, why)| format!("{id}\n    {why}")).collect();
    let mended: Vec<&String> =
        cases.iter().map(|c| &c.id).filter(|id| waiting(id) && !faults.iter().any(|(f, _)| f == *id)).collect();
    println!("{} cases, {} waiting for a repair", cases.len(), faults.len() - new.len());
    assert!(seen.strays.is_empty(), "the upstream saw what no decision let through: {:#?}", seen.strays);
    assert!(new.is_empty(), "{} of {} cases failed:\n{}", new.len(), cases.len(), new.join("\n"));
    assert!(mended.is_empty(), "these hold now; strike them from awaiting.txt: {mended:#?}");
}

fn converse(case: &Case, stand: &Stand) -> Ran {
    let address = fresh_address();
    let mut dialogue = Dialogue::open(address, stand.gate.public).unwrap();
    dialogue.bodiless = case.bodiless;
    let bytes = with_tokens(&case.bytes, stand);
    send(case, &mut dialogue, &bytes);
    let wanted = case.outcomes.iter().map(|o| o.statuses.len()).max().unwrap_or_default();
    let mut met = Met::Answer;
    while met == Met::Answer
        && dialogue.answers.len() < wanted
        && !dialogue.answers.last().is_some_and(Answer::says_close)
    {
        met = dialogue.read(dialogue.answers.len() + 1, PATIENCE);
    }
    let mut probed = false;
    let end = match met {
        Met::Closed | Met::Reset => Ok(End::Closed),
        Met::Silence | Met::Garbage => Err(format!("{met:?}, with {:?}", String::from_utf8_lossy(dialogue.rest()))),
        Met::Answer => conclude(case, &mut dialogue, &mut probed),
    };
    Ran { address, answers: dialogue.answers, interim: dialogue.interim.len(), end, probed }
}

/// Whether the connection goes on after the last answer: it says so, or a further request tells.
fn conclude(case: &Case, dialogue: &mut Dialogue, probed: &mut bool) -> Result<End, String> {
    let so_far = dialogue.answers.len();
    if dialogue.answers.last().is_some_and(Answer::says_close) || matches!(case.cut, Cut::HalfClose) {
        return match dialogue.read(so_far + 1, SOON) {
            Met::Closed | Met::Reset => Ok(End::Closed),
            met => Err(format!("{met:?} after an answer that closes: {:?}", dialogue.answers.last())),
        };
    }
    dialogue.bodiless = false;
    dialogue.send(PROBE.as_bytes());
    match dialogue.read(so_far + 1, SOON) {
        Met::Closed | Met::Reset => Ok(End::Closed),
        Met::Answer => {
            let answer = dialogue.answers.pop().unwrap();
            if answer.status == 200 && answer.json()["target"] == "/items/probe" {
                *probed = true;
                return Ok(End::Open);
            }
            Err(format!("a further answer: {} {}", answer.head, String::from_utf8_lossy(&answer.body)))
        }
        met => Err(format!("{met:?} instead of the answer to a further request")),
    }
}

fn with_tokens(bytes: &[u8], stand: &Stand) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    text.replace("{ALICE}", &stand.alice).replace("{BOB}", &stand.bob).into_bytes()
}

fn send(case: &Case, dialogue: &mut Dialogue, bytes: &[u8]) {
    let pieces = |ends: &[usize]| {
        let mut ends: Vec<usize> = ends.iter().copied().filter(|end| *end < bytes.len()).collect();
        ends.push(bytes.len());
        let starts: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
        starts.into_iter().zip(ends).map(|(start, end)| &bytes[start..end]).collect::<Vec<_>>()
    };
    match &case.cut {
        Cut::Whole => dialogue.send(bytes),
        Cut::HalfClose => {
            dialogue.send(bytes);
            dialogue.half_close();
        }
        Cut::EachByte => {
            for byte in bytes {
                dialogue.send(&[*byte]);
                std::thread::sleep(Duration::from_micros(100));
            }
        }
        Cut::At(ends) => {
            for piece in pieces(ends) {
                dialogue.send(piece);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        Cut::Pause(end, pause) => {
            dialogue.send(&bytes[..*end]);
            std::thread::sleep(*pause);
            dialogue.send(&bytes[*end..]);
        }
        Cut::AwaitContinue(end) => {
            dialogue.send(&bytes[..*end]);
            dialogue.await_interim(SOON);
            if !dialogue.interim.is_empty() {
                dialogue.send(&bytes[*end..]);
            }
        }
    }
}

/// What the upstream and the trail saw, by connection.
struct Seen {
    records: HashMap<String, Vec<Value>>,
    whole: HashMap<String, Vec<Message>>,
    cut_short: HashMap<String, usize>,
    /// What belongs to no record, or is no request.
    strays: Vec<String>,
}

impl Seen {
    fn collect(stand: &Stand) -> Self {
        let mut seen =
            Self { records: HashMap::new(), whole: HashMap::new(), cut_short: HashMap::new(), strays: Vec::new() };
        let mut owners = HashMap::new();
        for record in stand.records() {
            let address = record["address"].as_str().unwrap_or_default().to_owned();
            owners.insert(record["request"].as_str().unwrap_or_default().to_owned(), address.clone());
            seen.records.entry(address).or_default().push(record);
        }
        let owner = |message: &Message| message.one("request-id").and_then(|id| owners.get(id)).cloned();
        for arrival in stand.origin.arrivals() {
            match arrival {
                Arrival::Whole(message) => match owner(&message) {
                    Some(address) => seen.whole.entry(address).or_default().push(message),
                    None => seen.strays.push(format!("no record: {message:?}")),
                },
                Arrival::CutShort(Some(message), bytes) => match owner(&message) {
                    Some(address) => *seen.cut_short.entry(address).or_default() += 1,
                    None => seen.strays.push(format!("no record, cut short: {}", String::from_utf8_lossy(&bytes))),
                },
                Arrival::CutShort(None, bytes) => {
                    seen.strays.push(format!("half a head: {}", String::from_utf8_lossy(&bytes)));
                }
                Arrival::Unreadable(why, bytes) => {
                    seen.strays.push(format!("no request, {why}: {}", String::from_utf8_lossy(&bytes)));
                }
                Arrival::Reused(target) => seen.strays.push(format!("{target} on a connection that is not to be used")),
            }
        }
        seen
    }
}

fn check(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn judge(case: &Case, ran: &Ran, seen: &Seen, stand: &Stand) -> Result<(), String> {
    let statuses: Vec<u16> = ran.answers.iter().map(|a| a.status).collect();
    let end = ran.end.clone().map_err(|why| format!("{statuses:?}, then {why}"))?;
    let fits = |o: &crate::case::Outcome| o.statuses == statuses && (o.end == End::Any || o.end == end);
    check(case.outcomes.iter().any(fits), || format!("{statuses:?} {end:?}, wanted {:?}", case.outcomes))?;
    if let Some(interim) = case.interim {
        check(ran.interim == interim, || format!("{} interim answers, wanted {interim}", ran.interim))?;
    }
    for answer in &ran.answers {
        judge_answer(answer, case.bodiless)?;
    }
    let address = ran.address.to_string();
    let none = Vec::new();
    let records = seen.records.get(&address).unwrap_or(&none);
    let decided: Vec<(&str, u64)> = records
        .iter()
        .filter(|r| r["reason"] != "client.aborted")
        .map(|r| (r["request"].as_str().unwrap_or_default(), r["status"].as_u64().unwrap_or_default()))
        .collect();
    let answered: Vec<(&str, u64)> =
        ran.answers.iter().map(|a| (a.field("request-id").unwrap_or_default(), u64::from(a.status))).collect();
    let without_probe = decided.len().saturating_sub(usize::from(ran.probed));
    check(decided[..without_probe] == answered[..], || format!("answers {answered:?} and records {decided:?} differ"))?;
    judge_upstream(case, ran, seen, stand)
}

fn judge_upstream(case: &Case, ran: &Ran, seen: &Seen, stand: &Stand) -> Result<(), String> {
    let address = ran.address.to_string();
    let (none, no_records) = (Vec::new(), Vec::new());
    let whole = seen.whole.get(&address).unwrap_or(&none);
    let records = seen.records.get(&address).unwrap_or(&no_records);
    let served = ran.answers.iter().filter(|a| a.status == 200).count();
    let wanted = case.upstream.unwrap_or(served).saturating_add(usize::from(ran.probed));
    check(case.upstream == Some(UNCOUNTED) || whole.len() == wanted, || {
        format!("{} requests upstream, wanted {wanted}: {whole:?}", whole.len())
    })?;
    if case.upstream.is_none() {
        let allowed = records.iter().filter(|r| r["decision"] == "allow").count();
        check(allowed == whole.len(), || format!("{allowed} allow records, {} requests upstream", whole.len()))?;
    }
    let cut_short = seen.cut_short.get(&address).copied().unwrap_or_default();
    check(case.streams || cut_short == 0, || format!("{cut_short} requests upstream were cut short"))?;
    for message in whole {
        judge_message(message, &address, stand, case.upstream.is_some())?;
    }
    let of_the_case = whole.iter().filter(|m| m.target != "/items/probe");
    for (message, sees) in of_the_case.flat_map(|m| case.sees.iter().map(move |s| (m, s))) {
        check(matches(message, sees, &address, stand), || format!("{sees:?} does not hold of {message:?}"))?;
    }
    Ok(())
}

/// What holds of every answer: refusals are problems (RFC 9457) that tell no more than the status.
fn judge_answer(answer: &Answer, bodiless: bool) -> Result<(), String> {
    let id = answer.field("request-id").unwrap_or_default();
    let fault = |what: &str| format!("{what}: {}\n{}", answer.head, String::from_utf8_lossy(&answer.body));
    check(id.len() == 26, || fault("no request id"))?;
    check(!MARKS.iter().any(|mark| answer.head.contains(mark)), || fault("bytes of the request in the head"))?;
    check(answer.field("server").is_none() && answer.field("x-powered-by").is_none(), || fault("says what it is"))?;
    if answer.status == 200 {
        let said = answer.json();
        return check(said["request"].is_null() || said["request"] == id, || fault("the answer to another request"));
    }
    check(answer.field("content-type") == Some("application/problem+json"), || fault("no problem"))?;
    check(answer.field("cache-control") == Some("no-store"), || fault("may be stored"))?;
    check(answer.field("x-content-type-options") == Some("nosniff"), || fault("may be sniffed"))?;
    check(answer.status != 405 || answer.field("allow").is_some(), || fault("405 without Allow"))?;
    check(answer.status != 401 || answer.field("www-authenticate").is_some(), || fault("401 without a challenge"))?;
    if bodiless {
        return Ok(());
    }
    let (said, name) = (answer.json(), phrases(answer.status));
    let kind = said["type"].as_str().unwrap_or_default();
    let named = kind.strip_prefix("http://edge.example.com/problems/");
    check(named.is_some_and(|named| name.contains(&named)), || fault("another problem type"))?;
    check(said["status"] == answer.status, || fault("another status inside"))?;
    check(said["instance"] == format!("urn:portcullis:request:{id}"), || fault("another request inside"))?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    check(!MARKS.iter().any(|mark| text.contains(mark)), || fault("bytes of the request in the problem"))
}

/// The phrases of a status: RFC 9110 renamed two of those of RFC 7231.
fn phrases(status: u16) -> &'static [&'static str] {
    match status {
        400 => &["bad-request"],
        401 => &["unauthorized"],
        404 => &["not-found"],
        405 => &["method-not-allowed"],
        408 => &["request-timeout"],
        413 => &["content-too-large", "payload-too-large"],
        414 => &["uri-too-long"],
        415 => &["unsupported-media-type"],
        417 => &["expectation-failed"],
        421 => &["misdirected-request"],
        431 => &["request-header-fields-too-large"],
        502 => &["bad-gateway"],
        504 => &["gateway-timeout"],
        505 => &["http-version-not-supported"],
        _ => &[],
    }
}

/// What holds of every request the gate sends. A look-up carries neither address nor protocol of the client.
fn judge_message(message: &Message, client: &str, stand: &Stand, look_ups: bool) -> Result<(), String> {
    let fault = |what: &str| format!("{what}: {}", String::from_utf8_lossy(&message.head));
    check(message.version == "HTTP/1.1", || fault("version"))?;
    check(message.one("host") == Some(stand.origin.address.to_string().as_str()), || fault("host"))?;
    check(message.one("via") == Some("1.1 portcullis"), || fault("via"))?;
    let is_look_up = look_ups && message.all("x-forwarded-for").is_empty();
    check(is_look_up || message.one("x-forwarded-for") == Some(client), || fault("x-forwarded-for"))?;
    let once = ONCE.iter().filter(|name| !is_look_up || !name.starts_with("x-forwarded"));
    for name in once {
        check(message.all(name).len() == 1, || fault(name))?;
    }
    for name in NEVER_UPSTREAM {
        check(message.all(name).is_empty(), || fault(name))?;
    }
    check(message.trailers.is_empty() && message.extension_bytes == 0, || fault("trailers or extensions"))?;
    check(!message.fields.iter().any(|(name, _)| name.contains('_')), || fault("underscore"))?;
    let head = String::from_utf8_lossy(&message.head).into_owned();
    check(!MARKS.iter().any(|mark| head.contains(mark)), || fault("what only the gate may say"))
}

fn matches(message: &Message, sees: &Sees, client: &str, stand: &Stand) -> bool {
    match sees {
        Sees::Body(body) => message.body == *body,
        Sees::Target(target) => message.target == *target,
        Sees::Method(method) => message.method == *method,
        Sees::Absent(name) => message.all(name).is_empty(),
        Sees::Field(name, value) => message.one(name) == Some(value.replace("{CLIENT}", client).as_str()),
        Sees::Head(pattern) => {
            let pattern = pattern.replace("{ORIGIN}", &stand.origin.address.to_string()).replace("{CLIENT}", client);
            let head = String::from_utf8_lossy(&message.head).into_owned();
            let (mut wanted, mut have) = (pattern.split('\n'), head.split("\r\n"));
            loop {
                match (wanted.next(), have.next()) {
                    (None, None) => return true,
                    (Some(pattern), Some(line)) if line_fits(pattern, line) => {}
                    _ => return false,
                }
            }
        }
    }
}

fn line_fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => line.starts_with(start) && line.ends_with(end),
        None => pattern == line,
    }
}
