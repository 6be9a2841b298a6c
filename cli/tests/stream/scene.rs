// SPDX-License-Identifier: Apache-2.0
//! A gate in front of an origin of the test's own.

use crate::gate::{Gate, command};
use crate::token::{Mint, claims, header, now};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const DOCUMENT: &str = r#"openapi: 3.1.0
info: { title: Streams, version: "1" }
components:
  securitySchemes:
    token: { type: http, scheme: bearer }
security:
  - token: [chat]
paths:
  /chat:
    get:
      operationId: chat
      responses:
        "101": { description: A conversation }
        "403": { description: No, content: { text/plain: {} } }
        "200": { description: Text, content: { text/plain: {} } }
    post:
      operationId: postChat
      responses:
        "101": { description: Never }
  /open:
    get:
      operationId: openChat
      security: []
      responses:
        "101": { description: A conversation with anybody }
  /plain:
    get:
      operationId: plain
      responses:
        "200": { description: Text, content: { text/plain: {} } }
  /events:
    get:
      operationId: events
      responses:
        "200": { description: Events, content: { text/event-stream: {} } }
  /file:
    get:
      operationId: getFile
      responses:
        "200": { description: Bytes, content: { application/octet-stream: {} } }
    put:
      operationId: putFile
      requestBody: { content: { application/octet-stream: {} } }
      responses:
        "204": { description: Kept }
  /routes.v1.Routes/Unary:
    post:
      operationId: unary
      requestBody: { required: true, content: { application/grpc: {} } }
      responses:
        "200": { description: Messages, content: { application/grpc: {} } }
  /routes.v1.Routes/Many:
    post:
      operationId: many
      requestBody: { required: true, content: { application/grpc: {} } }
      responses:
        "200": { description: Messages, content: { application/grpc: {} } }
  /routes.v1.Routes/Collect:
    post:
      operationId: collect
      requestBody: { required: true, content: { application/grpc: {} } }
      responses:
        "200": { description: Messages, content: { application/grpc: {} } }
  /routes.v1.Routes/Chat:
    post:
      operationId: chat
      requestBody: { required: true, content: { application/grpc: {} } }
      responses:
        "200": { description: Messages, content: { application/grpc: {} } }
  /routes.v1.Routes/Quiet:
    post:
      operationId: quiet
      requestBody: { required: true, content: { application/grpc: {} } }
      responses:
        "200": { description: Messages, content: { application/grpc: {} } }
  /routes.v1.Routes/Guarded:
    post:
      operationId: guarded
      security: [{ token: [another] }]
      requestBody: { required: true, content: { application/grpc: {} } }
      responses:
        "200": { description: Messages, content: { application/grpc: {} } }
"#;

const CONFIGURATION: &str = r#"version: 1
listen:
  public: { address: "127.0.0.1:0" }
  admin: { address: "127.0.0.1:0" }
edge:
  address_rate: 100000/s
  body: { max: 1GiB }
identity:
  issuer: https://id.example.com
  audience: https://notes.example.com
  jwks: { file: ./keys.json }
apis:
  streams:
    openapi: ./openapi.yaml
    upstream: origin
    operations:
      openChat: { public: true }
upstreams:
  origin: { targets: ["http://{ORIGIN}"], circuit_breaker: off }
plans:
  default: { rate: 1000000/min }
limits:
  default_plan: default
  by: [subject]
  anonymous: { rate: 1000000/min, by: [address] }
data: ./data
"#;

/// A configuration that speaks TLS, for the name `open.example`.
pub(crate) fn secured(directory: &Path, text: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["open.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(directory.join("open.pem"), certificate.pem()).unwrap();
    std::fs::write(directory.join("open.key"), key.serialize_pem()).unwrap();
    text.replace(
        "  public: { address: \"127.0.0.1:0\" }\n",
        "  public:\n    address: \"127.0.0.1:0\"\n    public_url: https://open.example\n    tls: [{ certificate: open.pem, key: { file: open.key } }]\n",
    )
}

/// A running gate.
pub(crate) struct Scene {
    pub(crate) gate: Gate,
    kept: tempfile::TempDir,
    mint: Mint,
}

impl Scene {
    pub(crate) fn before(origin: SocketAddr) -> Self {
        Self::serving(origin, |_, text| text)
    }

    /// With a configuration of its own, and files beside it.
    pub(crate) fn serving(origin: SocketAddr, change: impl Fn(&Path, String) -> String) -> Self {
        let (kept, mint) = (tempfile::tempdir().unwrap(), Mint::new());
        let write = |name: &str, text: &str| std::fs::write(kept.path().join(name), text).unwrap();
        write("openapi.yaml", DOCUMENT);
        write("keys.json", &mint.key_set());
        let text = CONFIGURATION.replace("{ORIGIN}", &origin.to_string());
        write("portcullis.yaml", &change(kept.path(), text));
        Self { gate: Gate::configured(kept.path()), kept, mint }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.kept.path()
    }

    /// A token that is let in for ten minutes.
    pub(crate) fn token(&self) -> String {
        self.mint.token("u-alice", "chat")
    }

    /// A token that is let in for so many seconds more, at least and not one longer.
    pub(crate) fn token_for(&self, seconds: u64) -> String {
        const LEEWAY: u64 = 30;
        let mut claims = claims("u-alice", "chat");
        claims["iat"] = (now() - 120).into();
        claims["exp"] = (now() + seconds + 1 - LEEWAY).into();
        self.mint.signed(&header().to_string(), &claims.to_string())
    }

    /// What `explain` says, once the record is there.
    pub(crate) fn explain(&self, id: &str) -> Value {
        for _ in 0..200 {
            let output = command(self.directory(), &["explain", id, "--format", "json", "-c", "portcullis.yaml"]);
            if output.status.success() {
                return serde_json::from_slice(&output.stdout).unwrap();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("no record of {id}");
    }

    /// How a stream of this request ended: decision, reason, and the facts of its last stage.
    pub(crate) fn end(&self, id: &str) -> (String, Value, Value) {
        let explained = self.explain(id);
        let last = explained["stages"].as_array().unwrap().last().unwrap()["facts"].clone();
        (explained["decision"].as_str().unwrap().to_owned(), explained["reason"].clone(), last)
    }

    /// Resident set, in KiB.
    pub(crate) fn rss_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.gate.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }
}
