// SPDX-License-Identifier: Apache-2.0
//! Who calls. A public operation reads no credential; everywhere else there is exactly one and it holds.

use crate::exchange::Exchange;
use crate::gate::{Gate, UpstreamIdentity};
use crate::states::{Identified, Route, Routed};
use portcullis_decision::{Caller, Denial, Facts, Reason, stage};
use portcullis_identity::names_token_in_query;

/// Establishes the caller.
pub(crate) async fn identify<B>(
    gate: &Gate,
    exchange: &mut Exchange,
    routed: Routed<B>,
) -> Result<Identified<B>, Denial> {
    let address = exchange.address();
    let public = gate
        .apis
        .get(routed.route.api)
        .and_then(|api| api.operations.get(routed.route.operation.to_usize()))
        .is_some_and(|settings| settings.public);
    if public && names_token_in_query(&routed.received.head.query) {
        // Nobody reads it here, and it is in every log on the way all the same (RFC 9700 §4.3.2).
        let facts = Facts::none().with("cause", "a token in the query");
        return Err(exchange.deny::<stage::Identity>(Reason::IdentityMalformed, facts));
    }
    let (caller, receipt) = if public {
        gate.authenticator.anonymous(address, exchange.trail())
    } else {
        let head = &routed.received.head;
        if gate.authenticator.seen(&head.headers).is_none() {
            // Before any signature is checked: guessing costs the guesser, not us (T123).
            gate.edge.check_failures(address, exchange.trail())?;
        }
        match gate.authenticator.identify(&head.headers, &head.query, exchange.trail()).await {
            Ok((identity, _)) if !can_be_told(gate, &routed.route, &identity.subject) => {
                let facts = Facts::none().with("cause", "the subject cannot stand in the upstream's header");
                return Err(exchange.deny::<stage::Identity>(Reason::IdentityClaims, facts));
            }
            Ok((identity, receipt)) => (Caller::Known(identity), receipt),
            Err(denial) => {
                if counts_as_failure(denial.reason()) {
                    gate.edge.count_failure(address);
                }
                return Err(denial);
            }
        }
    };
    exchange.trail().set_caller(caller.clone());
    Identified::prove(routed, receipt, caller).map_err(|_| exchange.broken::<stage::Identity>())
}

/// Whether the upstream would read exactly this subject: a parser takes white space off the ends of a field, and what
/// is no field value would not arrive at all. Either way the upstream would act for somebody else (T37, T97).
fn can_be_told(gate: &Gate, route: &Route, subject: &str) -> bool {
    match gate.apis.get(route.api).map(|api| &api.upstream_identity) {
        Some(UpstreamIdentity::Header(_)) => {
            !subject.is_empty() && subject.bytes().all(|b| matches!(b, b' '..=b'~')) && subject.trim() == subject
        }
        Some(UpstreamIdentity::Anonymous) | None => true,
    }
}

/// Missing and expired tokens are every client's daily life, and a source that is down is not the caller's doing.
fn counts_as_failure(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::IdentityMissing | Reason::IdentityExpired | Reason::IdentitySourceDown | Reason::LimitAuthFailures
    )
}
