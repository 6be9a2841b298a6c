// SPDX-License-Identifier: Apache-2.0
//! Whose key it is and for what, and what was asked: SHA-256 over length-prefixed parts (T101), so that neither the key
//! nor the body is kept, and no choice of texts makes two scopes one.

use aws_lc_rs::digest::{Context, SHA256};
use http::Method;
use portcullis_decision::Identity;
use std::fmt;

const DIGEST_BYTES: usize = 32;

/// Whose key it is, and for what: issuer, subject, client, tenant, operation, target, key (ID-6).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope([u8; DIGEST_BYTES]);

/// What was asked: method, target, content type, body (ID-3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; DIGEST_BYTES]);

impl Scope {
    /// The scope of a caller's key. `operation` is the operation's lasting name, `api#operationId`: a number would
    /// change its meaning with a reload. `target` is path and query.
    pub fn new(identity: &Identity, operation: &str, target: &str, key: &str) -> Self {
        let mut parts = Parts::new("portcullis/idempotency/scope/v1");
        parts.part(identity.issuer.as_bytes());
        parts.part(identity.subject.as_bytes());
        parts.optional(identity.client.as_deref().map(str::as_bytes));
        parts.optional(identity.tenant.as_deref().map(str::as_bytes));
        parts.part(operation.as_bytes());
        parts.part(target.as_bytes());
        parts.part(key.as_bytes());
        Self(parts.finish())
    }

    /// The scope as bytes, for engines.
    pub fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl Fingerprint {
    /// The fingerprint of a request. The media type without its spelling: lower case, no blanks.
    pub fn of(method: &Method, target: &str, media_type: Option<&str>, body: &[u8]) -> Self {
        let mut parts = Parts::new("portcullis/idempotency/fingerprint/v1");
        parts.part(method.as_str().as_bytes());
        parts.part(target.as_bytes());
        parts.optional(media_type.map(str::as_bytes));
        parts.part(body);
        Self(parts.finish())
    }

    /// The fingerprint as bytes, for engines.
    pub fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scope(..)")
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// A digest over tagged, length-prefixed parts.
struct Parts(Context);

impl Parts {
    fn new(purpose: &str) -> Self {
        let mut parts = Self(Context::new(&SHA256));
        parts.part(purpose.as_bytes());
        parts
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&[1]);
        self.0.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(bytes);
    }

    /// Nothing is something else than an empty text.
    fn optional(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.part(bytes),
            None => self.0.update(&[0]),
        }
    }

    fn finish(self) -> [u8; DIGEST_BYTES] {
        let mut out = [0; DIGEST_BYTES];
        for (to, from) in out.iter_mut().zip(self.0.finish().as_ref()) {
            *to = *from;
        }
        out
    }
}
