// SPDX-License-Identifier: Apache-2.0
//! One gate in front of every origin: the same API, mounted once for each.

use super::origins::{self, Reader};
use crate::gate::Gate;
use crate::token::Mint;
use std::fmt::Write;
use std::path::PathBuf;

const PUBLIC: [&str; 8] =
    ["createItem", "getItem", "getSlowItem", "replaceItem", "deleteItem", "getScript", "upload", "search"];

pub(super) struct Field {
    pub(super) gate: Gate,
    pub(super) readers: Vec<Reader>,
    directory: tempfile::TempDir,
}

impl Field {
    pub(super) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let readers = origins::start(directory.path());
        let template = include_str!("../portcullis.yaml");
        let (before, rest) = template.split_once("upstreams:\n").unwrap();
        let (_, after) = rest.split_once("identity:\n  issuers").unwrap();
        let (mut upstreams, mut apis) = ("upstreams:\n".to_owned(), "apis:\n".to_owned());
        for (index, reader) in readers.iter().enumerate() {
            writeln!(upstreams, "  o{index}: {{ targets: [\"http://{}\"] }}", reader.address).unwrap();
            writeln!(apis, "  o{index}:\n    openapi: ./edge.openapi.json\n    base_path: /o{index}").unwrap();
            writeln!(apis, "    hosts: [edge.example.com]\n    upstream: o{index}").unwrap();
            writeln!(apis, "    objects:\n      Note: {{ id: noteId, owner: /owner }}\n    operations:").unwrap();
            for operation in PUBLIC {
                writeln!(apis, "      {operation}: {{ public: true, touches: none }}").unwrap();
            }
            writeln!(apis, "      getPrivate: {{ touches: none }}").unwrap();
        }
        let config = format!("{before}{upstreams}{apis}identity:\n  issuers{after}");
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("portcullis.yaml", &config);
        write("edge.openapi.json", include_str!("../edge.openapi.json"));
        write("keys.json", &Mint::new().key_set());
        let gate = Gate::configured(directory.path());
        Self { gate, readers, directory }
    }

    /// Where the API of a stream is mounted: the origins take turns.
    pub(super) fn mount(&self, stream: u64) -> String {
        format!("/o{}", stream % self.readers.len() as u64)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.path().join("portcullis-data")
    }
}
