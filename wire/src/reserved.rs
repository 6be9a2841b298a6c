// SPDX-License-Identifier: Apache-2.0
//! Names a client may not speak: what only a gateway sets, and what an origin might take for an identity
//! (HTTP-14, T34, T37, T38, T40).
//!
//! Origins fold names: CGI-like servers map `-` to `_`, some map every sign. So names are compared after every
//! character that is neither letter nor digit became `-`.

use http::HeaderName;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::fmt;

/// Folded beginnings of reserved names; none begins with another.
const PREFIXES: &[&str] = &[
    "cf-access-",
    "client-cert",
    "impersonate-",
    "ms-aspnetcore-",
    "proxy-",
    "ssl-client-",
    "tls-client-",
    "wl-proxy-",
    "x-accel-",
    "x-amzn-mtls-",
    "x-amzn-oidc-",
    "x-arr-",
    "x-auth",
    "x-client-cert",
    "x-consumer-",
    "x-credential-",
    "x-envoy-",
    "x-forward",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-identity",
    "x-impersonate-",
    "x-jwt-",
    "x-middleware-",
    "x-ms-client-principal",
    "x-original-",
    "x-portcullis-",
    "x-principal",
    "x-proxy-",
    "x-proxyuser-",
    "x-remote-",
    "x-rewrite-",
    "x-sendfile-",
    "x-spiffe-",
    "x-ssl-",
    "x-tenant",
    "x-token-",
    "x-user",
    "x-webauth-",
];

/// Folded reserved names.
const NAMES: &[&str] = &[
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "client-ip",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "forwarded-for",
    "front-end-https",
    "method-override",
    "original-url",
    "proxy",
    "remote-addr",
    "remote-user",
    "request-id",
    "true-client-ip",
    "x-access-token",
    "x-account-id",
    "x-admin",
    "x-appengine-user-ip",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-dn",
    "x-client-id",
    "x-client-ip",
    "x-client-verify",
    "x-cluster-client-ip",
    "x-email",
    "x-groups",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-is-admin",
    "x-method-override",
    "x-on-behalf-of",
    "x-org-id",
    "x-organization-id",
    "x-originating-ip",
    "x-real-ip",
    "x-real-user",
    "x-role",
    "x-roles",
    "x-scheme",
    "x-scope",
    "x-scope-orgid",
    "x-scopes",
    "x-sub",
    "x-subject",
    "x-true-client-ip",
    "x-url-scheme",
];

/// End-to-end fields that mean something to a check. `Connection` may not name them (T39), and an odd spelling that
/// folds to one of them is not let through.
const GUARDED: &[&str] = &[
    "accept",
    "accept-encoding",
    "authorization",
    "cache-control",
    "connection",
    "content-digest",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "dpop",
    "expect",
    "host",
    "idempotency-key",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "origin",
    "range",
    "referer",
    "sec-fetch-site",
    "signature",
    "signature-input",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "user-agent",
    "via",
    "x-api-key",
];

/// The set of reserved names, with those of the configuration.
#[derive(Clone)]
pub struct Reserved {
    /// Folded and sorted.
    names: Vec<Cow<'static, str>>,
    /// A bit for every first letter of a name or a prefix: most fields start with none of them.
    initials: u128,
}

impl Reserved {
    /// The names of the standards, and these beside them: every header in which the gateway tells an upstream who
    /// calls belongs here.
    pub fn new(extra: &[HeaderName]) -> Self {
        let mut names: Vec<Cow<'static, str>> = NAMES.iter().copied().map(Cow::Borrowed).collect();
        names.extend(extra.iter().map(|name| Cow::Owned(name.as_str().chars().map(folded_char).collect())));
        names.sort_unstable();
        names.dedup();
        let all = PREFIXES.iter().copied().chain(names.iter().map(AsRef::as_ref));
        let initials = all.fold(0, |initials, name| initials | initial(name));
        Self { names, initials }
    }

    /// Whether a client's field of this name is taken away.
    pub fn contains(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        if text.bytes().all(is_folded) {
            return self.initials & initial(text) != 0 && self.holds(text);
        }
        let folded: SmallVec<[u8; 64]> = text.bytes().map(folded_byte).collect();
        // Folding maps ASCII to ASCII; what could not be read would be taken away.
        std::str::from_utf8(&folded).map_or(true, |folded| self.holds(folded) || is_guarded(folded))
    }

    fn holds(&self, folded: &str) -> bool {
        // No prefix begins with another, so only the last one that does not sort after the name can be its beginning.
        let after = PREFIXES.partition_point(|prefix| *prefix <= folded);
        after.checked_sub(1).and_then(|last| PREFIXES.get(last)).is_some_and(|prefix| folded.starts_with(prefix))
            || self.names.binary_search_by(|name| name.as_ref().cmp(folded)).is_ok()
    }
}

impl Default for Reserved {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserved")
            .field("names", &self.names.len())
            .field("prefixes", &PREFIXES.len())
            .finish_non_exhaustive()
    }
}

/// Whether this lower-case name is an end-to-end field that a check relies on.
pub(crate) fn is_guarded(name: &str) -> bool {
    GUARDED.binary_search(&name).is_ok()
}

/// The bit of a name's first letter.
fn initial(name: &str) -> u128 {
    name.bytes().next().map_or(0, |first| 1_u128.checked_shl(u32::from(first)).unwrap_or(u128::MAX))
}

const fn is_folded(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

const fn folded_byte(byte: u8) -> u8 {
    let byte = byte.to_ascii_lowercase();
    if is_folded(byte) { byte } else { b'-' }
}

fn folded_char(c: char) -> char {
    u8::try_from(c).map_or('-', |byte| char::from(folded_byte(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).expect(text)
    }

    #[test]
    fn the_lists_are_sorted_and_folded() {
        assert!(GUARDED.is_sorted() && NAMES.is_sorted() && PREFIXES.is_sorted());
        for entry in GUARDED.iter().chain(NAMES).chain(PREFIXES) {
            assert!(entry.bytes().all(is_folded), "{entry}");
        }
        assert!(PREFIXES.windows(2).all(|pair| !pair[1].starts_with(pair[0])));
    }

    #[test]
    fn t37_fields_a_client_needs_are_not_reserved() {
        let reserved = Reserved::default();
        for kept in GUARDED.iter().chain(&[
            "accept-language",
            "x-api-key",
            "x-request-id",
            "sec-websocket-key",
            "te",
            "tracestate",
        ]) {
            assert!(!reserved.contains(&name(kept)), "{kept}");
        }
    }

    #[test]
    fn t38_configured_names_are_folded_too() {
        let reserved = Reserved::new(&[name("Acme_Caller.Id")]);
        for spelling in ["acme-caller-id", "ACME-CALLER-ID", "acme_caller_id", "acme.caller~id"] {
            assert!(reserved.contains(&name(spelling)), "{spelling}");
        }
        assert!(!reserved.contains(&name("acme-caller")));
    }

    proptest! {
        #[test]
        fn t38_no_spelling_of_a_reserved_name_passes(
            index in 0..(NAMES.len() + PREFIXES.len() + GUARDED.len()),
            signs in proptest::collection::vec(proptest::sample::select(vec!['-', '_', '.', '~', '!', '|']), 8),
            upper in any::<bool>(),
        ) {
            let all: Vec<&str> = NAMES.iter().chain(PREFIXES).chain(GUARDED).copied().collect();
            let mut signs = signs.into_iter().cycle();
            let spelled: String = all[index].chars().map(|c| if c == '-' { signs.next().unwrap_or('-') } else { c }).collect();
            let spelled = if upper { spelled.to_uppercase() } else { spelled };
            let plain = spelled.to_lowercase() == all[index];
            prop_assert!(Reserved::default().contains(&name(&spelled)) || (plain && is_guarded(all[index])), "{}", spelled);
        }
    }
}
