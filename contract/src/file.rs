// SPDX-License-Identifier: Apache-2.0
//! The port through which files of a document come.

use std::sync::Arc;

/// The text of a document.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file as the operator named it; findings repeat it.
    pub name: Arc<str>,
    /// Its text, JSON or YAML.
    pub text: String,
}

/// Reads files beside the document. `relative` is a clean relative path (no `..`, not absolute) below the
/// document's directory. The reader should refuse what leaves the directory through a link.
pub trait ReadFile {
    /// The text of the file, or why there is none (lower case, no period).
    fn read(&self, relative: &str) -> Result<String, String>;
}

impl<F: Fn(&str) -> Result<String, String>> ReadFile for F {
    fn read(&self, relative: &str) -> Result<String, String> {
        self(relative)
    }
}
