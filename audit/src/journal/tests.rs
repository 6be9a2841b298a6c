// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::fixture::{Failing, FailingDisk, close, copy, open, open_unsigned, put, put_all, record, try_open, wait};
use crate::merkle::leaf_hash;
use crate::query::entries_from;
use crate::{VerifyError, verify};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

fn texts(root: &Path) -> Vec<String> {
    entries_from(&root.join("log"), 0, usize::MAX).unwrap().into_iter().map(|r| r.json).collect()
}

fn notes(root: &Path, kind: &str) -> usize {
    texts(root).iter().filter(|t| t.contains(&format!("\"kind\":\"{kind}\""))).count()
}

fn key(root: &Path) -> VerifyingKey {
    VerifyingKey::load(&root.join("audit.key.pub")).unwrap()
}

fn sound(root: &Path) -> crate::Report {
    verify(&root.join("log"), &key(root)).unwrap()
}

fn until(what: impl Fn() -> bool) {
    for _ in 0..2000 {
        if what() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it did not come about");
}

#[test]
fn f08_n_submits_are_n_records_across_bundles_and_restarts() {
    let root = tempfile::tempdir().unwrap();
    let mut expected = 0;
    for round in 0..3 {
        let journal = open(root.path());
        let indices = put_all(&journal, round * 300..(round + 1) * 300);
        assert_eq!(indices.len(), 300);
        assert!(indices.windows(2).all(|pair| pair[0] < pair[1]));
        close(&journal);
        expected += 301;
        let report = sound(root.path());
        assert_eq!((report.records, report.signed, report.newer), (expected, expected, 0));
    }
    assert!(root.path().join("log/tile/entries/002").exists());
    assert_eq!(std::fs::read(root.path().join("log/tile/0/000")).unwrap().len(), 8192);
    assert_eq!(notes(root.path(), "started"), 3);
    for (index, text) in texts(root.path()).iter().enumerate() {
        assert!(text.contains(&format!("\"seq\":{index},")));
    }
}

#[test]
fn f08_many_threads_lose_nothing_and_mix_nothing_up() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let journal = journal.clone();
            scope.spawn(move || {
                for n in 0..500 {
                    let number = thread * 1000 + n;
                    let index = put(&journal, number).unwrap();
                    let expected = record(number).request.to_string();
                    if n % 100 == 0 {
                        let one = entries_from(journal.directory(), index, 1).unwrap();
                        assert!(one[0].json.contains(&expected));
                    }
                }
            });
        }
    });
    close(&journal);
    assert_eq!(sound(root.path()).records, 2001);
}

#[test]
fn f08_an_acknowledged_record_is_in_the_files_at_that_moment() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    for n in 0..20 {
        let index = put(&journal, n).unwrap();
        let newest = crate::query::newest(&root.path().join("log"), 1).unwrap();
        assert_eq!(newest[0].index, index);
        assert!(newest[0].json.contains(&record(n).request.to_string()));
    }
    close(&journal);
}

#[test]
#[ignore = "the process that f08_kill_nine_loses_no_acknowledged_record kills"]
fn child_writes_until_killed() {
    let root = PathBuf::from(std::env::var_os("AUDIT_CHILD_ROOT").unwrap());
    let journal = open(&root);
    for n in 0..u64::MAX {
        println!("acknowledged {}", put(&journal, n).unwrap());
    }
}

#[test]
fn f08_kill_nine_loses_no_acknowledged_record() {
    let root = tempfile::tempdir().unwrap();
    for round in 1..=6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "journal::tests::child_writes_until_killed", "--ignored", "--nocapture"])
            .env("AUDIT_CHILD_ROOT", root.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut last = None;
        let mut read = |line: std::io::Result<String>| {
            let line = line.unwrap();
            if let Some(index) = line.split("acknowledged ").nth(1).and_then(|n| n.parse::<u64>().ok()) {
                last = Some(index);
            }
        };
        lines.by_ref().take(usize::try_from(150 * round).unwrap()).for_each(&mut read);
        child.kill().unwrap();
        lines.for_each(&mut read);
        child.wait().unwrap();
        let report = sound(root.path());
        assert!(report.records > last.unwrap(), "round {round}: {report:?}, acknowledged {last:?}");
    }
    close(&open(root.path()));
    assert_eq!(sound(root.path()).newer, 0);
}

/// A log as a crash leaves it: `count` records, none of them under the checkpoint but the first note.
fn crashed(root: &Path, count: u64) -> PathBuf {
    let source = root.join("source");
    std::fs::create_dir_all(&source).unwrap();
    let journal = open_unsigned(&source);
    put_all(&journal, 0..count);
    let crashed = root.join("crashed");
    copy(&source, &crashed);
    close(&journal);
    crashed
}

#[test]
fn f10_a_journal_cut_at_any_byte_of_its_last_frames_recovers_the_longest_prefix() {
    let root = tempfile::tempdir().unwrap();
    let crashed = crashed(root.path(), 4);
    let segment = crashed.join("log/journal/00000000000000000000");
    let whole = std::fs::read(&segment).unwrap();
    let frames = crate::frame::scan(&whole, 0, 4096).frames;
    assert_eq!(frames.len(), 5);
    let layout = Layout::new(&crashed.join("log"));
    let signer = crate::fixture::signer(&crashed);
    let clean_log = root.path().join("clean");
    copy(&crashed.join("log"), &clean_log);
    for length in frames[3].offset..=whole.len() {
        std::fs::write(&segment, &whole[..length]).unwrap();
        let recovered = recovery::recover(&layout, &SystemDisk, &signer).unwrap();
        let kept = frames.iter().take_while(|f| f.entry.end <= length).count();
        assert_eq!(recovered.frontier.size(), kept as u64);
        let clean = length == frames[kept - 1].entry.end;
        assert_eq!(recovered.cut.is_none(), clean, "at {length}");
        if length % 97 == 0 {
            std::fs::write(&segment, &whole[..length]).unwrap();
            let journal = open(&crashed);
            put(&journal, 99).unwrap();
            close(&journal);
            assert_eq!(notes(&crashed, "torn_tail"), usize::from(!clean));
            assert_eq!(sound(&crashed).records, kept as u64 + 2 + u64::from(!clean));
            std::fs::remove_dir_all(crashed.join("log")).unwrap();
            copy(&clean_log, &crashed.join("log"));
        }
    }
}

#[test]
fn f10_damage_in_the_middle_stops_the_start_and_is_named() {
    let root = tempfile::tempdir().unwrap();
    let crashed = crashed(root.path(), 10);
    let segment = crashed.join("log/journal/00000000000000000000");
    let whole = std::fs::read(&segment).unwrap();
    let frames = crate::frame::scan(&whole, 0, 4096).frames;
    for (number, at) in [(3, 0), (5, 1), (7, 9), (9, 200)] {
        let mut damaged = whole.clone();
        damaged[frames[number].offset + at] ^= 0x10;
        std::fs::write(&segment, &damaged).unwrap();
        let error = try_open(&crashed, Arc::new(SystemDisk)).err().unwrap();
        let AuditError::Damaged { file, offset, index } = &error else { panic!("{error}") };
        assert_eq!((file, *offset, *index), (&segment, frames[number].offset as u64, number as u64));
        assert_eq!(std::fs::read(&segment).unwrap(), damaged, "evidence was changed");
        let named = verify(&crashed.join("log"), &key(&crashed)).unwrap_err();
        assert!(matches!(named, VerifyError::Record { index, .. } if index == number as u64), "{named}");
    }
}

#[test]
fn f11_a_full_disk_refuses_and_goes_on_by_itself_when_there_is_room() {
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(FailingDisk::default());
    let journal = try_open(root.path(), Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
    put_all(&journal, 0..255);
    let held = journal.reserve().unwrap();
    disk.fail_append(Failing::Full);
    assert_eq!(put(&journal, 1000), Err(AuditFault::Unwritable));
    until(|| journal.state() == JournalState::Unwritable);
    assert_eq!(journal.reserve().err(), Some(Refusal::Unwritable));
    assert_eq!(wait(held.submit(record(1001))), Err(AuditFault::Unwritable));
    assert!(journal.failure().is_some());
    disk.fail_append(Failing::Not);
    until(|| journal.state() == JournalState::Writing);
    assert_eq!(put_all(&journal, 300..600).first(), Some(&257));
    close(&journal);
    assert_eq!(sound(root.path()).records, 256 + 1 + 300);
    assert_eq!(notes(root.path(), "resumed"), 1);
    let lost = record(1000).request.to_string();
    assert!(!texts(root.path()).iter().any(|t| t.contains(&lost)));
}

#[test]
fn f12_after_a_failed_sync_nothing_is_synced_signed_or_taken() {
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(FailingDisk::default());
    let journal = try_open(root.path(), Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
    let checkpoint = std::fs::read(root.path().join("log/checkpoint")).unwrap();
    disk.fail_sync(Failing::Broken);
    put(&journal, 0).unwrap();
    until(|| journal.state() == JournalState::Unwritable);
    let syncs = disk.syncs.load(Ordering::SeqCst);
    assert!(put(&journal, 1).is_err());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(disk.syncs.load(Ordering::SeqCst), syncs);
    assert_eq!(std::fs::read(root.path().join("log/checkpoint")).unwrap(), checkpoint);
    assert_eq!(journal.close(Duration::from_secs(5)), Err(AuditFault::Unwritable));
}

#[test]
fn f12_an_error_of_the_disk_and_f37_a_panic_resolve_no_ticket_with_success() {
    for how in [Failing::Broken, Failing::Panicking] {
        let root = tempfile::tempdir().unwrap();
        let disk = Arc::new(FailingDisk::default());
        let journal = try_open(root.path(), Arc::clone(&disk) as Arc<dyn Disk>).unwrap();
        put_all(&journal, 0..10);
        let slots: Vec<Slot> = (0..200).map(|_| journal.reserve().unwrap()).collect();
        disk.fail_append(how);
        for (n, slot) in (10..).zip(slots) {
            assert_eq!(wait(slot.submit(record(n))), Err(AuditFault::Unwritable));
        }
        until(|| journal.state() == JournalState::Unwritable);
        assert_eq!(journal.reserve().err(), Some(Refusal::Unwritable));
        assert_eq!(journal.close(Duration::from_secs(5)), Err(AuditFault::Unwritable));
        disk.fail_append(Failing::Not);
        close(&open(root.path()));
        assert_eq!(sound(root.path()).records, 12);
    }
}

#[test]
fn f13_the_queue_is_bounded_and_a_slot_given_up_is_free_again() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    let mut slots: Vec<Slot> = (0..10_000).map(|_| journal.reserve().unwrap()).collect();
    assert_eq!(journal.reserve().err(), Some(Refusal::Full));
    slots.pop();
    drop(journal.reserve().unwrap());
    slots.truncate(1);
    let last = slots.pop().unwrap();
    let waiting = journal.clone();
    let closing = std::thread::spawn(move || waiting.close(Duration::from_secs(20)));
    until(|| journal.state() == JournalState::Closed);
    assert_eq!(journal.reserve().err(), Some(Refusal::Closed));
    // Close waits for the slot that is out.
    assert_eq!(wait(last.submit(record(1))), Ok(1));
    assert_eq!(closing.join().unwrap(), Ok(()));
    assert_eq!(sound(root.path()).signed, 2);
}

#[test]
fn a_slot_that_outlives_the_deadline_is_left_behind() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    let late = journal.reserve().unwrap();
    assert_eq!(journal.close(Duration::from_millis(50)), Ok(()));
    assert_eq!(wait(late.submit(record(1))), Err(AuditFault::Closed));
    assert_eq!(sound(root.path()).records, 1);
}

#[test]
fn f43_a_second_writer_is_refused_until_the_first_has_ended() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    assert!(matches!(try_open(root.path(), Arc::new(SystemDisk)), Err(AuditError::Locked { .. })));
    close(&journal);
    close(&open(root.path()));
}

#[test]
fn f11_a_directory_that_cannot_be_written_is_an_error_at_start() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("log"), b"a file in the way").unwrap();
    assert!(matches!(try_open(root.path(), Arc::new(SystemDisk)), Err(AuditError::Io { .. })));
    let root = tempfile::tempdir().unwrap();
    let disk = Arc::new(FailingDisk::default());
    disk.fail_append(Failing::Full);
    assert!(matches!(try_open(root.path(), disk), Err(AuditError::Io { .. })));
}

#[test]
fn tl_4_nothing_is_signed_over_an_old_a_changed_or_a_strange_log() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    put_all(&journal, 0..5);
    close(&journal);
    copy(&root.path().join("log"), &root.path().join("old"));
    let journal = open(root.path());
    put_all(&journal, 5..10);
    close(&journal);
    let log = root.path().join("log");
    let newest = std::fs::read(log.join("checkpoint")).unwrap();
    let refused = || try_open(root.path(), Arc::new(SystemDisk)).err().unwrap();
    // An old copy of the records under the newest checkpoint.
    let restore = |checkpoint: &[u8]| {
        std::fs::remove_dir_all(&log).unwrap();
        copy(&root.path().join("old"), &log);
        std::fs::write(log.join("checkpoint"), checkpoint).unwrap();
    };
    restore(&newest);
    assert!(matches!(refused(), AuditError::BehindCheckpoint { have: 6, signed: 12 }));
    // Another log's records of the same number.
    let other = tempfile::tempdir().unwrap();
    let journal = open(other.path());
    put_all(&journal, 100..120);
    close(&journal);
    std::fs::remove_dir_all(log.join("journal")).unwrap();
    copy(&other.path().join("log/journal"), &log.join("journal"));
    assert!(matches!(refused(), AuditError::Forked { size: 12 }));
    std::fs::copy(other.path().join("log/checkpoint"), log.join("checkpoint")).unwrap();
    assert!(matches!(refused(), AuditError::Checkpoint { .. }));
    std::fs::remove_file(log.join("checkpoint")).unwrap();
    assert!(matches!(refused(), AuditError::CheckpointMissing { .. }));
    assert!(!log.join("checkpoint").exists());
    restore(&std::fs::read(root.path().join("old/checkpoint")).unwrap());
    close(&open(root.path()));
}

#[test]
fn checkpoints_follow_while_the_log_is_open_and_cover_only_what_was_synced() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    put_all(&journal, 0..700);
    let size = || verify(&root.path().join("log"), &key(root.path())).map_or(0, |r| r.signed);
    until(|| size() == 701);
    put_all(&journal, 700..710);
    until(|| size() == 711);
    close(&journal);
}

#[test]
fn f10_a_crash_between_bundles_and_removal_of_their_journal_file_keeps_every_record_once() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    put_all(&journal, 0..4095);
    let full = root.path().join("log/journal/00000000000000000000");
    let kept = std::fs::read(&full).unwrap();
    put_all(&journal, 4095..4200);
    until(|| !full.exists());
    close(&journal);
    assert!(root.path().join("log/tile/entries/015").exists());
    assert!(root.path().join("log/journal/00000000000000004096").exists());
    std::fs::write(&full, &kept).unwrap();
    close(&open(root.path()));
    assert!(!full.exists());
    assert_eq!(sound(root.path()).records, 4202);
    // The same with some of the bundles not yet made: they are made from the journal at the next start.
    std::fs::write(&full, kept).unwrap();
    for number in 7..16 {
        std::fs::remove_file(root.path().join(format!("log/tile/entries/{number:03}"))).unwrap();
    }
    assert_eq!(sound(root.path()).records, 4202);
    close(&open(root.path()));
    assert!(!full.exists() && root.path().join("log/tile/entries/015").exists());
    assert_eq!(sound(root.path()).records, 4203);
}

/// Counts its wakes and polls nothing.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn one_wake_carries_all_tickets_of_a_core_in_a_batch() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    let (core, mut relay) = journal.per_core();
    let (relay_wakes, ticket_wakes) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
    let poll_relay = |relay: &mut Relay| {
        let waker = Waker::from(Arc::clone(&relay_wakes));
        assert!(std::pin::Pin::new(relay).poll(&mut Context::from_waker(&waker)).is_pending());
    };
    poll_relay(&mut relay);
    // The writer sleeps, and stays asleep until the relay is polled: all records go in one batch.
    std::thread::sleep(Duration::from_millis(50));
    let mut tickets: Vec<_> = (0..100).map(|n| Box::pin(core.reserve().unwrap().submit(record(n)))).collect();
    let waker = Waker::from(Arc::clone(&ticket_wakes));
    for ticket in &mut tickets {
        assert!(ticket.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(relay_wakes.0.load(Ordering::SeqCst), 1, "submitting asks the relay once");
    poll_relay(&mut relay);
    until(|| relay_wakes.0.load(Ordering::SeqCst) == 2);
    assert_eq!(ticket_wakes.0.load(Ordering::SeqCst), 0);
    poll_relay(&mut relay);
    assert_eq!(ticket_wakes.0.load(Ordering::SeqCst), 100);
    for ticket in tickets {
        wait(ticket).unwrap();
    }
    // Without its relay the handle works as any other.
    let pending = core.reserve().unwrap().submit(record(100));
    drop(relay);
    assert_eq!(wait(pending), Ok(101));
    assert_eq!(put(&core, 101), Ok(102));
    close(&journal);
    assert_eq!(sound(root.path()).records, 103);
}

#[test]
fn a_torn_tail_is_kept_as_evidence_in_the_note() {
    let root = tempfile::tempdir().unwrap();
    let crashed = crashed(root.path(), 3);
    let segment = crashed.join("log/journal/00000000000000000000");
    let whole = std::fs::read(&segment).unwrap();
    let last = crate::frame::scan(&whole, 0, 4096).frames.pop().unwrap();
    std::fs::write(&segment, &whole[..last.offset + 40]).unwrap();
    close(&open(&crashed));
    let hash = hex(&leaf_hash(&whole[last.offset..last.offset + 40]));
    let note = texts(&crashed).into_iter().find(|t| t.contains("torn_tail")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&note).unwrap();
    assert_eq!(value["facts"]["bytes"], 40);
    assert_eq!(value["facts"]["offset"], last.offset);
    assert_eq!(value["facts"]["leaf"], hash);
    assert_eq!(value["facts"]["file"], "00000000000000000000");
}
