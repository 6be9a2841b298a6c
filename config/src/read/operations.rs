// SPDX-License-Identifier: Apache-2.0
//! `operations` of an API: what is said about single operations of its document.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use http::Method;
use portcullis_authorize::{Action, CarryPlace, ForeignItems, OperationDeclaration, Pointer};
use portcullis_contract::{Contract, Declared, Operation, OperationIndex};
use portcullis_limit::{CountedBy, OPERATION_LIMITS_MAX, OperationLimit};

use super::apis::Known;
use super::edge::bytes;
use super::words::{self, Names, Where};
use crate::cursor::Cursor;
use crate::loaded::{IdempotencyKeys, OperationSettings};
use crate::suggest::did_you_mean;
use crate::values::rate;

/// The most calls at once that a cap may allow.
const CONCURRENCY_MAX: u32 = 1_000_000;

/// Everything said about the operations of one API.
pub(super) struct Operations {
    pub(super) declared: HashMap<OperationIndex, OperationDeclaration>,
    pub(super) settings: Vec<OperationSettings>,
    /// Operations that do not exist for clients, whether the document has them or not.
    pub(super) hidden: Vec<(Method, Arc<str>)>,
}

pub(super) fn read(cursor: &Cursor<'_>, contract: Option<&Contract>, known: &Known<'_>) -> Operations {
    let documented = contract.map_or(&[][..], |contract| &contract.operations);
    let mut all = Operations {
        declared: HashMap::new(),
        settings: documented.iter().map(|operation| defaults(&operation.method, known)).collect(),
        hidden: Vec::new(),
    };
    for (name, section) in cursor.entries() {
        let found = contract.and_then(|contract| contract.find(name));
        let operation = found.and_then(|index| documented.get(index.to_usize()));
        let (declaration, settings) = one(&section, operation, known);
        match (found, operation) {
            (Some(index), Some(operation)) => {
                if !settings.exposed {
                    all.hidden.push((operation.method.clone(), operation.template.clone()));
                }
                if let Some(slot) = all.settings.get_mut(index.to_usize()) {
                    *slot = settings;
                }
                if all.declared.insert(index, declaration).is_some() {
                    section
                        .refuse(format!("the operation `{}` is configured twice", operation.id))
                        .help("by its operationId and by its method and path: write it in one place");
                }
            }
            // Without a document nobody can tell which operations there are; that was reported.
            _ if contract.is_none() => {}
            _ => match method_and_path(name) {
                Some(hidden) if !settings.exposed => all.hidden.push(hidden),
                _ => section
                    .refuse(format!("the document has no operation `{}`", crate::words::judge::clean(name)))
                    .help(did_you_mean(name, documented.iter().map(|operation| &*operation.id)))
                    .done(),
            },
        }
    }
    all
}

/// `GET /orders/{orderId}`
fn method_and_path(name: &str) -> Option<(Method, Arc<str>)> {
    let (method, path) = name.split_once(' ')?;
    let method: Method = method.parse().ok()?;
    if path.starts_with('/') && method.as_str().bytes().all(|b| b.is_ascii_uppercase()) {
        Some((method, path.into()))
    } else {
        None
    }
}

fn defaults(method: &Method, known: &Known<'_>) -> OperationSettings {
    let keyed = matches!(*method, Method::POST | Method::PATCH);
    OperationSettings {
        public: false,
        exposed: true,
        idempotency: if keyed { IdempotencyKeys::Honoured } else { IdempotencyKeys::Ignored },
        body_bytes_max: known.body_bytes_max,
        limits: Vec::new(),
        concurrency: None,
    }
}

fn one(
    section: &Cursor<'_>,
    operation: Option<&Operation>,
    known: &Known<'_>,
) -> (OperationDeclaration, OperationSettings) {
    let public = section.word("public").flag().unwrap_or(false);
    if public && operation.is_some_and(|operation| operation.security.declared == Declared::Some) {
        section
            .word("public")
            .refuse("the document asks for credentials here, and `public: true` takes that away")
            .help("correct the document, or waive PC0206 for this operation until a date")
            .rule("PC0206");
    }
    let settings = OperationSettings {
        public,
        exposed: section.word("exposed").flag().unwrap_or(true),
        idempotency: idempotency(&section.word("idempotency"), operation, known),
        body_bytes_max: body_max(&section.word("body").word("max"), known),
        limits: limits(section, operation, public, known),
        concurrency: section.word("concurrency").count(CONCURRENCY_MAX).and_then(NonZeroU32::new),
    };
    let names = Names { plans: known.plans, relations: &[] };
    let touches_none = section.word("touches").text() == Some("none");
    let carries = placed(&section.word("carries"), CarryPlace::parse);
    let returns = placed(&section.word("returns"), Pointer::parse);
    if touches_none && !(carries.is_empty() && returns.is_empty()) {
        section.word("touches").refuse("`touches: none` beside objects it carries or returns").help("remove one side");
    }
    let declaration = OperationDeclaration {
        public,
        touches_none,
        carries,
        returns,
        action: section.word("action").text().and_then(Action::parse),
        allow: words::read(&section.word("allow"), Where::Operation, names),
        foreign_items: match section.word("foreign_items").text() {
            Some("fail") => ForeignItems::Fail,
            _ => ForeignItems::Drop,
        },
        place: section.key_place(),
    };
    if public && declaration.allow.is_some() {
        section.word("allow").refuse("a public operation has no caller to judge").help("remove `allow`, or `public`");
    }
    (declaration, settings)
}

/// `{ TYPE: PLACE }` or `{ TYPE: [PLACE…] }`.
fn placed<T, E: std::fmt::Display>(cursor: &Cursor<'_>, read: impl Fn(&str) -> Result<T, E>) -> Vec<(Arc<str>, T)> {
    let mut all = Vec::new();
    for (name, places) in cursor.entries() {
        all.extend(places.items().iter().filter_map(|place| place.parse(&read)).map(|place| (Arc::from(name), place)));
    }
    all
}

fn idempotency(cursor: &Cursor<'_>, operation: Option<&Operation>, known: &Known<'_>) -> IdempotencyKeys {
    let required = cursor.text().is_some();
    let Some(operation) = operation else { return IdempotencyKeys::Ignored };
    let by_method = defaults(&operation.method, known).idempotency;
    match (required, by_method) {
        (true, IdempotencyKeys::Ignored) => {
            cursor
                .refuse(format!("a {} takes no idempotency key", operation.method))
                .help("keys are for POST and PATCH; the other methods are idempotent already");
            by_method
        }
        (true, _) => IdempotencyKeys::Required,
        (false, by_method) => by_method,
    }
}

fn body_max(cursor: &Cursor<'_>, known: &Known<'_>) -> usize {
    let default = u64::try_from(known.body_bytes_max).unwrap_or(u64::MAX);
    let max = bytes(cursor, (1, u64::MAX), default);
    if max > known.body_bytes_max {
        cursor
            .refuse(format!("{} is more than `edge.body.max`, which holds for every operation", cursor.shown()))
            .help("raise `edge.body.max`, and lower the other operations' `body.max`");
    }
    max
}

fn limits(section: &Cursor<'_>, operation: Option<&Operation>, public: bool, known: &Known<'_>) -> Vec<OperationLimit> {
    let cursor = section.word("limits");
    let items = cursor.items();
    if items.len() > OPERATION_LIMITS_MAX {
        cursor.refuse(format!("more than {OPERATION_LIMITS_MAX} limits of one operation"));
    }
    items.iter().filter_map(|item| limit(item, operation, public, known)).collect()
}

fn limit(item: &Cursor<'_>, operation: Option<&Operation>, public: bool, known: &Known<'_>) -> Option<OperationLimit> {
    let by = item.word("by");
    let mut counted = Vec::new();
    for key in by.items() {
        if key.text() == Some("consumer") {
            key.refuse("`consumer` is not supported yet").help("count by `client`; a later version knows consumers");
            continue;
        }
        let Some(word) = key.parse(str::parse::<CountedBy>) else { continue };
        check_key(&key, &word, operation, (public, known));
        counted.push(word);
    }
    if by.is_present() && by.items().is_empty() {
        by.refuse("a limit is counted by something").help("write `by: [subject]`");
    }
    if !by.is_present() {
        // Nobody is known on a public operation but an address.
        counted.push(if public { CountedBy::Address } else { CountedBy::Subject });
    }
    Some(OperationLimit { rate: item.word("rate").parse(rate)?, by: counted })
}

/// PC0301: a key that can never be computed would count all callers as one, or none.
fn check_key(key: &Cursor<'_>, word: &CountedBy, operation: Option<&Operation>, (public, known): (bool, &Known<'_>)) {
    let Some(operation) = operation else { return };
    let refuse = |message: String, help: &str| key.refuse(message).help(help).rule("PC0301").done();
    match word {
        CountedBy::Body(_) => {
            let json = operation.body.as_ref().is_some_and(|body| body.media.iter().any(|media| media.is_json));
            if !json {
                let message =
                    format!("{} counts by the body, and `{}` declares no JSON body", key.shown(), operation.id);
                refuse(message, "count by `subject` or `address`, or declare the body");
            }
        }
        CountedBy::Subject | CountedBy::Client | CountedBy::Consumer | CountedBy::Tenant if public => {
            refuse(format!("a public operation has no {word}"), "count by `address` or a value of the body");
        }
        CountedBy::Tenant if !known.tenants => {
            refuse(
                "no issuer says where the tenant stands".to_owned(),
                "write `claims: { tenant: CLAIM }` for an issuer",
            );
        }
        _ => {}
    }
}
