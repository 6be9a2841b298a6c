// SPDX-License-Identifier: Apache-2.0
//! Records, disks and a small executor for the tests of this crate.

use crate::disk::{Disk, SystemDisk};
use crate::journal::{Journal, JournalConfig, open_on};
use crate::signer::Signer;
use crate::ticket::Ticket;
use crate::{AuditError, AuditFault};
use portcullis_decision::record::{Decision, Record, UpstreamEvidence};
use portcullis_decision::{Clock, Facts, ManualClock, RequestId, SystemClock, Trail, stage};
use std::fs::File;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

pub(crate) const ORIGIN: &str = "edge-2.gate.test";

/// A record of request `random` that began at `millis`.
pub(crate) fn record_at(millis: u64, random: u128) -> Record {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Duration::from_millis(millis)));
    let request = RequestId::from_parts(u128::from(millis), random);
    let mut trail = Trail::open(request, Arc::clone(&clock));
    trail.set_operation(Arc::from("orders#getOrder"));
    drop(trail.allow::<stage::Edge>(Facts::none()));
    drop(trail.allow::<stage::Plan>(Facts::none().with("policy", "default").with("left", 41_u64)));
    Record {
        at: clock.wall(),
        request,
        decision: Decision::Allow,
        status: 200,
        reason: None,
        address: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)),
        method: http::Method::GET,
        template: Some(Arc::from("/orders/{orderId}")),
        revision: Arc::from("8c1f02aa0b1c"),
        trace: Some(Box::from("4bf92f3577b34da6a3ce929d0e0e4736")),
        took: Duration::from_micros(812),
        upstream: UpstreamEvidence {
            name: Some(Arc::from("orders")),
            status: Some(200),
            took: Some(Duration::from_micros(600)),
        },
        replayed: false,
        trail,
    }
}

pub(crate) fn record(number: u64) -> Record {
    record_at(1_793_588_861_238 + number, u128::from(number))
}

/// The directory's log with a new key or the one in `key`.
pub(crate) fn signer(keys: &Path) -> Signer {
    let path = keys.join("audit.key");
    if !path.exists() {
        Signer::generate(ORIGIN).unwrap().save(&path).unwrap();
    }
    Signer::load(&path).unwrap()
}

/// A log in `root/log` with its key in `root`.
pub(crate) fn try_open(root: &Path, disk: Arc<dyn Disk>) -> Result<Journal, AuditError> {
    try_open_every(root, disk, Duration::from_millis(200))
}

/// The same with another interval between checkpoints.
pub(crate) fn try_open_every(root: &Path, disk: Arc<dyn Disk>, every: Duration) -> Result<Journal, AuditError> {
    let config = JournalConfig {
        directory: root.join("log"),
        signer: signer(root),
        checkpoint_every: every,
        queue_max: 10_000,
        clock: Arc::new(SystemClock::new()),
    };
    open_on(config, disk)
}

pub(crate) fn open(root: &Path) -> Journal {
    try_open(root, Arc::new(SystemDisk)).unwrap()
}

/// A log that signs nothing but at its start and end.
pub(crate) fn open_unsigned(root: &Path) -> Journal {
    try_open_every(root, Arc::new(SystemDisk), Duration::from_secs(100_000)).unwrap()
}

pub(crate) fn close(journal: &Journal) {
    journal.close(Duration::from_secs(20)).unwrap();
}

/// Submits record `number` and waits for its ticket.
pub(crate) fn put(journal: &Journal, number: u64) -> Result<u64, AuditFault> {
    wait(journal.reserve().map_err(|_| AuditFault::Unwritable)?.submit(record(number)))
}

/// Submits records `numbers` and waits for all of them.
pub(crate) fn put_all(journal: &Journal, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let tickets: Vec<Ticket> = numbers.map(|n| journal.reserve().unwrap().submit(record(n))).collect();
    tickets.into_iter().map(|ticket| wait(ticket).unwrap()).collect()
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread; a future that is never woken fails the test.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    for _ in 0..10_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park_timeout(Duration::from_secs(20));
    }
    panic!("never woken");
}

/// How a disk fails.
#[derive(Clone, Copy)]
pub(crate) enum Failing {
    Not = 0,
    /// Half of the bytes are written, then the disk is full.
    Full = 1,
    Broken = 2,
    Panicking = 3,
}

/// A disk that can be made to fail.
#[derive(Default)]
pub(crate) struct FailingDisk {
    append: AtomicU64,
    sync: AtomicU64,
    pub(crate) syncs: AtomicU64,
}

impl FailingDisk {
    pub(crate) fn fail_append(&self, how: Failing) {
        self.append.store(how as u64, Ordering::SeqCst);
    }

    pub(crate) fn fail_sync(&self, how: Failing) {
        self.sync.store(how as u64, Ordering::SeqCst);
    }
}

impl Disk for FailingDisk {
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        match self.append.load(Ordering::SeqCst) {
            0 => SystemDisk.append(file, bytes),
            1 => {
                SystemDisk.append(file, &bytes[..bytes.len() / 2])?;
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            2 => Err(io::Error::other("input/output error")),
            _ => panic!("the disk is possessed"),
        }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        match self.sync.load(Ordering::SeqCst) {
            0 => SystemDisk.sync(file),
            1 => Err(io::Error::from(io::ErrorKind::StorageFull)),
            _ => Err(io::Error::other("input/output error")),
        }
    }
}

/// Copies a log as a crash at this moment would leave it (the caller sees to it that nothing is being written).
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), target).unwrap();
        }
    }
}
