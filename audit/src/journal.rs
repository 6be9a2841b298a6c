// SPDX-License-Identifier: Apache-2.0
//! The handle of a log that is being written: open, reserve, close.

use crate::disk::{Disk, SystemDisk};
use crate::error::{AuditError, AuditFault, Refusal};
use crate::keeper::{self, Keeper, Progress};
use crate::lane::{Lane, Relay, Slot};
use crate::layout::Layout;
use crate::queue::{JournalState, Shared};
use crate::record::{Happening, NoteKind};
use crate::recovery::{self, Cut, Recovered};
use crate::signer::{Signer, VerifyingKey};
use crate::text::hex;
use crate::ticket::Ticket;
use crate::writer::{self, Appender};
use parking_lot::{Condvar, Mutex};
use portcullis_decision::{Clock, Facts};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Extra time that close gives the disk after its deadline.
const CLOSE_GRACE: Duration = Duration::from_secs(2);

/// What a log needs.
pub struct JournalConfig {
    /// The audit directory; made when it is not there.
    pub directory: PathBuf,
    /// Signs checkpoints; its name is the log's origin.
    pub signer: Signer,
    /// How often a checkpoint is signed when something was added.
    pub checkpoint_every: Duration,
    /// At most this many slots are out at once.
    pub queue_max: usize,
    /// Time for the notes of the log about itself.
    pub clock: Arc<dyn Clock>,
}

/// A log that is being written. Cheap to clone; the last clone closes it without waiting.
#[derive(Clone)]
pub struct Journal {
    owner: Arc<Owner>,
    lane: Arc<Lane>,
}

/// Closes the log when the last handle goes.
struct Owner {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    ended: Arc<Ended>,
    verifying: VerifyingKey,
    directory: PathBuf,
    clock: Arc<dyn Clock>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.begin_close();
    }
}

/// How many of the two threads have ended.
#[derive(Default)]
struct Ended {
    count: Mutex<u8>,
    changed: Condvar,
}

const THREADS: u8 = 2;

/// Opens the log in `config.directory`: takes its lock, recovers what is there, notes the start and begins to write.
pub fn open(config: JournalConfig) -> Result<Journal, AuditError> {
    open_on(config, Arc::new(SystemDisk))
}

/// [`open`] on a disk of the caller's.
pub(crate) fn open_on(config: JournalConfig, disk: Arc<dyn Disk>) -> Result<Journal, AuditError> {
    let layout = Layout::new(&config.directory);
    let lock = recovery::lock(&layout)?;
    let Recovered { frontier, tower, signed, complete, segment, cut, fresh } =
        recovery::recover(&layout, &*disk, &config.signer)?;
    let origin = config.signer.origin().to_owned();
    let verifying = config.signer.verifying_key();
    let mut keeper = Keeper {
        layout: layout.clone(),
        disk: Arc::clone(&disk),
        signer: config.signer,
        checkpoint_every: config.checkpoint_every,
        tower,
        signed,
        backlog: Vec::new(),
    };
    keeper.seal(&complete)?;
    let mut appender = Appender::new(layout, disk, (Arc::clone(&config.clock), origin), frontier, segment);
    note_start(&mut appender, cut.as_ref(), fresh)?;
    appender.sync()?;
    keeper.seal(&std::mem::take(&mut appender.full))?;
    keeper.sign(&appender.frontier)?;
    let progress = Progress::new(appender.frontier.clone(), Arc::clone(&appender.segment.file));
    let shared = Shared::new(verifying.name(), config.queue_max, progress);
    let ended = Arc::new(Ended::default());
    let lock = Arc::new(lock);
    let writer = spawn("audit-writer", &shared, (&ended, &lock), move |shared| writer::run(appender, shared))?;
    let started = spawn("audit-keeper", &shared, (&ended, &lock), move |shared| keeper::run(keeper, shared));
    let keeper = started.inspect_err(|_| shared.fail("the keeper could not be started"))?;
    let owner = Owner {
        shared,
        threads: Mutex::new(vec![writer, keeper]),
        ended,
        verifying,
        directory: config.directory,
        clock: config.clock,
    };
    let lane = Lane::new(Arc::clone(&owner.shared));
    Ok(Journal { owner: Arc::new(owner), lane })
}

fn note_start(appender: &mut Appender, cut: Option<&Cut>, fresh: bool) -> Result<(), AuditError> {
    if let Some(cut) = cut {
        let file = cut.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let facts = Facts::none()
            .with("bytes", cut.bytes)
            .with("file", file)
            .with("leaf", hex(&cut.leaf))
            .with("offset", cut.offset);
        appender.note(NoteKind::TornTail, &facts)?;
    }
    let facts =
        Facts::none().with("log", if fresh { "new" } else { "continued" }).with("version", env!("CARGO_PKG_VERSION"));
    appender.note(NoteKind::Started, &facts)
}

/// Starts a thread; if it ends by a panic the log is unwritable (fault F37).
fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    (ended, lock): (&Arc<Ended>, &Arc<File>),
    run: impl FnOnce(&Shared) + Send + 'static,
) -> Result<JoinHandle<()>, AuditError> {
    /// Runs on every way out of the thread.
    struct OnEnd {
        shared: Arc<Shared>,
        ended: Arc<Ended>,
        lock: Option<Arc<File>>,
        panicked: bool,
    }
    impl Drop for OnEnd {
        fn drop(&mut self) {
            if self.panicked {
                self.shared.fail("an audit thread panicked");
            }
            // The lock goes with the last thread, and before anybody is told.
            self.lock = None;
            let mut count = self.ended.count.lock();
            *count = count.saturating_add(1);
            if *count >= THREADS {
                self.shared.finish_close();
            }
            self.ended.changed.notify_all();
        }
    }
    let (shared, ended, lock) = (Arc::clone(shared), Arc::clone(ended), Some(Arc::clone(lock)));
    let body = move || {
        let mut on_end = OnEnd { shared, ended, lock, panicked: true };
        run(&on_end.shared);
        on_end.panicked = false;
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(AuditError::Thread)
}

impl Journal {
    /// A handle for one core, with the relay that its runtime polls beside the requests.
    pub fn per_core(&self) -> (Journal, Relay) {
        let lane = Lane::new(Arc::clone(&self.owner.shared));
        (Journal { owner: Arc::clone(&self.owner), lane: Arc::clone(&lane) }, Relay::new(lane))
    }

    /// Reserves the place for one record. One atomic operation.
    pub fn reserve(&self) -> Result<Slot, Refusal> {
        self.owner.shared.reserve(&self.lane)
    }

    /// Writes down what happens to the process. The answer resolves as a record's does.
    #[expect(clippy::needless_pass_by_value, reason = "a note is handed over once")]
    pub fn note(&self, happening: Happening, facts: Facts) -> Result<Ticket, Refusal> {
        Ok(self.reserve()?.note(happening, self.owner.clock.wall(), &facts))
    }

    /// Whether records are taken.
    pub fn state(&self) -> JournalState {
        self.owner.shared.state()
    }

    /// Why the log cannot be written, for people.
    pub fn failure(&self) -> Option<String> {
        self.owner.shared.failure()
    }

    /// Where the log is.
    pub fn directory(&self) -> &Path {
        &self.owner.directory
    }

    /// The key that checks this log.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.owner.verifying
    }

    /// Ends the log: no more slots, records of slots that are out are waited for until `deadline` from now, then all is
    /// synced and a last checkpoint signed. An error says that this did not come about.
    pub fn close(&self, deadline: Duration) -> Result<(), AuditFault> {
        let owner = &self.owner;
        owner.shared.begin_close();
        if !owner.wait_for_end(deadline) {
            owner.shared.force_close();
            if !owner.wait_for_end(CLOSE_GRACE) {
                // The disk hangs; the threads are left to it.
                owner.shared.fail("the disk did not answer in time");
                return Err(AuditFault::Unwritable);
            }
        }
        let mut threads = owner.threads.lock();
        for thread in threads.drain(..) {
            // A panic was reported by the thread itself.
            drop(thread.join());
        }
        if owner.shared.is_dead() { Err(AuditFault::Unwritable) } else { Ok(()) }
    }
}

impl Owner {
    fn wait_for_end(&self, patience: Duration) -> bool {
        let mut count = self.ended.count.lock();
        while *count < THREADS {
            if self.ended.changed.wait_for(&mut count, patience).timed_out() {
                return *count >= THREADS;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
