// SPDX-License-Identifier: Apache-2.0
//! `WWW-Authenticate` of RFC 6750 §3: made once at build, the same for every refused token (ST-2..ST-5).

use crate::error::IdentityError;
use http::HeaderValue;
use std::sync::Arc;

/// The challenges of one resource.
#[derive(Debug)]
pub(crate) struct Challenges {
    realm: String,
    /// ST-2: nothing offered, so no `error` (RFC 6750 §3.1).
    pub(crate) missing: HeaderValue,
    /// ST-3: the header itself is wrong.
    pub(crate) invalid_request: HeaderValue,
    /// ST-4: one text for every token that is refused, so that it tells nothing (AT-6).
    pub(crate) invalid_token: HeaderValue,
}

impl Challenges {
    pub(crate) fn build(resource: &str) -> Result<Self, IdentityError> {
        if resource.is_empty() || !resource.bytes().all(is_plain) {
            return Err(IdentityError::Resource);
        }
        let value = |text: String| HeaderValue::from_str(&text).map_err(|_| IdentityError::Resource);
        let realm = format!("Bearer realm=\"{resource}\"");
        Ok(Self {
            missing: value(realm.clone())?,
            invalid_request: value(format!(
                "{realm}, error=\"invalid_request\", error_description=\"exactly one well-formed credential is expected\""
            ))?,
            invalid_token: value(format!(
                "{realm}, error=\"invalid_token\", error_description=\"the access token is not valid\""
            ))?,
            realm,
        })
    }

    /// ST-5: the token is fine and lacks these scopes. Scopes that cannot stand in a challenge are left out.
    pub(crate) fn insufficient_scope(&self, scopes: &[Arc<str>]) -> HeaderValue {
        let told: Vec<&str> = scopes.iter().map(|s| &**s).filter(|s| is_scope_token(s)).collect();
        let text = format!("{}, error=\"insufficient_scope\", scope=\"{}\"", self.realm, told.join(" "));
        HeaderValue::from_str(&text).unwrap_or_else(|_| self.missing.clone())
    }
}

/// ERR-2: `%x20-21 / %x23-5B / %x5D-7E`.
fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)
}

/// RFC 6749 §3.3: `1*( %x21 / %x23-5B / %x5D-7E )`.
pub(crate) fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b != 0x20 && is_plain(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn err_1_nothing_offered_means_no_error_code() {
        let challenges = Challenges::build("https://api.example.com").unwrap();
        assert_eq!(challenges.missing, "Bearer realm=\"https://api.example.com\"");
        assert!(challenges.invalid_token.to_str().unwrap().contains("error=\"invalid_token\""));
        assert!(challenges.invalid_request.to_str().unwrap().contains("error=\"invalid_request\""));
    }

    #[test]
    fn oa_4_hostile_text_does_not_reach_a_challenge() {
        for resource in ["", "a\"b", "a\\b", "a\r\nb", "ä"] {
            assert!(Challenges::build(resource).is_err(), "{resource:?}");
        }
        let challenges = Challenges::build("r").unwrap();
        let scopes: Vec<Arc<str>> = ["orders.read", "a\" b", "x\r\ny", ""].map(Arc::from).to_vec();
        let value = challenges.insufficient_scope(&scopes);
        assert_eq!(value, "Bearer realm=\"r\", error=\"insufficient_scope\", scope=\"orders.read\"");
    }

    proptest! {
        #[test]
        fn err_2_any_scope_leaves_quotes_balanced(scope in "\\PC*") {
            let challenges = Challenges::build("r").unwrap();
            let value = challenges.insufficient_scope(&[Arc::from(scope)]);
            prop_assert_eq!(value.to_str().unwrap().matches('"').count(), 6);
        }
    }
}
