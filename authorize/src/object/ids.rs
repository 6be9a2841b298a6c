// SPDX-License-Identifier: Apache-2.0
//! Collecting the ids a request carries (config.md §4): from path, query, headers and body.

use super::{Asked, ObjectQuestion};
use crate::declared::Action;
use crate::model::{Carried, Carrier, OperationPlan};
use crate::pointer::Pointer;
use portcullis_contract::{Argument, Parameters};
use portcullis_decision::Reason;
use std::borrow::Cow;
use std::collections::HashSet;

/// At most this many ids in one request.
const IDS_MAX: usize = 100;

/// Why the ids of a request cannot be judged.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IdsFault {
    pub(super) reason: Reason,
    pub(super) pointer: String,
    pub(super) detail: &'static str,
}

/// Every id of a request, each once.
pub(super) fn asked<'q>(plan: &'q OperationPlan, question: &ObjectQuestion<'q>) -> Result<Vec<Asked<'q>>, IdsFault> {
    let mut all: Vec<Asked<'q>> = Vec::new();
    for carried in &plan.carried {
        let texts = texts(carried, question)?;
        if texts.is_empty() && carried.action != Action::Read {
            // A change without the id it is about could be a change of everything.
            return Err(fault(carried, "an id is expected here"));
        }
        let mut known: HashSet<&str> = HashSet::with_capacity(texts.len());
        if !texts.iter().all(|text| known.insert(text)) {
            return Err(fault(carried, "every id may be named once"));
        }
        if all.len().saturating_add(texts.len()) > IDS_MAX {
            return Err(fault(carried, "at most 100 ids are judged at once"));
        }
        all.extend(texts.into_iter().map(|id| Asked { carried, id }));
    }
    Ok(all)
}

/// The text of a path parameter.
pub(super) fn path_text<'q>(parameters: &'q Parameters, name: &str) -> Option<Cow<'q, str>> {
    parameters.path(name)?.text().filter(|text| !text.is_empty()).map(Cow::Borrowed)
}

fn texts<'q>(carried: &Carried, question: &ObjectQuestion<'q>) -> Result<Vec<Cow<'q, str>>, IdsFault> {
    let parameters = question.parameters;
    let argument = match &carried.at {
        Carrier::Path(name) => {
            let text = path_text(parameters, name).ok_or_else(|| fault(carried, "an id is expected here"))?;
            return Ok(vec![text]);
        }
        Carrier::Query(name) => parameters.query(name),
        Carrier::Header(name) => parameters.header(name),
        Carrier::Body(pointer) => return body_texts(carried, pointer, question),
    };
    let texts: Vec<Cow<'q, str>> = argument.into_iter().flat_map(Argument::texts).map(Cow::Borrowed).collect();
    if texts.iter().any(|text| text.is_empty()) {
        return Err(fault(carried, "an id is not empty"));
    }
    Ok(texts)
}

fn body_texts<'q>(
    carried: &Carried,
    pointer: &Pointer,
    question: &ObjectQuestion<'q>,
) -> Result<Vec<Cow<'q, str>>, IdsFault> {
    let Some((body, _)) = question.body else { return Ok(Vec::new()) };
    let values = pointer.values(body.root());
    let text = |node: portcullis_wire::json::NodeRef<'q>| node.canonical_text();
    let texts: Option<Vec<Cow<'q, str>>> = values.into_iter().map(text).collect();
    // `null`, a number with a fraction or a list is no id, and no way to name none.
    texts.ok_or_else(|| fault(carried, "an id is a string that is not empty, or an integer"))
}

fn fault(carried: &Carried, detail: &'static str) -> IdsFault {
    let (reason, pointer) = match &carried.at {
        Carrier::Path(name) => (Reason::RequestParameter, format!("/path/{name}")),
        Carrier::Query(name) => (Reason::RequestParameter, format!("/query/{name}")),
        Carrier::Header(name) => (Reason::RequestParameter, format!("/header/{name}")),
        Carrier::Body(pointer) => (Reason::RequestBody, pointer.to_string()),
    };
    IdsFault { reason, pointer, detail }
}
