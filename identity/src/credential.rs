// SPDX-License-Identifier: Apache-2.0
//! The one credential of a request (RFC 6750 §2, OAuth 2.1 §5.2, ST-2, ST-3, T41).
//!
//! Only `Authorization: Bearer` carries a credential here. Two of anything that looks like one is refused before
//! either is read, because a gateway and an application that read different ones disagree about who is calling. A
//! token in the query is always refused: it is in every log on the way.

use crate::fault::Fault;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use portcullis_decision::Reason;
use portcullis_wire::Query;

/// Headers that carry, or prove the possession of, another kind of credential.
const API_KEY: &str = "x-api-key";
const DPOP: &str = "dpop";
/// The parameter of RFC 6750 §2.3.
const QUERY_TOKEN: &str = "access_token";

/// The token of a request, or why there is none.
pub(crate) fn read<'a>(headers: &'a HeaderMap, query: &Query) -> Result<&'a str, Fault> {
    if names_token_in_query(query) {
        let several = headers.contains_key(AUTHORIZATION) || headers.contains_key(API_KEY);
        let reason = if several { Reason::IdentitySeveral } else { Reason::IdentityMalformed };
        return Err(Fault::new(reason, "a token in the query"));
    }
    from_headers(headers)
}

/// Whether the query names a token. Refused on public operations too.
pub fn names_token_in_query(query: &Query) -> bool {
    query.pairs().iter().any(|(name, _)| name.eq_ignore_ascii_case(QUERY_TOKEN))
}

/// The token in the headers.
pub(crate) fn from_headers(headers: &HeaderMap) -> Result<&str, Fault> {
    let several = |detail| Err(Fault::new(Reason::IdentitySeveral, detail));
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let first = authorizations.next();
    if authorizations.next().is_some() {
        return several("several Authorization headers");
    }
    let keys = headers.get_all(API_KEY).iter().count();
    if keys > 1 || (keys == 1 && first.is_some()) {
        return several("an API key beside another credential");
    }
    let proofs = headers.get_all(DPOP).iter().count();
    if proofs > 1 {
        return several("several DPoP proofs");
    }
    let Some(value) = first else {
        let detail = if keys == 1 { "an API key is no credential here" } else { "no credential" };
        return Err(Fault::new(Reason::IdentityMissing, detail));
    };
    let value = value.to_str().map_err(|_| malformed("not ASCII"))?;
    let (scheme, token) = split(value)?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Fault::new(Reason::IdentityMissing, "the scheme is not Bearer"));
    }
    if proofs == 1 {
        // A proof says the token is bound; taking it for a plain bearer token would drop that (RFC 9449 §7.2).
        return several("a DPoP proof beside a bearer token");
    }
    if token.is_empty() {
        return Err(malformed("no token after the scheme"));
    }
    Ok(token)
}

/// `auth-scheme 1*SP token68`; the token68 is checked by [`check_token68`] once its length is known to be bounded.
fn split(value: &str) -> Result<(&str, &str), Fault> {
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.is_empty() || !scheme.bytes().all(is_scheme_byte) {
        return Err(malformed("no scheme"));
    }
    Ok((scheme, rest.trim_start_matches(' ')))
}

/// Whether what follows the scheme is one token and nothing else (OA-1).
pub(crate) fn check_token68(token: &str) -> Result<(), Fault> {
    if is_token68(token) { Ok(()) } else { Err(malformed("not b64token")) }
}

/// RFC 9110 §11.2 `token68`, RFC 6750 §2.1 `b64token`.
fn is_token68(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    !body.is_empty()
        && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/'))
}

fn malformed(detail: &'static str) -> Fault {
    Fault::new(Reason::IdentityMalformed, detail)
}

/// RFC 9110 §5.6.2 `tchar`.
fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn reason(pairs: &[(&'static str, &'static str)]) -> Reason {
        from_headers(&headers(pairs)).unwrap_err().reason
    }

    #[test]
    fn oa_1_the_scheme_is_case_insensitive_and_spaces_may_be_several() {
        for value in ["Bearer a.b.c", "bEaReR a.b.c", "bearer   a.b.c"] {
            assert_eq!(from_headers(&headers(&[("authorization", value)])), Ok("a.b.c"), "{value}");
        }
    }

    #[test]
    fn t41_two_credentials_are_refused_before_either_is_read() {
        let bearer = ("authorization", "Bearer a.b.c");
        for second in [bearer, ("authorization", "Basic eDp5"), ("x-api-key", "k"), ("dpop", "a.b.c")] {
            assert_eq!(reason(&[bearer, second]), Reason::IdentitySeveral, "{second:?}");
        }
        assert_eq!(reason(&[("x-api-key", "k"), ("x-api-key", "l")]), Reason::IdentitySeveral);
        assert_eq!(reason(&[("dpop", "k"), ("dpop", "l")]), Reason::IdentitySeveral);
    }

    #[test]
    fn st_2_what_is_no_credential_here_is_missing() {
        assert_eq!(reason(&[]), Reason::IdentityMissing);
        assert_eq!(reason(&[("x-api-key", "k")]), Reason::IdentityMissing);
        assert_eq!(reason(&[("dpop", "a.b.c")]), Reason::IdentityMissing);
        assert_eq!(reason(&[("cookie", "access_token=a.b.c")]), Reason::IdentityMissing);
        assert_eq!(reason(&[("authorization", "Basic eDp5")]), Reason::IdentityMissing);
        assert_eq!(reason(&[("authorization", "DPoP a.b.c"), ("dpop", "a.b.c")]), Reason::IdentityMissing);
    }

    #[test]
    fn st_3_a_malformed_header_is_400() {
        for value in ["", " ", "Bearer", "Bearer ", " Bearer a.b.c", "Bea(rer a", "\"Bearer\" a", "Bearer\ta.b.c"] {
            assert_eq!(reason(&[("authorization", value)]), Reason::IdentityMalformed, "{value:?}");
        }
    }

    #[test]
    fn oa_1_token68_has_its_charset() {
        for good in ["a", "a.b.c", "a-_~+/9==", "A="] {
            assert!(is_token68(good), "{good}");
        }
        for bad in ["", "=", "a b", "a,b", "a=b", "a\"", "{}", "ä"] {
            assert!(!is_token68(bad), "{bad}");
        }
    }
}
