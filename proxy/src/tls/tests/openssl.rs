// SPDX-License-Identifier: Apache-2.0
//! The same with another implementation: openssl's command as the client.

use super::*;
use std::process::{Command, Output, Stdio};

/// `openssl s_client` with arguments; what it says on both outputs. A machine without it fails the test: these are
/// checks with other eyes than ours.
fn s_client(scene: &Scene, at: SocketAddr, arguments: &[&str]) -> (bool, String) {
    let output: Output = Command::new("openssl")
        .args(["s_client", "-connect", &at.to_string(), "-CAfile", scene.path("servers.pem").to_str().unwrap()])
        .args(["-verify_return_error", "-ign_eof"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("openssl, the command");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

fn gateway(scene: &Scene) -> Gateway {
    serve_with(&scene.listener(), |config| config.head.timeout = Duration::from_millis(300))
}

#[test]
fn asvs_12_1_1_old_versions_and_weak_suites_are_refused() {
    let scene = Scene::new();
    let gateway = gateway(&scene);
    let ask =
        |arguments: &[&str]| s_client(&scene, gateway.at(), &[&["-servername", "open.example"], arguments].concat());
    for good in [&["-tls1_3"][..], &["-tls1_2"]] {
        let (_, said) = ask(good);
        assert!(said.contains("Verify return code: 0"), "{good:?}: {said}");
    }
    for weak in [
        &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"][..],
        &["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES128-SHA@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES256-GCM-SHA384"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA"],
        &["-tls1_2", "-cipher", "DHE-RSA-AES256-GCM-SHA384"],
        &["-tls1_2", "-cipher", "eNULL@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "aNULL@SECLEVEL=0"],
        &["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"],
        &["-tls1_3", "-groups", "secp521r1"],
    ] {
        let (good, said) = ask(weak);
        assert!(!good && said.contains("Cipher is (NONE)"), "{weak:?}: {said}");
    }
}

#[test]
fn t104_openssl_is_told_unrecognized_name() {
    let scene = Scene::new();
    let gateway = gateway(&scene);
    for arguments in [&["-servername", "nobody.example"][..], &["-servername", "a.b.open.example"]] {
        let (good, said) = s_client(&scene, gateway.at(), arguments);
        assert!(!good && said.contains("unrecognized name"), "{arguments:?}: {said}");
    }
    // Without a name: the certificate that is for this address, or none.
    let (_, said) = s_client(&scene, gateway.at(), &["-noservername"]);
    assert!(said.contains("Verify return code: 0"), "{said}");
}

#[test]
fn t103_a_session_of_one_name_is_worth_nothing_at_another() {
    let scene = Scene::new();
    let gateway = gateway(&scene);
    let session = scene.path("session.pem");
    let session = session.to_str().unwrap();
    for version in ["-tls1_3", "-tls1_2"] {
        let visit =
            |name: &str, how: &str| s_client(&scene, gateway.at(), &[version, "-servername", name, how, session]).1;
        let said = visit("open.example", "-sess_out");
        assert!(said.contains("New, TLSv1"), "{version}: {said}");
        let said = visit("open.example", "-sess_in");
        assert!(said.contains("Reused, TLSv1"), "{version}: resumption works at all: {said}");
        visit("open.example", "-sess_out");
        let said = visit("other.example", "-sess_in");
        assert!(!said.contains("Reused"), "{version}: {said}");
        let said = visit("choice.example", "-sess_in");
        assert!(!said.contains("Reused"), "{version}: {said}");
        let said = visit("closed.example", "-sess_in");
        assert!(!said.contains("Reused") && said.contains("alert"), "{version}: {said}");
    }
}

#[test]
fn t103_who_shows_a_certificate_is_given_no_session() {
    let scene = Scene::new();
    let gateway = gateway(&scene);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
    params.extended_key_usages = vec![Usage::ClientAuth];
    let certificate = scene.write("client.pem", params.signed_by(&key, &scene.clients).unwrap().pem());
    let key = scene.write("client.key", key.serialize_pem());
    for version in ["-tls1_3", "-tls1_2"] {
        let arguments = [
            version,
            "-servername",
            "closed.example",
            "-cert",
            certificate.to_str().unwrap(),
            "-key",
            key.to_str().unwrap(),
        ];
        let (_, said) = s_client(&scene, gateway.at(), &arguments);
        assert!(said.contains("Verify return code: 0"), "{version}: {said}");
        assert!(!said.contains("TLS session ticket:"), "{version}: {said}");
        assert!(!said.contains("Session-ID: ") || said.contains("Session-ID: \n"), "{version}: {said}");
    }
}

#[test]
fn t108_early_data_is_never_offered() {
    let scene = Scene::new();
    let gateway = gateway(&scene);
    let (_, said) = s_client(&scene, gateway.at(), &["-tls1_3", "-servername", "open.example"]);
    assert!(said.contains("Max Early Data: 0") || !said.contains("Max Early Data"), "{said}");
}

#[test]
fn the_protocol_openssl_asks_for_is_agreed_on() {
    let scene = Scene::new();
    let gateway = gateway(&scene);
    let (_, said) = s_client(&scene, gateway.at(), &["-servername", "open.example", "-alpn", "http/1.1"]);
    assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
    let (good, said) = s_client(&scene, gateway.at(), &["-servername", "open.example", "-alpn", "spdy/3"]);
    assert!(!good && said.contains("no application protocol"), "{said}");
}
