// SPDX-License-Identifier: Apache-2.0
//! What runs while the gateway serves, and how it is started.

use super::certificates::Certificates;
use super::drift;
use super::fixed::Fixed;
use super::notify::Notifier;
use super::reload::{Reloader, Tally};
use super::supervise::{Pulse, Supervisor};
use super::take_over::Predecessor;
use super::unusable;
use super::watch::{self, Look};
use super::watchdog::{self, Leash};
use crate::log::say;
use crate::outcome::{Exit, Failure};
use crate::wire_up::{self, Parts};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portcullis_audit::{Journal, JournalState};
use portcullis_authorize::Compiled;
use portcullis_config::Loaded;
use portcullis_console::{Console, Metric, Ready, Shown, Source};
use portcullis_decision::Clock;
use portcullis_decision::fetch::Fetch;
use portcullis_egress::{Egress, EgressConfig};
use portcullis_identity::{Authenticator, Readiness, RefreshOutcome};
use portcullis_proxy::{Binding, Event, Events, Revision};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How long the first load of keys may hold up the start; issuers without keys are refused with 503 after that.
const FIRST_KEYS_TIMEOUT: Duration = Duration::from_secs(6);
/// How often key sets are looked after at least.
const REFRESH_TICK_MAX: Duration = Duration::from_secs(1);
/// Longest silence of a task that fetches.
const FETCHING_PATIENCE: Duration = Duration::from_mins(1);
/// Longest silence of a task that only waits.
const WAITING_PATIENCE: Duration = Duration::from_secs(30);
/// How often a task that waits for something else says that it lives.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// What is bound, and not served yet.
pub(super) struct Opened {
    pub(super) fixed: Fixed,
    pub(super) loaded: Loaded,
    pub(super) path: PathBuf,
    pub(super) binding: Binding,
    pub(super) console: Option<Console>,
    /// Whose place is taken, if anybody's.
    pub(super) predecessor: Option<Predecessor>,
}

/// What runs.
pub(super) struct Serving {
    pub(super) running: portcullis_proxy::Running,
    pub(super) admin: Option<SocketAddr>,
    pub(super) journal: Journal,
    pub(super) supervisor: Supervisor,
    /// Asks for a reload.
    pub(super) reload: Arc<Notify>,
    /// Set when traffic should go elsewhere.
    pub(super) draining: Arc<AtomicBool>,
    pub(super) console: Option<TcpListener>,
    pub(super) data: PathBuf,
    pub(super) leash: Arc<Leash>,
    /// How often the wall clock was moved.
    clock_moves: Arc<AtomicU64>,
    certificates: Arc<Certificates>,
    reloader: Arc<Reloader>,
}

/// Opens the trail, builds the first revision and serves it.
pub(super) async fn start(
    opened: Opened,
    compiled: Vec<Compiled>,
    notifier: Arc<Notifier>,
) -> Result<Serving, Failure> {
    let Opened { fixed, mut loaded, path, binding, console, predecessor } = opened;
    let clock = wire_up::clock();
    let egress = Egress::new(EgressConfig::default(), tokio::runtime::Handle::current())
        .map_err(|e| Failure::new(Exit::Internal, e))?;
    let fetch: Arc<dyn Fetch> = Arc::new(egress);
    let unusable_rules =
        |e: anyhow::Error| unusable(format!("{e:#}"), "`portcullis check` shows the configuration's findings");
    let outside = (Arc::clone(&fetch), Arc::clone(&clock));
    let authenticator = wire_up::authenticator(&mut loaded, binding.public(), outside, None).map_err(unusable_rules)?;
    if tokio::time::timeout(FIRST_KEYS_TIMEOUT, refresh(&authenticator)).await.is_err() {
        say!("warning: keys are still being fetched; tokens of issuers without keys get 503 until they are here");
    }
    let waiting_since = match predecessor {
        None => None,
        Some(predecessor) => Some(take_over(predecessor, &clock).await?),
    };
    let journal = wire_up::open_journal(&loaded, &clock)
        .map_err(|e| unusable(format!("{e:#}"), "name a directory this user can write: `audit.directory` or `data`"))?;
    let parts = Parts {
        clock: Arc::clone(&clock),
        journal: journal.clone(),
        fetch,
        kept: wire_up::no_kept_answers(&loaded, &clock),
        public: binding.public(),
        cores: binding.cores(),
    };
    let tls = wire_up::tls(&loaded, &clock).map_err(unusable_rules)?;
    let mut proxy_config = wire_up::proxy_config(&loaded, Arc::clone(&clock), events());
    proxy_config.tls.clone_from(&tls);
    announce(&loaded);
    let (look, data) = (Look::at(loaded.files.iter().cloned()), loaded.data.clone());
    let revision = wire_up::build(&loaded, compiled, authenticator, &parts, None).map_err(unusable_rules)?;
    let revision: Arc<ArcSwap<Revision>> = Arc::new(ArcSwap::from_pointee(revision));
    let certificates = Certificates::of(tls.clone(), Arc::clone(&revision), Arc::clone(&clock));
    let running = binding.serve(proxy_config, &revision).map_err(|e| Failure::new(Exit::Internal, e))?;
    if let Some(since) = waiting_since {
        say!("took over: connections waited {} ms", clock.monotonic().saturating_sub(since).as_millis());
    }
    let reloader =
        Arc::new(Reloader { path, fixed, parts, revision, tls, look: Mutex::new(look), tally: Tally::default() });
    let leash = watchdog::start(running.pulses(), Arc::clone(&clock))
        .map_err(|e| Failure::new(Exit::Internal, format!("starting the watchdog: {e}")))?;
    let mut serving = Serving {
        running,
        admin: console.as_ref().map(Console::address),
        journal,
        supervisor: Supervisor::new(clock),
        reload: Arc::default(),
        draining: Arc::default(),
        console: console.as_ref().and_then(|console| console.socket().ok()),
        data,
        leash,
        clock_moves: Arc::default(),
        certificates,
        reloader,
    };
    serving.keep_tasks(console, notifier);
    Ok(serving)
}

/// Asks the running gateway for its place; answers when connections began to wait.
async fn take_over(predecessor: Predecessor, clock: &Arc<dyn Clock>) -> Result<Duration, Failure> {
    let clock = Arc::clone(clock);
    let taking = tokio::task::spawn_blocking(move || {
        let mut since = clock.monotonic();
        predecessor.go(|| since = clock.monotonic()).map(|()| since)
    });
    match taking.await {
        Ok(Ok(since)) => Ok(since),
        Ok(Err(error)) => Err(unusable(
            format!("the running gateway did not give up its place: {error}"),
            "look at its log; it goes on unless it says that it ended",
        )),
        Err(error) => Err(Failure::new(Exit::Internal, error)),
    }
}

impl Serving {
    fn keep_tasks(&mut self, console: Option<Console>, notifier: Arc<Notifier>) {
        let revision = Arc::clone(&self.reloader.revision);
        self.supervisor.keep("keys", FETCHING_PATIENCE, move |pulse| keep_keys(Arc::clone(&revision), pulse));
        let certificates = Arc::clone(&self.certificates);
        self.supervisor.keep("certificates", WAITING_PATIENCE, move |pulse| Arc::clone(&certificates).keep(pulse));
        let (clock, journal) = (Arc::clone(&self.reloader.parts.clock), self.journal.clone());
        let moves = Arc::clone(&self.clock_moves);
        self.supervisor.keep("clock", WAITING_PATIENCE, move |pulse| {
            drift::watch(Arc::clone(&clock), journal.clone(), Arc::clone(&moves), pulse)
        });
        if let Some(every) = notifier.alive_every() {
            let notifier = Arc::clone(&notifier);
            self.supervisor.keep("alive", WAITING_PATIENCE, move |pulse| {
                keep_saying_alive(Arc::clone(&notifier), every.min(BEAT_EVERY), pulse)
            });
        }
        let (reloader, wanted) = (Arc::clone(&self.reloader), Arc::clone(&self.reload));
        self.supervisor.keep("reload", FETCHING_PATIENCE, move |pulse| {
            keep_reloading(Arc::clone(&reloader), Arc::clone(&wanted), (Arc::clone(&notifier), pulse))
        });
        if let Some(console) = console {
            let shown = Arc::new(Shown { sources: self.sources(), metrics: self.metrics() });
            self.supervisor.keep("console", WAITING_PATIENCE, move |pulse| {
                let serving = console.serve(Arc::clone(&shown), std::future::pending());
                async move { tokio::join!(serving, beating(pulse)).0 }
            });
        }
    }

    /// Reloads when a file of the configuration changes.
    pub(super) fn watch(&mut self) {
        let (reloader, wanted) = (Arc::clone(&self.reloader), Arc::clone(&self.reload));
        self.supervisor.keep("watch", WAITING_PATIENCE, move |pulse| {
            let reloader = Arc::clone(&reloader);
            watch::watch(move || reloader.look.lock().clone(), Arc::clone(&wanted), pulse)
        });
    }

    /// What `/readyz` asks.
    fn sources(&self) -> Vec<Source> {
        let journal = self.journal.clone();
        let (revision, draining) = (Arc::clone(&self.reloader.revision), Arc::clone(&self.draining));
        vec![
            Source::new("audit", move || match journal.state() {
                JournalState::Writing => Ready::Yes,
                JournalState::Unwritable | JournalState::Closed => Ready::No("the trail cannot be written".into()),
            }),
            Source::new("keys", move || match revision.load().gate.authenticator.ready() {
                Readiness::Ready | Readiness::Partly(_) => Ready::Yes,
                Readiness::NotReady(_) => Ready::No("no issuer has keys".into()),
            }),
            Source::new("drain", move || {
                if draining.load(Ordering::Relaxed) { Ready::No("draining".into()) } else { Ready::Yes }
            }),
            self.supervisor.source(),
            self.certificates.source(),
        ]
    }

    /// What `/metrics` shows.
    fn metrics(&self) -> Vec<Metric> {
        let tally = |read: fn(&Tally) -> u64| {
            let reloader = Arc::clone(&self.reloader);
            move || read(&reloader.tally)
        };
        let revision = Arc::clone(&self.reloader.revision);
        vec![
            Metric::info("portcullis_config", "The configuration in force.", "revision", move || {
                revision.load().gate.revision.to_string()
            }),
            Metric::counter(
                "portcullis_config_reloads",
                "Configurations put in force since the start.",
                tally(|tally| tally.accepted.load(Ordering::Relaxed)),
            ),
            Metric::counter(
                "portcullis_config_rejected",
                "Configurations refused by a reload.",
                tally(|tally| tally.rejected.load(Ordering::Relaxed)),
            ),
            Metric::counter(
                "portcullis_task_restarts",
                "Background tasks that had to be started again.",
                self.supervisor.restarts(),
            ),
            Metric::counter("portcullis_core_lags", "Times a core did not turn for 300 ms.", {
                let leash = Arc::clone(&self.leash);
                move || leash.lags.load(Ordering::Relaxed)
            }),
            Metric::counter("portcullis_clock_moves", "Times the wall clock was moved by 5 s or more.", {
                let moves = Arc::clone(&self.clock_moves);
                move || moves.load(Ordering::Relaxed)
            }),
            Metric::counter("portcullis_log_dropped", "Lines of the log nobody read.", crate::log::dropped),
        ]
    }
}

/// What is on and what is off, before the first request.
fn announce(loaded: &Loaded) {
    for api in &loaded.apis {
        let public = api.operations.iter().filter(|o| o.public).count();
        say!(
            "api {}: {} operations, {public} of them public, {} object types",
            api.name,
            api.operations.len(),
            api.declared.objects.len()
        );
    }
    say!(
        "on: authentication, scopes, contract, object and property rules, limits, idempotency keys, signed trail in {}",
        loaded.audit.directory.display()
    );
    match loaded.listen.tls.as_slice() {
        [] => say!("off: TLS, HTTP/2, upgrades, shared counters (put a TLS terminator in front of a public address)"),
        entries => {
            let asking = entries.iter().filter(|entry| entry.clients.is_some()).count();
            say!("on: TLS 1.2 and 1.3, {} certificates, {asking} of them ask for client certificates", entries.len());
            say!("off: HTTP/2, upgrades, shared counters");
        }
    }
}

async fn beating(pulse: Pulse) {
    loop {
        pulse.beat();
        tokio::time::sleep(BEAT_EVERY).await;
    }
}

/// Signs of life to the service manager, as long as this runtime turns.
async fn keep_saying_alive(notifier: Arc<Notifier>, every: Duration, pulse: Pulse) {
    loop {
        pulse.beat();
        notifier.alive();
        tokio::time::sleep(every).await;
    }
}

/// Reloads whenever one is wanted; what is wanted while one goes on is one more.
async fn keep_reloading(reloader: Arc<Reloader>, wanted: Arc<Notify>, (notifier, pulse): (Arc<Notifier>, Pulse)) {
    loop {
        pulse.beat();
        if tokio::time::timeout(BEAT_EVERY, wanted.notified()).await.is_err() {
            continue;
        }
        notifier.reloading();
        let outcome = reloader.reload().await;
        notifier.ready(&outcome);
    }
}

/// Looks after the key sets of whatever revision is in force.
async fn keep_keys(revision: Arc<ArcSwap<Revision>>, pulse: Pulse) {
    loop {
        pulse.beat();
        let authenticator = Arc::clone(&revision.load().gate.authenticator);
        let due = authenticator.refresh_due().unwrap_or(REFRESH_TICK_MAX).min(REFRESH_TICK_MAX);
        tokio::time::sleep(due.max(Duration::from_millis(50))).await;
        refresh(&authenticator).await;
    }
}

/// Fetches the keys that are due.
pub(super) async fn refresh(authenticator: &Authenticator) {
    for report in authenticator.refresh().await {
        if let RefreshOutcome::Failed(error) = &report.outcome {
            say!("warning: keys of issuer `{}`: {error}", report.issuer);
        }
        for skipped in &report.skipped {
            say!("warning: issuer `{}`: key {} is set aside: {}", report.issuer, skipped.position, skipped.fault);
        }
    }
}

/// Operational events; they hold no data of a client.
fn events() -> Events {
    Arc::new(|event: Event| say!("proxy: {event:?}"))
}
