// SPDX-License-Identifier: Apache-2.0
//! One certificate of the listener, the names it serves and what it demands of clients.

use super::Prepared;
use super::server::{self, Demands};
use parking_lot::Mutex;
use portcullis_decision::Clock;
use portcullis_pipeline::PolicyId;
use portcullis_pki::{ClientCertificates, ClientFiles, Ends, Fault, KeySource, Leaf, LeafFiles, Name, NameTable};
use rustls::ServerConfig;
use std::path::PathBuf;
use std::sync::Arc;

/// One entry of `listen.public.tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsEntry {
    /// The certificate and its key.
    pub leaf: LeafFiles,
    /// The names it serves; empty: all of the certificate.
    pub names: Vec<Name>,
    /// Whose client certificates it takes; `None`: it asks for none.
    pub clients: Option<ClientFiles>,
}

impl TlsEntry {
    /// Every file it names.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![self.leaf.certificate.clone()];
        if let KeySource::File(path) = &self.leaf.key {
            files.push(path.clone());
        }
        if let Some(clients) = &self.clients {
            files.push(clients.authorities.clone());
            files.extend(clients.revocations.clone());
        }
        files
    }
}

/// Why the listener's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of an entry.
    #[error("{fault}")]
    File {
        /// Index of the entry.
        entry: usize,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// Two entries serve one name.
    #[error("two certificates serve `{name}`")]
    Twice {
        /// Index of the second entry.
        entry: usize,
        /// The name.
        name: String,
    },
    /// rustls refuses the whole.
    #[error("{source}")]
    Refused {
        /// Index of the entry.
        entry: usize,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// One entry, ready for handshakes.
pub(super) struct Served {
    pub(super) config: Arc<ServerConfig>,
    pub(super) policy: PolicyId,
    pub(super) ends: Vec<Ends>,
}

impl Prepared {
    pub(super) fn read(
        entries: Vec<TlsEntry>,
        clock: &Arc<dyn Clock>,
        demands: &Mutex<Vec<Demands>>,
    ) -> Result<Self, TlsError> {
        let mut names = NameTable::default();
        let mut served = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            let file = |fault| TlsError::File { entry: index, fault };
            let leaf = Leaf::load(&entry.leaf).map_err(file)?;
            for name in leaf.serve(&entry.names).map_err(file)? {
                names
                    .insert(name.clone(), index)
                    .map_err(|_| TlsError::Twice { entry: index, name: name.to_string() })?;
            }
            let clients = entry.clients.as_ref().map(ClientCertificates::load).transpose().map_err(file)?;
            let mut ends = vec![leaf.ends.clone()];
            ends.extend(clients.iter().flat_map(|clients| clients.ends.iter().cloned()));
            let config = server::config(&leaf, clients.as_ref(), clock)
                .map_err(|source| TlsError::Refused { entry: index, source })?;
            let policy = number(demands, Demands::of(entry, clients.as_ref()));
            served.push(Served { config: Arc::new(config), policy, ends });
        }
        Ok(Self { entries, served, names })
    }
}

/// The number of a set of demands: the same for the same demands, and never used again for others.
fn number(known: &Mutex<Vec<Demands>>, demands: Demands) -> PolicyId {
    let mut known = known.lock();
    let index = known.iter().position(|other| *other == demands).unwrap_or_else(|| {
        known.push(demands);
        known.len().saturating_sub(1)
    });
    PolicyId(u32::try_from(index).unwrap_or(u32::MAX))
}
