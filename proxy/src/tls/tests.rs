// SPDX-License-Identifier: Apache-2.0
//! Real handshakes over real sockets: rustls clients, openssl's command, and clients that are no clients.

mod certificates;
mod clients;
mod hostile;
mod openssl;
mod pace;
mod rotation;

use super::{TlsEntry, TlsListener};
use crate::body::RequestBody;
use crate::config::{Config, Event};
use crate::connection::{Handler, Rules};
use crate::drain::Running;
use crate::worker::Worker;
use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame};
use parking_lot::Mutex;
use portcullis_decision::{Clock, SystemClock};
use portcullis_pipeline::{Arrived, BodyFault, Connection};
use portcullis_pki::{ClientAuthentication, ClientFiles, KeySource, LeafFiles, provider};
use portcullis_wire::{HeadLimits, Reserved};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose as Usage, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tempfile::TempDir;

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// Files of a gateway: two names without client certificates, one that wants them, one that takes them.
struct Scene {
    directory: TempDir,
    servers: Issuer,
    clients: Issuer,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { directory: TempDir::new().unwrap(), servers: issuer("servers"), clients: issuer("clients") };
        scene.write("servers.pem", scene.servers.pem());
        scene.write("clients.pem", scene.clients.pem());
        scene.lists(&[]);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let new = self.path(&format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &path).unwrap();
        path
    }

    /// Certificate and key for names, under `STEM.pem` and `STEM.key`.
    fn leaf(&self, stem: &str, names: &[&str]) -> LeafFiles {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![Usage::ServerAuth];
        let certificate = params.signed_by(&key, &self.servers).unwrap();
        self.write(&format!("{stem}.key"), key.serialize_pem());
        self.write(&format!("{stem}.pem"), certificate.pem());
        self.files(stem)
    }

    fn files(&self, stem: &str) -> LeafFiles {
        LeafFiles {
            certificate: self.path(&format!("{stem}.pem")),
            key: KeySource::File(self.path(&format!("{stem}.key"))),
        }
    }

    fn plain(&self, stem: &str, names: &[&str]) -> TlsEntry {
        TlsEntry { leaf: self.leaf(stem, names), names: Vec::new(), clients: None }
    }

    fn demanding(&self, stem: &str, names: &[&str], authentication: ClientAuthentication) -> TlsEntry {
        let clients = ClientFiles {
            authentication,
            authorities: self.path("clients.pem"),
            revocations: Some(self.path("clients.crl")),
        };
        TlsEntry { clients: Some(clients), ..self.plain(stem, names) }
    }

    /// The revocation list of the clients' authority.
    fn lists(&self, revoked: &[u64]) {
        let revoked_certs = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(4000, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.write("clients.crl", params.signed_by(&self.clients).unwrap().pem().unwrap());
    }

    /// A client's certificate and key.
    fn identity(by: &Issuer, serial: u64) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
        params.extended_key_usages = vec![Usage::ClientAuth];
        params.serial_number = Some(SerialNumber::from(serial));
        let certificate = params.signed_by(&key, by).unwrap().der().clone();
        Identity { certificate, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }

    /// What most tests listen with.
    fn entries(&self) -> Vec<TlsEntry> {
        vec![
            self.plain("open", &["open.example", "*.open.example", "127.0.0.1"]),
            self.plain("other", &["other.example"]),
            self.demanding("closed", &["closed.example"], ClientAuthentication::Required),
            self.demanding("choice", &["choice.example"], ClientAuthentication::Optional),
        ]
    }

    fn listener(&self) -> Arc<TlsListener> {
        TlsListener::load(self.entries(), clock()).unwrap()
    }

    fn client(&self) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(self.servers.der().clone()).unwrap();
        Client { roots, identity: None, protocols: vec![b"http/1.1".to_vec()] }
    }
}

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

struct Client {
    roots: RootCertStore,
    identity: Option<Identity>,
    protocols: Vec<Vec<u8>>,
}

type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Client {
    fn with(self, identity: Identity) -> Self {
        Self { identity: Some(identity), ..self }
    }

    fn config(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                builder.with_client_auth_cert(vec![certificate.clone()], key.clone_key()).unwrap()
            }
        };
        config.alpn_protocols.clone_from(&self.protocols);
        Arc::new(config)
    }

    /// A connection after a whole exchange: in TLS 1.3 a client hears of a refused certificate only then.
    fn connect(&self, at: SocketAddr, name: &str) -> Result<Stream, String> {
        connect(self.config(), at, name)
    }

    fn get(&self, at: SocketAddr, name: &str) -> Result<String, String> {
        let mut stream = self.connect(at, name)?;
        get(&mut stream, name)
    }
}

fn connect(config: Arc<ClientConfig>, at: SocketAddr, name: &str) -> Result<Stream, String> {
    let socket = TcpStream::connect(at).map_err(|e| e.to_string())?;
    socket.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
    let session = ClientConnection::new(config, ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|e| e.to_string())?;
    }
    Ok(stream)
}

/// What the gateway tells about the handshake.
fn get(stream: &mut Stream, host: &str) -> Result<String, String> {
    write!(stream, "GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").map_err(|e| e.to_string())?;
    let mut reader = BufReader::new(stream);
    let mut told = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).map_err(|e| e.to_string())? <= 2 {
            return told.ok_or_else(|| "no answer".to_owned());
        }
        if let Some(value) = line.strip_prefix("told: ") {
            told = Some(value.trim_end().to_owned());
        }
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn issuer(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A gateway with these certificates; its answers tell what it knows of the handshake.
struct Gateway {
    running: Running,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Gateway {
    fn at(&self) -> SocketAddr {
        self.running.public
    }

    /// Waits for an event that `wanted` likes.
    fn saw(&self, wanted: impl Fn(&Event) -> bool) -> bool {
        for _ in 0..60 {
            if self.events.lock().iter().any(&wanted) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

fn serve(tls: &Arc<TlsListener>) -> Gateway {
    serve_with(tls, |_| {})
}

fn serve_with(tls: &Arc<TlsListener>, tweak: impl FnOnce(&mut Config)) -> Gateway {
    let events = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&events);
    let mut config =
        Config::new("127.0.0.1:0".parse().unwrap(), clock(), Arc::new(move |event| sink.lock().push(event)));
    config.cores = NonZeroUsize::MIN;
    config.tls = Some(Arc::clone(tls));
    tweak(&mut config);
    let bound = crate::drain::bind(config.address, config.cores).unwrap();
    Gateway { running: crate::drain::start(config, bound, || Told).unwrap(), events }
}

/// Answers with what the handshake settled; `/big` with more than any buffer holds.
#[derive(Clone)]
struct Told;

const BIG_BYTES: usize = 64 * 1024 * 1024;

struct Defaults(HeadLimits, Reserved);

impl Rules for Defaults {
    fn limits(&self) -> &HeadLimits {
        &self.0
    }

    fn reserved(&self) -> &Reserved {
        &self.1
    }
}

impl Handler for Told {
    type Body = Parts;
    type Rules = Defaults;

    fn rules(&self) -> Defaults {
        Defaults(HeadLimits::default(), Reserved::default())
    }

    async fn handle(
        &self,
        _: &Arc<Worker>,
        connection: &Connection,
        _: Defaults,
        arrived: Arrived<RequestBody>,
    ) -> Response<Parts> {
        let tls = connection.tls.as_ref().unwrap();
        let head = arrived.received.unwrap();
        let host = head.authority.as_ref().map_or("", portcullis_wire::Authority::host);
        let told = format!(
            "name={} leads={} certificate={} {} {}",
            tls.server_name.as_deref().unwrap_or("-"),
            tls.leads_to(host),
            tls.client_certificate.as_ref().map_or(0, |der| der.len()),
            tls.version,
            tls.cipher_suite
        );
        let left = if head.path.as_str() == "/big" { BIG_BYTES } else { 0 };
        let mut response = Response::new(Parts { left });
        response.headers_mut().insert("told", told.parse().unwrap());
        response
    }
}

impl crate::connection::Switches for Parts {}

struct Parts {
    left: usize,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        static PART: [u8; 16 * 1024] = [b'x'; 16 * 1024];
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= PART.len();
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PART)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}
