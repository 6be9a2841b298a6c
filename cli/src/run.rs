// SPDX-License-Identifier: Apache-2.0
//! `portcullis run`: load everything, build everything, bind, and only then say so; then live until asked to end.

mod certificates;
mod coverage;
mod drift;
mod fixed;
mod notify;
mod reload;
mod serving;
mod sockets;
mod supervise;
mod take_over;
mod watch;
mod watchdog;

use crate::arguments::{CONFIG_DEFAULT, RunOptions};
use crate::log::{self, say};
use crate::outcome::{Exit, Failure};
use crate::{demo, report, wire_up};
use fixed::Fixed;
use notify::Notifier;
use portcullis_audit::{Happening, Journal};
use portcullis_decision::Facts;
use serving::{Opened, Serving, refresh};
use sockets::Sockets;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use take_over::{Door, Held, Successor};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;

/// How long requests under way have to finish after a signal.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a gateway that hands over goes on as before, so that clients leave their connections by themselves.
const HAND_OVER_GRACE: Duration = Duration::from_millis(400);
/// How long connections that are open have for what they were about to send.
const LAST_WORDS: Duration = Duration::from_millis(200);
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

/// Why a gateway ends.
enum End {
    Terminated,
    Interrupted,
    HandOver(Successor),
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
    async fn until_the_end(&mut self, reload: &Notify, mut successor: oneshot::Receiver<Successor>) -> End {
        let mut open = true;
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return End::Terminated,
                _ = self.interrupt.recv() => return End::Interrupted,
                _ = self.hangup.recv() => reload.notify_one(),
                knocked = &mut successor, if open => match knocked {
                    Ok(successor) => return End::HandOver(successor),
                    Err(_) => open = false,
                },
            }
        }
    }

    /// Resolves when the process is asked to end once more.
    async fn again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
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
    let (predecessor, sockets) = if options.take_over {
        let (predecessor, sockets) = take_over::knock(&loaded.data)?;
        (Some(predecessor), sockets)
    } else {
        (None, sockets::passed()?.unwrap_or_default())
    };
    // Bound before anything is written: a wrong address leaves nothing behind.
    let (binding, console) = sockets.open(&loaded, wire_up::cores())?;
    let opened = Opened { fixed: Fixed::of(&loaded), loaded, path, binding, console, predecessor };
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
    let (successor, held) = open_door(&serving);
    let end = signals.until_the_end(&serving.reload, successor).await;
    // Nobody else is given what is about to close.
    drop(held.lock().take());
    leave(serving, end, (signals, options.grace()), &notifier).await
}

/// Whoever knocks to go on with the sockets, and the sockets as long as they can be had.
fn open_door(serving: &Serving) -> (oneshot::Receiver<Successor>, Held) {
    let (sender, receiver) = oneshot::channel();
    let held = Held::default();
    let opened = Door::open(&serving.data).and_then(|door| {
        let admin = serving.console.as_ref().map(TcpListener::try_clone).transpose()?;
        *held.lock() = Some(Sockets { public: serving.running.sockets()?, admin });
        let held = Arc::clone(&held);
        // A thread of its own, because it waits for as long as the process lives.
        std::thread::Builder::new().name("door".to_owned()).spawn(move || {
            if let Ok(successor) = door.wait(&held) {
                drop(door);
                drop(sender.send(successor));
            }
        })
    });
    if let Err(error) = opened {
        say!("warning: this gateway cannot be taken over ({error}): another start refuses connections meanwhile");
    }
    (receiver, held)
}

/// Leaves without cutting an answer: not ready, answers that send clients elsewhere, no new connection, what is under
/// way, the trail.
async fn leave(
    serving: Serving,
    end: End,
    (mut signals, grace): (Signals, Duration),
    notifier: &Notifier,
) -> Result<ExitCode, Failure> {
    let Serving { mut running, mut supervisor, journal, draining, leash, .. } = serving;
    draining.store(true, Ordering::Relaxed);
    running.leave();
    let happening = if matches!(end, End::HandOver(_)) { Happening::HandedOver } else { Happening::Stopping };
    // The trail may be what is broken; the end comes all the same.
    drop(journal.note(happening, Facts::none()));
    let mut successor = match end {
        End::HandOver(successor) => {
            say!("handing over: a new process goes on with the sockets");
            tokio::time::sleep(HAND_OVER_GRACE).await;
            Some(successor)
        }
        End::Terminated | End::Interrupted => {
            say!("draining: at most {} s for what is under way", DRAIN_TIMEOUT.as_secs());
            notifier.stopping("draining");
            let grace = if matches!(end, End::Terminated) { grace } else { Duration::ZERO };
            tokio::select! {
                () = tokio::time::sleep(grace) => {}
                () = signals.again() => {}
            }
            None
        }
    };
    if let Some(successor) = &mut successor
        && !(successor.is_there() && successor.closed().is_ok())
    {
        say!("error: the new process is gone; this one ends as well, because its clients were told to leave");
    }
    running.close();
    leash.off.store(true, Ordering::Relaxed);
    tokio::time::sleep(LAST_WORDS).await;
    running.drain(DRAIN_TIMEOUT).await;
    supervisor.stop();
    let closed = close(&journal).await;
    if let Some(successor) = successor {
        // It sees the end of this process otherwise.
        drop(successor.done());
    }
    closed
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
