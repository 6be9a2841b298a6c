// SPDX-License-Identifier: Apache-2.0
//! Who calls. A public operation reads no credential; everywhere else there is exactly one and it holds.

use crate::exchange::Exchange;
use crate::gate::Gate;
use crate::states::{Identified, Routed};
use portcullis_decision::{Caller, Denial, Reason, stage};

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
    let (caller, receipt) = if public {
        gate.authenticator.anonymous(address, exchange.trail())
    } else {
        let head = &routed.received.head;
        if gate.authenticator.seen(&head.headers).is_none() {
            // Before any signature is checked: guessing costs the guesser, not us (T123).
            gate.edge.check_failures(address, exchange.trail())?;
        }
        match gate.authenticator.identify(&head.headers, &head.query, exchange.trail()).await {
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

/// Missing and expired tokens are every client's daily life, and a source that is down is not the caller's doing.
fn counts_as_failure(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::IdentityMissing | Reason::IdentityExpired | Reason::IdentitySourceDown | Reason::LimitAuthFailures
    )
}
