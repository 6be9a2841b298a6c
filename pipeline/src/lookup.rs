// SPDX-License-Identifier: Apache-2.0
//! Adapts the origin to the question authorization asks: what does this object look like?

use crate::gate::{Api, Gate};
use crate::origin::{Destination, Origin};
use crate::states::{Lookup, LookupPermit};
use crate::upstream_head::Writing;
use http::header::{CONTENT_TYPE, ETAG};
use portcullis_authorize::{LookupAnswer, LookupFault, LookupRequest, OwnerLookup};
use portcullis_decision::fetch::BoxFuture;
use portcullis_decision::{Caller, RequestId};
use portcullis_limit::PRIORITY_USUAL;

/// Loads objects of one request through the origin.
pub(crate) struct OriginLookup<'a, O> {
    gate: &'a Gate,
    api: &'a Api,
    origin: &'a O,
    caller: &'a Caller,
    request: RequestId,
    priority: u8,
    permit: LookupPermit,
}

impl<'a, O: Origin> OriginLookup<'a, O> {
    pub(crate) fn new(
        gate: &'a Gate,
        api: &'a Api,
        origin: &'a O,
        caller: &'a Caller,
        request: RequestId,
        permit: LookupPermit,
    ) -> Self {
        Self { gate, api, origin, caller, request, priority: PRIORITY_USUAL, permit }
    }

    /// The caller's plan's.
    pub(crate) fn at(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    fn lookup(&self, request: &LookupRequest<'_>) -> Result<Lookup, LookupFault> {
        let operation = self.api.contract.operation(request.operation).ok_or(LookupFault::Unavailable)?;
        let settings = self.api.operations.get(request.operation.to_usize()).ok_or(LookupFault::Unavailable)?;
        let target = request.target(operation).ok_or(LookupFault::Unavailable)?;
        let writing = Writing {
            gate: self.gate,
            api: self.api,
            operation: Some(operation),
            needs: &settings.needs,
            caller: self.caller,
        };
        let headers = writing.look_up(self.request);
        let to = Destination { upstream: self.api.upstream, operation: settings.number, priority: self.priority };
        Ok(Lookup::prove(self.permit, to, target, headers))
    }
}

impl<O: Origin> OwnerLookup for OriginLookup<'_, O> {
    fn look_up<'a>(&'a self, request: LookupRequest<'a>) -> BoxFuture<'a, Result<LookupAnswer, LookupFault>> {
        Box::pin(async move {
            let lookup = self.lookup(&request)?;
            let answer = self.origin.look_up(lookup).await.map_err(|_| LookupFault::Unavailable)?;
            let (head, body) = answer.into_parts();
            Ok(LookupAnswer {
                status: head.status,
                etag: head.headers.get(ETAG).cloned(),
                content_type: head.headers.get(CONTENT_TYPE).cloned(),
                body,
            })
        })
    }
}
