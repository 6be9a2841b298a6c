// SPDX-License-Identifier: Apache-2.0
//! The plain configurations of the crates that obey, made from what was loaded.

use std::mem;
use std::sync::Arc;

use portcullis_identity::{CACHE_ENTRIES_DEFAULT, Config as IdentityConfig, TOKEN_BYTES_DEFAULT};
use portcullis_limit::idempotency::StoreConfig;
use portcullis_limit::{
    AnonymousLimit, BusinessConfig, CountedBy, ENTRIES_DEFAULT, EdgeConfig, OperationLimits, PlanConfig,
};
use portcullis_wire::json::JsonLimits;
use portcullis_wire::{HeadLimits, Reserved};

use crate::loaded::{Loaded, UpstreamIdentity};

impl Loaded {
    /// Limits by address.
    pub fn edge_config(&self) -> EdgeConfig {
        EdgeConfig {
            address_rate: self.edge.address_rate,
            authentication_failures: self.limits.authentication_failures,
            entries_max: ENTRIES_DEFAULT,
        }
    }

    /// Limits by caller; operations by their gateway-wide number.
    pub fn plan_config(&self) -> PlanConfig {
        PlanConfig {
            plans: self.limits.plans.clone(),
            default_plan: self.limits.default_plan.clone(),
            by: self.limits.by.clone(),
            plan_from: self.limits.plan_from.clone(),
            anonymous: Some(AnonymousLimit { rate: self.limits.anonymous, by: vec![CountedBy::Address] }),
            operations: self.operation_limits(),
            entries_max: ENTRIES_DEFAULT,
        }
    }

    /// Limits by what stands in the body; operations by their gateway-wide number.
    pub fn business_config(&self) -> BusinessConfig {
        BusinessConfig { operations: self.operation_limits(), entries_max: ENTRIES_DEFAULT }
    }

    /// Every operation of every API, in the order of their gateway-wide numbers.
    fn operation_limits(&self) -> Vec<OperationLimits> {
        let of_api = |api: &crate::loaded::Api| {
            let named = api.contract.operations.iter().zip(&api.operations);
            let limits = named.map(|(operation, settings)| OperationLimits {
                api: Arc::clone(&api.name),
                name: Arc::clone(&operation.id),
                limits: settings.limits.clone(),
                concurrency: settings.concurrency,
            });
            limits.collect::<Vec<_>>()
        };
        self.apis.iter().flat_map(of_api).collect()
    }

    /// Kept answers.
    pub fn idempotency_config(&self) -> StoreConfig {
        StoreConfig {
            keep: self.idempotency.keep,
            response_bytes_max: self.idempotency.response_bytes_max,
            ..StoreConfig::default()
        }
    }

    /// The issuers, which leave this value: they hold secrets that exist once.
    pub fn take_identity_config(&mut self, resource: String) -> IdentityConfig {
        IdentityConfig {
            issuers: mem::take(&mut self.issuers),
            resource,
            cache_entries_max: CACHE_ENTRIES_DEFAULT,
            token_bytes_max: TOKEN_BYTES_DEFAULT,
        }
    }

    /// Caps on request heads.
    pub fn head_limits(&self) -> HeadLimits {
        HeadLimits {
            head_bytes_max: self.edge.head_bytes_max,
            fields_max: self.edge.fields_max,
            uri_bytes_max: self.edge.uri_bytes_max,
            ..HeadLimits::default()
        }
    }

    /// Caps on JSON of clients.
    pub fn json_limits(&self) -> JsonLimits {
        JsonLimits { depth_max: self.edge.body_depth_max, ..JsonLimits::default() }
    }

    /// Headers that only the gateway sets, those that carry a subject to an upstream included.
    pub fn reserved(&self) -> Reserved {
        let extra: Vec<_> = self
            .upstreams
            .iter()
            .filter_map(|upstream| match &upstream.identity {
                UpstreamIdentity::Header(name) => Some(name.clone()),
                UpstreamIdentity::None => None,
            })
            .collect();
        Reserved::new(&extra)
    }
}
