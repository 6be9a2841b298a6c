// SPDX-License-Identifier: Apache-2.0
//! From a judged tree to checked values, section by section. Every section is read whatever the others are like, so
//! that one run reports everything.

mod apis;
mod audit;
mod edge;
mod identity;
mod keyset;
mod limits;
mod listen;
mod mount;
mod objects;
mod operations;
mod secret;
mod tls;
mod upstreams;
mod words;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_decision::finding::Finding;

use crate::cursor::Cursor;
use crate::environment::Environment;
use crate::loaded::Loaded;
use crate::text::Sources;
use crate::values::Day;
use crate::waivers;

/// Where a file stands and what it may ask of the process.
pub(crate) struct Surroundings<'a> {
    /// Paths are relative to it.
    pub(crate) directory: &'a Path,
    pub(crate) environment: &'a Environment<'a>,
    pub(crate) sources: RefCell<Sources>,
    /// Bytes beside the texts that decide what is in force: key sets.
    pub(crate) side_files: RefCell<Vec<(String, Vec<u8>)>>,
    /// Every file that was asked for, there or not: a change of one of them is a change of the configuration.
    pub(crate) files: RefCell<BTreeSet<PathBuf>>,
}

impl Surroundings<'_> {
    /// A path of the configuration; `./` and the like are kept as the operator wrote them.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        if self.directory.as_os_str().is_empty() { PathBuf::from(text) } else { self.directory.join(text) }
    }

    /// Remembers a file whose content decides what is in force.
    pub(crate) fn reads(&self, path: &Path) {
        self.files.borrow_mut().insert(path.to_owned());
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        (self.environment.variable)(name)
    }
}

fn version(cursor: &Cursor<'_>) {
    if cursor.text().is_some_and(|text| text != "1") {
        cursor.refuse(format!("there is no version {} of this contract", cursor.shown())).help("write `version: 1`");
    }
}

/// Reads everything. The result is usable only if the sink holds no refusal; `None` where a part is missing.
pub(crate) fn read(root: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<Loaded> {
    // What refers to nothing first; then what refers to it.
    version(&root.word("version"));
    let listen = listen::read(&root.word("listen"), surroundings);
    let edge = edge::read(&root.word("edge"));
    let issuers = identity::read(&root.word("identity"), surroundings);
    let mut upstreams = upstreams::read(&root.word("upstreams"), surroundings);
    let limits = limits::read(root, &issuers);
    let idempotency = audit::idempotency(&root.word("idempotency"));
    let data = audit::data(&root.word("data"), surroundings);
    let audit = audit::read(&root.word("audit"), &data, surroundings);
    let waivers = waivers::read(&root.word("waivers"), Day::of(surroundings.environment.clock.wall()));
    let issuer_names: Vec<Arc<str>> = issuers.iter().map(|issuer| issuer.name.clone()).collect();
    let plan_names: Vec<Arc<str>> = limits.plans.iter().map(|plan| plan.name.clone()).collect();
    let known = apis::Known {
        issuers: &issuer_names,
        plans: &plan_names,
        tenants: issuers.iter().any(|issuer| issuer.claims.tenant.is_some()),
        body_bytes_max: edge.body_bytes_max,
    };
    let apis = apis::read(&root.word("apis"), &mut upstreams, &known, surroundings);
    upstreams::report_unused(&root.word("upstreams"), &upstreams, &apis);
    Some(Loaded {
        version: 1,
        listen: listen?,
        edge,
        issuers,
        upstreams: upstreams.into_upstreams(),
        apis,
        limits,
        idempotency,
        audit,
        data,
        waivers,
        findings: Vec::<Finding>::new(),
        revision: String::new(),
        sources: Sources::default(),
        files: Vec::new(),
    })
}
