// SPDX-License-Identifier: Apache-2.0
//! What recording costs: CPU time per record, thread by thread, for several numbers of records under way.
//!
//! `cargo run --release -p portcullis-audit --example append [RECORDS]`

use portcullis_audit::{Journal, JournalConfig, Signer, Ticket, open, verify};
use portcullis_decision::record::{Decision, Record, UpstreamEvidence};
use portcullis_decision::{Caller, Clock, Facts, Identity, Kind, RequestId, SystemClock, Trail, stage};
use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// The allocator of the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wakes the thread that waits, as a runtime does.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn identity() -> Arc<Identity> {
    Arc::new(Identity {
        issuer: Arc::from("customers"),
        subject: Arc::from("u-1f0c7c1e"),
        client: Some(Arc::from("mobile-app")),
        kind: Kind::User,
        tenant: Some(Arc::from("t1")),
        plan: Some(Arc::from("pro")),
        scopes: Vec::new(),
        roles: Vec::new(),
        claims: Arc::default(),
        issued_at: Some(Duration::from_secs(1_793_588_000)),
        expires_at: None,
        algorithm: "ES256",
        key_id: Some(Arc::from("k7")),
    })
}

/// A record with the evidence of every stage, as the full pipeline leaves it.
fn record(clock: &Arc<dyn Clock>, identity: &Arc<Identity>, shared: &Shared) -> Record {
    let request = RequestId::generate(&**clock);
    let mut trail = Trail::open(request, Arc::clone(clock));
    trail.set_caller(Caller::Known(Arc::clone(identity)));
    trail.set_operation(Arc::clone(&shared.operation));
    drop(trail.allow::<stage::Edge>(Facts::none()));
    drop(trail.allow::<stage::Route>(Facts::none()));
    drop(trail.allow::<stage::Identity>(Facts::none().with("cache", "hit").with("kind", "jwt")));
    drop(trail.allow::<stage::Plan>(Facts::none().with("left", 412_u64).with("policy", "pro")));
    drop(trail.allow::<stage::Function>(Facts::none().with("rule", "scope")));
    drop(trail.allow::<stage::Request>(Facts::none().with("bytes", 1024_u64)));
    drop(trail.allow::<stage::Object>(Facts::none().with("owner", "owner")));
    drop(trail.allow::<stage::Business>(Facts::none()));
    drop(trail.allow::<stage::Response>(Facts::none().with("bytes", 1024_u64)));
    Record {
        at: clock.wall(),
        request,
        decision: Decision::Allow,
        status: 200,
        reason: None,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        method: http::Method::GET,
        template: Some(Arc::clone(&shared.template)),
        revision: Arc::clone(&shared.revision),
        trace: Some(Box::from("4bf92f3577b34da6a3ce929d0e0e4736")),
        took: Duration::from_micros(812),
        upstream: UpstreamEvidence {
            name: Some(Arc::clone(&shared.upstream)),
            status: Some(200),
            took: Some(Duration::from_micros(600)),
        },
        replayed: false,
        trail,
    }
}

struct Shared {
    operation: Arc<str>,
    template: Arc<str>,
    revision: Arc<str>,
    upstream: Arc<str>,
}

/// Polls all tickets and the relay until every ticket resolved.
fn wait_all(tickets: Vec<Ticket>, mut relay: Option<Pin<&mut portcullis_audit::Relay>>) -> Result<(), Box<dyn Error>> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    for ticket in tickets {
        let mut ticket = pin!(ticket);
        loop {
            if let Some(relay) = relay.as_mut() {
                let _pending = relay.as_mut().poll(&mut context);
            }
            match ticket.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => break outcome.map(drop)?,
                Poll::Pending => std::thread::park(),
            }
        }
    }
    Ok(())
}

/// CPU time of each thread of this process in nanoseconds, by the thread's name.
fn cpu_nanos() -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let mut threads = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        let name = std::fs::read_to_string(task.join("comm"))?.trim().to_owned();
        let spent = std::fs::read_to_string(task.join("schedstat"))?;
        let spent: u64 = spent.split(' ').next().unwrap_or_default().parse()?;
        *threads.entry(name).or_default() += spent;
    }
    Ok(threads)
}

/// What one run cost, in microseconds of CPU per record.
struct Cost {
    writer: f64,
    keeper: f64,
    producer: f64,
}

impl Cost {
    fn between(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>, records: usize) -> Self {
        let of = |wanted: fn(&str) -> bool| {
            let nanos: u64 = after
                .iter()
                .filter(|(name, _)| wanted(name))
                .map(|(name, spent)| spent - before.get(name).copied().unwrap_or(0))
                .sum();
            #[expect(clippy::cast_precision_loss, reason = "a measurement for people")]
            let micros = nanos as f64 / 1000.0 / records as f64;
            micros
        };
        Self {
            writer: of(|name| name == "audit-writer"),
            keeper: of(|name| name == "audit-keeper"),
            producer: of(|name| !name.starts_with("audit-")),
        }
    }
}

fn run(journal: &Journal, batch: usize, total: usize, commit: bool) -> Result<Cost, Box<dyn Error>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let identity = identity();
    let shared = Shared {
        operation: Arc::from("orders#getOrder"),
        template: Arc::from("/orders/{orderId}"),
        revision: Arc::from("8c1f02aa0b1c"),
        upstream: Arc::from("orders"),
    };
    let (core, relay) = journal.per_core();
    let mut relay = pin!(relay);
    let before = cpu_nanos()?;
    for _ in 0..total / batch {
        let records = (0..batch).map(|_| record(&clock, &identity, &shared));
        if commit {
            let tickets: Result<Vec<Ticket>, _> =
                records.map(|record| core.reserve().map(|slot| slot.submit(record))).collect();
            wait_all(tickets?, Some(relay.as_mut()))?;
        } else {
            records.for_each(|record| drop(std::hint::black_box(record)));
        }
    }
    // What the keeper has still to do belongs to these records.
    std::thread::sleep(Duration::from_millis(300));
    Ok(Cost::between(&before, &cpu_nanos()?, total))
}

fn main() -> Result<(), Box<dyn Error>> {
    let total = std::env::args().nth(1).map_or(Ok(200_000), |n| n.parse())?;
    let directory = std::env::temp_dir().join(format!("portcullis-append-{}", std::process::id()));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let journal = open(JournalConfig {
        directory: directory.clone(),
        signer: Signer::generate("append.example")?,
        checkpoint_every: Duration::from_secs(1),
        queue_max: 100_000,
        clock: Arc::clone(&clock),
    })?;
    let mut out = std::io::stdout();
    let making = run(&journal, 64, total, false)?.producer;
    writeln!(out, "making a record (not counted below) {making:6.2} us CPU")?;
    writeln!(out, "CPU us per record     all   writer   keeper  producer")?;
    for batch in [1, 8, 64, 512] {
        let count = if batch == 1 { total / 8 } else { total };
        let began = clock.monotonic();
        let Cost { writer, keeper, producer } = run(&journal, batch, count, true)?;
        let (producer, took) = (producer - making, clock.monotonic().saturating_sub(began));
        let all = writer + keeper + producer;
        writeln!(
            out,
            "batches of {batch:4}    {all:6.2}   {writer:6.2}   {keeper:6.2}   {producer:6.2}   wall {took:?} for {count}"
        )?;
    }
    let key = journal.verifying_key().clone();
    journal.close(Duration::from_mins(1))?;
    let began = clock.monotonic();
    let report = verify(&directory, &key)?;
    let took = clock.monotonic().saturating_sub(began);
    writeln!(out, "verified {} records in {took:?}", report.records)?;
    std::fs::remove_dir_all(directory)?;
    Ok(())
}
