// SPDX-License-Identifier: Apache-2.0
//! Upstreams over TLS: who is believed, what they are shown, and what a failure is called (ASVS 12.3.2 to 12.3.4, API2-5).

use super::*;
use crate::{UpstreamTls, UpstreamTlsFiles};
use portcullis_pki::{KeySource, LeafFiles, provider};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose as Usage, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer(name: &str) -> Issuer {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(super) fn params(name: &str, usage: Usage) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    params
}

pub(super) struct Scene {
    directory: TempDir,
    authority: Issuer,
}

impl Scene {
    pub(super) fn new() -> Self {
        let scene = Self { directory: TempDir::new().unwrap(), authority: issuer("internal") };
        scene.write("ca.pem", &scene.authority.pem());
        scene
    }

    fn write(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a certificate of ours.
    fn ours(&self, by: &Issuer) -> LeafFiles {
        let key = KeyPair::generate().unwrap();
        let certificate = params("gateway.internal", Usage::ClientAuth).signed_by(&key, by).unwrap();
        LeafFiles {
            certificate: self.write("gateway.pem", &certificate.pem()),
            key: KeySource::File(self.write("gateway.key", &key.serialize_pem())),
        }
    }

    pub(super) fn files(&self) -> UpstreamTlsFiles {
        UpstreamTlsFiles {
            authorities: Some(self.directory.path().join("ca.pem")),
            leaf: None,
            server_name: Some("orders.internal".to_owned()),
        }
    }

    /// What a server shows and asks for.
    pub(super) fn server(&self, params: &CertificateParams, asks: bool) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap().der().clone();
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
        let builder = if asks {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        builder.with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap()).unwrap()
    }
}

/// An origin over TLS that answers with the server name it was asked for; counts its connections.
fn secured_origin(config: ServerConfig) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (config, connections) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&connections);
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(StreamOwned::new(session, socket));
                while let Ok(Some(_)) = read_message(&mut reader, true) {
                    let stream = reader.get_mut();
                    let name = stream.conn.server_name().unwrap_or("-").to_owned();
                    let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                    let _ = stream.flush();
                }
            });
        }
    });
    Scripted { address, connections }
}

fn over(origin: &Scripted, tls: Option<&Arc<UpstreamTls>>) -> Bench {
    bench(origin, |_, upstream| {
        upstream.targets = vec![Target::parse(&format!("https://{}", origin.address)).unwrap()];
        upstream.tls = tls.cloned();
    })
}

pub(super) fn load(files: UpstreamTlsFiles) -> Arc<UpstreamTls> {
    UpstreamTls::load(files, Arc::new(SystemClock::new())).unwrap()
}

fn told(bench: &Bench) -> (String, String) {
    let answer = bench.get("/").unwrap();
    (answer.status().to_owned(), String::from_utf8(answer.body).unwrap())
}

fn pair(status: &str, body: &str) -> (String, String) {
    (status.to_owned(), body.to_owned())
}

#[test]
fn asvs_12_3_2_an_upstream_is_believed_by_its_own_authority_and_name() {
    let scene = Scene::new();
    let good = params("orders.internal", Usage::ServerAuth);
    let origin = secured_origin(scene.server(&good, false));
    let bench = over(&origin, Some(&load(scene.files())));
    let mut client = bench.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").unwrap().body, b"orders.internal", "by the name it is asked for");
    }
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1, "the connection is used again");

    let mut expired = good.clone();
    expired.not_after = date_time_ymd(2026, 1, 1);
    let stranger = Scene::new();
    let usage = params("orders.internal", Usage::ClientAuth);
    for (what, config) in [
        ("another authority", stranger.server(&good, false)),
        ("another name", scene.server(&params("billing.internal", Usage::ServerAuth), false)),
        ("expired", scene.server(&expired, false)),
        ("another use", scene.server(&usage, false)),
    ] {
        let bench = over(&secured_origin(config), Some(&load(scene.files())));
        assert_eq!(told(&bench), pair("502", "upstream.tls"), "{what}");
    }
}

#[test]
fn asvs_12_3_4_a_public_authority_or_none_is_not_our_own() {
    let scene = Scene::new();
    let origin = secured_origin(scene.server(&params("127.0.0.1", Usage::ServerAuth), false));
    let system = load(UpstreamTlsFiles::default());
    assert_eq!(told(&over(&origin, Some(&system))), pair("502", "upstream.tls"), "the system does not know it");
    let ours = load(UpstreamTlsFiles { server_name: None, ..scene.files() });
    assert_eq!(told(&over(&origin, Some(&ours))).0, "200", "by its address, without a server name");
}

#[test]
fn an_https_target_is_never_spoken_to_in_plain() {
    let scene = Scene::new();
    let plain = origin(|_, mut wire| {
        let mut first = [0; 1];
        let _ = wire.reader.read_exact(&mut first);
        assert_ne!(&first, b"G", "plain HTTP left");
    });
    assert_eq!(told(&over(&plain, None)).0, "502", "nothing says how");
    assert_eq!(told(&over(&plain, Some(&load(scene.files())))), pair("502", "upstream.tls"));
    let silent = origin(|_, wire| {
        std::thread::sleep(ms(3_000));
        drop(wire);
    });
    let began = std::time::Duration::from_millis(2_500);
    let bench = over(&silent, Some(&load(scene.files())));
    let (sender, answered) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || sender.send(told(&bench)));
    assert_eq!(answered.recv_timeout(began).unwrap().0, "502", "a handshake has the time of a connection");
}

#[test]
fn api2_5_an_upstream_that_asks_is_shown_our_certificate() {
    let scene = Scene::new();
    let origin = secured_origin(scene.server(&params("orders.internal", Usage::ServerAuth), true));
    assert_eq!(told(&over(&origin, Some(&load(scene.files())))).0, "502", "none to show");
    let leaf = Some(scene.ours(&scene.authority));
    assert_eq!(told(&over(&origin, Some(&load(UpstreamTlsFiles { leaf, ..scene.files() })))).0, "200");
    let leaf = Some(scene.ours(&issuer("stranger")));
    assert_eq!(told(&over(&origin, Some(&load(UpstreamTlsFiles { leaf, ..scene.files() })))).0, "502", "not believed");
}

#[test]
fn f23_new_certificates_are_used_for_new_connections_and_bad_ones_never() {
    let scene = Scene::new();
    let tls = load(UpstreamTlsFiles { leaf: Some(scene.ours(&scene.authority)), ..scene.files() });
    let good = params("orders.internal", Usage::ServerAuth);
    let before = secured_origin(scene.server(&good, true));
    let bench = over(&before, Some(&tls));
    assert_eq!(told(&bench).0, "200");
    assert_eq!(tls.ends().len(), 2);
    scene.write("gateway.key", &KeyPair::generate().unwrap().serialize_pem());
    assert!(tls.reload().is_err());
    scene.write("ca.pem", "");
    assert!(tls.reload().is_err());
    assert_eq!(told(&over(&before, Some(&tls))).0, "200", "the last good ones stay");
    let stranger = Scene::new();
    scene.ours(&scene.authority);
    scene.write("ca.pem", &stranger.authority.pem());
    tls.reload().unwrap();
    assert_eq!(told(&over(&before, Some(&tls))), pair("502", "upstream.tls"), "another authority now");
    assert_eq!(told(&bench).0, "200", "a connection that stands goes on");
}

#[test]
fn an_upstream_of_a_new_revision_goes_on_with_the_new_certificates() {
    let scene = Scene::new();
    let origin = secured_origin(scene.server(&params("orders.internal", Usage::ServerAuth), false));
    let config = || {
        let target = Target::parse(&format!("https://{}", origin.address)).unwrap();
        let mut config = UpstreamConfig::new("origin".into(), vec![target]);
        config.tls = Some(load(scene.files()));
        config
    };
    let one = NonZeroUsize::MIN;
    let before = Upstreams::build(vec![config()], OPERATIONS, one, None);
    let stranger = Scene::new();
    scene.write("ca.pem", &stranger.authority.pem());
    let after = Upstreams::build(vec![config()], OPERATIONS, one, Some(&before));
    assert!(Arc::ptr_eq(before.by_index(0).unwrap(), after.by_index(0).unwrap()), "its connections go on");
    let tls = Arc::clone(after.tls().next().unwrap().1);
    assert_eq!(told(&over(&origin, Some(&tls))), pair("502", "upstream.tls"));
}
