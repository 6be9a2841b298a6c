// SPDX-License-Identifier: Apache-2.0
//! What did the operator ask for.
//!
//! `portcullis.yaml` becomes a spanned tree, is held against one table of words, and is read into plain values for the
//! crates that obey them.
//!
//! Invariants:
//! - a file is hostile input: whatever it holds, loading it ends with values or with findings, never with a panic;
//! - all findings are collected, each with file, line and column, and what to do about it;
//! - no word is ignored: unknown words, words of later versions and values nobody read are refused;
//! - zero never means "no limit", and nothing that would weaken a control has a default that weakens it;
//! - no value of an environment variable and no secret stands in a finding.
//!
//! Deliberately absent: compiling the rules of objects (the caller does, and gives its findings to
//! [`Loaded::settle`]), sockets, the network, templating.

mod build;
mod cursor;
mod environment;
mod loaded;
mod read;
mod render;
mod revision;
pub mod rules;
mod schema;
mod sink;
mod suggest;
mod text;
mod tree;
mod values;
mod waivers;
mod words;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_decision::finding::{Finding, Severity};

pub use environment::Environment;
pub use loaded::{
    Api, Audit, AuditKey, Edge, Idempotency, IdempotencyKeys, Limits, Listen, ListenTls, Loaded, OperationSettings,
    Plaintext, Upstream, UpstreamIdentity,
};
pub use render::{render, render_all};
pub use revision::REVISION_CHARS;
pub use schema::schema;
pub use sink::FINDINGS_MAX;
pub use text::{CONFIGURATION_BYTES_MAX, DOCUMENT_BYTES_MAX, SIDE_FILE_BYTES_MAX, Sources, TEXTS_BYTES_MAX};
pub use tree::{ALIASES_MAX, DEPTH_MAX, NODES_MAX};
pub use values::{Day, Target, is_loopback_host};
pub use waivers::{Waiver, Waivers};
pub use words::{Choice, Kind, Presence, ROOT, Section, Shape, Support, Word};

use cursor::Cursor;
use read::Surroundings;
use sink::Sink;

/// A configuration that is not used: everything found in it, and the texts the findings speak of.
#[derive(Clone, Debug)]
pub struct Refused {
    /// At least one of them is a refusal.
    pub findings: Vec<Finding>,
    /// For [`render`].
    pub sources: Sources,
    /// Every file that was asked for; one of them has to change before it can be used.
    pub files: Vec<PathBuf>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render_all(&self.findings, &self.sources))
    }
}

impl std::error::Error for Refused {}

/// Loads a configuration file; on refusal, everything that was found, with the texts.
pub fn load(path: &Path, environment: &Environment<'_>) -> Result<Loaded, Refused> {
    let file: Arc<str> = path.display().to_string().into();
    match text::read_text(path, CONFIGURATION_BYTES_MAX) {
        Ok(text) => {
            let mut loaded = load_text(&file, &text, path.parent().unwrap_or(Path::new("")), environment);
            match &mut loaded {
                Ok(Loaded { files, .. }) | Err(Refused { files, .. }) => files.push(path.to_owned()),
            }
            loaded
        }
        Err(error) => Err(Refused {
            findings: vec![error.finding(&file)],
            sources: Sources::default(),
            files: vec![path.to_owned()],
        }),
    }
}

/// Loads a configuration from a text; `file` is its name in findings, its paths are relative to `directory`.
pub fn load_text(file: &str, text: &str, directory: &Path, environment: &Environment<'_>) -> Result<Loaded, Refused> {
    let file: Arc<str> = file.into();
    let mut sources = Sources::default();
    sources.keep(file.clone(), text.into());
    let mut root = match tree::parse(&file, text) {
        Ok(root) => root,
        Err(findings) => return Err(Refused { findings, sources, files: Vec::new() }),
    };
    let sink = Sink::new(file.clone());
    environment::substitute(&mut root, environment, &sink);
    words::judge::judge(&root, &sink);
    let surroundings = Surroundings {
        directory,
        environment,
        sources: RefCell::new(sources),
        side_files: RefCell::default(),
        files: RefCell::default(),
    };
    let cursor = Cursor::root(&root, &sink);
    let loaded = read::read(&cursor, &surroundings);
    if !sink.refuses() {
        cursor.refuse_unread();
    }
    let (sources, files) = (surroundings.sources.into_inner(), surroundings.files.into_inner());
    finish(loaded, sink, (sources, files), |sources| {
        revision::of(&root, &file, sources, &surroundings.side_files.borrow())
    })
}

fn finish(
    loaded: Option<Loaded>,
    sink: Sink,
    (sources, files): (Sources, BTreeSet<PathBuf>),
    revision: impl FnOnce(&Sources) -> String,
) -> Result<Loaded, Refused> {
    let findings = sink.into_findings();
    let files: Vec<PathBuf> = files.into_iter().collect();
    let Some(mut loaded) = loaded else { return Err(Refused { findings, sources, files }) };
    let findings = loaded.waivers.apply(findings);
    if findings.iter().any(|finding| finding.severity == Severity::Refuse) {
        return Err(Refused { findings, sources, files });
    }
    loaded.files = files;
    loaded.findings = findings;
    loaded.revision = revision(&sources);
    loaded.sources = sources;
    Ok(loaded)
}
