// SPDX-License-Identifier: Apache-2.0
//! Client certificates in handshakes, and what a connection may be used for (T54, T103, T107, ASVS 12.1.3).

use super::*;
use portcullis_pipeline::Policies;
use rustls::HandshakeKind;
use rustls::client::Resumption;

#[test]
fn t107_a_client_is_let_in_by_its_certificate() {
    let scene = Scene::new();
    let gateway = serve(&scene.listener());
    let stranger = issuer("stranger");
    let get = |client: &Client, name| client.get(gateway.at(), name);
    let good = scene.client().with(Scene::identity(&scene.clients, 1));
    for name in ["closed.example", "choice.example"] {
        let said = get(&good, name).unwrap();
        assert!(said.contains("leads=true") && !said.contains("certificate=0"), "{said}");
        // A bad certificate is worse than none, also where none is needed.
        let bad = scene.client().with(Scene::identity(&stranger, 1));
        assert!(get(&bad, name).is_err(), "{name}");
    }
    assert!(get(&scene.client(), "closed.example").is_err());
    assert!(get(&scene.client(), "choice.example").unwrap().contains("certificate=0"));
    assert!(get(&good, "open.example").unwrap().contains("certificate=0"), "nobody asked");
}

#[test]
fn t107_a_revoked_certificate_is_denied_from_the_next_reload_on() {
    let scene = Scene::new();
    let tls = scene.listener();
    let gateway = serve(&tls);
    let client = scene.client().with(Scene::identity(&scene.clients, 7));
    assert!(client.get(gateway.at(), "closed.example").is_ok());
    scene.lists(&[7]);
    tls.reload().unwrap();
    assert!(client.get(gateway.at(), "closed.example").is_err());
    assert!(client.get(gateway.at(), "choice.example").is_err());
}

/// A client that would resume anything anywhere: its store is shared by every name.
#[test]
fn t103_no_session_leads_from_one_name_to_another() {
    #[derive(Debug)]
    struct Anywhere(Mutex<Option<rustls::client::Tls13ClientSessionValue>>);
    impl rustls::client::ClientSessionStore for Anywhere {
        fn set_kx_hint(&self, _: ServerName<'static>, _: rustls::NamedGroup) {}
        fn kx_hint(&self, _: &ServerName<'_>) -> Option<rustls::NamedGroup> {
            None
        }
        fn set_tls12_session(&self, _: ServerName<'static>, _: rustls::client::Tls12ClientSessionValue) {}
        fn tls12_session(&self, _: &ServerName<'_>) -> Option<rustls::client::Tls12ClientSessionValue> {
            None
        }
        fn remove_tls12_session(&self, _: &ServerName<'static>) {}
        fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: rustls::client::Tls13ClientSessionValue) {
            *self.0.lock() = Some(ticket);
        }
        fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<rustls::client::Tls13ClientSessionValue> {
            self.0.lock().take()
        }
    }
    let scene = Scene::new();
    let gateway = serve(&scene.listener());
    let client = scene.client().with(Scene::identity(&scene.clients, 1));
    let mut config = Arc::unwrap_or_clone(client.config());
    let store = Arc::new(Anywhere(Mutex::new(None)));
    config.resumption = Resumption::store(Arc::clone(&store) as _);
    let config = Arc::new(config);
    let visit = |name: &str| {
        let mut stream = connect(Arc::clone(&config), gateway.at(), name).unwrap();
        let kind = stream.conn.handshake_kind().unwrap();
        assert!(get(&mut stream, name).unwrap().contains(&format!("name={name}")));
        (kind, store.0.lock().is_some())
    };
    assert_eq!(visit("open.example"), (HandshakeKind::Full, true));
    assert_eq!(visit("open.example"), (HandshakeKind::Resumed, true), "resumption works at all");
    for other in ["other.example", "a.open.example"] {
        assert_eq!(visit(other).0, HandshakeKind::Full, "{other}");
        visit("open.example");
    }
    for asking in ["closed.example", "choice.example"] {
        visit("open.example");
        assert_eq!(visit(asking), (HandshakeKind::Full, false), "{asking} gives no ticket");
        assert_eq!(visit(asking).0, HandshakeKind::Full);
    }
}

#[test]
fn t54_a_connection_leads_only_to_names_with_the_same_demands() {
    let scene = Scene::new();
    let tls = scene.listener();
    let gateway = serve(&tls);
    let mut stream = scene.client().connect(gateway.at(), "open.example").unwrap();
    for (host, leads) in [
        ("open.example", true),
        ("a.open.example", true),
        ("other.example", true),
        ("closed.example", false),
        ("choice.example", false),
        ("nobody.example", false),
        ("127.0.0.1", true),
    ] {
        let said = get(&mut stream, host).unwrap();
        assert!(said.contains(&format!("leads={leads}")), "{host}: {said}");
    }
}

#[test]
fn t54_demands_that_changed_hold_for_open_connections_too() {
    let scene = Scene::new();
    let tls = scene.listener();
    let gateway = serve(&tls);
    let mut stream = scene.client().connect(gateway.at(), "open.example").unwrap();
    assert!(get(&mut stream, "open.example").unwrap().contains("leads=true"));
    let before = tls.policy_of("closed.example");
    let mut entries = scene.entries();
    entries[0] = scene.demanding("open", &["open.example"], ClientAuthentication::Required);
    tls.install(tls.prepare(entries).unwrap());
    assert_eq!(tls.policy_of("open.example"), before, "the same demands have the same number");
    assert!(get(&mut stream, "open.example").unwrap().contains("leads=false"));
    // Another list of what was taken back is no other demand.
    scene.lists(&[9]);
    tls.reload().unwrap();
    assert_eq!(tls.policy_of("open.example"), before);
}
