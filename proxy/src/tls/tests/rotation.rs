// SPDX-License-Identifier: Apache-2.0
//! New certificates under load (F23), and what ends when (F24).

use super::*;
use portcullis_pipeline::Policies;
use portcullis_pki::{Due, What};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn f23_500_rotations_under_handshakes_fail_none() {
    let scene = Scene::new();
    let tls = TlsListener::load(vec![scene.plain("open", &["open.example"])], clock()).unwrap();
    let gateway = serve_with(&tls, |config| config.connections.per_address_max = 1_000);
    let (done, handshakes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut standing = scene.client().connect(gateway.at(), "open.example").unwrap();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    // One configuration for all: tickets of old certificates are offered to new ones.
                    let config = scene.client().config();
                    while !done.load(Ordering::Relaxed) {
                        let mut stream = connect(Arc::clone(&config), gateway.at(), "open.example").unwrap();
                        get(&mut stream, "open.example").unwrap();
                        handshakes.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for number in 0..500 {
            if number % 50 == 7 {
                // Half a rotation: the key of another certificate. The old pair stays.
                let key = std::fs::read(scene.path("open.key")).unwrap();
                scene.write("open.key", KeyPair::generate().unwrap().serialize_pem());
                assert!(tls.reload().is_err());
                scene.write("open.key", key);
            }
            scene.leaf("open", &["open.example"]);
            tls.reload().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    });
    assert!(handshakes.load(Ordering::Relaxed) > 100, "{handshakes:?}");
    assert!(get(&mut standing, "open.example").is_ok(), "a connection outlives its certificate");
}

#[test]
fn f23_a_new_certificate_is_shown_at_once_and_a_bad_one_never() {
    let scene = Scene::new();
    let tls = scene.listener();
    let gateway = serve(&tls);
    let shown = || {
        let stream = scene.client().connect(gateway.at(), "open.example").unwrap();
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown();
    scene.leaf("open", &["open.example"]);
    assert_eq!(shown(), first, "nobody has read it yet");
    tls.reload().unwrap();
    let second = shown();
    assert_ne!(second, first);
    for bad in ["", "-----BEGIN CERTIFICATE-----"] {
        scene.write("open.pem", bad);
        assert!(tls.reload().is_err());
        assert_eq!(shown(), second);
    }
    std::fs::remove_file(scene.path("clients.pem")).unwrap();
    scene.leaf("open", &["open.example"]);
    assert!(tls.reload().is_err(), "one missing file keeps everything as it was");
    assert_eq!(shown(), second);
    assert!(scene.client().get(gateway.at(), "closed.example").is_err(), "and takes no demand away");
}

#[test]
fn t105_files_that_were_read_for_old_entries_take_no_new_demand_back() {
    let scene = Scene::new();
    let tls = scene.listener();
    let before = tls.current.load_full();
    let late = tls.prepare(before.entries.clone()).unwrap();
    let mut entries = scene.entries();
    entries[0] = scene.demanding("open", &["open.example"], ClientAuthentication::Required);
    tls.install(tls.prepare(entries).unwrap());
    let demanded = tls.policy_of("open.example");
    assert!(!tls.replace(&before, late));
    assert_eq!(tls.policy_of("open.example"), demanded);
    tls.reload().unwrap();
    assert_eq!(tls.policy_of("open.example"), demanded);
    assert_eq!(demanded, tls.policy_of("closed.example"));
}

#[test]
fn f24_the_ends_of_everything_are_known() {
    let scene = Scene::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["old.example".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2026, 1, 1);
    scene.write("old.pem", params.signed_by(&key, &scene.servers).unwrap().pem());
    scene.write("old.key", key.serialize_pem());
    let old = TlsEntry { leaf: scene.files("old"), names: Vec::new(), clients: None };
    let tls = TlsListener::load(vec![old, scene.entries().remove(2)], clock()).unwrap();
    let wall = clock().wall();
    let ends = tls.ends();
    let of = |what| ends.iter().filter(|ends| ends.what == what).map(|ends| ends.due(wall)).collect::<Vec<_>>();
    assert_eq!(of(What::Leaf), [Due::Ended, Due::Later]);
    assert_eq!(of(What::Authority), [Due::Later]);
    assert_eq!(of(What::Revocations), [Due::Later]);
}
