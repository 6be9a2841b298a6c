// SPDX-License-Identifier: Apache-2.0
//! Certificate authorities: those of a file, and no others; or the system's.

use crate::expiry::{Ends, What};
use crate::fault::{Fault, Part, PkiError};
use crate::{leaf, provider, read};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::CertificateDer;
use std::path::Path;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The most authorities of one file.
pub const AUTHORITIES_MAX: usize = 1_000;

/// Who is believed; at least one.
#[derive(Clone, Debug)]
pub struct Authorities {
    /// For verifiers.
    pub roots: Arc<RootCertStore>,
    /// Their certificates, sorted: what tells two sets apart.
    pub certificates: Vec<CertificateDer<'static>>,
    /// When the first of them ends; `None` for the system's, which others look after.
    pub ends: Option<Ends>,
}

impl Authorities {
    /// Those of a file. Each must be usable: a set that lost one silently is not the set that was asked for.
    pub fn load(path: &Path) -> Result<Self, Fault> {
        Self::read(path).map_err(|error| error.of(Part::Authorities))
    }

    fn read(path: &Path) -> Result<Self, PkiError> {
        const WHAT: &str = "certificate authority";
        let file = path.display().to_string();
        let bytes = read::bytes(path)?;
        let mut certificates: Vec<CertificateDer<'static>> = read::sections(&file, &bytes, WHAT, AUTHORITIES_MAX)?;
        let mut roots = RootCertStore::empty();
        let mut first = None;
        for certificate in &certificates {
            let (_, read) = X509Certificate::from_der(certificate)
                .map_err(|_| PkiError::unusable(&file, WHAT, "it is not X.509"))?;
            if !read.is_ca() {
                return Err(PkiError::unusable(&file, WHAT, "it may not sign certificates (no CA basic constraint)"));
            }
            let at = leaf::ends(&read);
            first = Some(first.map_or(at, |known| std::cmp::min(known, at)));
            roots.add(certificate.clone()).map_err(|error| PkiError::unusable(&file, WHAT, error.to_string()))?;
        }
        certificates.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
        let ends = first.map(|at| Ends { what: What::Authority, file, at });
        Ok(Self { roots: Arc::new(roots), certificates, ends })
    }

    /// Those the operating system believes; for servers whose certificate is publicly trusted.
    pub fn of_system() -> Result<Self, Fault> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        // Bundles of systems hold a few that no verifier takes; the others still stand.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(PkiError::NoSystemAuthorities.of(Part::Authorities));
        }
        Ok(Self { roots: Arc::new(roots), certificates: Vec::new(), ends: None })
    }

    /// What decides about a server's certificate: its chain ends at one of these, it is for the name that was asked
    /// for, by a subject alternative name and never by a common name, and it is in time (T106).
    pub fn server_verifier(&self) -> Result<Arc<WebPkiServerVerifier>, Fault> {
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider()).build().map_err(|error| {
            let file = self.ends.as_ref().map_or("the system's bundle", |ends| &ends.file);
            PkiError::unusable(file, "certificate authority", error.to_string()).of(Part::Authorities)
        })
    }
}
