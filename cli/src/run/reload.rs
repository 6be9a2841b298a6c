// SPDX-License-Identifier: Apache-2.0
//! Another configuration while requests go on: parse, check, build, swap. All of it or nothing (F01, F02).
//!
//! A request is decided by the revision that was current when its head was read, to its end. What was counted, kept,
//! verified and pooled under the old revision goes over to the new one. What cannot change while the process runs is
//! refused, with what to do instead.

use super::coverage::{self, Difference};
use super::fixed::Fixed;
use super::watch::Look;
use crate::log::{self, say};
use crate::report;
use crate::wire_up::{self, Parts};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use portcullis_audit::Happening;
use portcullis_config::render;
use portcullis_decision::Facts;
use portcullis_decision::finding::{Finding, Severity};
use portcullis_identity::{Authenticator, Readiness};
use portcullis_proxy::{Prepared, Revision, TlsListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long files must stay as they are to be believed.
const SETTLE: Duration = Duration::from_millis(50);
/// How often files that go on changing are read again.
const TRIES_MAX: u32 = 20;
/// How long keys of an issuer that is new may take before its configuration is used without them.
const KEYS_TIMEOUT: Duration = Duration::from_secs(6);
/// Lines of one kind that are told of one reload.
const LINES_MAX: usize = 50;

/// Loads the configuration again.
pub(crate) struct Reloader {
    pub(crate) path: PathBuf,
    pub(crate) fixed: Fixed,
    pub(crate) parts: Parts,
    pub(crate) revision: Arc<ArcSwap<Revision>>,
    /// The listener's certificates; `None`: plain HTTP.
    pub(crate) tls: Option<Arc<TlsListener>>,
    /// What the files were like when they were last loaded, whatever came of it.
    pub(crate) look: Mutex<Look>,
    pub(crate) tally: Tally,
}

/// How reloads went.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) accepted: AtomicU64,
    pub(crate) rejected: AtomicU64,
}

/// Why a configuration is not used.
struct Rejected {
    /// Everything that is wrong, as it is told.
    errors: Vec<String>,
    /// Where the first of it stands.
    place: Option<String>,
}

impl Rejected {
    fn one(error: impl Into<String>) -> Self {
        Self { errors: vec![error.into()], place: None }
    }
}

/// A configuration that is complete and not in force yet.
struct Candidate {
    revision: Revision,
    difference: Difference,
    tls: Option<Prepared>,
}

impl Reloader {
    /// Loads the configuration and, if all of it is right, puts it in force. Answers one line about what came of it.
    pub(crate) async fn reload(&self) -> String {
        let outcome = match self.prepare().await {
            Ok(candidate) => self.put_in_force(candidate).await,
            Err(rejected) => Err(rejected),
        };
        match outcome {
            Ok(line) => {
                self.tally.accepted.fetch_add(1, Ordering::Relaxed);
                line
            }
            Err(rejected) => self.reject(&rejected).await,
        }
    }

    async fn prepare(&self) -> Result<Candidate, Rejected> {
        let (mut loaded, compiled) = self.load().await?;
        let differences = self.fixed.differences(&loaded);
        if !differences.is_empty() {
            return Err(Rejected { errors: differences, place: None });
        }
        let current = self.revision.load_full();
        let broken = |error: anyhow::Error| Rejected::one(format!("error: {error:#}"));
        let Parts { fetch, clock, public, .. } = self.parts.clone();
        let before = &current.gate.authenticator;
        let authenticator =
            wire_up::authenticator(&mut loaded, public, (fetch, clock), Some(before)).map_err(broken)?;
        self.fetch_keys(before, &authenticator).await?;
        let revision = wire_up::build(&loaded, compiled, authenticator, &self.parts, Some(&current)).map_err(broken)?;
        let prepared = self.tls.as_ref().map(|tls| tls.prepare(wire_up::tls_entries(&loaded))).transpose();
        let tls = prepared.map_err(|error| Rejected::one(format!("error: `listen.public.tls`: {error}")))?;
        let difference = coverage::compare(&current.gate, &revision.gate);
        if difference.served == 0 {
            return Err(Rejected::one(
                "error: nothing would be served any more; a running gateway is emptied only by stopping it",
            ));
        }
        Ok(Candidate { revision, difference, tls })
    }

    /// Reads everything, as often as it takes for the files to stay the same while they are read (F05).
    async fn load(&self) -> Result<(portcullis_config::Loaded, Vec<portcullis_authorize::Compiled>), Rejected> {
        for _ in 0..TRIES_MAX {
            let path = self.path.clone();
            let before = self.look.lock().again();
            let read = tokio::task::spawn_blocking(move || read(&path));
            let Read { outcome, files } =
                read.await.map_err(|_| Rejected::one("error: loading the configuration broke off"))?;
            let look = Look::at(files.iter().cloned());
            tokio::time::sleep(SETTLE).await;
            let settled = look.again() == look && before.unchanged_in(&look);
            *self.look.lock() = look;
            if settled {
                return outcome;
            }
        }
        Err(Rejected::one("error: the files of the configuration go on changing while they are read"))
    }

    /// An issuer that is new, or whose keys come from elsewhere now, is asked for them before anything is swapped.
    async fn fetch_keys(&self, old: &Authenticator, new: &Authenticator) -> Result<(), Rejected> {
        let in_time = tokio::time::timeout(KEYS_TIMEOUT, super::refresh(new)).await.is_ok();
        let had_keys = |name: &Arc<str>| old.has_issuer(name) && !waiting(old).contains(name);
        let without = waiting(new);
        let lost: Vec<&str> = without.iter().filter(|name| had_keys(name)).map(|name| &**name).collect();
        if !lost.is_empty() {
            return Err(Rejected::one(format!(
                "error: the keys of issuer `{}` cannot be had from where they are now configured to be; its tokens \
                 would get 503",
                lost.join("`, `")
            )));
        }
        if !without.is_empty() {
            let (names, why) =
                (without.join("`, `"), if in_time { "could not be fetched" } else { "are on their way" });
            say!("warning: keys of issuer `{names}` {why}; its tokens get 503 until they are here");
        }
        Ok(())
    }

    async fn put_in_force(&self, candidate: Candidate) -> Result<String, Rejected> {
        let Candidate { revision, difference, tls } = candidate;
        let (from, to) = (Arc::clone(&self.revision.load().gate.revision), Arc::clone(&revision.gate.revision));
        let facts = Facts::none()
            .with("from", Arc::clone(&from))
            .with("gone", difference.gone.len())
            .with("operations", difference.served)
            .with("to", Arc::clone(&to))
            .with("weaker", difference.weaker.len());
        let facts = match difference.weaker.first() {
            Some(first) => facts.with("weakest", first.clone()),
            None => facts,
        };
        // Written before it holds: no decision stands in the trail before the change that led to it.
        let noted = match self.parts.journal.note(Happening::Reloaded, facts) {
            Ok(ticket) => ticket.await.is_ok(),
            Err(_) => false,
        };
        if !noted {
            return Err(Rejected::one("error: the trail cannot be written, so the change cannot be recorded"));
        }
        // Demands before rules: nobody who comes in between is asked for less than the new rules rely on.
        if let (Some(listener), Some(prepared)) = (&self.tls, tls) {
            listener.install(prepared);
        }
        self.revision.store(Arc::new(revision));
        let line = format!("revision {to} in force: {} operations (before: {from})", difference.served);
        say!("reload: {line}");
        tell("weaker than before", &difference.weaker);
        tell("not served any more", &difference.gone);
        Ok(line)
    }

    async fn reject(&self, rejected: &Rejected) -> String {
        self.tally.rejected.fetch_add(1, Ordering::Relaxed);
        let revision = Arc::clone(&self.revision.load().gate.revision);
        for error in &rejected.errors {
            log::tell(error);
        }
        let line =
            format!("configuration refused, {} errors; revision {revision} stays in force", rejected.errors.len());
        say!("reload: {line}; correct it and run `portcullis check`");
        let first = rejected.errors.first().and_then(|error| error.lines().next()).unwrap_or_default();
        let mut facts = Facts::none()
            .with("error", first.to_owned())
            .with("errors", rejected.errors.len())
            .with("revision", revision);
        if let Some(place) = &rejected.place {
            facts = facts.with("place", place.clone());
        }
        // The trail may be what is broken; the refusal stands all the same.
        if let Ok(ticket) = self.parts.journal.note(Happening::ConfigRejected, facts) {
            let _ = ticket.await;
        }
        line
    }
}

fn tell(what: &str, lines: &[String]) {
    for line in lines.iter().take(LINES_MAX) {
        say!("reload: {what}: {line}");
    }
    if lines.len() > LINES_MAX {
        say!("reload: {what}: and {} more", lines.len().saturating_sub(LINES_MAX));
    }
}

/// The issuers without usable keys.
fn waiting(authenticator: &Authenticator) -> Vec<Arc<str>> {
    match authenticator.ready() {
        Readiness::Ready => Vec::new(),
        Readiness::Partly(names) | Readiness::NotReady(names) => names,
    }
}

/// What came of reading, and the files it was read from.
struct Read {
    outcome: Result<(portcullis_config::Loaded, Vec<portcullis_authorize::Compiled>), Rejected>,
    files: Vec<PathBuf>,
}

fn read(path: &std::path::Path) -> Read {
    match report::read(path) {
        Ok(loaded) => {
            let files = loaded.files.clone();
            let (compiled, found) = wire_up::compile(&loaded);
            let findings = loaded.settle(found);
            let outcome = match refusals(&findings, &loaded.sources) {
                Some(rejected) => Err(rejected),
                None => Ok((loaded, compiled)),
            };
            Read { outcome, files }
        }
        Err(refused) => {
            let rejected = refusals(&refused.findings, &refused.sources);
            let outcome = Err(rejected.unwrap_or_else(|| Rejected::one("error: the configuration cannot be used")));
            Read { outcome, files: refused.files }
        }
    }
}

/// Every finding that refuses, with its place and line.
fn refusals(findings: &[Finding], sources: &portcullis_config::Sources) -> Option<Rejected> {
    let refusals: Vec<&Finding> = findings.iter().filter(|f| f.severity == Severity::Refuse).collect();
    let place = refusals.iter().find_map(|finding| finding.place.as_ref()).map(ToString::to_string);
    let errors: Vec<String> = refusals.iter().map(|finding| render(finding, sources)).collect();
    (!errors.is_empty()).then_some(Rejected { errors, place })
}
