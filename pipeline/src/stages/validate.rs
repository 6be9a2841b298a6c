// SPDX-License-Identifier: Apache-2.0
//! The request against its contract: typed parameters, media type, a bounded and strictly parsed body.

use crate::body::{BodyFault, Capped, collect};
use crate::exchange::Exchange;
use crate::gate::{Api, Gate, Idempotency, OperationSettings};
use crate::states::{Content, Permitted, ValidRequest, Validated};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http_body::Body;
use portcullis_contract::{Media, Operation, RequestBody};
use portcullis_decision::{Denial, Facts, Reason, Violation, stage};
use portcullis_wire::json::Document;
use portcullis_wire::{Framing, Head, media::MediaType};
use std::sync::Arc;

/// Violations looked for in one body; more tell a client nothing new.
const VIOLATIONS_LOOKED_FOR_MAX: usize = 20;

/// Checks parameters and body, and reads the body where somebody has to.
pub(crate) async fn validate<B>(
    gate: &Gate,
    exchange: &mut Exchange,
    permitted: Permitted<B>,
) -> Result<Validated<B>, Denial>
where
    B: Body<Data = Bytes, Error = BodyFault> + Unpin,
{
    let (permitted, body) = permitted.open();
    let Some((api, settings)) = gate.target(&permitted.route) else { return Err(exchange.broken::<stage::Request>()) };
    let Some(operation) = api.contract.operation(permitted.route.operation) else {
        return Err(exchange.broken::<stage::Request>());
    };
    let head = &permitted.head;
    let parameters = operation.read_parameters(head, &permitted.route.captures).map_err(|violations| {
        exchange.deny::<stage::Request>(Reason::RequestParameter, pointers(&violations)).with_violations(violations)
    })?;
    let plan = plan_body(exchange, operation, settings, head)?;
    let (content, media_type, facts) = match plan {
        Plan::Empty => (Content::Empty, None, Facts::none()),
        Plan::Stream { media_type } => {
            let body = Capped::new(body, settings.body_bytes_max, exchange.fault_memo());
            (Content::Stream { body, framing: head.framing }, media_type, Facts::none().with("body", "streamed"))
        }
        Plan::Read { media } => {
            let bytes = collect(body, settings.body_bytes_max).await.map_err(|fault| read_fault(exchange, fault))?;
            let facts = Facts::none().with("body_bytes", bytes.len());
            if bytes.is_empty() && operation.body.as_ref().is_some_and(|b| !b.required) {
                (Content::Empty, None, facts)
            } else {
                let content = parse(gate, exchange, media, bytes)?;
                (content, Some(media_type_for_upstream(media, head)), facts)
            }
        }
    };
    let receipt = exchange.trail().allow::<stage::Request>(facts);
    Validated::prove(permitted, receipt, ValidRequest { parameters, content, media_type })
        .map_err(|_| exchange.broken::<stage::Request>())
}

/// What to do with a body, decided from the head alone.
enum Plan<'c> {
    Empty,
    Stream { media_type: Option<Arc<str>> },
    Read { media: &'c Media },
}

fn plan_body<'c>(
    exchange: &mut Exchange,
    operation: &'c Operation,
    settings: &OperationSettings,
    head: &Head,
) -> Result<Plan<'c>, Denial> {
    let sent = match head.framing {
        Framing::None | Framing::Length(0) => false,
        Framing::Length(_) | Framing::Chunked => true,
    };
    let Some(declared) = &operation.body else {
        if !sent {
            return Ok(Plan::Empty);
        }
        return Err(violation(exchange, Reason::RequestBody, "this operation takes no body"));
    };
    if let Framing::Length(length) = head.framing
        && usize::try_from(length).map_or(true, |l| l > settings.body_bytes_max)
    {
        let facts = Facts::none().with("length", length).with("max", settings.body_bytes_max);
        return Err(exchange.deny::<stage::Request>(Reason::PayloadTooLarge, facts));
    }
    if !sent {
        if declared.required {
            return Err(violation(exchange, Reason::RequestBody, "a body is required"));
        }
        return Ok(Plan::Empty);
    }
    refuse_coding(exchange, head)?;
    let media = choose(exchange, declared, head)?;
    let keyed = settings.idempotency != Idempotency::Ignored && head.headers.contains_key("idempotency-key");
    let judged = media.is_json && (media.validator.is_some() || settings.needs.request_body);
    if judged || settings.needs.request_body || keyed {
        return Ok(Plan::Read { media });
    }
    Ok(Plan::Stream { media_type: Some(media_type_for_upstream(media, head)) })
}

/// A coded body would be a body the schema never sees (T61, T72).
fn refuse_coding(exchange: &mut Exchange, head: &Head) -> Result<(), Denial> {
    let mut codings = head.headers.get_all(CONTENT_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        _ => Err(exchange
            .deny::<stage::Request>(Reason::RequestContentEncoding, Facts::none())
            .with_header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))),
    }
}

fn choose<'c>(exchange: &mut Exchange, declared: &'c RequestBody, head: &Head) -> Result<&'c Media, Denial> {
    let media_type = MediaType::of(&head.headers).ok().flatten();
    declared.choose(media_type.as_ref()).map_err(|_| {
        exchange
            .deny::<stage::Request>(Reason::RequestContentType, Facts::none())
            .with_header(ACCEPT, declared.accept())
    })
}

/// The declared type of JSON; of anything else the client's own words, which were read strictly: a declared range
/// names no type, and a multipart body cannot be read without its boundary.
fn media_type_for_upstream(media: &Media, head: &Head) -> Arc<str> {
    let sent = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match sent {
        Some(sent) if !media.is_json || media.media_type.contains('*') => sent.into(),
        Some(_) | None => Arc::clone(&media.media_type),
    }
}

fn parse<B>(gate: &Gate, exchange: &mut Exchange, media: &Media, bytes: Bytes) -> Result<Content<B>, Denial> {
    if !media.is_json {
        return Ok(Content::Bytes(bytes));
    }
    let document = Document::parse(bytes, &gate.json_limits).map_err(|fault| {
        let facts = Facts::none().with("at_byte", fault.offset).with("cause", fault.detail);
        let denial = exchange.deny::<stage::Request>(fault.reason, facts);
        denial.with_violations(vec![Violation { pointer: String::new(), detail: fault.detail.to_owned() }])
    })?;
    if let Some(validator) = &media.validator {
        let violations = validator.violations(&document.to_value(), VIOLATIONS_LOOKED_FOR_MAX);
        if !violations.is_empty() {
            return Err(exchange
                .deny::<stage::Request>(Reason::RequestBody, pointers(&violations))
                .with_violations(violations));
        }
    }
    Ok(Content::Json { document, shape: media.shape })
}

fn read_fault(exchange: &mut Exchange, fault: BodyFault) -> Denial {
    exchange.deny::<stage::Request>(fault.reason(), Facts::none())
}

fn violation(exchange: &mut Exchange, reason: Reason, detail: &str) -> Denial {
    exchange
        .deny::<stage::Request>(reason, Facts::none())
        .with_violations(vec![Violation { pointer: String::new(), detail: detail.to_owned() }])
}

/// Where it went wrong, for the record; never what was sent.
fn pointers(violations: &[Violation]) -> Facts {
    let first = violations.first().map(|v| format!("{}: {}", v.pointer, v.detail)).unwrap_or_default();
    Facts::none().with("violations", violations.len()).with("first", first)
}

impl Gate {
    /// The API and operation settings a route names.
    pub(crate) fn target(&self, route: &crate::states::Route) -> Option<(&Api, &OperationSettings)> {
        let api = self.apis.get(route.api)?;
        Some((api, api.operations.get(route.operation.to_usize())?))
    }
}
