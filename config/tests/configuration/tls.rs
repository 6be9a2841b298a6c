// SPDX-License-Identifier: Apache-2.0
//! `listen.public.tls`: what is read, and what is refused with its place.

use crate::scene::Scene;
use portcullis_config::Plaintext;
use portcullis_decision::finding::Severity;
use portcullis_pki::ClientAuthentication;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

const SMALLEST: &str = include_str!("documents/smallest.yaml");

fn pair(scene: &Scene, stem: &str, names: &[&str], year: i32) {
    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.not_after = date_time_ymd(year, 12, 1);
    scene.write(&format!("{stem}.pem"), &params.self_signed(&key).expect("signed").pem());
    scene.write(&format!("{stem}.key"), &key.serialize_pem());
}

fn scene() -> Scene {
    let scene = Scene::new();
    pair(&scene, "edge", &["api.example.com"], 2030);
    pair(&scene, "other", &["partners.example.com"], 2030);
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    scene.write("clients.pem", &authority.self_signed(&KeyPair::generate().expect("a key")).expect("signed").pem());
    scene.write("empty.pem", "");
    scene
}

fn listening(tls: &str) -> String {
    SMALLEST.replace(
        "listen: 127.0.0.1:8080",
        &format!(
            "listen:\n  public:\n    address: 0.0.0.0:8443\n    public_url: https://api.example.com\n    tls: {tls}"
        ),
    )
}

#[test]
fn pc0404_with_certificates_a_public_address_is_served() {
    let scene = scene();
    let loaded = scene.load(&listening("{ certificate: edge.pem, key: { file: edge.key } }"));
    assert_eq!(loaded.listen.plaintext, Plaintext::Tls);
    let entry = &loaded.listen.tls[0];
    assert_eq!(entry.leaf.certificate, scene.path("edge.pem"));
    assert!(entry.clients.is_none() && entry.names.is_empty());
    assert!(loaded.findings.iter().all(|finding| finding.rule != Some("PC0404")));
}

#[test]
fn each_of_several_certificates_has_its_own_demands() {
    let loaded = scene().load(&listening(
        "\n      - { certificate: edge.pem, key: { file: edge.key }, names: [api.example.com] }\n      \
         - { certificate: other.pem, key: { file: other.key }, client_ca: clients.pem }",
    ));
    let modes: Vec<_> =
        loaded.listen.tls.iter().map(|entry| entry.clients.as_ref().map(|clients| clients.authentication)).collect();
    assert_eq!(modes, [None, Some(ClientAuthentication::Required)], "who names an authority wants certificates");
}

#[test]
fn t105_pc0402_pc0403_what_is_wrong_is_refused_where_it_is_named() {
    let good = "certificate: edge.pem, key: { file: edge.key }";
    let cases: &[(&str, String, &[&str])] = &[
        ("another key", "{ certificate: edge.pem, key: { file: other.key } }".into(), &["PC0402", "is not the key"]),
        ("no file", "{ certificate: absent.pem, key: { file: edge.key } }".into(), &["PC0403", "portcullis.yaml:6:25"]),
        ("an empty file", "{ certificate: empty.pem, key: { file: edge.key } }".into(), &["PC0403", "holds no"]),
        ("no key", "{ certificate: edge.pem }".into(), &["`key` is missing"]),
        ("a key in the file", "{ certificate: edge.pem, key: hunter2 }".into(), &["PC0401"]),
        ("no authority", format!("{{ {good}, client_ca: empty.pem }}"), &["PC0403", "client_ca"]),
        ("an authority that is none", format!("{{ {good}, client_ca: edge.pem }}"), &["PC0403", "may not sign"]),
        ("an empty list", format!("{{ {good}, client_ca: clients.pem, crl: empty.pem }}"), &["PC0403", "crl"]),
        ("a list and nobody", format!("{{ {good}, crl: empty.pem }}"), &["PC0403", "nothing says who vouches"]),
        ("a demand and nobody", format!("{{ {good}, client_certificate: required }}"), &["PC0403", "client_ca"]),
        (
            "a name it is not for",
            format!("{{ {good}, names: [shop.example.com] }}"),
            &["is not for `shop.example.com`"],
        ),
        ("two for one name", format!("[{{ {good} }}, {{ {good} }}]"), &["two certificates serve `api.example.com`"]),
        ("no certificate", "[]".into(), &["TLS without a certificate"]),
        ("two ways", format!("{{ {good} }}\n    plaintext: behind_tls_terminator"), &["remove one of the two"]),
    ];
    for (what, tls, said) in cases {
        let shown = scene().refused(&listening(tls));
        for words in *said {
            assert!(shown.contains(words), "{what}: no `{words}` in\n{shown}");
        }
        assert!(!shown.contains("hunter2") && !shown.contains("PC0404"), "{what}: {shown}");
    }
}

#[test]
fn f24_what_ends_soon_is_found() {
    let scene = scene();
    pair(&scene, "edge", &["api.example.com"], 2026);
    let found = |text: &str| {
        let loaded = scene.load(text);
        let ends: Vec<_> = loaded.findings.iter().filter(|f| f.message.contains("end")).cloned().collect();
        assert_eq!(ends.len(), 1, "{ends:?}");
        (ends[0].severity, ends[0].message.clone())
    };
    let text = listening("{ certificate: edge.pem, key: { file: edge.key } }");
    assert!(
        matches!(found(&text), (Severity::Low, message) if message.contains("ends in 7 days") || message.contains("ends in 8 days"))
    );
    pair(&scene, "edge", &["api.example.com"], 2025);
    assert!(matches!(found(&text), (Severity::High, message) if message.contains("has ended")));
}

fn calling(tls: &str) -> String {
    SMALLEST
        .replace("upstream: http://127.0.0.1:9000", "upstream: shop")
        .replace("limits:", &format!("upstreams:\n  shop:\n    targets: [https://shop.internal:8443]\n{tls}limits:"))
}

#[test]
fn an_https_upstream_has_its_own_authorities_name_and_certificate() {
    let scene = scene();
    let loaded = scene.load(&calling(
        "    tls: { ca: clients.pem, certificate: edge.pem, key: { file: edge.key }, server_name: orders.internal }\n",
    ));
    let tls = loaded.upstreams[0].tls.as_ref().expect("TLS");
    assert_eq!(
        (tls.authorities.clone(), tls.server_name.as_deref()),
        (Some(scene.path("clients.pem")), Some("orders.internal"))
    );
    assert!(tls.leaf.is_some());
    assert!(loaded.upstreams[0].targets[0].is_https());
    let bare = scene.load(&calling(""));
    assert_eq!(bare.upstreams[0].tls, Some(portcullis_proxy::UpstreamTlsFiles::default()), "the system's authorities");
}

#[test]
fn t105_what_is_wrong_with_an_upstreams_files_is_refused() {
    for (what, tls, said) in [
        ("no authorities", "{ ca: empty.pem }", &["PC0403", "tls.ca"][..]),
        ("a certificate alone", "{ ca: clients.pem, certificate: edge.pem }", &["PC0403", "without its `key`"]),
        ("a key alone", "{ ca: clients.pem, key: { file: edge.key } }", &["PC0403", "without its `certificate`"]),
        ("another key", "{ certificate: edge.pem, key: { file: other.key } }", &["PC0402"]),
        ("no host", "{ server_name: \"a b\" }", &["server_name"]),
    ] {
        let shown = scene().refused(&calling(&format!("    tls: {tls}\n")));
        for words in said {
            assert!(shown.contains(words), "{what}: no `{words}` in\n{shown}");
        }
    }
}
