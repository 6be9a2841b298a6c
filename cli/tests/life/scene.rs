// SPDX-License-Identifier: Apache-2.0
//! A directory with a configuration, its document, its keys and an origin.

use crate::client::{Answer, Request};
use crate::gate::Gate;
use crate::origin;
use crate::token::Mint;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DOCUMENT: &str = r#"openapi: 3.1.0
info: { title: Notes, version: "1" }
components:
  schemas:
    Note:
      type: object
      properties:
        id: { type: string }
        owner: { type: string }
        text: { type: string }
  securitySchemes:
    token: { type: http, scheme: bearer }
security:
  - token: [notes.read]
paths:
  /notes/{noteId}:
    get:
      operationId: getNote
      parameters:
        - { name: noteId, in: path, required: true, schema: { type: string } }
      responses:
        "200": { description: A note, content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } } }
  /health:
    get:
      operationId: getHealth
      responses:
        "200": { description: Fine, content: { application/json: { schema: { $ref: '#/components/schemas/Note' } } } }
"#;

const CONFIGURATION: &str = r#"version: 1
listen:
  public: { address: "127.0.0.1:0" }
  admin: { address: "127.0.0.1:0" }
edge:
  address_rate: 100000/s
  connections: { per_address: 1000, requests: 100000 }
identity:
  issuer: https://id.example.com
  audience: https://notes.example.com
  jwks: { file: ./keys.json }
apis:
  notes:
    openapi: ./openapi.yaml
    upstream: http://{ORIGIN}
    objects:
      Note: { id: noteId, owner: /owner }
    operations:
      getHealth: { touches: none }
plans:
  default: { rate: 1000000/min }
limits:
  default_plan: default
  by: [subject]
  anonymous: { rate: 1000000/min, by: [address] }
data: ./data
"#;

/// A place to run a gate in.
pub(crate) struct Scene {
    kept: tempfile::TempDir,
    origin: SocketAddr,
    mint: Mint,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { kept: tempfile::tempdir().unwrap(), origin: origin::start(), mint: Mint::new() };
        std::fs::write(scene.file("openapi.yaml"), DOCUMENT).unwrap();
        std::fs::write(scene.file("keys.json"), scene.mint.key_set()).unwrap();
        scene.configure(|text| text);
        scene
    }

    pub(crate) fn directory(&self) -> &Path {
        self.kept.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }

    /// The configuration, changed.
    pub(crate) fn text(&self, change: impl Fn(String) -> String) -> String {
        change(CONFIGURATION.replace("{ORIGIN}", &self.origin.to_string()))
    }

    /// Writes the configuration whole, under another name first.
    pub(crate) fn configure(&self, change: impl Fn(String) -> String) {
        replace(&self.file("portcullis.yaml"), self.text(change).as_bytes());
    }

    /// The same with another rate, which every answer shows.
    pub(crate) fn configure_rate(&self, rate: u32) {
        self.configure(|text| {
            text.replace("default: { rate: 1000000/min }", &format!("default: {{ rate: {rate}/min }}"))
        });
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Gate {
        let all: Vec<&str> = ["run", "-c", "portcullis.yaml"].iter().chain(arguments).copied().collect();
        Gate::start(self.directory(), &all)
    }

    /// alice's token.
    pub(crate) fn token(&self) -> String {
        self.mint.token("u-alice", "notes.read")
    }

    pub(crate) fn note(&self, id: &str) -> Request {
        Request::get(&format!("/notes/{id}")).bearer(&self.token())
    }

    /// Every entry of the trail, in order.
    pub(crate) fn trail(&self) -> Vec<Value> {
        entries(&self.file("data/audit"))
    }
}

/// Writes a file so that nobody ever sees half of it.
pub(crate) fn replace(path: &Path, content: &[u8]) {
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// What a metric of the gate shows.
pub(crate) fn metric(gate: &Gate, name: &str) -> u64 {
    let answer = admin(gate, "/metrics");
    let text = String::from_utf8(answer.body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

/// The revision in force.
pub(crate) fn revision(gate: &Gate) -> String {
    let text = String::from_utf8(admin(gate, "/metrics").body).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("portcullis_config_info{revision=\"")).unwrap();
    line.split('"').next().unwrap().to_owned()
}

pub(crate) fn admin(gate: &Gate, path: &str) -> Answer {
    Request::get(path).send(gate.admin)
}

/// Waits for something that comes about.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it did not come about: {what}");
}

/// Waits until the gate's log, which is written behind what it tells of, holds some words.
pub(crate) fn hears(gate: &Gate, words: &str) {
    for _ in 0..600 {
        if gate.said().contains(words) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("`{words}` is not in:\n{}", gate.said());
}

/// The JSON entries of a log, bundles first and the journal after them, each once, by their own number.
fn entries(log: &Path) -> Vec<Value> {
    let mut found = std::collections::BTreeMap::new();
    let mut open = vec![log.to_path_buf()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(path).unwrap();
        let mut rest = &bytes[..];
        // An entry is one JSON object; what frames it is not text.
        while let Some(at) = rest.iter().position(|byte| *byte == b'{') {
            let mut stream = serde_json::Deserializer::from_slice(&rest[at..]).into_iter::<Value>();
            if let Some(Ok(value)) = stream.next()
                && let Some(number) = value["seq"].as_u64()
            {
                let end = stream.byte_offset();
                found.insert(number, value);
                rest = &rest[at + end..];
            } else {
                rest = &rest[at + 1..];
            }
        }
    }
    found.into_values().collect()
}
