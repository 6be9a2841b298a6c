// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::fixture::{close, open, open_unsigned, put_all, record, record_at, signer, wait};

fn one(directory: &Path, prefix: &str, key: Option<&VerifyingKey>) -> StoredRecord {
    match find(directory, prefix, key).unwrap() {
        Found::One(record) => *record,
        other => panic!("{prefix}: {other:?}"),
    }
}

#[test]
fn any_unique_prefix_finds_the_record_with_its_proof() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    // A minute between records, so that bundles lie hours apart and bisection has something to do.
    for n in 0..900_u64 {
        let record = record_at(1_793_588_861_238 + n * 60_000, u128::from(n) << 70);
        wait(journal.reserve().unwrap().submit(record)).unwrap();
    }
    close(&journal);
    let key = signer(root.path()).verifying_key();
    let log = root.path().join("log");
    for n in [0, 1, 254, 255, 256, 511, 600, 767, 768, 899_u64] {
        let id = record_at(1_793_588_861_238 + n * 60_000, u128::from(n) << 70).request.to_string();
        let found = one(&log, &id, Some(&key));
        assert_eq!(found.index, n + 1);
        assert_eq!(found.leaf, leaf_hash(found.json.as_bytes()));
        assert!(found.json.contains(&format!("\"request\":\"{id}\"")));
        let sealed = found.sealed.clone().unwrap();
        assert_eq!((sealed.size, sealed.proof), (901, Proof::Verified));
        assert_eq!(one(&log, &id.split_at(10).0.to_lowercase(), None).index, n + 1);
        assert_eq!(one(&log, &id, None).sealed.unwrap().proof, Proof::NotChecked);
    }
    assert!(matches!(find(&log, "0", None).unwrap(), Found::Many));
    for absent in ["", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "81JC9Z4T7Q", "not an id", "01JC9Z4T7Q0000000000000000X"] {
        assert!(matches!(find(&log, absent, None).unwrap(), Found::None), "{absent}");
    }
    assert!(find(&root.path().join("nowhere"), "01", None).is_err());
}

#[test]
fn a_record_far_from_its_ids_time_is_still_found() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    put_all(&journal, 0..600);
    let mut late = record(7_000_000_000);
    late.at = std::time::Duration::from_millis(1_793_588_861_238);
    let id = late.request.to_string();
    wait(journal.reserve().unwrap().submit(late)).unwrap();
    put_all(&journal, 600..1200);
    close(&journal);
    assert_eq!(one(&root.path().join("log"), &id, None).index, 601);
}

#[test]
fn t112_explaining_a_tampered_record_says_that_its_proof_failed() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    put_all(&journal, 0..300);
    close(&journal);
    let key = signer(root.path()).verifying_key();
    let log = root.path().join("log");
    let id = record(42).request.to_string();
    let file = log.join("tile/entries/000");
    let text = std::fs::read(&file).unwrap();
    let (entries, _) = bundle::entries(&text);
    let entry = entries[43];
    let at = entry.offset + 2 + entry.bytes.windows(11).position(|w| w == b"\"status\":20").unwrap() + 9;
    let mut forged = text.clone();
    forged[at] = b'4';
    std::fs::write(&file, &forged).unwrap();
    assert_eq!(one(&log, &id, Some(&key)).sealed.unwrap().proof, Proof::Failed);
    assert_eq!(one(&log, &record(41).request.to_string(), Some(&key)).sealed.unwrap().proof, Proof::Verified);
    let stranger = crate::Signer::generate(crate::fixture::ORIGIN).unwrap().verifying_key();
    assert_eq!(one(&log, &record(41).request.to_string(), Some(&stranger)).sealed.unwrap().proof, Proof::Failed);
}

#[test]
fn a_record_is_unsealed_until_the_next_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let journal = open_unsigned(root.path());
    put_all(&journal, 0..3);
    let id = record(1).request.to_string();
    let key = journal.verifying_key().clone();
    assert_eq!(one(journal.directory(), &id, Some(&key)).sealed, None);
    close(&journal);
    assert_eq!(one(&root.path().join("log"), &id, Some(&key)).sealed.unwrap().proof, Proof::Verified);
}

#[test]
fn the_newest_entries_come_in_order_and_followers_page_through_all() {
    let root = tempfile::tempdir().unwrap();
    let journal = open(root.path());
    put_all(&journal, 0..700);
    let newest = newest(journal.directory(), 300).unwrap();
    assert!(newest.iter().map(|r| r.index).eq(401..701));
    let mut next = 0;
    loop {
        let page = entries_from(journal.directory(), next, 90).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.iter().map(|r| r.index).eq(next..=last.index));
        next = last.index + 1;
    }
    assert_eq!(next, 701);
    close(&journal);
}
