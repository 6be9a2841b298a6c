// SPDX-License-Identifier: Apache-2.0
//! Whose client certificates are taken.

use crate::authorities::Authorities;
use crate::expiry::Ends;
use crate::fault::{Fault, Part, PkiError};
use crate::provider;
use crate::revocations::Revocations;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAuthentication {
    /// It may; one that it shows must be good.
    Optional,
    /// No handshake without.
    Required,
}

/// Where the authorities and lists are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// Whether a client must show a certificate.
    pub authentication: ClientAuthentication,
    /// Who vouches for clients.
    pub authorities: PathBuf,
    /// What they took back; with it, a certificate no list speaks of is denied.
    pub revocations: Option<PathBuf>,
}

/// What decides about client certificates.
#[derive(Clone, Debug)]
pub struct ClientCertificates {
    /// For handshakes.
    pub verifier: Arc<dyn ClientCertVerifier>,
    /// Who vouches for clients.
    pub authorities: Authorities,
    /// What ends, and when.
    pub ends: Vec<Ends>,
}

impl ClientCertificates {
    /// Reads and checks the files.
    pub fn load(files: &ClientFiles) -> Result<Self, Fault> {
        let authorities = Authorities::load(&files.authorities)?;
        let mut ends: Vec<Ends> = authorities.ends.iter().cloned().collect();
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::clone(&authorities.roots), provider());
        if let Some(path) = &files.revocations {
            let revocations = Revocations::load(path)?;
            ends.push(revocations.ends);
            // Without `allow_unknown_revocation_status` a certificate that no list speaks of is denied, for every
            // link of the chain (T107).
            builder = builder.with_crls(revocations.lists).enforce_revocation_expiration();
        }
        if files.authentication == ClientAuthentication::Optional {
            builder = builder.allow_unauthenticated();
        }
        let inner = builder.build().map_err(|error| {
            let path = files.revocations.as_ref().unwrap_or(&files.authorities).display().to_string();
            PkiError::unusable(&path, "revocation list", error.to_string()).of(Part::Revocations)
        })?;
        Ok(Self { verifier: Arc::new(StatedUsage { inner }), authorities, ends })
    }
}

/// The verifier of webpki, which also wants a client's certificate to say that it is one: webpki takes a certificate
/// that states no extended key usage for any use, so a server's could be used to be a client (T107).
#[derive(Debug)]
struct StatedUsage {
    inner: Arc<dyn ClientCertVerifier>,
}

fn says_client(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate)
        .ok()
        .and_then(|(_, certificate)| {
            certificate.extended_key_usage().ok().flatten().map(|usage| usage.value.client_auth)
        })
        .unwrap_or(false)
}

impl ClientCertVerifier for StatedUsage {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        if says_client(end_entity) { Ok(verified) } else { Err(CertificateError::InvalidPurpose.into()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
