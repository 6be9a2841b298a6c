// SPDX-License-Identifier: Apache-2.0
//! Certificate revocation lists (RFC 5280 §5).

use crate::expiry::{Ends, What};
use crate::fault::{Fault, Part, PkiError};
use crate::read;
use rustls::pki_types::CertificateRevocationListDer;
use std::path::Path;
use std::time::Duration;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

/// The most lists of one file: one for each authority of a chain.
const LISTS_MAX: usize = 1_000;
const WHAT: &str = "revocation list";

/// The lists of a file; at least one.
#[derive(Clone, Debug)]
pub(crate) struct Revocations {
    pub(crate) lists: Vec<CertificateRevocationListDer<'static>>,
    /// When the first of them is stale.
    pub(crate) ends: Ends,
}

impl Revocations {
    pub(crate) fn load(path: &Path) -> Result<Self, Fault> {
        Self::read(path).map_err(|error| error.of(Part::Revocations))
    }

    fn read(path: &Path) -> Result<Self, PkiError> {
        let file = path.display().to_string();
        let bytes = read::bytes(path)?;
        // Authorities publish lists as DER (RFC 5280 §4.2.1.13), tools write PEM.
        let lists: Vec<CertificateRevocationListDer<'static>> = match CertificateRevocationList::from_der(&bytes) {
            Ok(([], _)) => vec![bytes.into()],
            _ => read::sections(&file, &bytes, WHAT, LISTS_MAX)?,
        };
        let mut first = None;
        for list in &lists {
            let (_, read) = CertificateRevocationList::from_der(list)
                .map_err(|_| PkiError::unusable(&file, WHAT, "it is not X.509"))?;
            let next =
                read.next_update().ok_or_else(|| PkiError::unusable(&file, WHAT, "it does not say until when"))?;
            let at = Duration::from_secs(u64::try_from(next.timestamp()).unwrap_or(0));
            first = Some(first.map_or(at, |known| std::cmp::min(known, at)));
        }
        let at = first.unwrap_or_default();
        Ok(Self { lists, ends: Ends { what: What::Revocations, file, at } })
    }
}
