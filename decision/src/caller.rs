// SPDX-License-Identifier: Apache-2.0
//! Who is calling: one form, whatever the credential was.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// What kind of thing an identity names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person.
    User,
    /// An application acting for itself.
    Client,
    /// A workload known by its certificate.
    Workload,
}

impl Kind {
    /// The word used in records and configuration.
    pub fn word(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Client => "client",
            Kind::Workload => "workload",
        }
    }
}

/// A verified identity. Built only by `identity` (and by tests); every field was checked for type.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The issuer's name in the configuration.
    pub issuer: Arc<str>,
    /// The subject, opaque bytes compared exactly. The subject is the pair of issuer and `sub`.
    pub subject: Arc<str>,
    /// The OAuth client, where the token names one.
    pub client: Option<Arc<str>>,
    /// What kind of thing the subject is.
    pub kind: Kind,
    /// Tenant, from the issuer's `claims.tenant`.
    pub tenant: Option<Arc<str>>,
    /// Plan name, from the issuer's `claims.plan` (or as `limits.plan_from` says).
    pub plan: Option<Arc<str>>,
    /// Scopes of the token.
    pub scopes: Vec<Arc<str>>,
    /// Roles of the token.
    pub roles: Vec<Arc<str>>,
    /// Every claim, for `claim:NAME` in the configuration. Never written to a record.
    pub claims: Arc<serde_json::Map<String, serde_json::Value>>,
    /// When the token was issued, since the Unix epoch.
    pub issued_at: Option<Duration>,
    /// When it expires, since the Unix epoch.
    pub expires_at: Option<Duration>,
    /// Signature algorithm and key id, for the record.
    pub algorithm: &'static str,
    /// Key id, for the record.
    pub key_id: Option<Arc<str>>,
}

impl Identity {
    /// Whether the token carries this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|s| **s == *scope)
    }

    /// Whether the token carries this role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|r| **r == *role)
    }
}

/// The caller of a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Nobody in particular, on a public operation; known by address only.
    Anonymous(IpAddr),
    /// A verified identity.
    Known(Arc<Identity>),
}

impl Caller {
    /// The identity, where there is one.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Caller::Anonymous(_) => None,
            Caller::Known(identity) => Some(identity),
        }
    }
}
