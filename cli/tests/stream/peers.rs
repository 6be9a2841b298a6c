// SPDX-License-Identifier: Apache-2.0
//! WebSockets between real peers: aiohttp's server, aiohttp's client and node's, which offers compression.

use crate::scene::{Scene, secured};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server that prints its port and ends with its standard input.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("`cargo xtask test` installs what it imports");
        Self { child, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stream/peers")
}

/// A Python that has aiohttp: the one `cargo xtask test` prepared, or the machine's own.
pub(crate) fn python() -> String {
    std::env::var("PORTCULLIS_TEST_PYTHON").unwrap_or_else(|_| {
        let prepared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-python/bin/python3");
        if prepared.exists() { prepared.display().to_string() } else { "python3".to_owned() }
    })
}

fn server() -> Server {
    Server::start(Command::new(python()).arg(scripts().join("server.py")))
}

pub(crate) fn said(command: &mut Command) -> Value {
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn rfc_6455_aiohttp_talks_to_aiohttp() {
    let server = server();
    let scene = Scene::before(([127, 0, 0, 1], server.port).into());
    let url = format!("http://{}", scene.gate.public);
    let said = said(Command::new(python()).arg(scripts().join("client.py")).args([&url, &scene.token()]));
    assert_eq!(said["refused"], 401, "{said}");
    assert_eq!(said["protocol"], "v2");
    assert_eq!(said["compress"], 0);
    assert_eq!(said["text"], "echo: grüße");
    assert_eq!((&said["binary"], &said["large"]), (&json!(1000), &json!(1_000_000)));
    assert_eq!(said["pong"], true);
    assert_eq!((&said["theirs"], &said["ours"]), (&json!(4001), &json!(1000)));
    let (decision, _, facts) = scene.end(said["id"].as_str().unwrap());
    assert_eq!((decision.as_str(), &facts["code"]), ("allow", &json!(4001)), "{facts}");
}

#[test]
fn rfc_6455_over_tls() {
    let server = server();
    let scene = Scene::serving(([127, 0, 0, 1], server.port).into(), |directory, text| secured(directory, &text));
    let mut command = Command::new(python());
    command.arg(scripts().join("secure.py")).arg(scene.gate.public.port().to_string());
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "101 129 True 1000 True");
}

#[test]
fn rfc_6455_node_talks_to_aiohttp_without_the_compression_it_offers() {
    let server = server();
    let scene = Scene::before(([127, 0, 0, 1], server.port).into());
    let url = format!("ws://{}/open", scene.gate.public);
    let said = said(Command::new("node").arg("--experimental-websocket").arg(scripts().join("client.mjs")).arg(&url));
    assert_eq!(said, json!({"extensions": "", "protocol": "v2", "text": "echo: hello", "bytes": 3, "code": 4001}));
}
