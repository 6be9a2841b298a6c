// SPDX-License-Identifier: Apache-2.0
//! Texts the configuration is made of: read with a limit, kept so that findings can show the line they speak of.

use std::collections::BTreeMap;
use std::fs::{File, FileType};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use portcullis_decision::finding::{Finding, Place, Severity};

/// The largest configuration file that is read.
pub const CONFIGURATION_BYTES_MAX: u64 = 1024 * 1024;
/// The largest `OpenAPI` document, or file one refers to, that is read.
pub const DOCUMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most bytes all texts of one configuration may have.
pub const TEXTS_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The largest key set, secret or other side file that is read.
pub const SIDE_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TextError {
    /// The operating system said no.
    #[error("`{name}` cannot be read: {source}")]
    Unreadable {
        /// The file as the operator named it.
        name: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It is a directory or a device.
    #[error("`{name}` is no file")]
    NoFile {
        /// The path as the operator named it.
        name: String,
    },
    /// The file is larger than its kind may be.
    #[error("`{name}` is larger than {limit} bytes")]
    TooLarge {
        /// The file as the operator named it.
        name: String,
        /// The limit.
        limit: u64,
    },
    /// The file is not UTF-8.
    #[error("`{name}` is not UTF-8: byte {offset} starts no character")]
    NotText {
        /// The file as the operator named it.
        name: String,
        /// Where.
        offset: usize,
    },
}

/// Every text read while loading, by the name findings use.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    texts: BTreeMap<Arc<str>, Arc<str>>,
}

impl Sources {
    /// Keeps a text.
    pub fn keep(&mut self, name: Arc<str>, text: Arc<str>) {
        self.texts.insert(name, text);
    }

    /// The line (from 1) of a text, without its end.
    pub fn line(&self, name: &str, line: u32) -> Option<&str> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        self.texts.get(name)?.lines().nth(index)
    }

    /// Bytes of all texts.
    pub(crate) fn bytes(&self) -> u64 {
        self.texts.values().map(|text| u64::try_from(text.len()).unwrap_or(u64::MAX)).sum()
    }

    /// The names and texts, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        self.texts.iter()
    }
}

#[cfg(unix)]
fn is_device(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_char_device() || kind.is_block_device()
}

#[cfg(not(unix))]
fn is_device(_: FileType) -> bool {
    false
}

/// Reads at most `limit` bytes of a file; a longer file is an error, never a truncated value.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, TextError> {
    let name = || path.display().to_string();
    let unreadable = |source| TextError::Unreadable { name: name(), source };
    let file = File::open(path).map_err(unreadable)?;
    // `/dev/zero` never ends, and a directory is a mistake with a clearer name.
    let kind = file.metadata().map_err(unreadable)?.file_type();
    if kind.is_dir() || is_device(kind) {
        return Err(TextError::NoFile { name: name() });
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(TextError::TooLarge { name: name(), limit });
    }
    Ok(bytes)
}

/// Reads a text file of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, TextError> {
    let bytes = read_bytes(path, limit)?;
    String::from_utf8(bytes).map_err(|error| TextError::NotText {
        name: path.display().to_string(),
        offset: error.utf8_error().valid_up_to(),
    })
}

impl TextError {
    /// The finding for a file that is the configuration itself.
    pub(crate) fn finding(&self, file: &Arc<str>) -> Finding {
        Finding {
            rule: None,
            severity: Severity::Refuse,
            place: Some(Place { file: file.clone(), line: 0, column: 0 }),
            at: String::new(),
            message: self.to_string(),
            help: Some("name the file with `-c FILE`, or try `portcullis run --demo`".to_owned()),
        }
    }
}
