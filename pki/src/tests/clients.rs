// SPDX-License-Identifier: Apache-2.0
//! Client certificates: good ones pass, and only those (T105, T107, ASVS 12.1.3).

use super::{Authority, Zoo, authority, authority_params, below, leaf_params, list};
use crate::{ClientAuthentication, ClientCertificates, ClientFiles, What};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose as Usage, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::time::Duration;

/// 2026-11-24
const NOW: Duration = Duration::from_hours(498_744);

struct Scene {
    zoo: Zoo,
    root: Authority,
    middle: Authority,
}

impl Scene {
    fn new() -> Self {
        let root = authority("root");
        let mut params = authority_params("middle");
        params.serial_number = Some(100_u64.into());
        let middle = below(&root, params);
        let scene = Self { zoo: Zoo::new(), root, middle };
        scene.zoo.write("ca.pem", scene.root.pem());
        scene
    }

    fn files(&self, lists: Option<&str>) -> ClientFiles {
        ClientFiles {
            authentication: ClientAuthentication::Required,
            authorities: self.zoo.path("ca.pem"),
            revocations: lists.map(|text| self.zoo.write("clients.crl", text)),
        }
    }

    fn judge(&self, lists: Option<&str>, chain: &[CertificateDer<'_>]) -> Result<(), String> {
        let clients = ClientCertificates::load(&self.files(lists)).unwrap();
        let (leaf, rest) = chain.split_first().unwrap();
        let now = UnixTime::since_unix_epoch(NOW);
        clients.verifier.verify_client_cert(leaf, rest, now).map(drop).map_err(|error| error.to_string())
    }

    fn signed(by: &Authority, params: &CertificateParams) -> CertificateDer<'static> {
        params.signed_by(&KeyPair::generate().unwrap(), by).unwrap().der().clone()
    }
}

fn client(serial: u64) -> CertificateParams {
    leaf_params(&["client.example.com"], &[Usage::ClientAuth], serial)
}

#[test]
fn t107_only_a_good_client_certificate_passes() {
    let scene = Scene::new();
    let (root, middle) = (&scene.root, &scene.middle);
    let middle_der = middle.der().clone();
    let other = authority("other");
    let mut expired = client(1);
    expired.not_after = date_time_ymd(2026, 1, 1);
    let mut early = client(1);
    early.not_before = date_time_ymd(2027, 1, 1);
    let mut ended = authority_params("ended");
    ended.not_after = date_time_ymd(2026, 1, 1);
    let ended = below(root, ended);
    let self_signed = client(1).self_signed(&KeyPair::generate().unwrap()).unwrap();
    let no_authority = leaf_params(&[], &[Usage::ClientAuth], 7);
    let no_authority_key = KeyPair::generate().unwrap();
    let forged = rcgen::Issuer::new(no_authority.clone(), &no_authority_key);
    let by_leaf = client(8).signed_by(&KeyPair::generate().unwrap(), &forged).unwrap().der().clone();
    let leaf_as_authority = no_authority.signed_by(&no_authority_key, root).unwrap().der().clone();
    let cases: &[(&str, bool, Vec<CertificateDer<'_>>)] = &[
        ("of the root", true, vec![Scene::signed(root, &client(1))]),
        ("of an intermediate", true, vec![Scene::signed(middle, &client(1)), middle_der.clone()]),
        ("of an intermediate nobody shows", false, vec![Scene::signed(middle, &client(1))]),
        ("of another root", false, vec![Scene::signed(&other, &client(1))]),
        ("of another root, shown", false, vec![Scene::signed(&other, &client(1)), other.der().clone()]),
        ("self-signed", false, vec![self_signed.der().clone()]),
        ("signed by a leaf", false, vec![by_leaf, leaf_as_authority]),
        ("expired", false, vec![Scene::signed(root, &expired)]),
        ("not yet valid", false, vec![Scene::signed(root, &early)]),
        ("of an expired intermediate", false, vec![Scene::signed(&ended, &client(1)), ended.der().clone()]),
        ("a server's", false, vec![Scene::signed(root, &leaf_params(&["a.example"], &[Usage::ServerAuth], 1))]),
        ("any purpose", false, vec![Scene::signed(root, &leaf_params(&["a.example"], &[Usage::Any], 1))]),
        ("no purpose stated", false, vec![Scene::signed(root, &leaf_params(&["a.example"], &[], 1))]),
        (
            "both purposes",
            true,
            vec![Scene::signed(root, &leaf_params(&[], &[Usage::ServerAuth, Usage::ClientAuth], 1))],
        ),
        ("the authority itself", false, vec![root.der().clone()]),
        ("garbage", false, vec![CertificateDer::from(vec![0x30, 0x03, 0x02, 0x01])]),
        ("nothing", false, vec![CertificateDer::from(Vec::new())]),
    ];
    for (name, good, chain) in cases {
        let judged = scene.judge(None, chain);
        assert_eq!(judged.is_ok(), *good, "{name}: {judged:?}");
    }
}

#[test]
fn t107_revoked_unknown_and_stale_are_denied() {
    let scene = Scene::new();
    let (root, middle) = (&scene.root, &scene.middle);
    let of_root = [Scene::signed(root, &client(1))];
    let of_middle = [Scene::signed(middle, &client(2)), middle.der().clone()];
    let both = |root_revoked: &[u64], middle_revoked: &[u64], year| {
        format!("{}{}", list(root, root_revoked, year), list(middle, middle_revoked, year))
    };
    let judge = |lists: &str, chain: &[CertificateDer<'_>]| scene.judge(Some(lists), chain);
    assert_eq!(judge(&both(&[9], &[9], 2027), &of_root), Ok(()));
    assert_eq!(judge(&both(&[9], &[9], 2027), &of_middle), Ok(()));
    for (name, lists, chain) in [
        ("revoked", both(&[1], &[], 2027), &of_root[..]),
        ("revoked by the intermediate", both(&[], &[2], 2027), &of_middle),
        ("a revoked intermediate", both(&[100], &[], 2027), &of_middle),
        ("no list of the intermediate: unknown", list(root, &[], 2027), &of_middle),
        ("no list of the root: unknown", list(middle, &[], 2027), &of_root),
        ("stale lists", both(&[], &[], 2026), &of_root),
        ("a list signed by another", list(&authority("root"), &[], 2027), &of_root),
    ] {
        assert!(judge(&lists, chain).is_err(), "{name}");
    }
}

#[test]
fn t105_authorities_and_lists_that_are_not_there_are_errors_and_never_nobody() {
    let scene = Scene::new();
    let good = list(&scene.root, &[], 2027);
    assert_eq!(ClientCertificates::load(&scene.files(Some(&good))).unwrap().ends.len(), 2);
    assert!(
        ClientCertificates::load(&scene.files(Some(&good))).unwrap().ends.iter().any(|e| e.what == What::Revocations)
    );
    for (name, lists) in
        [("empty", ""), ("no PEM", "hello"), ("a certificate", &*scene.root.pem()), ("cut", good.get(..60).unwrap())]
    {
        assert!(ClientCertificates::load(&scene.files(Some(lists))).is_err(), "{name}");
    }
    std::fs::remove_file(scene.zoo.path("clients.crl")).unwrap();
    let missing = ClientFiles { revocations: Some(scene.zoo.path("clients.crl")), ..scene.files(None) };
    assert!(ClientCertificates::load(&missing).unwrap_err().to_string().contains("cannot be read"));
    let leaf = client(1).self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let root = scene.root.pem();
    for (name, text) in [("empty", ""), ("no PEM", "-----"), ("cut", root.get(..80).unwrap()), ("no authority", &leaf)]
    {
        scene.zoo.write("ca.pem", text);
        assert!(ClientCertificates::load(&scene.files(None)).is_err(), "{name}");
    }
    std::fs::remove_file(scene.zoo.path("ca.pem")).unwrap();
    assert!(ClientCertificates::load(&scene.files(None)).is_err());
    std::fs::create_dir(scene.zoo.path("ca.pem")).unwrap();
    assert!(ClientCertificates::load(&scene.files(None)).unwrap_err().to_string().contains("no file"));
}
