// SPDX-License-Identifier: Apache-2.0
//! The reason codes: a public, versioned contract, with the one table of statuses.

use http::StatusCode;
use std::fmt;

macro_rules! reasons {
    ($($name:ident $code:literal $status:literal),* $(,)?) => {
        /// Why a request was refused. The page of each is printed by `portcullis reason CODE`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(
                #[doc = concat!("`", $code, "`")]
                $name,
            )*
        }

        impl Reason {
            /// Every reason, in the order of the status table.
            pub const ALL: &[Reason] = &[$(Reason::$name),*];

            /// The public code.
            pub fn code(self) -> &'static str {
                match self {
                    $(Reason::$name => $code,)*
                }
            }

            fn status_number(self) -> u16 {
                match self {
                    $(Reason::$name => $status,)*
                }
            }
        }
    };
}

reasons! {
    WireMalformed "wire.malformed" 400,
    WireFraming "wire.framing" 400,
    WirePath "wire.path" 400,
    IdentitySeveral "identity.several" 400,
    IdentityMalformed "identity.malformed" 400,
    RequestParameter "request.parameter" 400,
    RequestBody "request.body" 400,
    RequestJson "request.json" 400,
    PayloadTooDeep "payload.too_deep" 400,
    PropertyNotWritable "property.not_writable" 400,
    PropertyUndeclared "property.undeclared" 400,
    IdempotencyMissing "idempotency.missing" 400,
    IdempotencyMalformed "idempotency.malformed" 400,
    IdentityMissing "identity.missing" 401,
    IdentityToken "identity.token" 401,
    IdentityExpired "identity.expired" 401,
    IdentityNotYetValid "identity.not_yet_valid" 401,
    IdentityAlgorithm "identity.algorithm" 401,
    IdentitySignature "identity.signature" 401,
    IdentityKey "identity.key" 401,
    IdentityAudience "identity.audience" 401,
    IdentityIssuer "identity.issuer" 401,
    IdentityType "identity.type" 401,
    IdentityClaims "identity.claims" 401,
    IdentityLifetime "identity.lifetime" 401,
    IdentityRevoked "identity.revoked" 401,
    IdentityInactive "identity.inactive" 401,
    IdentityBinding "identity.binding" 401,
    IdentityReplay "identity.replay" 401,
    IdentityBlocked "identity.blocked" 401,
    FunctionStepUp "function.step_up" 401,
    FunctionScope "function.scope" 403,
    FunctionRole "function.role" 403,
    FunctionKind "function.kind" 403,
    FunctionPolicy "function.policy" 403,
    FunctionPolicyError "function.policy_error" 403,
    RouteNotFound "route.not_found" 404,
    ObjectNotOwner "object.not_owner" 404,
    ObjectOtherTenant "object.other_tenant" 404,
    ObjectUnknownOwner "object.unknown_owner" 404,
    ObjectAbsent "object.absent" 404,
    ObjectForeignItem "object.foreign_item" 404,
    RouteMethod "route.method" 405,
    WireTooSlow "wire.too_slow" 408,
    PayloadTooSlow "payload.too_slow" 408,
    IdempotencyInFlight "idempotency.in_flight" 409,
    IdempotencyNotKept "idempotency.not_kept" 409,
    LimitOnce "limit.once" 409,
    PayloadTooLarge "payload.too_large" 413,
    WireUriTooLong "wire.uri_too_long" 414,
    RequestContentType "request.content_type" 415,
    RequestContentEncoding "request.content_encoding" 415,
    WireExpect "wire.expect" 417,
    RouteHost "route.host" 421,
    ObjectPreconditionFailed "object.precondition_failed" 412,
    IdempotencyMismatch "idempotency.mismatch" 422,
    WireHeadTooLarge "wire.head_too_large" 431,
    LimitAddress "limit.address" 429,
    LimitRate "limit.rate" 429,
    LimitQuota "limit.quota" 429,
    LimitConcurrency "limit.concurrency" 429,
    LimitAuthFailures "limit.auth_failures" 429,
    LimitDetector "limit.detector" 429,
    GateInternal "gate.internal" 500,
    UpstreamUnreachable "upstream.unreachable" 502,
    UpstreamTls "upstream.tls" 502,
    UpstreamInvalidResponse "upstream.invalid_response" 502,
    ResponseContract "response.contract" 502,
    ResponseUndeclared "response.undeclared" 502,
    ResponseTooLarge "response.too_large" 502,
    ObjectLookupFailed "object.lookup_failed" 502,
    GateOverloaded "gate.overloaded" 503,
    GateAuditUnwritable "gate.audit_unwritable" 503,
    GateDraining "gate.draining" 503,
    UpstreamBreakerOpen "upstream.breaker_open" 503,
    UpstreamOverloaded "upstream.overloaded" 503,
    IdentitySourceDown "identity.source_down" 503,
    LimitStoreDown "limit.store_down" 503,
    UpstreamTimeout "upstream.timeout" 504,
    WireVersion "wire.version" 505,
    ClientAborted "client.aborted" 0,
}

impl Reason {
    /// The status a client sees for this reason; `None` when no answer leaves.
    pub fn status(self) -> Option<StatusCode> {
        StatusCode::from_u16(self.status_number()).ok()
    }

    /// Finds a reason by its code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.code() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_parse_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.code()), Some(*reason));
        }
    }

    #[test]
    fn only_an_aborted_request_has_no_status() {
        for reason in Reason::ALL {
            assert_eq!(reason.status().is_none(), *reason == Reason::ClientAborted, "{reason}");
        }
    }
}
