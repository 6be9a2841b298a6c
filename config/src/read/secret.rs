// SPDX-License-Identifier: Apache-2.0
//! Secrets: named here, kept elsewhere.

use std::path::{Path, PathBuf};

use portcullis_decision::Secret;

use super::Surroundings;
use crate::cursor::Cursor;
use crate::text::{SIDE_FILE_BYTES_MAX, read_bytes};
use crate::values::variable_name;

/// Reads the secret a section names. A line end at the end of a file is not part of it.
pub(super) fn read(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<Secret<Vec<u8>>> {
    if !cursor.is_map() {
        return None;
    }
    let env = cursor.word("env");
    if let Some(name) = env.parse(variable_name) {
        let Some(value) = surroundings.variable(name).filter(|value| !value.is_empty()) else {
            env.refuse(format!("the environment variable `{name}` is not set or blank"))
                .help(format!("set `{name}` before starting"))
                .rule("PC0403");
            return None;
        };
        return Some(Secret::new(value.into_bytes()));
    }
    let (place, path) = file(cursor, surroundings)?;
    match read_bytes(&path, SIDE_FILE_BYTES_MAX) {
        Ok(bytes) => {
            // Wrapped at once, so that every copy is wiped.
            let whole = Secret::new(bytes);
            let bytes = whole.expose();
            let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
            if bytes.is_empty() {
                place.refuse("the file of this secret is empty").help("write the secret into it").rule("PC0403");
                return None;
            }
            Some(Secret::new(bytes.to_vec()))
        }
        Err(error) => {
            place.refuse(error.to_string()).help("check the path and who may read the file").rule("PC0403");
            None
        }
    }
}

/// The file a section names by `file` or `credential`.
pub(super) fn file<'a>(cursor: &Cursor<'a>, surroundings: &Surroundings<'_>) -> Option<(Cursor<'a>, PathBuf)> {
    let file = cursor.word("file");
    if let Some(text) = file.text() {
        let path = surroundings.path(text);
        surroundings.reads(&path);
        return Some((file, path));
    }
    let credential = cursor.word("credential");
    let name = credential.text()?;
    if name.contains(['/', '\\']) || name == ".." || name == "." {
        credential.refuse("a credential is a name, not a path").help("use `file:` for a path");
        return None;
    }
    let Some(directory) = surroundings.variable("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty())
    else {
        credential
            .refuse("there is no credentials directory: `CREDENTIALS_DIRECTORY` is not set")
            .help("start as a systemd service with `LoadCredential=`, or use `file:`")
            .rule("PC0403");
        return None;
    };
    let path = Path::new(&directory).join(name);
    surroundings.reads(&path);
    Some((credential, path))
}
