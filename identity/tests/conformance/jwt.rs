// SPDX-License-Identifier: Apache-2.0
//! JWT-9..JWT-19, AT-*, ST-*, T86–T97: what a genuine token must say, and what is told of the others.

use crate::issuer::{Gate, bearer};
use crate::mint::{AUDIENCE, ISSUER, NOW, claims, header, token, token_of, with, without};
use portcullis_decision::{Kind, Reason};
use portcullis_identity::ClaimNames;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn an_identity_says_what_the_token_says() {
    let gate = Gate::with(|i| {
        i.claims = ClaimNames {
            roles: "realm_access.roles".into(),
            tenant: Some("/org/id".into()),
            plan: Some("https://example.com/plan".into()),
            ..ClaimNames::default()
        };
    });
    let claims = with(claims(), "realm_access", json!({"roles": ["staff", "buyer"]}));
    let claims = with(with(claims, "org", json!({"id": 42})), "https://example.com/plan", "pro");
    let identity = gate.token(&token(&claims)).await.unwrap();
    assert_eq!((&*identity.issuer, &*identity.subject, identity.kind), ("customers", "u-alice", Kind::User));
    assert_eq!(
        (identity.client.as_deref(), identity.tenant.as_deref(), identity.plan.as_deref()),
        (Some("app"), Some("42"), Some("pro"))
    );
    assert!(identity.has_scope("orders.read") && identity.has_scope("orders.write") && !identity.has_scope("orders"));
    assert!(identity.has_role("staff") && identity.has_role("buyer") && !identity.has_role("admin"));
    assert_eq!(identity.issued_at, Some(Duration::from_secs(NOW - 60)));
    assert_eq!(identity.claims["jti"], "t-1");
}

#[tokio::test]
async fn at_2_each_of_the_seven_claims_is_required() {
    let gate = Gate::plain();
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        assert_eq!(gate.reason(&token(&without(claims(), name))).await, Some(Reason::IdentityClaims), "{name}");
    }
    let any = Gate::any();
    for name in ["iss", "exp", "aud", "sub", "iat"] {
        assert_eq!(any.reason(&token(&without(claims(), name))).await, Some(Reason::IdentityClaims), "{name}");
    }
    for name in ["client_id", "jti", "scope", "roles"] {
        assert_eq!(any.reason(&token(&without(claims(), name))).await, None, "{name}");
    }
}

#[tokio::test]
async fn at_3_t89_iss_is_exact() {
    let gate = Gate::plain();
    for iss in
        ["https://id.example.com/", "https://ID.example.com", "http://id.example.com", " https://id.example.com", ""]
    {
        assert_eq!(gate.reason(&token(&with(claims(), "iss", iss))).await, Some(Reason::IdentityIssuer), "{iss}");
    }
    for iss in [json!([ISSUER]), json!(null), json!(1), json!({"a": ISSUER})] {
        assert_eq!(
            gate.reason(&token(&with(claims(), "iss", iss.clone()))).await,
            Some(Reason::IdentityClaims),
            "{iss}"
        );
    }
}

#[tokio::test]
async fn at_4_jwt_10_t88_aud_names_us_exactly() {
    let gate = Gate::plain();
    for aud in [json!(AUDIENCE), json!([AUDIENCE]), json!(["x", AUDIENCE, "y"])] {
        assert_eq!(gate.reason(&token(&with(claims(), "aud", aud.clone()))).await, None, "{aud}");
    }
    for aud in [
        json!("https://api.example.com/"),
        json!("https://api.example.com.evil.example"),
        json!("https://API.example.com"),
        json!("https://api.example.co"),
        json!(["x"]),
        json!("https://api.example.com x"),
        json!("*"),
    ] {
        assert_eq!(
            gate.reason(&token(&with(claims(), "aud", aud.clone()))).await,
            Some(Reason::IdentityAudience),
            "{aud}"
        );
    }
    for aud in [json!([]), json!(null), json!(1), json!([AUDIENCE, 1]), json!({"a": AUDIENCE}), json!([[AUDIENCE]])] {
        assert_eq!(
            gate.reason(&token(&with(claims(), "aud", aud.clone()))).await,
            Some(Reason::IdentityClaims),
            "{aud}"
        );
    }
}

#[tokio::test]
async fn t86_jwt_19_times_are_judged() {
    let gate = Gate::plain();
    for (name, value, expected) in [
        ("exp", NOW - 30, Some(Reason::IdentityExpired)),
        ("exp", NOW - 29, None),
        ("exp", 0, Some(Reason::IdentityExpired)),
        ("nbf", NOW + 31, Some(Reason::IdentityNotYetValid)),
        ("nbf", NOW + 30, None),
        ("iat", NOW + 31, Some(Reason::IdentityNotYetValid)),
        ("iat", NOW + 30, None),
        ("exp", NOW - 60 + 3601, Some(Reason::IdentityLifetime)),
        ("exp", NOW - 60 + 3600, None),
        ("iat", 0, Some(Reason::IdentityLifetime)),
    ] {
        assert_eq!(gate.reason(&token(&with(claims(), name, value))).await, expected, "{name} {value}");
    }
    let backwards = with(with(claims(), "iat", NOW + 20), "exp", NOW + 10);
    assert_eq!(gate.reason(&token(&backwards)).await, Some(Reason::IdentityLifetime));
    for name in ["exp", "iat", "nbf"] {
        for value in ["\"1800000600\"", "\"never\"", "-1", "1e30", "null", "true", "[]", "{}", "1800000600.5e300"] {
            let text = with(claims(), name, "@").to_string().replace("\"@\"", value);
            let reason = gate.reason(&token_of("ES256", &header("ES256").to_string(), &text)).await;
            assert!(
                matches!(reason, Some(Reason::IdentityClaims | Reason::IdentityToken)),
                "{name} {value} {reason:?}"
            );
        }
    }
    assert_eq!(gate.reason(&token(&with(claims(), "exp", 1_800_000_600.25))).await, None, "fractions are allowed");
}

#[tokio::test]
async fn jwt_13_jwt_14_t88_other_kinds_of_token_are_refused() {
    let typed = |typ: Value| token_of("ES256", &with(header("ES256"), "typ", typ).to_string(), &claims().to_string());
    for typ in [
        json!("JWT"),
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("token-introspection+jwt"),
        json!(1),
    ] {
        assert_eq!(Gate::plain().reason(&typed(typ.clone())).await, Some(Reason::IdentityType), "{typ}");
    }
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        assert_eq!(Gate::plain().reason(&typed(json!(typ))).await, None, "{typ}");
    }
    let any = Gate::any();
    assert_eq!(any.reason(&typed(json!("JWT"))).await, None);
    for (name, value) in [
        ("nonce", json!("n")),
        ("at_hash", json!("h")),
        ("events", json!({})),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("token_use", json!("id")),
        ("htm", json!("GET")),
        ("typ", json!(null)),
    ] {
        assert_eq!(any.reason(&token(&with(claims(), name, value))).await, Some(Reason::IdentityType), "{name}");
    }
    for (name, value) in [("typ", "Bearer"), ("token_use", "access")] {
        assert_eq!(any.reason(&token(&with(claims(), name, value))).await, None, "{name}");
    }
}

#[tokio::test]
async fn t93_a_bound_token_is_not_a_bearer_token() {
    for gate in [Gate::plain(), Gate::any()] {
        for cnf in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!({}), json!(null), json!("x")] {
            assert_eq!(gate.reason(&token(&with(claims(), "cnf", cnf))).await, Some(Reason::IdentityBinding));
        }
    }
}

#[tokio::test]
async fn jwt_9_bcp_4_a_client_is_not_a_user() {
    let own = with(with(claims(), "sub", "u-alice"), "client_id", "u-alice");
    assert_eq!(Gate::plain().token(&token(&own)).await.unwrap().kind, Kind::Client);
    assert_eq!(Gate::plain().token(&token(&claims())).await.unwrap().kind, Kind::User);
}

#[tokio::test]
async fn t97_subjects_are_opaque() {
    let gate = Gate::plain();
    for sub in ["a@evil@corp.com", "а@corp.com", "a b", "../x", "A", "a"] {
        assert_eq!(&*gate.token(&token(&with(claims(), "sub", sub))).await.unwrap().subject, sub);
    }
    for sub in [json!("a\u{0}b"), json!(""), json!(7), json!(null), json!("s".repeat(513))] {
        assert!(gate.token(&token(&with(claims(), "sub", sub.clone()))).await.is_err(), "{sub}");
    }
}

#[tokio::test]
async fn st_4_at_6_every_refused_token_looks_the_same_to_its_client() {
    let gate = Gate::plain();
    let mut tampered = token(&claims());
    tampered.replace_range(tampered.len() - 20..tampered.len() - 10, "AAAAAAAAAA");
    let mut seen = std::collections::BTreeSet::new();
    let mut reasons = std::collections::BTreeSet::new();
    for bad in [
        tampered,
        token(&with(claims(), "exp", 1)),
        token(&with(claims(), "aud", "x")),
        token(&with(claims(), "iss", "x")),
        token(&with(claims(), "cnf", json!({}))),
        token(&with(claims(), "nbf", NOW + 900)),
        token(&without(claims(), "jti")),
        token(&with(claims(), "iat", 0)),
        "a.b.c".into(),
        token_of("ES256", &with(header("ES256"), "typ", "JWT").to_string(), &claims().to_string()),
        token_of("ES256", &with(header("ES256"), "kid", "x").to_string(), &claims().to_string()),
        token_of("ES256", &with(header("ES256"), "alg", "none").to_string(), &claims().to_string()),
    ] {
        let refused = gate.token(&bad).await.unwrap_err();
        assert!(refused.facts.iter().any(|(name, _)| *name == "detail"));
        assert!(!format!("{:?}", refused.facts).contains(&bad), "no token in a record");
        reasons.insert(refused.reason);
        seen.insert((refused.status, refused.headers));
    }
    assert_eq!(reasons.len(), 12, "each has its own true reason: {reasons:?}");
    assert_eq!(seen.len(), 1, "{seen:#?}");
    let (status, headers) = seen.first().unwrap();
    assert_eq!(*status, 401);
    assert!(headers[0].0 == "www-authenticate" && headers[0].1.contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn st_2_st_3_t41_what_is_no_single_credential() {
    let gate = Gate::plain();
    let missing = gate.ask(&http::HeaderMap::new(), "").await.unwrap_err();
    assert_eq!((missing.reason, missing.status), (Reason::IdentityMissing, 401));
    assert_eq!(missing.headers[0].1, format!("Bearer realm=\"{AUDIENCE}\""), "no error where nothing was offered");
    let good = token(&claims());
    for (query, headers, reason) in [
        ("access_token=x", http::HeaderMap::new(), Reason::IdentityMalformed),
        ("access_token=x", bearer(&good), Reason::IdentitySeveral),
        ("a=b&access%5Ftoken=", bearer(&good), Reason::IdentitySeveral),
    ] {
        let refused = gate.ask(&headers, query).await.unwrap_err();
        assert_eq!((refused.reason, refused.status), (reason, 400), "{query}");
        assert!(refused.headers[0].1.contains("error=\"invalid_request\""));
    }
    let mut twice = bearer(&good);
    twice.append(http::header::AUTHORIZATION, twice[http::header::AUTHORIZATION].clone());
    assert_eq!(gate.ask(&twice, "").await.unwrap_err().reason, Reason::IdentitySeveral);
    for junk in [format!("{good} x"), format!("{good},{good}"), format!("{good};")] {
        assert_eq!(gate.reason(&junk).await, Some(Reason::IdentityMalformed), "oa_1: {junk}");
    }
    assert_eq!(gate.reason(&good).await, None);
}

#[tokio::test]
async fn at_7_scope_as_an_array_is_read_only_under_another_name() {
    let array = with(claims(), "scope", json!(["a", "b"]));
    assert_eq!(Gate::plain().reason(&token(&array)).await, Some(Reason::IdentityClaims));
    let compat = Gate::with(|i| i.claims.scope = "scp".into());
    let identity = compat.token(&token(&with(claims(), "scp", json!(["a", "b"])))).await.unwrap();
    assert!(identity.has_scope("a") && identity.has_scope("b") && !identity.has_scope("orders.read"));
}
