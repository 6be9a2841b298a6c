// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with the log. None of it opens the gate.

use std::io;
use std::path::{Path, PathBuf};

/// The log cannot be opened, or a key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The operating system refused.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another process writes this log (fault F43).
    #[error("the audit directory `{}` is in use by another process", directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// Bytes that are not what was written, with intact records after them (fault F10).
    #[error("`{}` is damaged at byte {offset} (record {index}), and intact records follow", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// The first record that cannot be read.
        index: u64,
    },
    /// The log ends before its own checkpoint: an old copy was restored, or records were removed (row TL-4).
    #[error(
        "the log holds {have} records but its checkpoint covers {signed}: records are missing, so nothing is signed"
    )]
    BehindCheckpoint {
        /// Records found.
        have: u64,
        /// Records the checkpoint covers.
        signed: u64,
    },
    /// The records are not those the checkpoint was signed for (row TL-4).
    #[error("the records do not lead to the root of the checkpoint of size {size}: the log was changed")]
    Forked {
        /// The checkpoint's size.
        size: u64,
    },
    /// There are records but no checkpoint.
    #[error("the log holds records but `{}` is missing", path.display())]
    CheckpointMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The checkpoint cannot be read or was signed with another key.
    #[error("`{}` is not a checkpoint of this log: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of the log lacks something or has the wrong size.
    #[error("`{}` {problem}", file.display())]
    Layout {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The signing key cannot be used (fault F44).
    #[error("the audit key{} cannot be used: {problem}", path.as_deref().map(|p| format!(" `{}`", p.display())).unwrap_or_default())]
    Key {
        /// The file, where there is one.
        path: Option<PathBuf>,
        /// What is wrong with it. Never any part of the key.
        problem: &'static str,
    },
    /// A thread could not be started.
    #[error("cannot start the audit writer: {0}")]
    Thread(#[source] io::Error),
}

impl AuditError {
    /// Wraps an I/O error with what was attempted.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { action, path, source }
    }

    /// Whether the disk (or our share of it) is full.
    pub(crate) fn is_full(&self) -> bool {
        let AuditError::Io { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Why a record was not committed. Its request must not be answered with success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditFault {
    /// The log cannot be written.
    #[error("the audit log cannot be written")]
    Unwritable,
    /// The log was closed first.
    #[error("the audit log is closed")]
    Closed,
}

/// Why no place in the queue could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many requests as the queue holds are under way.
    #[error("the audit queue is full")]
    Full,
    /// The log cannot be written.
    #[error("the audit log cannot be written")]
    Unwritable,
    /// The log is closing or closed.
    #[error("the audit log is closed")]
    Closed,
}
