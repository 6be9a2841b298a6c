// SPDX-License-Identifier: Apache-2.0
//! Certificates of servers we call: the name, the chain, the time (T106, ASVS 12.3.2).

use super::{Zoo, authority, authority_params, below, leaf_params};
use crate::Authorities;
use rcgen::{
    CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose as Usage, GeneralSubtree, KeyPair,
    NameConstraints, SanType, date_time_ymd,
};
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use std::time::Duration;

fn server(names: &[&str]) -> CertificateParams {
    leaf_params(names, &[Usage::ServerAuth], 1)
}

/// A SAN extension by its bytes: what no tool would write.
fn raw_names(names: &[&[u8]]) -> CertificateParams {
    let mut params = server(&[]);
    let mut content = Vec::new();
    for name in names {
        content.extend([0x82, u8::try_from(name.len()).unwrap()]);
        content.extend_from_slice(name);
    }
    let mut der = vec![0x30, u8::try_from(content.len()).unwrap()];
    der.extend(content);
    params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 17], der));
    params
}

#[test]
fn t106_a_server_is_who_its_certificate_says_in_the_one_place_that_counts() {
    let zoo = Zoo::new();
    let root = authority("root");
    zoo.write("ca.pem", root.pem());
    let verifier = Authorities::load(&zoo.path("ca.pem")).unwrap().server_verifier().unwrap();
    let signed = |params: &CertificateParams| {
        vec![params.signed_by(&KeyPair::generate().unwrap(), &root).unwrap().der().clone()]
    };
    let under = |constraints: NameConstraints, params: &CertificateParams| {
        let mut middle = authority_params("constrained");
        middle.name_constraints = Some(constraints);
        let middle = below(&root, middle);
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &middle).unwrap().der().clone();
        vec![leaf, middle.der().clone()]
    };
    let only = |name: &str| NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(name.to_owned())],
        excluded_subtrees: vec![],
    };
    let mut common_name = server(&[]);
    common_name.distinguished_name.push(DnType::CommonName, "orders.internal");
    let mut expired = server(&["orders.internal"]);
    expired.not_after = date_time_ymd(2026, 1, 1);
    let mut uri = server(&[]);
    uri.subject_alt_names.push(SanType::URI("https://orders.internal".try_into().unwrap()));
    let cases: &[(&str, bool, Vec<CertificateDer<'static>>)] = &[
        ("its name", true, signed(&server(&["orders.internal"]))),
        ("its name in capitals", true, signed(&server(&["ORDERS.internal"]))),
        ("one of several names", true, signed(&server(&["a.internal", "orders.internal"]))),
        ("a wildcard of a whole top level", false, signed(&server(&["*.internal"]))),
        ("another name", false, signed(&server(&["billing.internal"]))),
        ("a wildcard below", false, signed(&server(&["*.orders.internal"]))),
        ("a wildcard inside a label", false, signed(&server(&["ord*.internal"]))),
        ("a wildcard of everything", false, signed(&server(&["*"]))),
        ("a suffix", false, signed(&server(&["internal"]))),
        ("a longer name", false, signed(&server(&["orders.internal.evil.example"]))),
        ("a NUL in the name", false, signed(&raw_names(&[b"orders.internal\0.evil.example"]))),
        ("a NUL at the end", false, signed(&raw_names(&[b"orders.internal\0"]))),
        ("a common name alone", false, signed(&common_name)),
        ("a URI", false, signed(&uri)),
        ("an address", false, signed(&server(&["127.0.0.1"]))),
        ("expired", false, signed(&expired)),
        ("a client's", false, signed(&leaf_params(&["orders.internal"], &[Usage::ClientAuth], 1))),
        ("inside a name constraint", true, under(only("internal"), &server(&["orders.internal"]))),
        ("outside a name constraint", false, under(only("other"), &server(&["orders.internal"]))),
        ("partly outside", false, under(only("internal"), &server(&["orders.internal", "evil.example"]))),
        ("a wildcard over a constraint", false, under(only("a.internal"), &server(&["*.internal"]))),
    ];
    let name = ServerName::try_from("orders.internal").unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_hours(498_744));
    for (what, good, chain) in cases {
        let (leaf, rest) = chain.split_first().unwrap();
        let judged = verifier.verify_server_cert(leaf, rest, &name, &[], now);
        assert_eq!(judged.is_ok(), *good, "{what}: {judged:?}");
    }
    let wildcard = signed(&server(&["*.orders.internal"]));
    for (name, good) in [("eu.orders.internal", true), ("a.eu.orders.internal", false), ("orders.internal", false)] {
        let name = ServerName::try_from(name).unwrap();
        assert_eq!(verifier.verify_server_cert(&wildcard[0], &[], &name, &[], now).is_ok(), good, "{name:?}");
    }
    let by_address = signed(&server(&["127.0.0.1"]));
    let address = ServerName::try_from("127.0.0.1").unwrap();
    assert!(verifier.verify_server_cert(&by_address[0], &[], &address, &[], now).is_ok());
}

#[test]
fn asvs_12_3_4_a_set_of_authorities_believes_nobody_else() {
    let zoo = Zoo::new();
    zoo.write("ca.pem", authority("ours").pem());
    let verifier = Authorities::load(&zoo.path("ca.pem")).unwrap().server_verifier().unwrap();
    let public = authority("a public authority");
    let leaf = server(&["orders.internal"]).signed_by(&KeyPair::generate().unwrap(), &public).unwrap();
    let name = ServerName::try_from("orders.internal").unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_hours(498_744));
    assert!(verifier.verify_server_cert(leaf.der(), &[public.der().clone()], &name, &[], now).is_err());
}
