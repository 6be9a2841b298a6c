// SPDX-License-Identifier: Apache-2.0
//! What rustls is told for one name.

use super::TlsEntry;
use crate::connection::spoken::ALPN_HTTP2;
use portcullis_decision::Clock;
use portcullis_pki::{ClientAuthentication, ClientCertificates, Leaf, Time, provider};
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{Error, ServerConfig};
use std::sync::Arc;

/// What is spoken inside, the first choice first (RFC 7301). A client that offers none of these is refused; one that
/// offers nothing speaks HTTP/1.1.
pub(crate) const PROTOCOLS: &[&[u8]] = &[ALPN_HTTP2, b"http/1.1"];

/// Plaintext that may wait to be encrypted and written (T57).
pub(super) const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Tickets after a full handshake. Each costs a write; a client that wants more connections at once shakes hands.
const TICKETS: usize = 1;

/// What a name demands of clients: two names with equal demands may share a connection (T54).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Demands {
    Nothing,
    Certificate {
        authentication: ClientAuthentication,
        authorities: Vec<CertificateDer<'static>>,
        /// Whether there are lists. What stands in them changes by the hour and is no other demand.
        revocable: bool,
    },
}

impl Demands {
    pub(super) fn of(entry: &TlsEntry, clients: Option<&ClientCertificates>) -> Self {
        match (&entry.clients, clients) {
            (Some(files), Some(clients)) => Self::Certificate {
                authentication: files.authentication,
                authorities: clients.authorities.certificates.clone(),
                revocable: files.revocations.is_some(),
            },
            _ => Self::Nothing,
        }
    }
}

/// The configuration of one name.
pub(super) fn config(
    leaf: &Leaf,
    clients: Option<&ClientCertificates>,
    clock: &Arc<dyn Clock>,
) -> Result<ServerConfig, Error> {
    let time = Arc::new(Time::of(Arc::clone(clock)));
    let builder = ServerConfig::builder_with_details(provider(), time).with_protocol_versions(&[&TLS13, &TLS12])?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => builder.with_client_cert_verifier(Arc::clone(&clients.verifier)),
    };
    let certificate = SingleCertAndKey::from((*leaf.certified).clone());
    let mut config = builder.with_cert_resolver(Arc::new(certificate));
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    // The strongest first (ASVS 12.1.2).
    config.ignore_client_order = true;
    // T108: a first flight that can be sent again is never read.
    config.max_early_data_size = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // T103: a ticket would carry a client's identity past the lists and the demands of today; so whoever shows a
    // certificate shows it in every handshake. Elsewhere the key of the tickets is this name's alone.
    match clients {
        None => {
            config.ticketer = Ticketer::new()?;
            config.send_tls13_tickets = TICKETS;
        }
        Some(_) => config.send_tls13_tickets = 0,
    }
    Ok(config)
}
