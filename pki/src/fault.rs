// SPDX-License-Identifier: Apache-2.0
//! What is wrong with a file, and which word of the configuration named it.

use std::io;

/// Which of the named things is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The certificate and its chain.
    Certificate,
    /// The private key.
    Key,
    /// The authorities that vouch for the other side.
    Authorities,
    /// The certificate revocation lists.
    Revocations,
    /// The names it is to be used for.
    Names,
}

/// Something is wrong with one of the files.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Fault {
    /// With which.
    pub part: Part,
    /// What.
    #[source]
    pub error: PkiError,
}

/// Why a file cannot be used. No message holds a byte of a key.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The operating system said no.
    #[error("`{file}` cannot be read: {source}")]
    Unreadable {
        /// The file as it was named.
        file: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is a directory or a device.
    #[error("`{file}` is no file")]
    NoFile {
        /// The path as it was named.
        file: String,
    },
    /// It is larger than such a file may be.
    #[error("`{file}` is larger than {max} bytes")]
    TooLarge {
        /// The file as it was named.
        file: String,
        /// The limit.
        max: u64,
    },
    /// It holds nothing of the kind.
    #[error("`{file}` holds no {what}")]
    Empty {
        /// The file as it was named.
        file: String,
        /// What it should hold.
        what: &'static str,
    },
    /// It holds more than may be.
    #[error("`{file}` holds more than {max} {what}")]
    TooMany {
        /// The file as it was named.
        file: String,
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// What it holds cannot be used.
    #[error("`{file}` holds a {what} that cannot be used: {why}")]
    Unusable {
        /// The file as it was named.
        file: String,
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// The key is not the certificate's (PC0402).
    #[error("`{key}` is not the key of the certificate `{certificate}`")]
    Mismatch {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
    },
    /// The certificate is for nobody.
    #[error("the certificate `{file}` names no host: it has no subject alternative name that could be asked for")]
    NoNames {
        /// The certificate's file.
        file: String,
    },
    /// The certificate is not for this name.
    #[error("the certificate `{file}` is not for `{name}`")]
    NotCovered {
        /// The certificate's file.
        file: String,
        /// The name.
        name: String,
    },
    /// The machine has no authorities of its own.
    #[error("the system has no certificate authorities")]
    NoSystemAuthorities,
}

impl PkiError {
    pub(crate) fn of(self, part: Part) -> Fault {
        Fault { part, error: self }
    }

    pub(crate) fn unusable(file: &str, what: &'static str, why: impl Into<String>) -> Self {
        Self::Unusable { file: file.to_owned(), what, why: why.into() }
    }
}
