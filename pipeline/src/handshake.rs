// SPDX-License-Identifier: Apache-2.0
//! What the handshake of a client's connection settled, as far as a decision needs to know.

use std::fmt;
use std::sync::Arc;

/// Which demands on client certificates a name stands under: two names with the same number demand the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PolicyId(pub u32);

/// The demands of every name the listener serves, as they are now.
pub trait Policies: Send + Sync {
    /// What is demanded under a host name in lower case; `None`: the listener does not serve it.
    fn policy_of(&self, host: &str) -> Option<PolicyId>;
}

/// A handshake that was completed.
#[derive(Clone)]
pub struct Handshake {
    /// What the client asked for (RFC 6066 §3), in lower case.
    pub server_name: Option<Arc<str>>,
    /// What was demanded of it.
    pub policy: PolicyId,
    /// The certificate it proved to hold, in DER; verified before it came here.
    pub client_certificate: Option<Arc<[u8]>>,
    /// `TLSv1_3`
    pub version: &'static str,
    /// `TLS13_AES_256_GCM_SHA384`
    pub cipher_suite: &'static str,
    /// The demands of other names.
    pub policies: Arc<dyn Policies>,
}

impl Handshake {
    /// Whether a request for `host` may come over this connection: its name demands now what was demanded then. Without
    /// that, a connection made for a name without client certificates would lead to one that wants them (T54).
    pub fn leads_to(&self, host: &str) -> bool {
        self.policies.policy_of(host) == Some(self.policy)
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("server_name", &self.server_name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
