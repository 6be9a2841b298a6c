// SPDX-License-Identifier: Apache-2.0
//! Which declared operation a request names: host, method and template. Everything else is refused (API5-1, T33).

use crate::exchange::Exchange;
use crate::gate::{Api, Gate};
use crate::states::{Entered, Route, Routed};
use http::header::ALLOW;
use portcullis_contract::RouteMatch;
use portcullis_decision::{Denial, Facts, Reason, stage};
use std::sync::Arc;

/// Finds the operation.
pub(crate) fn route<B>(gate: &Gate, exchange: &mut Exchange, entered: Entered<B>) -> Result<Routed<B>, Denial> {
    let head = &entered.received.head;
    if let (Some(handshake), Some(authority)) = (&exchange.handshake, &head.authority)
        && !handshake.leads_to(authority.host())
    {
        let facts = Facts::none().with("cause", "the connection was made for a name with other demands");
        return Err(exchange.deny::<stage::Route>(Reason::RouteHost, facts));
    }
    let host = head.authority.as_ref().map_or("", portcullis_wire::Authority::host);
    let mut host_known = false;
    for (index, api) in gate.apis.iter().enumerate() {
        if !answers_to(api, host) {
            continue;
        }
        host_known = true;
        let stripped;
        let path = match &api.base_path {
            None => &head.path,
            Some(base) => match head.path.strip_base(base) {
                Some(below) => {
                    stripped = below;
                    &stripped
                }
                None => continue,
            },
        };
        match api.contract.route(&head.method, path) {
            RouteMatch::Operation(operation, captures) => {
                let Some(settings) = api.operations.get(operation.to_usize()) else { break };
                if !settings.served {
                    return Err(exchange.deny::<stage::Route>(
                        Reason::RouteNotFound,
                        Facts::none().with("operation", Arc::clone(&settings.name)).with("cause", "refused at load"),
                    ));
                }
                exchange.template = api.contract.operation(operation).map(|o| Arc::clone(&o.template));
                exchange.trail().set_operation(Arc::clone(&settings.name));
                let receipt = exchange.trail().allow::<stage::Route>(Facts::none());
                let route = Route { api: index, operation, captures };
                return Routed::prove(entered, receipt, route).map_err(|_| exchange.broken::<stage::Route>());
            }
            RouteMatch::Method(allow) => {
                return Err(exchange
                    .deny::<stage::Route>(Reason::RouteMethod, Facts::none())
                    .with_header(ALLOW, allow));
            }
            RouteMatch::Unknown => {}
        }
    }
    let reason = if host_known { Reason::RouteNotFound } else { Reason::RouteHost };
    Err(exchange.deny::<stage::Route>(reason, Facts::none()))
}

fn answers_to(api: &Api, host: &str) -> bool {
    api.hosts.is_empty() || api.hosts.iter().any(|h| h == host)
}
