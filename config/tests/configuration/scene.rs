// SPDX-License-Identifier: Apache-2.0
//! A directory with a document, a set of environment variables and a day on which all tests happen.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use portcullis_config::{Environment, Loaded, Refused, load_text, render_all};
use portcullis_decision::ManualClock;
use portcullis_decision::finding::Severity;
use tempfile::TempDir;

/// 2026-11-23T12:00:00Z.
const TODAY: Duration = Duration::from_hours(498_732);

pub(crate) struct Scene {
    directory: TempDir,
    variables: HashMap<String, String>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { directory: TempDir::new().expect("a directory"), variables: HashMap::new() };
        scene.write("orders.yaml", include_str!("documents/orders.yaml"));
        scene.with("MACHINE_SECRET", "0123456789abcdef0123456789abcdef")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.directory.path().join(name), text).expect("written");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn inspect(&self, text: &str) -> Result<Loaded, Refused> {
        let variable = |name: &str| self.variables.get(name).cloned();
        let clock = ManualClock::at(TODAY);
        let environment = Environment { variable: &variable, clock: &clock };
        load_text("portcullis.yaml", text, self.directory.path(), &environment)
    }

    pub(crate) fn load(&self, text: &str) -> Loaded {
        self.inspect(text).unwrap_or_else(|refused| panic!("refused:\n{refused}"))
    }

    /// What a person would read, the directory's own name left out.
    pub(crate) fn refused(&self, text: &str) -> String {
        match self.inspect(text) {
            Ok(_) => panic!("it was accepted:\n{text}"),
            Err(refused) => {
                let mut findings = refused.findings;
                findings.retain(|finding| finding.severity > Severity::Info);
                let shown = render_all(&findings, &refused.sources);
                shown.replace(&format!("{}/", self.directory.path().display()), "")
            }
        }
    }
}
