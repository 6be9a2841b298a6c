// SPDX-License-Identifier: Apache-2.0
//! Reads the records of a trail that is being written: full bundles first, then what the journal holds beyond them.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Records of a bundle.
const BUNDLE_RECORDS: u64 = 256;
/// Bytes before the first frame of a journal file, and before the entry of a frame.
const FILE_HEAD_BYTES: usize = 16;
const FRAME_HEAD_BYTES: usize = 17;

/// The records of decisions, in order.
pub(crate) fn records(data: &Path) -> Vec<Value> {
    records_from(data, 0).0
}

/// The records of decisions from the entry `first` on, and the number of the entry after the last.
pub(crate) fn records_from(data: &Path, first: u64) -> (Vec<Value>, u64) {
    let audit = data.join("audit");
    let (mut found, mut next) = (Vec::new(), first);
    // A record moves from the journal to a bundle while this reads; whichever has it first is believed.
    while let Ok(bundle) = fs::read(audit.join("tile/entries").join(tile_path(next / BUNDLE_RECORDS))) {
        let mut rest = bundle.as_slice();
        let mut index = next / BUNDLE_RECORDS * BUNDLE_RECORDS;
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
            take(entry, index, &mut next, &mut found);
            (rest, index) = (after, index + 1);
        }
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(audit.join("journal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let Ok(bytes) = fs::read(&file) else { continue };
        let mut rest = bytes.get(FILE_HEAD_BYTES..).unwrap_or_default();
        while let Some((head, after)) = rest.split_first_chunk::<FRAME_HEAD_BYTES>() {
            let length = usize::from(u16::from_be_bytes([head[0], head[1]]));
            let index = u64::from_be_bytes(head[2..10].try_into().unwrap());
            let (Some(entry), Some(after)) = (after.get(..length), after.get(length..)) else { break };
            take(entry, index, &mut next, &mut found);
            rest = after;
        }
    }
    (found, next)
}

fn take(entry: &[u8], index: u64, next: &mut u64, found: &mut Vec<Value>) {
    if index != *next {
        return;
    }
    *next += 1;
    let value: Value = serde_json::from_slice(entry).unwrap();
    found.extend((value["schema"] == "portcullis/record/v1").then_some(value));
}

/// 1234067 is `x001/x234/067`.
fn tile_path(number: u64) -> PathBuf {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    PathBuf::from(path)
}
