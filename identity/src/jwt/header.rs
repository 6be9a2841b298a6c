// SPDX-License-Identifier: Apache-2.0
//! The header of a token: read strictly, used to find a key, never as a source of one (JWT-11, JWT-12, JWT-16).

use crate::algorithm::Algorithm;
use crate::config::TokenType;
use crate::fault::Fault;
use crate::json;
use crate::keys::KID_BYTES_MAX;
use bytes::Bytes;
use portcullis_decision::Reason;
use serde_json::{Map, Value};

/// Members that carry or point to a key (T83), ask for extensions (T84), or belong to encryption (T85). A token that
/// has one, whatever its value, is refused.
const REFUSED_MEMBERS: &[&str] =
    &["crit", "jku", "jwk", "x5u", "x5c", "b64", "zip", "enc", "epk", "p2c", "p2s", "apu", "apv", "cty"];

/// The header of a token of this profile.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    typing: Typing,
}

/// What `typ` says the token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typing {
    /// `at+jwt`.
    AccessToken,
    /// `JWT`, which is no explicit typing (JWT-13).
    Jwt,
    /// No `typ`.
    Nothing,
    /// Some other kind of token.
    Other,
}

impl Header {
    pub(crate) fn parse(bytes: impl Into<Bytes>) -> Result<Self, Fault> {
        let members = json::object(bytes.into()).map_err(|_| Fault::token("the header is no strict JSON object"))?;
        if REFUSED_MEMBERS.iter().any(|name| members.contains_key(*name)) {
            return Err(Fault::token("the header has a member that is refused"));
        }
        Ok(Self { algorithm: algorithm(&members)?, kid: kid(&members)?, typing: typing(&members)? })
    }

    /// The rule of JWT-13 for an issuer: a closed list in both cases.
    pub(crate) fn check_type(&self, rule: TokenType) -> Result<(), Fault> {
        match (rule, self.typing) {
            (_, Typing::AccessToken) | (TokenType::Any, Typing::Jwt | Typing::Nothing) => Ok(()),
            _ => Err(Fault::new(Reason::IdentityType, "typ is not that of an access token")),
        }
    }
}

fn algorithm(members: &Map<String, Value>) -> Result<Algorithm, Fault> {
    let name = members.get("alg").and_then(Value::as_str).unwrap_or_default();
    Algorithm::parse(name).ok_or(Fault::new(Reason::IdentityAlgorithm, "alg is missing or on no list"))
}

fn kid(members: &Map<String, Value>) -> Result<Option<String>, Fault> {
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if !kid.is_empty() && kid.len() <= KID_BYTES_MAX => Ok(Some(kid.clone())),
        Some(_) => Err(Fault::new(Reason::IdentityKey, "kid is no string of 1 to 256 bytes")),
    }
}

/// RFC 7515 §4.1.9: a value without a slash means `application/` and that value; media types ignore case.
fn typing(members: &Map<String, Value>) -> Result<Typing, Fault> {
    let Some(value) = members.get("typ") else { return Ok(Typing::Nothing) };
    let name = value.as_str().ok_or(Fault::new(Reason::IdentityType, "typ is not a string"))?.to_ascii_lowercase();
    Ok(match name.strip_prefix("application/").unwrap_or(&name) {
        "at+jwt" => Typing::AccessToken,
        "jwt" => Typing::Jwt,
        _ => Typing::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> Option<Reason> {
        Header::parse(text.as_bytes().to_vec()).err().map(|f| f.reason)
    }

    #[test]
    fn t79_jwt_2_alg_is_one_of_the_list_exactly() {
        for alg in [r#""none""#, r#""nOnE""#, r#""NONE""#, r#""""#, "0", "null", r#"["ES256"]"#, "true", r#""es256""#] {
            assert_eq!(reason(&format!(r#"{{"alg":{alg}}}"#)), Some(Reason::IdentityAlgorithm), "{alg}");
        }
        assert_eq!(reason(r#"{"typ":"at+jwt"}"#), Some(Reason::IdentityAlgorithm));
    }

    #[test]
    fn t83_t84_jwt_12_jwt_16_members_that_could_redirect_us_are_refused_by_presence() {
        for name in REFUSED_MEMBERS {
            for value in ["null", "[]", r#"["x"]"#, "false", r#""https://id.example.com""#, "{}"] {
                let text = format!(r#"{{"alg":"ES256","typ":"at+jwt","{name}":{value}}}"#);
                assert_eq!(reason(&text), Some(Reason::IdentityToken), "{text}");
            }
        }
        assert_eq!(reason(r#"{"alg":"ES256","\u0063rit":["exp"]}"#), Some(Reason::IdentityToken));
    }

    #[test]
    fn t82_t87_jwt_7_jwt_11_kid_is_a_short_string_and_nothing_stands_twice() {
        let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(KID_BYTES_MAX + 1));
        for text in
            [&long, r#"{"alg":"ES256","kid":""}"#, r#"{"alg":"ES256","kid":1}"#, r#"{"alg":"ES256","kid":null}"#]
        {
            assert_eq!(reason(text), Some(Reason::IdentityKey), "{text}");
        }
        assert_eq!(reason(r#"{"alg":"ES256","alg":"ES256"}"#), Some(Reason::IdentityToken));
        assert_eq!(reason(r#"{"alg":"ES256","kid":"a","kid":"b"}"#), Some(Reason::IdentityToken));
        assert!(Header::parse(&br#"{"alg":"ES256","kid":"../../dev/null' or 1=1 --"}"#[..]).is_ok());
    }

    #[test]
    fn jwt_13_typ_is_explicit_typing_in_any_case() {
        let allows = |typ: &str, rule| {
            let text = format!(r#"{{"alg":"ES256"{typ}}}"#);
            Header::parse(text.as_bytes().to_vec()).unwrap().check_type(rule).is_ok()
        };
        for typ in ["at+jwt", "application/at+jwt", "AT+JWT", "Application/At+Jwt"] {
            assert!(allows(&format!(r#","typ":"{typ}""#), TokenType::AccessToken), "{typ}");
            assert!(allows(&format!(r#","typ":"{typ}""#), TokenType::Any), "{typ}");
        }
        for typ in ["JWT", "application/jwt"] {
            assert!(!allows(&format!(r#","typ":"{typ}""#), TokenType::AccessToken), "{typ}");
            assert!(allows(&format!(r#","typ":"{typ}""#), TokenType::Any), "{typ}");
        }
        assert!(!allows("", TokenType::AccessToken) && allows("", TokenType::Any));
        for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "rt+jwt", "x/at+jwt", ""] {
            assert!(!allows(&format!(r#","typ":"{typ}""#), TokenType::AccessToken), "{typ}");
            assert!(!allows(&format!(r#","typ":"{typ}""#), TokenType::Any), "{typ}");
        }
        assert_eq!(reason(r#"{"alg":"ES256","typ":["at+jwt"]}"#), Some(Reason::IdentityType));
    }
}
