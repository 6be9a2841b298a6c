// SPDX-License-Identifier: Apache-2.0
//! `portcullis run`: load everything, build everything, bind, and only then say so; then live until asked to end.

mod coverage;
mod fixed;
mod notify;
mod reload;
mod serving;
mod supervise;
mod watch;

use crate::arguments::{CONFIG_DEFAULT, RunOptions};
use crate::log::{self, say};
use crate::outcome::{Exit, Failure};
use crate::{demo, report, wire_up};
use fixed::Fixed;
use notify::Notifier;
use portcullis_audit::{Happening, Journal};
use portcullis_console::Console;
use portcullis_decision::Facts;
use portcullis_proxy::Binding;
use serving::{Opened, Serving, refresh};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How long requests under way have to finish after a signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the last records have to reach the disk.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the last lines of the log have to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
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
    log::start().map_err(|e| Failure::new(Exit::Internal, format!("starting the log: {e}")))?;
    let outcome = control.block_on(serve(options));
    log::flush(FLUSH_TIMEOUT);
    // What still blocks (a name that is being resolved) must not hold up the end.
    control.shutdown_background();
    outcome
}

/// The signals a gateway answers to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    _size_limit: Signal,
}

impl Signals {
    /// Before anything else, so that none of them ends a process that is starting in the middle of a write.
    fn catch() -> Result<Self, Failure> {
        Ok(Self {
            terminate: caught(SignalKind::terminate())?,
            interrupt: caught(SignalKind::interrupt())?,
            hangup: caught(SignalKind::hangup())?,
            _size_limit: caught(SignalKind::from_raw(SIGXFSZ))?,
        })
    }

    /// Resolves when the process is asked to end; a hang-up asks for a reload meanwhile.
    async fn until_the_end(&mut self, reload: &Notify) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload.notify_one(),
            }
        }
    }
}

fn caught(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|e| Failure::new(Exit::Internal, format!("signals: {e}")))
}

async fn serve(options: &RunOptions) -> Result<ExitCode, Failure> {
    let mut signals = Signals::catch()?;
    let notifier = Arc::new(Notifier::from_environment());
    let mut demo_tasks = JoinSet::new();
    let path = configuration(options, &mut demo_tasks).await?;
    let loaded = report::load(&path)?;
    let compiled = report::settle(&loaded)?;
    let opened = open(loaded, path)?;
    let mut serving = serving::start(opened, compiled, Arc::clone(&notifier)).await?;
    if options.watch {
        serving.watch();
    }
    let public = serving.running.public;
    let admin = serving.admin.map_or_else(|| "off".to_owned(), |a| a.to_string());
    println!("listening public={public} admin={admin}");
    notifier.ready(&format!("listening on {public}"));
    if options.demo {
        say!("{}", demo::guide(public));
    }
    signals.until_the_end(&serving.reload).await;
    end(serving, &notifier).await
}

/// Binds what the configuration names: nothing is written before that succeeded.
fn open(loaded: portcullis_config::Loaded, path: PathBuf) -> Result<Opened, Failure> {
    let (listen, admin) = (loaded.listen.public, loaded.listen.admin);
    let binding = Binding::bind(listen, wire_up::cores()).map_err(|e| {
        unusable(
            format!("cannot listen on {listen}: {e}"),
            "choose a free address: `listen.public.address`, or --listen",
        )
    })?;
    let console = match admin {
        None => None,
        Some(address) => Some(Console::bind(address).map_err(|e| {
            unusable(
                format!("cannot listen on {address}: {e}"),
                "choose a free address: `listen.admin.address`, or --admin",
            )
        })?),
    };
    Ok(Opened { fixed: Fixed::of(&loaded), loaded, path, binding, console })
}

/// Ends without cutting an answer: not ready, no new connection, what is under way, the trail.
async fn end(serving: Serving, notifier: &Notifier) -> Result<ExitCode, Failure> {
    let Serving { running, mut supervisor, journal, draining, .. } = serving;
    say!("draining: no new connections, at most {} s for what is under way", DRAIN_TIMEOUT.as_secs());
    notifier.stopping("draining");
    draining.store(true, Ordering::Relaxed);
    // The trail may be what is broken; the end comes all the same.
    drop(journal.note(Happening::Stopping, Facts::none()));
    running.drain(DRAIN_TIMEOUT).await;
    supervisor.stop();
    close(&journal).await
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

fn unusable(message: String, help: &str) -> Failure {
    Failure::new(Exit::Configuration, message).help(help)
}
