// SPDX-License-Identifier: Apache-2.0
//! `apis`: what is protected, from its document and from what is said about it here.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use portcullis_authorize::{Declared, Strictness, UnknownResponse, Validate};
use portcullis_contract::{Contract, LoadOptions, Source, UnknownRequest};
use portcullis_decision::finding::{Finding, Severity};
use portcullis_wire::CanonicalPath;

use super::edge::bytes;
use super::objects::Scene;
use super::upstreams::Upstreams;
use super::{Surroundings, mount, objects, operations};
use crate::cursor::Cursor;
use crate::loaded::Api;
use crate::text::{DOCUMENT_BYTES_MAX, TEXTS_BYTES_MAX, read_text};
use crate::values::{base_path, host};

/// The most APIs behind one gateway.
const APIS_MAX: usize = 200;
/// The most hosts of one API.
const HOSTS_MAX: usize = 200;
const RESPONSE_DEFAULT: u64 = 1024 * 1024;
/// Answers that are judged are held in memory.
const RESPONSE_MAX: u64 = 1024 * 1024 * 1024;

/// What other sections decided.
pub(super) struct Known<'a> {
    pub(super) issuers: &'a [Arc<str>],
    pub(super) plans: &'a [Arc<str>],
    /// Whether any issuer says where the tenant stands.
    pub(super) tenants: bool,
    pub(super) body_bytes_max: usize,
}

pub(super) fn read(
    cursor: &Cursor<'_>,
    upstreams: &mut Upstreams<'_>,
    known: &Known<'_>,
    surroundings: &Surroundings<'_>,
) -> Vec<Api> {
    let sections = cursor.entries();
    if sections.len() > APIS_MAX {
        cursor.refuse(format!("more than {APIS_MAX} APIs"));
    }
    let mut apis: Vec<(Api, Cursor<'_>)> = Vec::new();
    let mut first_operation = 0_usize;
    for (name, section) in sections.into_iter().take(APIS_MAX) {
        let name: Arc<str> = name.into();
        let upstream = upstreams.resolve(&name, &section.word("upstream"));
        let Some(mut api) = api(name, &section, known, surroundings) else { continue };
        let Some(upstream) = upstream else { continue };
        api.upstream = upstream;
        api.first_operation = first_operation;
        first_operation = first_operation.saturating_add(api.operations.len());
        apis.push((api, section));
    }
    mount::refuse_overlaps(&apis);
    apis.into_iter().map(|(api, _)| api).collect()
}

/// One API, its upstream and first operation still to be set.
fn api(name: Arc<str>, section: &Cursor<'_>, known: &Known<'_>, surroundings: &Surroundings<'_>) -> Option<Api> {
    let base = section.word("base_path").parse(base_path);
    let hosts = hosts(&section.word("hosts"));
    let validate = section.word("validate");
    let validate = Validate {
        request: strictness(&validate.word("request"), "requests that break their schema reach the upstream"),
        response: strictness(&validate.word("response"), "answers that break their schema reach the client"),
    };
    let unknown = section.word("unknown_properties");
    let unknown_request = match unknown.word("request").text() {
        Some("document") => UnknownRequest::Document,
        Some("closed_always") => UnknownRequest::ClosedAlways,
        _ => UnknownRequest::Closed,
    };
    let unknown_response = match unknown.word("response").text() {
        Some("fail") => UnknownResponse::Fail,
        Some("pass") => UnknownResponse::Pass,
        _ => UnknownResponse::Drop,
    };
    let response_max = bytes(&section.word("response").word("max"), (1, RESPONSE_MAX), RESPONSE_DEFAULT);
    let mounted = base.as_ref().map_or("", |base| base.as_str().trim_end_matches('/'));
    let options = LoadOptions { unknown_request, base_path: mounted.to_owned() };
    let mut contract = document(&section.word("openapi"), &options, surroundings);
    let said = operations::read(&section.word("operations"), contract.as_ref(), known);
    let scene = Scene { known, contract: contract.as_ref() };
    let objects = objects::objects(&section.word("objects"), &scene);
    let properties = objects::properties(&section.word("properties"), known);
    if let Some(contract) = &mut contract {
        said.hidden.iter().for_each(|(method, template)| contract.hide(method, template));
        for finding in &contract.findings {
            // What only this file says has its place here.
            let place = finding.place.clone().or_else(|| Some(section.word("operations").key_place()));
            section.sink().add(Finding { place, ..finding.clone() });
        }
    }
    let contract = contract?;
    let declared = Declared {
        api: name.clone(),
        objects,
        properties,
        operations: said.declared,
        unknown_response,
        response_max,
        issuers: known.issuers.to_vec(),
        validate,
    };
    Some(Api {
        name,
        base_path: match base {
            Some(base) => base,
            None => CanonicalPath::parse("/").ok()?,
        },
        hosts,
        upstream: 0,
        contract: Arc::new(contract),
        declared,
        response_max,
        operations: said.settings,
        first_operation: 0,
    })
}

/// `strict`, or `observe`, which is told: it weakens a control.
fn strictness(cursor: &Cursor<'_>, effect: &str) -> Strictness {
    if cursor.text() != Some("observe") {
        return Strictness::Strict;
    }
    cursor
        .report(Severity::Medium, format!("`observe`: {effect}"))
        .help("each one is an alert in its record; when there are none any more, remove the line");
    Strictness::Observe
}

fn hosts(cursor: &Cursor<'_>) -> Vec<String> {
    let items = cursor.items();
    if cursor.is_present() && items.is_empty() {
        cursor
            .refuse("an API that answers for no host answers to nobody")
            .help("name hosts, or remove the line for any");
    }
    if items.len() > HOSTS_MAX {
        cursor.refuse(format!("more than {HOSTS_MAX} hosts"));
    }
    let mut hosts: Vec<String> = items.iter().filter_map(|item| item.parse(host)).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// Loads the document; what is wrong with it is reported with its own places.
fn document(cursor: &Cursor<'_>, options: &LoadOptions, surroundings: &Surroundings<'_>) -> Option<Contract> {
    let path = surroundings.path(cursor.text()?);
    surroundings.reads(&path);
    let text = match read_text(&path, DOCUMENT_BYTES_MAX) {
        Ok(text) => text,
        Err(error) => {
            cursor.refuse(error.to_string()).help("the path is relative to the configuration file");
            return None;
        }
    };
    if surroundings.sources.borrow().bytes() > TEXTS_BYTES_MAX {
        cursor.refuse(format!("the documents have more than {TEXTS_BYTES_MAX} bytes together"));
        return None;
    }
    let name: Arc<str> = path.display().to_string().into();
    surroundings.sources.borrow_mut().keep(name.clone(), text.as_str().into());
    let directory = path.parent().unwrap_or(Path::new("")).to_owned();
    let files = |relative: &str| beside(&directory, relative, surroundings);
    match portcullis_contract::load(Source { name, text }, options, &files) {
        Ok(contract) => Some(contract),
        Err(findings) => {
            for finding in findings {
                cursor.sink().add(finding);
            }
            None
        }
    }
}

/// A file beside a document; links that lead out of its directory are refused.
fn beside(directory: &Path, relative: &str, surroundings: &Surroundings<'_>) -> Result<String, String> {
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let root = fs::canonicalize(here).map_err(|error| error.to_string())?;
    let file = fs::canonicalize(here.join(relative)).map_err(|error| error.to_string())?;
    if !file.starts_with(&root) {
        return Err("it lies outside the document's directory".to_owned());
    }
    surroundings.reads(&file);
    let text = read_text(&file, DOCUMENT_BYTES_MAX).map_err(|error| error.to_string())?;
    if surroundings.sources.borrow().bytes() > TEXTS_BYTES_MAX {
        return Err(format!("the documents have more than {TEXTS_BYTES_MAX} bytes together"));
    }
    surroundings.sources.borrow_mut().keep(relative.into(), text.as_str().into());
    Ok(text)
}
