// SPDX-License-Identifier: Apache-2.0
//! The gate with the configuration of these tests, in front of a recording origin.

use crate::gate::Gate;
use crate::journal;
use crate::origin::{Origin, Reply};
use crate::strict::Message;
use crate::token::Mint;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What the tokens of these tests may do.
const SCOPE: &str = "edge.read";

pub(crate) struct Stand {
    pub(crate) gate: Gate,
    pub(crate) origin: Origin,
    pub(crate) alice: String,
    pub(crate) bob: String,
    directory: tempfile::TempDir,
}

impl Stand {
    pub(crate) fn answering(script: impl Fn(&Message) -> Reply + Send + Sync + 'static) -> Self {
        Self::prepared(script, &[], Gate::configured)
    }

    /// With words of the configuration replaced, and started as the test wants.
    pub(crate) fn prepared(
        script: impl Fn(&Message) -> Reply + Send + Sync + 'static,
        words: &[(&str, &str)],
        start: impl Fn(&Path) -> Gate,
    ) -> Self {
        let (directory, origin, mint) = (tempfile::tempdir().unwrap(), Origin::start(script), Mint::new());
        let mut config = include_str!("portcullis.yaml").replace("{UPSTREAM}", &format!("http://{}", origin.address));
        for (word, other) in words {
            assert!(config.contains(word), "{word}");
            config = config.replace(word, other);
        }
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("portcullis.yaml", &config);
        write("edge.openapi.json", include_str!("edge.openapi.json"));
        write("keys.json", &mint.key_set());
        let gate = start(directory.path());
        let (alice, bob) = (mint.token("alice", SCOPE), mint.token("bob", SCOPE));
        Self { gate, origin, alice, bob, directory }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("portcullis-data")
    }

    pub(crate) fn records(&self) -> Vec<Value> {
        journal::records(&self.data())
    }
}
