// SPDX-License-Identifier: Apache-2.0
//! Our own certificates and keys, as files.

use super::{Zoo, authority, authority_params, below, leaf_params};
use crate::{KeySource, Leaf, LeafFiles, Name, Part, PkiError};
use proptest::prelude::*;
use rcgen::{ExtendedKeyUsagePurpose as Usage, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use std::path::PathBuf;
use std::time::Duration;

fn pair(zoo: &Zoo, stem: &str, names: &[&str]) -> LeafFiles {
    let key = KeyPair::generate().unwrap();
    let certificate = leaf_params(names, &[Usage::ServerAuth], 1).self_signed(&key).unwrap();
    LeafFiles {
        certificate: zoo.write(&format!("{stem}.pem"), certificate.pem()),
        key: KeySource::File(zoo.write(&format!("{stem}.key"), key.serialize_pem())),
    }
}

fn fault(files: &LeafFiles) -> (Part, String) {
    let fault = Leaf::load(files).unwrap_err();
    (fault.part, fault.error.to_string())
}

#[test]
fn a_pair_that_belongs_together_is_read_with_its_names_and_its_end() {
    let zoo = Zoo::new();
    let leaf = Leaf::load(&pair(&zoo, "edge", &["api.example.com", "*.Example.com", "192.0.2.1"])).unwrap();
    let names: Vec<String> = leaf.names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["api.example.com", "*.example.com", "192.0.2.1"]);
    assert!(leaf.ends.at > Duration::from_secs(4_000_000_000));
    for kind in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(kind).unwrap();
        zoo.write("edge.pem", leaf_params(&["a.example"], &[], 1).self_signed(&key).unwrap().pem());
        let source =
            KeySource::Given(std::sync::Arc::new(portcullis_decision::Secret::new(key.serialize_pem().into_bytes())));
        assert!(Leaf::load(&LeafFiles { certificate: zoo.path("edge.pem"), key: source }).is_ok());
    }
}

#[test]
fn pc0402_f23_a_key_of_another_certificate_is_refused() {
    let zoo = Zoo::new();
    let (one, other) = (pair(&zoo, "one", &["a.example"]), pair(&zoo, "other", &["a.example"]));
    let crossed = LeafFiles { certificate: one.certificate, key: other.key };
    let error = Leaf::load(&crossed).unwrap_err();
    assert!(matches!(error.error, PkiError::Mismatch { .. }) && error.part == Part::Key, "{error}");
}

#[test]
fn pc0403_what_is_missing_empty_or_no_certificate_is_refused() {
    let zoo = Zoo::new();
    let good = pair(&zoo, "edge", &["a.example"]);
    let pem = std::fs::read_to_string(&good.certificate).unwrap();
    for (text, part) in
        [("", "holds no certificate"), ("hello", "holds no certificate"), (pem.get(..100).unwrap(), "cannot be used")]
    {
        let certificate = zoo.write("bad.pem", text);
        let (at, message) = fault(&LeafFiles { certificate, key: good.key.clone() });
        assert!(at == Part::Certificate && message.contains(part), "{message}");
    }
    let key = KeySource::File(zoo.write("bad.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"));
    assert_eq!(fault(&LeafFiles { key, ..good.clone() }).0, Part::Key);
    let key = KeySource::File(zoo.path("absent.key"));
    assert!(fault(&LeafFiles { key, ..good.clone() }).1.contains("cannot be read"));
    assert!(fault(&LeafFiles { certificate: PathBuf::from("/dev/zero"), ..good.clone() }).1.contains("no file"));
}

#[test]
fn t106_a_certificate_is_served_for_its_names_only() {
    let zoo = Zoo::new();
    let leaf = Leaf::load(&pair(&zoo, "edge", &["*.example.com", "api.example.org"])).unwrap();
    let name = |text: &str| Name::parse(text).unwrap();
    assert_eq!(leaf.serve(&[]).unwrap().len(), 2);
    assert_eq!(leaf.serve(&[name("a.example.com")]).unwrap(), [name("a.example.com")]);
    assert_eq!(leaf.serve(&[name("a.example.net")]).unwrap_err().part, Part::Names);
    let nameless = Leaf::load(&pair(&zoo, "nameless", &[])).unwrap();
    assert!(matches!(nameless.serve(&[]).unwrap_err().error, PkiError::NoNames { .. }));
}

#[test]
fn a_chain_is_kept_in_its_order_and_bounded() {
    let zoo = Zoo::new();
    let root = authority("root");
    let middle = below(&root, authority_params("middle"));
    let key = KeyPair::generate().unwrap();
    let leaf = leaf_params(&["a.example"], &[Usage::ServerAuth], 1).signed_by(&key, &middle).unwrap();
    let files = LeafFiles {
        certificate: zoo.write("chain.pem", format!("{}{}", leaf.pem(), middle.pem())),
        key: KeySource::File(zoo.write("chain.key", key.serialize_pem())),
    };
    let read = Leaf::load(&files).unwrap();
    assert_eq!(read.certified.cert, [leaf.der().clone(), middle.der().clone()]);
    zoo.write("chain.pem", leaf.pem().repeat(crate::CHAIN_MAX + 1));
    assert!(matches!(Leaf::load(&files).unwrap_err().error, PkiError::TooMany { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// z11: the loaders read whatever is in a file.
    #[test]
    fn z11_no_bytes_make_a_loader_panic(cut in 0usize..2000, at in 0usize..2000, byte: u8, noise in prop::collection::vec(any::<u8>(), 0..64)) {
        let zoo = Zoo::new();
        let good = pair(&zoo, "edge", &["a.example"]);
        let mut bytes = std::fs::read(&good.certificate).unwrap();
        bytes.truncate(cut.max(1));
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.extend(noise);
        let path = zoo.write("mutated.pem", &bytes);
        let _ = Leaf::load(&LeafFiles { certificate: path.clone(), key: good.key });
        let _ = crate::Authorities::load(&path);
        let _ = crate::revocations::Revocations::load(&path);
    }
}
