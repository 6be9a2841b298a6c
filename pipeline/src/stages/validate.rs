// SPDX-License-Identifier: Apache-2.0
//! The request against its contract: typed parameters, media type, a bounded and strictly parsed body.

use crate::body::{BodyFault, Capped, collect};
use crate::exchange::Exchange;
use crate::gate::{Api, Gate, Idempotency, OperationSettings};
use crate::stages::websocket;
use crate::states::{Content, Permitted, ValidRequest, Validated};
use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http_body::Body;
use portcullis_contract::{Captures, Media, Operation, Parameter, Parameters, RequestBody, Validator};
use portcullis_decision::receipt::StageName;
use portcullis_decision::{Denial, Facts, Reason, Violation, stage};
use portcullis_wire::json::Document;
use portcullis_wire::{Framing, Head, media::MediaType};
use std::sync::Arc;

/// Violations looked for in one body; more tell a client nothing new.
const VIOLATIONS_LOOKED_FOR_MAX: usize = 20;
/// A body with so many violations is not observed but refused: not all of them would be looked at.
const VIOLATIONS_OBSERVED_MAX: usize = 1_000;

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
    let contract = RequestContract { api, operation };
    let parameters = contract.parameters(exchange, head, &permitted.route.captures)?;
    let websocket = websocket::offer(exchange, operation, head)?;
    let plan = plan_body(exchange, operation, settings, head)?;
    let (content, media_type, facts) = match plan {
        Plan::Empty => (Content::Empty, None, Facts::none()),
        Plan::Stream { media_type } => {
            let body = Capped::new(body, settings.body_bytes_max, exchange.fault_memo());
            (Content::Stream { body, framing: head.framing }, media_type, Facts::none().with("body", "streamed"))
        }
        Plan::Read { media } => {
            let bytes = collect(body, settings.body_bytes_max).await.map_err(|fault| read_fault(exchange, fault))?;
            exchange.body_unread = false;
            let facts = Facts::none().with("body_bytes", bytes.len());
            if bytes.is_empty() && operation.body.as_ref().is_some_and(|b| !b.required) {
                (Content::Empty, None, facts)
            } else {
                let content = contract.body(gate, exchange, media, bytes)?;
                (content, Some(media_type_for_upstream(media, head)), facts)
            }
        }
    };
    let receipt = exchange.trail().allow::<stage::Request>(facts);
    Validated::prove(permitted, receipt, ValidRequest { parameters, content, media_type, websocket })
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

/// What an operation promises about its requests.
struct RequestContract<'c> {
    api: &'c Api,
    operation: &'c Operation,
}

impl RequestContract<'_> {
    fn parameters(&self, exchange: &mut Exchange, head: &Head, captures: &Captures) -> Result<Parameters, Denial> {
        let Self { api, operation } = self;
        let refuse = |exchange: &mut Exchange, violations: Vec<Violation>| {
            exchange.deny::<stage::Request>(Reason::RequestParameter, pointers(&violations)).with_violations(violations)
        };
        if !api.authorizer.observes_requests() {
            return operation.read_parameters(head, captures).map_err(|violations| refuse(exchange, violations));
        }
        let may_break = |p: &Parameter| !api.authorizer.relies_on_parameter(operation.index, p.location, &p.name);
        let read = operation
            .observe_parameters(head, captures, &may_break)
            .map_err(|violations| refuse(exchange, violations))?;
        if !read.observed.is_empty() {
            exchange.trail().alert(StageName::Request, Reason::RequestParameter, pointers(&read.observed));
        }
        Ok(read.parameters)
    }

    fn body<B>(&self, gate: &Gate, exchange: &mut Exchange, media: &Media, bytes: Bytes) -> Result<Content<B>, Denial> {
        if !media.is_json {
            return Ok(Content::Bytes(bytes));
        }
        let document = Document::parse(bytes, &gate.json_limits).map_err(|fault| {
            let facts = Facts::none().with("at_byte", fault.offset).with("cause", fault.detail);
            let denial = exchange.deny::<stage::Request>(fault.reason, facts);
            denial.with_violations(vec![Violation { pointer: String::new(), detail: fault.detail.to_owned() }])
        })?;
        if let Some(validator) = &media.validator
            && !validator.accepts(&document, &[])
        {
            self.broken(exchange, validator, &document)?;
        }
        Ok(Content::Json { document, shape: media.shape })
    }

    /// A body that breaks its schema: what is wrong is looked for in its value.
    fn broken(&self, exchange: &mut Exchange, validator: &Validator, document: &Document) -> Result<(), Denial> {
        let value = document.to_value();
        let mut violations = validator.violations(&value, VIOLATIONS_LOOKED_FOR_MAX);
        if violations.is_empty() {
            let detail = "does not fit its schema".to_owned();
            violations.push(Violation { pointer: String::new(), detail });
        } else if self.may_break(validator, &value) {
            exchange.trail().alert(StageName::Request, Reason::RequestBody, pointers(&violations));
            return Ok(());
        }
        Err(exchange.deny::<stage::Request>(Reason::RequestBody, pointers(&violations)).with_violations(violations))
    }

    /// Whether a body that breaks its schema goes on all the same: only where that is observed, and where nothing
    /// that follows relies on what it breaks. Objects and properties are found by the structure of the body.
    fn may_break(&self, validator: &Validator, value: &serde_json::Value) -> bool {
        let authorizer = &self.api.authorizer;
        if !authorizer.observes_requests() || !validator.structural_violations(value, 1).is_empty() {
            return false;
        }
        let all = validator.violations(value, VIOLATIONS_OBSERVED_MAX);
        all.len() < VIOLATIONS_OBSERVED_MAX
            && !all.iter().any(|v| authorizer.relies_on_body(self.operation.index, &v.pointer))
    }
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
