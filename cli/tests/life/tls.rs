// SPDX-License-Identifier: Apache-2.0
//! TLS end to end: curl as the client, a certificate that is renewed under it, and one that has ended.

use crate::gate::Gate;
use crate::reload::hang_up;
use crate::scene::{Scene, admin, hears, replace};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose as Usage, IsCa, KeyPair,
    date_time_ymd,
};
use std::process::Command;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(scene: &Scene, file: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, file);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(scene.file(file), authority.pem()).unwrap();
        Self(authority)
    }

    fn leaf(&self, scene: &Scene, stem: &str, name: &str, usage: Usage, year: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        params.not_after = date_time_ymd(year, 1, 1);
        replace(&scene.file(&format!("{stem}.key")), key.serialize_pem().as_bytes());
        replace(&scene.file(&format!("{stem}.pem")), params.signed_by(&key, &self.0).unwrap().pem().as_bytes());
    }
}

const TLS: &str = r#"  public:
    address: "127.0.0.1:0"
    public_url: https://open.example
    tls:
      - { certificate: open.pem, key: { file: open.key } }
      - { certificate: closed.pem, key: { file: closed.key }, client_ca: clients.pem }
"#;

fn scene() -> (Scene, Authority, Authority) {
    let scene = Scene::new();
    let (servers, clients) = (Authority::new(&scene, "servers.pem"), Authority::new(&scene, "clients.pem"));
    servers.leaf(&scene, "open", "open.example", Usage::ServerAuth, 4000);
    servers.leaf(&scene, "closed", "closed.example", Usage::ServerAuth, 4000);
    clients.leaf(&scene, "client", "client.example", Usage::ClientAuth, 4000);
    scene.configure(|text| text.replace("  public: { address: \"127.0.0.1:0\" }\n", TLS));
    (scene, servers, clients)
}

/// curl's answer, head and body, or what it says of the failure.
fn curl(scene: &Scene, gate: &Gate, url: &str, arguments: &[&str]) -> Result<String, String> {
    let port = gate.public.port();
    let output = Command::new("curl")
        .args(["-sS", "-i", "--max-time", "8", "--cacert"])
        .arg(scene.file("servers.pem"))
        .args(["--resolve", &format!("open.example:{port}:127.0.0.1")])
        .args(["--resolve", &format!("closed.example:{port}:127.0.0.1")])
        .args(["--resolve", &format!("nobody.example:{port}:127.0.0.1")])
        .args(["-H", &format!("authorization: Bearer {}", scene.token())])
        .args(arguments)
        .arg(url.replace("PORT", &port.to_string()))
        .current_dir(scene.directory())
        .output()
        .expect("curl");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn asvs_12_2_1_an_api_over_tls_with_and_without_client_certificates() {
    let (scene, ..) = scene();
    let gate = scene.start(&[]);
    let ask = |url: &str, arguments: &[&str]| curl(&scene, &gate, url, arguments);
    let answer = ask("https://open.example:PORT/notes/n-1", &[]).unwrap();
    assert!(answer.starts_with("HTTP/2 200"), "{answer}");
    let hsts = "strict-transport-security: max-age=31536000; includeSubDomains";
    assert!(answer.to_ascii_lowercase().contains(&hsts.to_ascii_lowercase()), "{answer}");
    let refused = ask("https://open.example:PORT/nothing", &[]).unwrap();
    assert!(
        refused.starts_with("HTTP/2 404") && refused.to_ascii_lowercase().contains("strict-transport"),
        "{refused}"
    );
    assert!(ask("https://closed.example:PORT/notes/n-1", &[]).is_err(), "no certificate");
    let shown = ["--cert", "client.pem", "--key", "client.key"];
    assert!(ask("https://closed.example:PORT/notes/n-1", &shown).unwrap().starts_with("HTTP/2 200"));
    assert!(ask("https://nobody.example:PORT/notes/n-1", &[]).unwrap_err().contains("unrecognized name"));
    assert!(ask("http://open.example:PORT/notes/n-1", &[]).is_err(), "no plain HTTP");
    // T54: a connection that was made without a certificate does not lead to a name that wants one.
    let crossed = ask("https://open.example:PORT/notes/n-1", &["-H", "host: closed.example"]).unwrap();
    assert!(crossed.starts_with("HTTP/2 421"), "{crossed}");
}

#[test]
fn f23_a_renewed_certificate_is_taken_without_a_restart_and_a_wrong_pair_is_not() {
    let (scene, servers, _) = scene();
    let gate = scene.start(&[]);
    let ask = || curl(&scene, &gate, "https://open.example:PORT/health", &[]);
    assert!(ask().unwrap().starts_with("HTTP/2 200"));
    // Another authority: curl notices when the new certificate is in force.
    let others = Authority::new(&scene, "others.pem");
    others.leaf(&scene, "open", "open.example", Usage::ServerAuth, 4000);
    hears(&gate, "certificates: read again");
    assert!(ask().is_err());
    replace(&scene.file("open.key"), KeyPair::generate().unwrap().serialize_pem().as_bytes());
    hears(&gate, "is not the key of the certificate");
    let new = curl(&scene, &gate, "https://open.example:PORT/health", &["--cacert", "others.pem"]);
    assert!(new.unwrap().starts_with("HTTP/2 200"), "the last good pair stays");
    // A hang-up reads them as well, and is refused as a whole.
    hang_up(&gate);
    hears(&gate, "PC0402");
    servers.leaf(&scene, "open", "open.example", Usage::ServerAuth, 4000);
    hang_up(&gate);
    assert!(ask().unwrap().starts_with("HTTP/2 200"));
}

#[test]
fn f24_a_gateway_whose_certificate_has_ended_is_not_ready_and_says_so() {
    let (scene, servers, _) = scene();
    servers.leaf(&scene, "closed", "closed.example", Usage::ServerAuth, 2026);
    let gate = scene.start(&[]);
    hears(&gate, "`closed.pem` has ended");
    let ready = admin(&gate, "/readyz");
    let text = String::from_utf8(ready.body).unwrap();
    assert!(ready.status == 503 && text.contains("certificates"), "{text}");
    servers.leaf(&scene, "closed", "closed.example", Usage::ServerAuth, 4000);
    hears(&gate, "certificates: read again");
    assert_eq!(admin(&gate, "/readyz").status, 200);
}
