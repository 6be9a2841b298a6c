// SPDX-License-Identifier: Apache-2.0
//! What an attacker sends, byte for byte, at the running binary: what it answers, what the upstream saw of it, and
//! what stands in the trail.

mod answers;
mod failing;
mod framing;
mod heads;
mod objects;
mod origin;
mod pace;
mod targets;
mod tokens;

use crate::client::{Answer, Request, exchange};
use crate::gate::Gate;
use crate::journal::records;
use crate::token::Mint;
use origin::{Origin, Seen};
use serde_json::Value;

const SCOPES: &str = "notes.read notes.write";
/// The header in which the gate of these tests tells its upstream who calls.
const SUBJECT: &str = "x-auth-subject";

/// The notes API behind a gate, with an upstream that records what reaches it.
struct Stand {
    gate: Gate,
    origin: Origin,
    mint: Mint,
    alice: String,
    directory: tempfile::TempDir,
}

impl Stand {
    fn new() -> Self {
        Self::answering(origin::notes)
    }

    /// Hostile answers follow each other in most tests here; a breaker would end them.
    fn answering(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with_upstream(answer, "circuit_breaker: off")
    }

    /// With these words for its upstream.
    fn with_upstream(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static, words: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (origin, mint) = (Origin::start(answer), Mint::new());
        let config = include_str!("traffic/portcullis.yaml")
            .replace("{UPSTREAM}", &format!("http://{}", origin.address))
            .replace("header: x-user }", &format!("header: {SUBJECT} }}, {words}"))
            .replace(
                "{ default: 1000/s }",
                "{ default: 1000/s, authentication_failures: { rate: 1000/s, by: [address] } }",
            );
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("portcullis.yaml", &config);
        write("notes.openapi.json", include_str!("traffic/notes.openapi.json"));
        write("keys.json", &mint.key_set());
        let gate = Gate::configured(directory.path());
        let alice = mint.token("alice", SCOPES);
        Self { gate, origin, mint, alice, directory }
    }

    /// The statuses of what comes back for these bytes; interim answers left out.
    fn raw(&self, bytes: &[u8]) -> Vec<u16> {
        statuses(&exchange(self.gate.public, bytes).unwrap_or_default())
    }

    fn send(&self, request: Request) -> Answer {
        self.gate.send(&request.bearer(&self.alice))
    }

    /// A head with the token of alice; `fields` end in CRLF each.
    fn head(&self, line: &str, fields: &str) -> Vec<u8> {
        let alice = &self.alice;
        format!("{line} HTTP/1.1\r\nHost: notes.example.com\r\nAuthorization: Bearer {alice}\r\n{fields}\r\n").into()
    }

    /// Sends something that must be refused: one answer of this status, nothing upstream, the connection closed.
    fn refuses(&self, status: u16, bytes: &[u8], what: &str) {
        let before = self.origin.count();
        assert_eq!(self.raw(bytes), [status], "{what}");
        assert_eq!(self.origin.count(), before, "{what} reached the upstream");
    }

    fn records(&self) -> Vec<Value> {
        records(&self.directory.path().join("portcullis-data"))
    }

    /// Requests the upstream understood equal those the trail allowed.
    fn holds_the_oracle(&self, what: &str) {
        let allowed = self.records().iter().filter(|r| r["decision"] == "allow").count();
        assert_eq!(self.origin.count(), allowed, "{what}: upstream requests and allow records");
    }
}

fn statuses(raw: &[u8]) -> Vec<u16> {
    let text = String::from_utf8_lossy(raw);
    let status = |at: usize| text.get(at + 9..at + 12).and_then(|digits| digits.parse().ok());
    text.match_indices("HTTP/1.").filter_map(|(at, _)| status(at)).filter(|s| *s >= 200).collect()
}
