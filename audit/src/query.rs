// SPDX-License-Identifier: Apache-2.0
//! Finding records in the trail without an index.
//!
//! Request ids begin with the time at which the request began, and a record is written when its request ends. A record
//! is therefore looked for among those written from a minute before that time (the wall clock may have been set back) to
//! an hour after it; bundles are found by bisection over their first record's time. Only when nothing is found there is
//! the rest of the log read. A record of a request that lasted longer than an hour is found by its whole id or by any
//! prefix that matches nothing nearer.

use crate::bundle;
use crate::checkpoint::Checkpoint;
use crate::frame;
use crate::layout::{Layout, SEGMENT_LEN, SEGMENT_RECORDS, TILE_LEN, TILE_WIDTH, segment_of};
use crate::merkle::{Hash, inclusion_proof, leaf_hash, root_from_inclusion};
use crate::note::NOTE_BYTES_MAX;
use crate::recovery::read_bounded;
use crate::signer::VerifyingKey;
use crate::tiles::HashReader;
use crate::verify::FILE_BYTES_MAX;
use portcullis_decision::RequestId;
use portcullis_decision::request_id::REQUEST_ID_CHARS;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How far the wall clock may have been set back.
const CLOCK_SLACK_MS: u64 = 60_000;
/// How long a request may last to be found without reading the whole log.
const DURATION_SLACK_MS: u64 = 3_600_000;

/// The log could not be searched.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file is not what was written; `audit verify` names the record.
    #[error("`{}` is damaged: run `portcullis audit verify`", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
    },
}

/// What a search found.
#[derive(Debug)]
pub enum Found {
    /// No record of a request with this id.
    None,
    /// Exactly one.
    One(Box<StoredRecord>),
    /// More than one: the prefix is too short.
    Many,
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its index in the log.
    pub index: u64,
    /// The canonical JSON.
    pub json: String,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The checkpoint that covers it; none until the next one is signed.
    pub sealed: Option<CheckpointInfo>,
}

/// A checkpoint that covers a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointInfo {
    /// The log's name.
    pub origin: String,
    /// How many records it covers.
    pub size: u64,
    /// What was checked.
    pub proof: Proof,
}

/// What is known of a record's place under a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// No key was given; nothing was checked.
    NotChecked,
    /// The signature is right and the record leads to the signed root.
    Verified,
    /// The signature is wrong or the record does not lead to the root.
    Failed,
}

/// Finds the record of the request whose id begins with `id_prefix`. With a key, the checkpoint's signature and the
/// record's place in the tree are checked.
pub fn find(directory: &Path, id_prefix: &str, key: Option<&VerifyingKey>) -> Result<Found, QueryError> {
    let Some(wanted) = Wanted::parse(id_prefix) else { return Ok(Found::None) };
    let log = Log::open(directory)?;
    let near = log.units_between(
        wanted.millis.start.saturating_sub(CLOCK_SLACK_MS),
        wanted.millis.end.saturating_add(DURATION_SLACK_MS),
    )?;
    let mut search = Search { wanted: &wanted, found: None };
    let mut many = search.read(&log, near.clone())?;
    if search.found.is_none() {
        many = search.read(&log, 0..near.start)? || search.read(&log, near.end..log.units())?;
    }
    match search.found {
        _ if many => Ok(Found::Many),
        None => Ok(Found::None),
        Some(mut record) => {
            record.sealed = log.seal(&record, key)?;
            Ok(Found::One(Box::new(record)))
        }
    }
}

/// The newest `count` entries (records and notes), the oldest of them first. Nothing is checked.
pub fn newest(directory: &Path, count: usize) -> Result<Vec<StoredRecord>, QueryError> {
    let log = Log::open(directory)?;
    let mut kept: Vec<StoredRecord> = Vec::new();
    for unit in (0..log.units()).rev() {
        if kept.len() >= count {
            break;
        }
        let entries = log.unit(unit)?;
        kept.extend(entries.into_iter().rev().map(|(index, bytes)| stored(index, &bytes)));
    }
    kept.truncate(count);
    kept.reverse();
    Ok(kept)
}

/// Entries `from..` of the log, at most `max` of them, for readers that follow it.
pub fn entries_from(directory: &Path, from: u64, max: usize) -> Result<Vec<StoredRecord>, QueryError> {
    let log = Log::open(directory)?;
    let mut kept: Vec<StoredRecord> = Vec::new();
    for unit in from / TILE_WIDTH..log.units() {
        let entries = log.unit(unit)?.into_iter().filter(|(index, _)| *index >= from);
        kept.extend(entries.map(|(index, bytes)| stored(index, &bytes)));
        if kept.len() >= max {
            break;
        }
    }
    kept.truncate(max);
    Ok(kept)
}

fn stored(index: u64, bytes: &[u8]) -> StoredRecord {
    StoredRecord { index, json: String::from_utf8_lossy(bytes).into_owned(), leaf: leaf_hash(bytes), sealed: None }
}

/// An id prefix and the times at which requests with it can have begun.
struct Wanted {
    prefix: String,
    millis: Range<u64>,
}

impl Wanted {
    fn parse(prefix: &str) -> Option<Self> {
        let prefix = prefix.to_ascii_uppercase();
        if prefix.is_empty() || prefix.len() > REQUEST_ID_CHARS {
            return None;
        }
        let fill = |digit: &str| -> Option<u64> {
            let rest = REQUEST_ID_CHARS.saturating_sub(prefix.len());
            let id: RequestId = format!("{prefix}{}", digit.repeat(rest)).parse().ok()?;
            Some(id.millis())
        };
        Some(Self { millis: fill("0")?..fill("Z").unwrap_or(u64::MAX), prefix })
    }
}

struct Search<'w> {
    wanted: &'w Wanted,
    found: Option<StoredRecord>,
}

impl Search<'_> {
    /// Reads these units; answers whether more than one record was found.
    fn read(&mut self, log: &Log, units: Range<u64>) -> Result<bool, QueryError> {
        // What is looked for is canonical JSON, so that most entries need not be parsed.
        let needle = format!("\"request\":\"{}", self.wanted.prefix);
        for unit in units {
            for (index, bytes) in log.unit(unit)? {
                if !contains(&bytes, needle.as_bytes()) {
                    continue;
                }
                let said = bundle::read(&bytes, index).and_then(|said| said.request);
                if said.is_none_or(|id| !id.starts_with(&self.wanted.prefix)) {
                    continue;
                }
                if self.found.replace(stored(index, &bytes)).is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A log as it stands: its bundles and, after them, its journal.
struct Log {
    layout: Layout,
    bundles: u64,
    /// The entries that are not in bundles, as many together as a bundle holds.
    journal: Vec<Vec<(u64, Vec<u8>)>>,
}

impl Log {
    fn open(directory: &Path) -> Result<Self, QueryError> {
        let layout = Layout::new(directory);
        let mut bundles = layout.bundles();
        let mut journal = Vec::new();
        let mut first = segment_of(bundles.saturating_mul(TILE_WIDTH));
        loop {
            let file = layout.segment(first);
            let bytes = match read_bounded(&file, FILE_BYTES_MAX) {
                Ok(bytes) => bytes,
                Err(e) if e.kind() == io::ErrorKind::NotFound && layout.bundle(bundles).exists() => {
                    // It became bundles between the two looks.
                    journal.clear();
                    bundles = layout.bundles();
                    first = segment_of(bundles.saturating_mul(TILE_WIDTH));
                    continue;
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                Err(source) => return Err(QueryError::Io { file, source }),
            };
            let segment = frame::scan(&bytes, first, SEGMENT_LEN);
            for (number, chunk) in (first / TILE_WIDTH..).zip(segment.frames.chunks(TILE_LEN)) {
                let entry = |f: &frame::Frame| bytes.get(f.entry.clone()).unwrap_or_default().to_vec();
                if number >= bundles {
                    journal.push((number.saturating_mul(TILE_WIDTH)..).zip(chunk.iter().map(entry)).collect());
                }
            }
            first = first.saturating_add(SEGMENT_RECORDS);
        }
        if journal.is_empty() && bundles == 0 && !layout.checkpoint().exists() {
            let source = io::Error::new(io::ErrorKind::NotFound, "there is no log here");
            return Err(QueryError::Io { file: directory.to_path_buf(), source });
        }
        Ok(Self { layout, bundles, journal })
    }

    /// Bundles and journal files.
    fn units(&self) -> u64 {
        self.bundles.saturating_add(u64::try_from(self.journal.len()).unwrap_or(0))
    }

    fn unit(&self, number: u64) -> Result<Vec<(u64, Vec<u8>)>, QueryError> {
        if let Some(at) = number.checked_sub(self.bundles) {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            return Ok(self.journal.get(at).cloned().unwrap_or_default());
        }
        let file = self.layout.bundle(number);
        let bytes = match read_bounded(&file, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(source) => return Err(QueryError::Io { file, source }),
        };
        let (entries, end) = bundle::entries(&bytes);
        if entries.len() != TILE_LEN || end != bytes.len() {
            return Err(QueryError::Damaged { file });
        }
        let first = number.saturating_mul(TILE_WIDTH);
        Ok((first..).zip(entries.iter().map(|entry| entry.bytes.to_vec())).collect())
    }

    /// The units that can hold records written between two times.
    fn units_between(&self, from_ms: u64, to_ms: u64) -> Result<Range<u64>, QueryError> {
        // The unit before the first one that begins in the interval may hold the interval's first records.
        let start = self.first_unit_from(from_ms)?.saturating_sub(1);
        let end = self.first_unit_from(to_ms.saturating_add(1))?;
        Ok(start..end.max(start))
    }

    /// The first unit whose first entry was written at or after `millis`.
    fn first_unit_from(&self, millis: u64) -> Result<u64, QueryError> {
        let (mut low, mut high) = (0, self.units());
        while low < high {
            let middle = low.midpoint(high);
            if self.begins_at(middle)? < millis {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    fn begins_at(&self, unit: u64) -> Result<u64, QueryError> {
        let entries = self.unit(unit)?;
        let Some((index, bytes)) = entries.first() else { return Ok(u64::MAX) };
        match bundle::read(bytes, *index) {
            Some(said) => Ok(said.unix_ms),
            None => Err(QueryError::Damaged { file: self.layout.bundle(unit) }),
        }
    }

    fn seal(&self, record: &StoredRecord, key: Option<&VerifyingKey>) -> Result<Option<CheckpointInfo>, QueryError> {
        let file = self.layout.checkpoint();
        let note = match read_bounded(&file, NOTE_BYTES_MAX) {
            Ok(note) => note,
            Err(source) => return Err(QueryError::Io { file, source }),
        };
        let Some(checkpoint) = Checkpoint::peek(&note) else { return Err(QueryError::Damaged { file }) };
        if record.index >= checkpoint.size {
            return Ok(None);
        }
        let proof = match key.map(|key| Checkpoint::open(&note, key)) {
            None => Proof::NotChecked,
            Some(Ok(signed)) if self.leads_to(record, &signed) => Proof::Verified,
            Some(_) => Proof::Failed,
        };
        Ok(Some(CheckpointInfo { origin: checkpoint.origin, size: checkpoint.size, proof }))
    }

    fn leads_to(&self, record: &StoredRecord, checkpoint: &Checkpoint) -> bool {
        let tail: Vec<Hash> = self.journal.iter().flatten().map(|(_, bytes)| leaf_hash(bytes)).collect();
        let reader = HashReader::new(&self.layout, self.bundles, &tail);
        let proof = inclusion_proof(record.index, checkpoint.size, &mut |level, at| reader.node(level, at));
        let root = proof.and_then(|p| root_from_inclusion(record.index, checkpoint.size, record.leaf, &p));
        root == Some(checkpoint.root)
    }
}

#[cfg(test)]
mod tests;
