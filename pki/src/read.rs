// SPDX-License-Identifier: Apache-2.0
//! Files, read with a limit, and the PEM sections in them.

use crate::fault::PkiError;
use rustls::pki_types::pem::{self, PemObject};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// The largest certificate, key, authority or list file that is read.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads a file of at most [`FILE_BYTES_MAX`]; a longer one is an error, never a truncated value.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, PkiError> {
    let name = || path.display().to_string();
    let unreadable = |source| PkiError::Unreadable { file: name(), source };
    let file = File::open(path).map_err(unreadable)?;
    let kind = file.metadata().map_err(unreadable)?.file_type();
    if kind.is_dir() || kind.is_char_device() || kind.is_block_device() {
        return Err(PkiError::NoFile { file: name() });
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(PkiError::TooLarge { file: name(), max: FILE_BYTES_MAX });
    }
    Ok(bytes)
}

/// Every PEM section of a kind; at least one, at most `max`. What is neither PEM nor comment is an error: a file that
/// was cut in the middle must not read as a shorter one.
pub(crate) fn sections<T: PemObject>(
    file: &str,
    bytes: &[u8],
    what: &'static str,
    max: usize,
) -> Result<Vec<T>, PkiError> {
    let mut found = Vec::new();
    for section in T::pem_slice_iter(bytes) {
        match section {
            Ok(section) => found.push(section),
            Err(pem::Error::NoItemsFound) => break,
            Err(error) => return Err(PkiError::unusable(file, what, error.to_string())),
        }
        if found.len() > max {
            return Err(PkiError::TooMany { file: file.to_owned(), what, max });
        }
    }
    if found.is_empty() {
        return Err(PkiError::Empty { file: file.to_owned(), what });
    }
    Ok(found)
}
