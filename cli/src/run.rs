// SPDX-License-Identifier: Apache-2.0
//! `portcullis run`: load everything, build everything, bind, and only then say so.

use crate::arguments::{CONFIG_DEFAULT, RunOptions};
use crate::outcome::{Exit, Failure};
use crate::wire_up::{self, Parts};
use crate::{demo, report};
use arc_swap::ArcSwap;
use portcullis_audit::{Journal, JournalState};
use portcullis_authorize::Compiled;
use portcullis_config::Loaded;
use portcullis_console::{Console, Ready, Source};
use portcullis_egress::{Egress, EgressConfig};
use portcullis_identity::{Authenticator, Readiness, RefreshOutcome};
use portcullis_proxy::{Binding, Event, Events, Revision};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

/// How long requests under way have to finish after a signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the last records have to reach the disk.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the first load of keys may hold up the start; issuers without keys are refused with 503 after that.
const FIRST_KEYS_TIMEOUT: Duration = Duration::from_secs(6);
/// How often key sets are looked after at least.
const REFRESH_TICK_MAX: Duration = Duration::from_secs(1);
/// Sent when a file would outgrow the process's limit; ignored, so that the write fails instead of the process.
const SIGXFSZ: i32 = 25;
/// Where the demo listens when nothing is said.
const DEMO_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const DEMO_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9443);

pub(crate) fn run(options: &RunOptions) -> Result<ExitCode, Failure> {
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Internal, format!("starting the control runtime: {e}")))?;
    control.block_on(serve(options))
}

async fn serve(options: &RunOptions) -> Result<ExitCode, Failure> {
    let mut tasks = JoinSet::new();
    let path = configuration(options, &mut tasks).await?;
    let loaded = report::load(&path)?;
    let compiled = report::settle(&loaded)?;
    let (listen, admin) = (loaded.listen.public, loaded.listen.admin);
    let _size_limit = caught_signal(SignalKind::from_raw(SIGXFSZ))?;
    let (mut terminate, mut interrupt) =
        (caught_signal(SignalKind::terminate())?, caught_signal(SignalKind::interrupt())?);
    let binding = Binding::bind(listen, wire_up::cores()).map_err(|e| {
        unusable(
            format!("cannot listen on {listen}: {e}"),
            "choose a free address: `listen.public.address`, or --listen",
        )
    })?;
    let draining = Arc::new(AtomicBool::new(false));
    let console = match admin {
        None => None,
        Some(address) => Some(Console::bind(address).await.map_err(|e| {
            unusable(
                format!("cannot listen on {address}: {e}"),
                "choose a free address: `listen.admin.address`, or --admin",
            )
        })?),
    };
    let running = start(loaded, compiled, binding).await?;
    let public = running.proxy.public;
    let admin = console.as_ref().map(Console::address);
    if let Some(console) = console {
        tasks.spawn(console.serve(sources(&running, &draining), std::future::pending()));
    }
    println!("listening public={public} admin={}", admin.map_or_else(|| "off".to_owned(), |a| a.to_string()));
    if options.demo {
        eprintln!("{}", demo::guide(public));
    }
    tasks.spawn(keep_keys(Arc::clone(&running.authenticator)));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    eprintln!("draining: no new connections, at most {} s for what is under way", DRAIN_TIMEOUT.as_secs());
    draining.store(true, Ordering::Relaxed);
    running.proxy.drain(DRAIN_TIMEOUT).await;
    tasks.abort_all();
    close(&running.journal).await
}

/// The configuration file: named, written by the demo, or written from `--openapi`.
async fn configuration(options: &RunOptions, tasks: &mut JoinSet<()>) -> Result<PathBuf, Failure> {
    if options.demo {
        let demo =
            demo::start(options.listen.unwrap_or(DEMO_LISTEN), options.admin.unwrap_or(DEMO_ADMIN), tasks).await?;
        return Ok(demo.config);
    }
    if let Some(document) = &options.openapi {
        return quick(options, document);
    }
    let path = options.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG_DEFAULT));
    if !path.is_file() {
        return Err(unusable(
            format!("there is no `{}`", path.display()),
            "name a file with -c FILE, or try `portcullis run --demo`",
        ));
    }
    Ok(path)
}

/// `run --openapi …`: the same configuration as a file of ten lines, kept beside its data.
fn quick(options: &RunOptions, document: &Path) -> Result<PathBuf, Failure> {
    let text = |value: &Option<String>| serde_json::to_string(value.as_deref().unwrap_or_default()).unwrap_or_default();
    let document = std::fs::canonicalize(document).map_err(|e| {
        unusable(format!("`{}`: {e}", document.display()), "name the OpenAPI document with --openapi FILE")
    })?;
    let document = serde_json::to_string(&document.display().to_string()).unwrap_or_default();
    let mut yaml = format!(
        "version: 1\ndata: .\nlisten:\n  public: {{ address: \"{}\" }}\n",
        options.listen.unwrap_or(DEMO_LISTEN)
    );
    if let Some(admin) = options.admin {
        let _ = writeln!(yaml, "  admin: {{ address: \"{admin}\" }}");
    }
    let _ = write!(yaml, "apis:\n  api:\n    openapi: {document}\n    upstream: {}\n", text(&options.upstream));
    let _ = write!(yaml, "identity:\n  issuer: {}\n  audience: {}\n", text(&options.issuer), text(&options.audience));
    if options.jwks.is_some() {
        let _ = writeln!(yaml, "  jwks: {}", text(&options.jwks));
    }
    let directory = PathBuf::from("portcullis-data");
    let path = directory.join("quick.yaml");
    std::fs::create_dir_all(&directory)
        .and_then(|()| std::fs::write(&path, yaml))
        .map_err(|e| unusable(format!("`{}`: {e}", path.display()), "run it in a directory you can write"))?;
    Ok(path)
}

/// What runs.
struct Serving {
    proxy: portcullis_proxy::Running,
    authenticator: Arc<Authenticator>,
    journal: Journal,
}

async fn start(loaded: Loaded, compiled: Vec<Compiled>, binding: Binding) -> Result<Serving, Failure> {
    let clock = wire_up::clock();
    let journal = wire_up::open_journal(&loaded, &clock)
        .map_err(|e| unusable(format!("{e:#}"), "name a directory this user can write: `audit.directory` or `data`"))?;
    let egress = Egress::new(EgressConfig::default(), tokio::runtime::Handle::current())
        .map_err(|e| Failure::new(Exit::Internal, e))?;
    let parts = Parts {
        clock: Arc::clone(&clock),
        journal: journal.clone(),
        fetch: Arc::new(egress),
        public: binding.public(),
    };
    let proxy_config = wire_up::proxy_config(&loaded, clock, events());
    announce(&loaded);
    let revision = wire_up::build(loaded, compiled, parts)
        .map_err(|e| unusable(format!("{e:#}"), "`portcullis check` shows the configuration's findings"))?;
    let authenticator = Arc::clone(&revision.gate.authenticator);
    if tokio::time::timeout(FIRST_KEYS_TIMEOUT, refresh(&authenticator)).await.is_err() {
        eprintln!("warning: keys are still being fetched; tokens of issuers without keys get 503 until they are here");
    }
    let revision: Arc<ArcSwap<Revision>> = Arc::new(ArcSwap::from_pointee(revision));
    let proxy = binding.serve(proxy_config, &revision).map_err(|e| Failure::new(Exit::Internal, e))?;
    Ok(Serving { proxy, authenticator, journal })
}

/// What is on and what is off, before the first request.
fn announce(loaded: &Loaded) {
    for api in &loaded.apis {
        let public = api.operations.iter().filter(|o| o.public).count();
        eprintln!(
            "api {}: {} operations, {public} of them public, {} object types",
            api.name,
            api.operations.len(),
            api.declared.objects.len()
        );
    }
    eprintln!(
        "on: authentication, scopes, contract, object and property rules, limits, idempotency keys, signed trail in {}",
        loaded.audit.directory.display()
    );
    eprintln!("off: TLS, HTTP/2, upgrades, shared counters (put a TLS terminator in front of a public address)");
}

/// Looks after the key sets until it is aborted.
async fn keep_keys(authenticator: Arc<Authenticator>) {
    loop {
        let due = authenticator.refresh_due().unwrap_or(REFRESH_TICK_MAX).min(REFRESH_TICK_MAX);
        tokio::time::sleep(due.max(Duration::from_millis(50))).await;
        refresh(&authenticator).await;
    }
}

async fn refresh(authenticator: &Authenticator) {
    for report in authenticator.refresh().await {
        if let RefreshOutcome::Failed(error) = &report.outcome {
            eprintln!("warning: keys of issuer `{}`: {error}", report.issuer);
        }
        for skipped in &report.skipped {
            eprintln!("warning: issuer `{}`: key {} is set aside: {}", report.issuer, skipped.position, skipped.fault);
        }
    }
}

/// What `/readyz` asks.
fn sources(serving: &Serving, draining: &Arc<AtomicBool>) -> Vec<Source> {
    let (journal, authenticator, draining) =
        (serving.journal.clone(), Arc::clone(&serving.authenticator), Arc::clone(draining));
    vec![
        Source::new("audit", move || match journal.state() {
            JournalState::Writing => Ready::Yes,
            JournalState::Unwritable | JournalState::Closed => Ready::No("the trail cannot be written".into()),
        }),
        Source::new("keys", move || match authenticator.ready() {
            Readiness::Ready | Readiness::Partly(_) => Ready::Yes,
            Readiness::NotReady => Ready::No("no issuer has keys".into()),
        }),
        Source::new(
            "drain",
            move || {
                if draining.load(Ordering::Relaxed) { Ready::No("draining".into()) } else { Ready::Yes }
            },
        ),
    ]
}

async fn close(journal: &Journal) -> Result<ExitCode, Failure> {
    let journal = journal.clone();
    let closed = tokio::task::spawn_blocking(move || journal.close(CLOSE_TIMEOUT)).await;
    match closed {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(fault)) => Err(Failure::new(Exit::Internal, format!("closing the trail: {fault}"))
            .help("`portcullis audit verify` says what is in it")),
        Err(error) => Err(Failure::new(Exit::Internal, error)),
    }
}

fn caught_signal(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::new(Exit::Internal, format!("signals: {e}")))
}

fn unusable(message: String, help: &str) -> Failure {
    Failure::new(Exit::Configuration, message).help(help)
}

/// Operational events on stderr; they hold no data of a client.
fn events() -> Events {
    Arc::new(|event: Event| eprintln!("proxy: {event:?}"))
}
