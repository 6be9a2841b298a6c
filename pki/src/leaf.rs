// SPDX-License-Identifier: Apache-2.0
//! A certificate of ours with its chain and its key.

use crate::expiry::{Ends, What};
use crate::fault::{Fault, Part, PkiError};
use crate::names::{self, Name};
use crate::{provider, read};
use portcullis_decision::Secret;
use rustls::InconsistentKeys;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The most certificates in a chain.
pub const CHAIN_MAX: usize = 10;

/// Where a private key is.
#[derive(Clone)]
pub enum KeySource {
    /// In a file, which is read again at each reload.
    File(PathBuf),
    /// Given by other means, such as an environment variable; it does not change.
    Given(Arc<Secret<Vec<u8>>>),
}

impl std::fmt::Debug for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.write_str("Given"),
        }
    }
}

impl PartialEq for KeySource {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Given(one), Self::Given(other)) => one.expose() == other.expose(),
            _ => false,
        }
    }
}

impl Eq for KeySource {}

/// Where a certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafFiles {
    /// The certificate and its chain, the certificate first.
    pub certificate: PathBuf,
    /// Its key.
    pub key: KeySource,
}

/// A certificate, its chain and its key, which belong together.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// For handshakes.
    pub certified: Arc<CertifiedKey>,
    /// The names it may be used for.
    pub names: Vec<Name>,
    /// When it ends.
    pub ends: Ends,
    file: String,
}

impl Leaf {
    /// Reads and checks the two files.
    pub fn load(files: &LeafFiles) -> Result<Self, Fault> {
        let file = files.certificate.display().to_string();
        let bytes = read::bytes(&files.certificate).map_err(|error| error.of(Part::Certificate))?;
        let chain: Vec<CertificateDer<'static>> =
            read::sections(&file, &bytes, "certificate", CHAIN_MAX).map_err(|error| error.of(Part::Certificate))?;
        let unusable = |why: String| PkiError::unusable(&file, "certificate", why).of(Part::Certificate);
        let (names, at) = {
            let der = chain.first().ok_or_else(|| unusable("it is missing".to_owned()))?;
            let (rest, certificate) =
                X509Certificate::from_der(der).map_err(|_| unusable("it is not X.509".to_owned()))?;
            if !rest.is_empty() {
                return Err(unusable("bytes follow it".to_owned()));
            }
            (names::of_certificate(&certificate), ends(&certificate))
        };
        let (key_file, key) = key(&files.key).map_err(|error| error.of(Part::Key))?;
        let signing = provider()
            .key_provider
            .load_private_key(key)
            .map_err(|_| PkiError::unusable(&key_file, "private key", "its kind is not known").of(Part::Key))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) => {}
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch | InconsistentKeys::Unknown)) => {
                return Err(PkiError::Mismatch { certificate: file, key: key_file }.of(Part::Key));
            }
            Err(error) => return Err(unusable(error.to_string())),
        }
        Ok(Self {
            certified: Arc::new(certified),
            names,
            ends: Ends { what: What::Leaf, file: file.clone(), at },
            file,
        })
    }

    /// The names to serve: all of the certificate, or those of `wanted`, each of which it must cover.
    pub fn serve(&self, wanted: &[Name]) -> Result<Vec<Name>, Fault> {
        if self.names.is_empty() {
            return Err(PkiError::NoNames { file: self.file.clone() }.of(Part::Certificate));
        }
        if wanted.is_empty() {
            return Ok(self.names.clone());
        }
        match wanted.iter().find(|name| !self.names.iter().any(|held| held.covers(name))) {
            None => Ok(wanted.to_vec()),
            Some(name) => Err(PkiError::NotCovered { file: self.file.clone(), name: name.to_string() }.of(Part::Names)),
        }
    }
}

/// The end of a certificate, since the Unix epoch.
pub(crate) fn ends(certificate: &X509Certificate<'_>) -> Duration {
    Duration::from_secs(u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0))
}

fn key(source: &KeySource) -> Result<(String, PrivateKeyDer<'static>), PkiError> {
    let (file, bytes) = match source {
        KeySource::File(path) => (path.display().to_string(), Arc::new(Secret::new(read::bytes(path)?))),
        KeySource::Given(bytes) => ("the key".to_owned(), Arc::clone(bytes)),
    };
    match PrivateKeyDer::from_pem_slice(bytes.expose()) {
        Ok(key) => Ok((file, key)),
        // What the reader says might hold a part of the key.
        Err(_) => Err(PkiError::Empty { file, what: "private key in PEM without a passphrase" }),
    }
}
