// SPDX-License-Identifier: Apache-2.0
//! The order of the stages. This file is the whole of it: `decide` before the origin, `release` after it.

use crate::exchange::Exchange;
use crate::gate::Gate;
use crate::lookup::OriginLookup;
use crate::origin::{Origin, OriginBody};
use crate::stages::{Answer, Decided, Pending, clear, identify, judge, route, validate};
use crate::states::{Admitted, Authorized, Content, Entered, Identified, Permitted, Received, Released, Validated};
use http::header::IF_MATCH;
use portcullis_authorize::ObjectQuestion;
use portcullis_decision::{Denial, Facts, Reason, stage};
use portcullis_limit::PlanQuestion;

/// From what the client sent to what may be sent on: every stage once, in this order, each with the proof of the last.
pub async fn decide<O: Origin>(
    gate: &Gate,
    origin: &O,
    exchange: &mut Exchange,
    received: Received<O::RequestBody>,
) -> Result<Decided<O::RequestBody>, Denial> {
    let entered = enter(gate, exchange, received)?;
    let routed = route(gate, exchange, entered)?;
    let identified = identify(gate, exchange, routed).await?;
    let admitted = admit(gate, exchange, identified)?;
    let permitted = permit(gate, exchange, admitted)?;
    let validated = validate(gate, exchange, permitted).await?;
    let authorized = authorize(gate, origin, exchange, validated).await?;
    clear(gate, exchange, authorized)
}

/// From the origin's answer (or one that was kept) to what may leave.
pub async fn release<R>(
    gate: &Gate,
    exchange: &mut Exchange,
    pending: Pending,
    answer: Answer<R>,
) -> Result<Released<R>, Denial>
where
    R: OriginBody,
{
    judge(gate, exchange, pending, answer).await
}

pub(crate) fn enter<B>(gate: &Gate, exchange: &mut Exchange, received: Received<B>) -> Result<Entered<B>, Denial> {
    let receipt = gate.edge.admit(received.address, exchange.trail())?;
    Entered::prove(received, receipt).map_err(|_| exchange.broken::<stage::Edge>())
}

fn admit<B>(gate: &Gate, exchange: &mut Exchange, identified: Identified<B>) -> Result<Admitted<B>, Denial> {
    let Some((_, settings)) = gate.target(&identified.route) else { return Err(exchange.broken::<stage::Plan>()) };
    let question =
        PlanQuestion { caller: &identified.caller, address: identified.received.address, operation: settings.number };
    let (admission, receipt) = gate.plan.admit(question, exchange.trail())?;
    exchange.fields = Some(admission.fields);
    exchange.permit = Some(admission.permit);
    exchange.priority = admission.priority;
    Admitted::prove(identified, receipt).map_err(|_| exchange.broken::<stage::Plan>())
}

fn permit<B>(gate: &Gate, exchange: &mut Exchange, admitted: Admitted<B>) -> Result<Permitted<B>, Denial> {
    let Some((api, _)) = gate.target(&admitted.0.route) else { return Err(exchange.broken::<stage::Function>()) };
    let receipt = api.authorizer.function(admitted.0.route.operation, &admitted.0.caller, exchange.trail())?;
    Permitted::prove(admitted, receipt).map_err(|_| exchange.broken::<stage::Function>())
}

async fn authorize<O: Origin>(
    gate: &Gate,
    origin: &O,
    exchange: &mut Exchange,
    validated: Validated<O::RequestBody>,
) -> Result<Authorized<O::RequestBody>, Denial> {
    let Some((api, _)) = gate.target(&validated.route) else { return Err(exchange.broken::<stage::Object>()) };
    let Validated { head, caller, parameters, content, route, lookups, .. } = &validated;
    let body = match content {
        Content::Json { document, shape: Some(shape) } => Some((document, *shape)),
        Content::Json { shape: None, .. } | Content::Empty | Content::Bytes(_) | Content::Stream { .. } => None,
    };
    let question = ObjectQuestion { caller, parameters, body, if_match: head.headers.get(IF_MATCH) };
    let lookup = OriginLookup::new(gate, api, origin, caller, exchange.request(), *lookups).at(exchange.priority);
    let (known, receipt) = api.authorizer.object(route.operation, question, &lookup, exchange.trail()).await?;
    if known.precondition_failed {
        return Err(exchange.deny::<stage::Object>(Reason::ObjectPreconditionFailed, Facts::none()));
    }
    Authorized::prove(validated, receipt, known).map_err(|_| exchange.broken::<stage::Object>())
}
