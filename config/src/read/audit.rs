// SPDX-License-Identifier: Apache-2.0
//! `audit`, `idempotency` and `data`: what the gateway keeps.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::edge::{bounded_duration, bytes};
use super::{Surroundings, secret};
use crate::cursor::Cursor;
use crate::loaded::{Audit, AuditKey, Idempotency};

const DATA_DEFAULT: &str = "./portcullis-data";
const CHECKPOINT_DEFAULT: Duration = Duration::from_secs(1);
/// A trail that is sealed less often could lose that much without anybody being able to tell.
const CHECKPOINT_MAX: Duration = Duration::from_mins(10);
const KEEP_DEFAULT: Duration = Duration::from_hours(24);
/// Answers are kept in memory: not longer than this.
const KEEP_MAX: Duration = Duration::from_hours(24 * 7);
const RESPONSE_DEFAULT: u64 = 256 * 1024;
const RESPONSE_MAX: u64 = 64 * 1024 * 1024;

pub(super) fn data(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> PathBuf {
    if let Some(text) = cursor.text() {
        return surroundings.path(text);
    }
    // systemd may name several directories; the first is ours.
    let state = surroundings.variable("STATE_DIRECTORY");
    match state.as_deref().and_then(|all| all.split(':').next()).filter(|first| !first.is_empty()) {
        Some(first) => PathBuf::from(first),
        None => surroundings.path(DATA_DEFAULT),
    }
}

pub(super) fn read(cursor: &Cursor<'_>, data: &Path, surroundings: &Surroundings<'_>) -> Audit {
    cursor.word("durability").text();
    let directory = cursor.word("directory").text().map_or_else(|| data.join("audit"), |text| surroundings.path(text));
    let key = match secret::file(&cursor.word("key"), surroundings) {
        Some((place, path)) => {
            if !path.is_file() {
                place
                    .refuse(format!("there is no signing key at `{}`", path.display()))
                    .help(format!("make one with `portcullis keys audit --out {}`", path.display()))
                    .rule("PC0403");
            }
            AuditKey::Named(path)
        }
        None => AuditKey::Default(data.join("audit.key")),
    };
    let checkpoint = bounded_duration(&cursor.word("checkpoint"), CHECKPOINT_MAX).unwrap_or(CHECKPOINT_DEFAULT);
    Audit { directory, key, checkpoint }
}

pub(super) fn idempotency(cursor: &Cursor<'_>) -> Idempotency {
    Idempotency {
        keep: bounded_duration(&cursor.word("keep"), KEEP_MAX).unwrap_or(KEEP_DEFAULT),
        response_bytes_max: bytes(&cursor.word("max_response"), (1, RESPONSE_MAX), RESPONSE_DEFAULT),
        unquoted_keys: cursor.word("unquoted_keys").flag().unwrap_or(false),
    }
}
