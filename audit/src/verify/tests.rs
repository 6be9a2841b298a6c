// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::fixture::{close, copy, open, open_unsigned, put_all, signer};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;

/// A closed log of 2 bundles and some records in the journal.
fn log() -> (TempDir, PathBuf, VerifyingKey) {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    put_all(&journal, 0..560);
    close(&journal);
    let key = signer(root.path()).verifying_key();
    let directory = root.path().join("log");
    assert!(directory.join("tile/entries/001").exists() && !directory.join("tile/entries/002").exists());
    (root, directory, key)
}

/// The files of a log that hold its content, with the index of the record at each offset of entries and journal.
fn files(directory: &Path) -> Vec<PathBuf> {
    ["checkpoint", "tile/entries/000", "tile/entries/001", "tile/0/000", "tile/0/001", "journal/00000000000000000000"]
        .map(|name| directory.join(name))
        .to_vec()
}

/// The record that the byte at `at` belongs to; `None` in the head of a journal file.
fn record_at(file: &Path, bytes: &[u8], at: usize) -> Option<u64> {
    let name = file.to_string_lossy();
    if name.contains("journal") {
        let frames = frame::scan(bytes, 0, SEGMENT_LEN).frames;
        return frames.iter().rposition(|f| f.offset <= at).map(|n| n as u64);
    }
    let first = if name.ends_with("001") { 256 } else { 0 };
    let (entries, _) = bundle::entries(bytes);
    entries.iter().rposition(|e| e.offset <= at).map(|n| first + n as u64)
}

#[test]
fn t112_a_flipped_byte_anywhere_is_detected_and_named() {
    let (_root, directory, key) = log();
    let files = files(&directory);
    verify(&directory, &key).unwrap();
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let strategy = (0..files.len(), any::<prop::sample::Index>(), 1_u8..=255);
    let outcome = runner.run(&strategy, |(file, at, mask)| {
        let file = &files[file];
        let whole = std::fs::read(file).unwrap();
        let at = at.index(whole.len());
        let mut flipped = whole.clone();
        flipped[at] ^= mask;
        std::fs::write(file, &flipped).unwrap();
        let result = verify(&directory, &key);
        std::fs::write(file, &whole).unwrap();
        let error = result.expect_err("not detected");
        let name = file.strip_prefix(&directory).unwrap().to_string_lossy().into_owned();
        match &error {
            VerifyError::Checkpoint { .. } => prop_assert_eq!(name, "checkpoint"),
            VerifyError::HashTile { file: named, .. } => {
                prop_assert!(name.starts_with("tile/0/"), "{} for {}", error, name);
                prop_assert_eq!(named, file);
            }
            VerifyError::Record { index, file: named, .. } => {
                prop_assert_eq!(named, file);
                prop_assert_eq!(*index, record_at(file, &whole, at).unwrap_or(0));
            }
            // The size of the checkpoint is under its signature, so no flip leads to the other findings.
            other => prop_assert!(false, "{} for {} at {}", other, name, at),
        }
        Ok(())
    });
    outcome.unwrap();
    verify(&directory, &key).unwrap();
}

#[test]
fn t112_every_byte_of_one_record_its_length_and_the_checkpoint_is_covered() {
    let (_root, directory, key) = log();
    let bundle_file = directory.join("tile/entries/001");
    let whole = std::fs::read(&bundle_file).unwrap();
    let (entries, _) = bundle::entries(&whole);
    let (from, to) = (entries[100].offset, entries[101].offset);
    for (file, range) in [(bundle_file.clone(), from..to), (directory.join("checkpoint"), 0..60)] {
        let whole = std::fs::read(&file).unwrap();
        for at in range {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(&file, flipped).unwrap();
            let error = verify(&directory, &key).unwrap_err();
            match error {
                VerifyError::Record { index, ref file, offset, .. } => {
                    assert_eq!((index, file, offset), (356, &bundle_file, from as u64), "at {at}: {error}");
                }
                VerifyError::Checkpoint { .. } => assert!(file.ends_with("checkpoint")),
                other => panic!("at {at}: {other}"),
            }
        }
        std::fs::write(&file, &whole).unwrap();
    }
}

#[test]
fn t112_deleted_reordered_and_repeated_records_are_detected() {
    let (_root, directory, key) = log();
    let file = directory.join("tile/entries/000");
    let whole = std::fs::read(&file).unwrap();
    let (entries, _) = bundle::entries(&whole);
    let (a, b, c) = (entries[7].offset, entries[8].offset, entries[9].offset);
    let changed = [
        [&whole[..a], &whole[b..]].concat(),
        [&whole[..a], &whole[b..c], &whole[a..b], &whole[c..]].concat(),
        [&whole[..b], &whole[a..b], &whole[b..]].concat(),
        [&whole[..b], &whole[a..b], &whole[c..]].concat(),
    ];
    for (number, bytes) in changed.iter().enumerate() {
        std::fs::write(&file, bytes).unwrap();
        let error = verify(&directory, &key).unwrap_err();
        let expected = if number < 2 { 7 } else { 8 };
        assert!(matches!(error, VerifyError::Record { index, .. } if index == expected), "{number}: {error}");
    }
}

#[test]
fn t112_truncation_below_the_checkpoint_and_missing_files_are_detected() {
    let (root, directory, key) = log();
    let journal = directory.join("journal/00000000000000000000");
    let whole = std::fs::read(&journal).unwrap();
    let frames = frame::scan(&whole, 0, SEGMENT_LEN).frames;
    std::fs::write(&journal, &whole[..frames[522].offset]).unwrap();
    assert!(matches!(verify(&directory, &key), Err(VerifyError::Truncated { have: 522, signed: 561 })));
    std::fs::remove_file(&journal).unwrap();
    assert!(matches!(verify(&directory, &key), Err(VerifyError::Truncated { have: 512, signed: 561 })));
    std::fs::write(&journal, &whole).unwrap();
    // The journal still holds what this bundle held; once it does not, the hole is named.
    std::fs::remove_file(directory.join("tile/entries/001")).unwrap();
    verify(&directory, &key).unwrap();
    std::fs::remove_file(&journal).unwrap();
    assert!(matches!(verify(&directory, &key), Err(VerifyError::Truncated { have: 256, signed: 561 })));
    std::fs::remove_file(directory.join("checkpoint")).unwrap();
    assert!(matches!(verify(&directory, &key), Err(VerifyError::Io { .. })));
    assert!(verify(&root.path().join("nowhere"), &key).is_err());
}

#[test]
fn t112_and_tl_13_a_rolled_back_or_forked_log_does_not_continue_the_anchor() {
    let (root, directory, key) = log();
    let anchor = root.path().join("anchor");
    let old = root.path().join("old");
    copy(&directory, &old);
    std::fs::copy(directory.join("checkpoint"), &anchor).unwrap();
    let journal = open(root.path());
    put_all(&journal, 600..700);
    close(&journal);
    let report = verify_against(&directory, &key, Some(&anchor)).unwrap();
    assert_eq!((report.anchor, report.records), (Some(561), 662));
    let newest = root.path().join("newest");
    std::fs::copy(directory.join("checkpoint"), &newest).unwrap();
    // The last records and the checkpoint deleted together: sound by itself, but not beside what was kept elsewhere.
    verify(&old, &key).unwrap();
    let rolled_back = verify_against(&old, &key, Some(&newest));
    assert!(matches!(rolled_back, Err(VerifyError::RolledBack { signed: 561, anchor: 662 })));
    // The same key signing another history.
    std::fs::remove_dir_all(&directory).unwrap();
    let journal = open(root.path());
    put_all(&journal, 1000..1700);
    close(&journal);
    assert!(matches!(verify_against(&directory, &key, Some(&anchor)), Err(VerifyError::Forked { size: 561 })));
}

#[test]
fn t112_another_key_and_a_rewritten_record_with_matching_tiles_are_detected() {
    let (_root, directory, key) = log();
    let stranger = crate::Signer::generate(crate::fixture::ORIGIN).unwrap();
    assert!(matches!(verify(&directory, &stranger.verifying_key()), Err(VerifyError::Checkpoint { .. })));
    let file = directory.join("tile/entries/000");
    let text = std::fs::read(&file).unwrap();
    let at = text.windows(11).position(|w| w == b"\"status\":20").unwrap() + 9;
    let mut forged = text.clone();
    forged[at] = b'4';
    std::fs::write(&file, &forged).unwrap();
    let leaves: Vec<Hash> = bundle::entries(&forged).0.iter().map(|e| leaf_hash(e.bytes)).collect();
    std::fs::write(directory.join("tile/0/000"), leaves.concat()).unwrap();
    assert!(matches!(verify(&directory, &key), Err(VerifyError::Root { size: 561 })));
}

#[test]
fn records_newer_than_the_checkpoint_and_a_torn_tail_are_reported() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_unsigned(root.path());
    put_all(&journal, 0..20);
    let copied = root.path().join("copied");
    copy(&root.path().join("log"), &copied);
    close(&journal);
    let key = signer(root.path()).verifying_key();
    let report = verify(&copied, &key).unwrap();
    assert_eq!((report.records, report.signed, report.newer, report.torn_tail), (21, 1, 20, None));
    let file = copied.join("journal/00000000000000000000");
    let whole = std::fs::read(&file).unwrap();
    let offset = frame::scan(&whole, 0, TILE_LEN).frames[20].offset;
    std::fs::write(&file, &whole[..offset + 30]).unwrap();
    let report = verify(&copied, &key).unwrap();
    assert_eq!(report.records, 20);
    assert_eq!(report.torn_tail, Some(TornTail { file, offset: offset as u64, bytes: 30 }));
}

#[test]
fn a_log_verifies_while_it_is_being_written() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    let key = signer(root.path()).verifying_key();
    let writing = {
        let journal = journal.clone();
        std::thread::spawn(move || (0..20_u64).for_each(|n| drop(put_all(&journal, n * 100..(n + 1) * 100))))
    };
    let mut rounds = 0;
    while !writing.is_finished() || rounds == 0 {
        verify(journal.directory(), &key).unwrap();
        rounds += 1;
    }
    writing.join().unwrap();
    close(&journal);
    assert_eq!(verify(&root.path().join("log"), &key).unwrap().signed, 2001);
}
