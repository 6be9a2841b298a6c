// SPDX-License-Identifier: Apache-2.0
//! TLS to an upstream: its own authorities, its own name, and our certificate where it wants one (ASVS 12.3.2 to
//! 12.3.4, API2-5).

use arc_swap::ArcSwap;
use portcullis_decision::Clock;
use portcullis_pki::{Authorities, Ends, Fault, KeySource, Leaf, LeafFiles, Time, provider};
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, Error};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What is offered to be spoken inside; an upstream that chooses anything else is not spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// HTTP/1.1 alone.
    One,
    /// HTTP/2 before HTTP/1.1.
    Two,
}

const ONE: &[&[u8]] = &[b"http/1.1"];
const TWO: &[&[u8]] = &[b"h2", b"http/1.1"];
/// Plaintext that may wait to be encrypted and written.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Where the certificates are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamTlsFiles {
    /// Who vouches for the upstream, and nobody else; `None`: the system's authorities.
    pub authorities: Option<PathBuf>,
    /// What we show.
    pub leaf: Option<LeafFiles>,
    /// The name its certificate is for; `None`: the target's host.
    pub server_name: Option<String>,
}

/// Why an upstream's certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamTlsError {
    /// One of the files.
    #[error("{0}")]
    File(#[from] Fault),
    /// rustls refuses the whole.
    #[error("{0}")]
    Refused(#[from] Error),
}

/// How an upstream is spoken to over TLS. Two are equal when they name the same files.
pub struct UpstreamTls {
    files: UpstreamTlsFiles,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Current>,
}

struct Current {
    config: Arc<ClientConfig>,
    /// The same, with HTTP/2 on offer.
    config_two: Arc<ClientConfig>,
    ends: Vec<Ends>,
}

impl std::fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamTls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl PartialEq for UpstreamTls {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for UpstreamTls {}

impl UpstreamTls {
    /// Reads and checks the files.
    pub fn load(files: UpstreamTlsFiles, clock: Arc<dyn Clock>) -> Result<Arc<Self>, UpstreamTlsError> {
        let current = ArcSwap::from_pointee(Current::read(&files, &clock)?);
        Ok(Arc::new(Self { files, clock, current }))
    }

    /// Reads the files again; new connections see what is in them now. On an error what was in force stays (F23).
    pub fn reload(&self) -> Result<(), UpstreamTlsError> {
        self.current.store(Arc::new(Current::read(&self.files, &self.clock)?));
        Ok(())
    }

    /// Goes on with what another reading of the same files found.
    pub(crate) fn adopt(&self, newer: &Self) {
        self.current.store(newer.current.load_full());
    }

    /// Every file it reads.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.files.authorities.iter().cloned().collect();
        if let Some(leaf) = &self.files.leaf {
            files.push(leaf.certificate.clone());
            if let KeySource::File(path) = &leaf.key {
                files.push(path.clone());
            }
        }
        files
    }

    /// When each certificate and authority ends (F24).
    pub fn ends(&self) -> Vec<Ends> {
        self.current.load().ends.clone()
    }

    /// Shakes hands with an upstream whose target names `host`.
    pub(crate) async fn connect(
        &self,
        socket: TcpStream,
        host: &str,
        offer: Offer,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = self.files.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.to_owned()).map_err(|_| distrusted(Distrust::Name))?;
        let config = {
            let current = self.current.load();
            Arc::clone(match offer {
                Offer::One => &current.config,
                Offer::Two => &current.config_two,
            })
        };
        let connector = TlsConnector::from(config);
        let limited = |session: &mut rustls::ClientConnection| session.set_buffer_limit(Some(BUFFER_BYTES_MAX));
        connector.connect_with(name, socket, limited).await.map_err(|_| distrusted(Distrust::Handshake))
    }
}

impl Current {
    fn read(files: &UpstreamTlsFiles, clock: &Arc<dyn Clock>) -> Result<Self, UpstreamTlsError> {
        let authorities = match &files.authorities {
            Some(path) => Authorities::load(path)?,
            None => Authorities::of_system()?,
        };
        let leaf = files.leaf.as_ref().map(Leaf::load).transpose()?;
        let mut ends: Vec<Ends> = authorities.ends.iter().cloned().collect();
        ends.extend(leaf.iter().map(|leaf| leaf.ends.clone()));
        let verifier: Arc<WebPkiServerVerifier> = authorities.server_verifier()?;
        let time = Arc::new(Time::of(Arc::clone(clock)));
        let builder = ClientConfig::builder_with_details(provider(), time)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_webpki_verifier(verifier);
        let mut config = match &leaf {
            None => builder.with_no_client_auth(),
            Some(leaf) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from((*leaf.certified).clone())))
            }
        };
        config.enable_early_data = false;
        let offering = |names: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
            Arc::new(config)
        };
        Ok(Self { config: offering(ONE), config_two: offering(TWO), ends })
    }
}

/// The other side is not who it should be, or would not have us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Distrust {
    #[error("the target has no name a certificate could be for")]
    Name,
    #[error("the handshake with the upstream failed")]
    Handshake,
}

fn distrusted(why: Distrust) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// Whether an error of a connection is one of TLS: of our handshake, or an alert that came after it, as a server in TLS
/// 1.3 sends when it does not like our certificate.
pub(crate) fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Distrust>() || error.is::<Error>() {
            return true;
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if inner.is_some_and(|inner| inner.is::<Distrust>() || inner.is::<Error>()) {
            return true;
        }
        next = error.source();
    }
    false
}
