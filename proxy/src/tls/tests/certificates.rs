// SPDX-License-Identifier: Apache-2.0
//! A certificate for each name, none for any other, and what is spoken (T104, T108, ASVS 12.1).

use super::*;
use crate::tls::TlsError;
use portcullis_pki::{Name, Part, PkiError};
use rustls::version::{TLS12, TLS13};

#[test]
fn t104_each_name_has_its_certificate_and_no_other_name_any() {
    let scene = Scene::new();
    let gateway = serve(&scene.listener());
    let client = scene.client();
    for (name, told) in [
        ("open.example", "name=open.example leads=true"),
        ("OPEN.Example", "name=open.example leads=true"),
        ("a.open.example", "name=a.open.example leads=true"),
        ("other.example", "name=other.example leads=true"),
        // No server name is sent for an address; the certificate is for it.
        ("127.0.0.1", "name=- leads=true"),
    ] {
        let said = client.get(gateway.at(), name).unwrap();
        assert!(said.starts_with(told), "{name}: {said}");
    }
    for name in ["nobody.example", "a.b.open.example", "example", "xopen.example", "localhost"] {
        let error = client.get(gateway.at(), name).unwrap_err();
        assert!(error.contains("UnrecognisedName"), "{name}: {error}");
    }
    assert!(gateway.saw(|event| matches!(event, Event::HandshakesFailed { failed: 1.., .. })));
}

#[test]
fn t104_without_a_name_only_a_certificate_for_the_address_is_shown() {
    let scene = Scene::new();
    let tls = TlsListener::load(vec![scene.plain("open", &["open.example"])], clock()).unwrap();
    let gateway = serve(&tls);
    let error = scene.client().get(gateway.at(), "127.0.0.1").unwrap_err();
    assert!(error.contains("UnrecognisedName"), "{error}");
}

#[test]
fn asvs_12_1_1_tls_1_3_and_1_2_and_the_strongest_suite() {
    let scene = Scene::new();
    let gateway = serve(&scene.listener());
    for (version, told) in
        [(&TLS13, "TLSv1_3 TLS13_AES_256_GCM_SHA384"), (&TLS12, "TLSv1_2 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")]
    {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(scene.client().roots)
            .with_no_client_auth();
        let mut stream = connect(Arc::new(config), gateway.at(), "open.example").unwrap();
        let said = get(&mut stream, "open.example").unwrap();
        assert!(said.ends_with(told), "{said}");
    }
}

#[test]
fn the_protocol_is_agreed_on_or_the_handshake_ends() {
    let scene = Scene::new();
    let gateway = serve(&scene.listener());
    let offering = |protocols: &[&str]| {
        let client = Client { protocols: protocols.iter().map(|p| p.as_bytes().to_vec()).collect(), ..scene.client() };
        client.connect(gateway.at(), "open.example").map(|stream| stream.conn.alpn_protocol().map(<[u8]>::to_vec))
    };
    assert_eq!(offering(&["http/1.1"]), Ok(Some(b"http/1.1".to_vec())));
    assert_eq!(offering(&["spdy/3", "http/1.1"]), Ok(Some(b"http/1.1".to_vec())));
    assert_eq!(offering(&["http/1.1", "h2"]), Ok(Some(b"h2".to_vec())));
    assert_eq!(offering(&[]), Ok(None));
    assert!(offering(&["spdy/3"]).unwrap_err().contains("NoApplicationProtocol"));
    assert!(offering(&["ftp"]).unwrap_err().contains("NoApplicationProtocol"));
}

#[test]
fn t108_t103_no_early_data_and_tickets_only_where_no_certificate_is_asked_for() {
    let scene = Scene::new();
    let listener = scene.listener();
    for served in &listener.current.load().served {
        assert_eq!(served.config.max_early_data_size, 0);
        assert!(!served.config.send_half_rtt_data);
        let asks = served.config.send_tls13_tickets == 0;
        assert_eq!(served.config.ticketer.enabled(), !asks);
        assert!(!served.config.session_storage.can_cache());
    }
    let asking = listener.current.load().served.iter().filter(|s| s.config.send_tls13_tickets == 0).count();
    assert_eq!(asking, 2);
}

#[test]
fn pc0402_pc0403_t105_what_cannot_be_used_is_never_served() {
    let scene = Scene::new();
    let refused = |entries: Vec<TlsEntry>| TlsListener::load(entries, clock()).unwrap_err();
    let part = |error: &TlsError| match error {
        TlsError::File { fault, .. } => Some(fault.part),
        _ => None,
    };
    let mut crossed = scene.plain("one", &["one.example"]);
    crossed.leaf.key = scene.plain("two", &["two.example"]).leaf.key;
    let error = refused(vec![crossed]);
    assert!(
        matches!(&error, TlsError::File { entry: 0, fault } if matches!(fault.error, PkiError::Mismatch { .. })),
        "{error}"
    );
    let (one, again) = (scene.plain("one", &["one.example"]), scene.plain("again", &["a.example", "one.example"]));
    assert!(matches!(refused(vec![one, again]), TlsError::Twice { entry: 1, .. }));
    let mut narrow = scene.plain("one", &["one.example"]);
    narrow.names = vec![Name::parse("other.example").unwrap()];
    assert_eq!(part(&refused(vec![narrow])), Some(Part::Names));
    let demanding = || scene.demanding("one", &["one.example"], ClientAuthentication::Required);
    for (file, wanted) in [("clients.pem", Part::Authorities), ("clients.crl", Part::Revocations)] {
        let kept = std::fs::read(scene.path(file)).unwrap();
        scene.write(file, "");
        assert_eq!(part(&refused(vec![demanding()])), Some(wanted), "{file} empty");
        std::fs::remove_file(scene.path(file)).unwrap();
        assert_eq!(part(&refused(vec![demanding()])), Some(wanted), "{file} missing");
        scene.write(file, kept);
    }
    assert!(TlsListener::load(vec![demanding()], clock()).is_ok());
}

#[test]
fn names_can_be_fewer_than_the_certificate_has() {
    let scene = Scene::new();
    let mut entry = scene.plain("one", &["one.example", "two.example"]);
    entry.names = vec![Name::parse("two.example").unwrap()];
    let gateway = serve(&TlsListener::load(vec![entry], clock()).unwrap());
    assert!(scene.client().get(gateway.at(), "two.example").is_ok());
    assert!(scene.client().get(gateway.at(), "one.example").unwrap_err().contains("UnrecognisedName"));
}
