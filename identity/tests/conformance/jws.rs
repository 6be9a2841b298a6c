// SPDX-License-Identifier: Apache-2.0
//! JWT-1..JWT-12, T79–T91: the form, the key and the signature of a token.

use crate::issuer::{Gate, config, issuer};
use crate::mint::{
    AUDIENCE, KEYS, SECRET, claims, ec_jwk, encode, header, jwks, sign, token, token_by, token_of, with, without,
};
use portcullis_decision::{Reason, Secret};
use portcullis_identity::{Algorithm, IssuerConfig, KeySource, TokenType};
use serde_json::json;

#[tokio::test]
async fn at_1_jwt_17_every_listed_algorithm_is_accepted_with_its_key() {
    for alg in ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "PS384", "PS512"] {
        let identity =
            Gate::plain().token(&token_of(alg, &header(alg).to_string(), &claims().to_string())).await.unwrap();
        assert_eq!((&*identity.subject, identity.algorithm), ("u-alice", alg));
        assert_eq!(identity.key_id.as_deref(), header(alg)["kid"].as_str());
    }
    let rs256 = token_of("RS256", &header("RS256").to_string(), &claims().to_string());
    assert_eq!(Gate::plain().reason(&rs256).await, Some(Reason::IdentityAlgorithm), "RS256 is by naming only (C-1)");
    let named = Gate::with(|i| i.algorithms = vec![Algorithm::Rs256]);
    assert_eq!(named.token(&rs256).await.unwrap().algorithm, "RS256");
    let secret = Gate::with(|i| {
        i.keys = KeySource::Hmac(Secret::new(SECRET.to_vec()));
        i.algorithms = vec![Algorithm::Hs256];
    });
    for header in [json!({"alg": "HS256", "typ": "at+jwt"}), json!({"alg": "HS256", "typ": "at+jwt", "kid": "any"})] {
        assert!(secret.token(&token_of("HS256", &header.to_string(), &claims().to_string())).await.is_ok());
    }
}

#[tokio::test]
async fn tokens_made_by_other_code_are_accepted() {
    use jsonwebtoken::{Algorithm as Alg, EncodingKey, Header, encode};
    let gate = Gate::with(|i| {
        i.keys = KeySource::Hmac(Secret::new(SECRET.to_vec()));
        i.algorithms = vec![Algorithm::Hs256];
    });
    let head = Header { typ: Some("at+jwt".into()), ..Header::new(Alg::HS256) };
    let made = encode(&head, &claims(), &EncodingKey::from_secret(SECRET)).unwrap();
    assert!(gate.token(&made).await.is_ok());
    assert!(gate.token(&encode(&head, &claims(), &EncodingKey::from_secret(b"another")).unwrap()).await.is_err());

    let der = KEYS.p256.to_pkcs8v1().unwrap();
    let head = Header { typ: Some("at+jwt".into()), kid: Some("e".into()), ..Header::new(Alg::ES256) };
    let made = encode(&head, &claims(), &EncodingKey::from_ec_der(der.as_ref())).unwrap();
    assert!(Gate::plain().token(&made).await.is_ok());
}

#[tokio::test]
async fn jwt_8_t89_a_key_belongs_to_its_issuer_although_the_kid_is_the_same() {
    let other = json!({"keys": [ec_jwk("e", "P-256", &KEYS.p256_other)]});
    let gate = Gate::build(config(vec![
        issuer(KeySource::Inline(jwks().to_string().into_bytes())),
        IssuerConfig {
            keys: KeySource::Inline(other.to_string().into_bytes()),
            ..IssuerConfig::new("partners", "https://id.partner.example", AUDIENCE)
        },
    ]));
    let theirs = with(claims(), "iss", "https://id.partner.example");
    assert_eq!(&*gate.token(&token(&claims())).await.unwrap().issuer, "customers");
    assert_eq!(&*gate.token(&token_by(&KEYS.p256_other, &header("ES256"), &theirs)).await.unwrap().issuer, "partners");
    assert_eq!(gate.reason(&token(&theirs)).await, Some(Reason::IdentitySignature));
    let ours_by_theirs = token_by(&KEYS.p256_other, &header("ES256"), &claims());
    assert_eq!(gate.reason(&ours_by_theirs).await, Some(Reason::IdentitySignature));
}

#[tokio::test]
async fn t79_jwt_2_unsigned_and_unknown_algorithms_are_refused() {
    let gate = Gate::plain();
    for alg in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!("NONE"),
        json!(""),
        json!(null),
        json!(["ES256"]),
        json!(0),
        json!("ES256K"),
        json!("RS1"),
        json!("HS256"),
        json!("es256"),
    ] {
        let head = with(header("ES256"), "alg", alg.clone()).to_string();
        let signed = token_of("ES256", &head, &claims().to_string());
        assert_eq!(gate.reason(&signed).await, Some(Reason::IdentityAlgorithm), "{alg}");
        let unsigned = format!("{}.{}.", encode(&head), encode(claims().to_string()));
        assert_eq!(gate.reason(&unsigned).await, Some(Reason::IdentityToken), "{alg}");
    }
    let head = without(header("ES256"), "alg").to_string();
    assert_eq!(gate.reason(&token_of("ES256", &head, &claims().to_string())).await, Some(Reason::IdentityAlgorithm));
}

#[tokio::test]
async fn t80_a_public_key_is_never_a_secret() {
    let point = ec_jwk("e", "P-256", &KEYS.p256).to_string();
    let gate = Gate::plain();
    for secret in [point.as_bytes(), jwks().to_string().as_bytes(), b"-----BEGIN PUBLIC KEY-----"] {
        for kid in ["e", "r", "d"] {
            let head = json!({"alg": "HS256", "typ": "at+jwt", "kid": kid});
            let message = format!("{}.{}", encode(head.to_string()), encode(claims().to_string()));
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
            let forged = format!("{message}.{}", encode(aws_lc_rs::hmac::sign(&key, message.as_bytes())));
            assert_eq!(gate.reason(&forged).await, Some(Reason::IdentityAlgorithm));
        }
    }
}

#[tokio::test]
async fn jwt_3_the_key_and_the_algorithm_belong_together() {
    let gate = Gate::plain();
    for (alg, kid) in [("ES256", "r"), ("ES256", "f"), ("ES384", "e"), ("PS256", "e"), ("EdDSA", "e"), ("ES256", "d")] {
        let head = with(header(alg), "kid", kid).to_string();
        let made = token_of(alg, &head, &claims().to_string());
        assert_eq!(gate.reason(&made).await, Some(Reason::IdentityAlgorithm), "{alg} {kid}");
    }
    let lying = token_of("ES256", &with(header("ES256"), "alg", "ES384").to_string(), &claims().to_string());
    assert_eq!(gate.reason(&lying).await, Some(Reason::IdentityAlgorithm));
}

#[tokio::test]
async fn jwt_3_a_key_that_names_no_algorithm_is_pinned_by_its_first_signature() {
    let gate = Gate::plain();
    let made = |alg: &str| token_of(alg, &header(alg).to_string(), &claims().to_string());
    let mut forged = made("PS512");
    forged.replace_range(forged.len() - 20..forged.len() - 10, "AAAAAAAAAA");
    assert_eq!(gate.reason(&forged).await, Some(Reason::IdentitySignature), "a forgery pins nothing");
    assert_eq!(gate.reason(&made("PS256")).await, None);
    assert_eq!(gate.reason(&made("PS384")).await, Some(Reason::IdentityAlgorithm));
    assert_eq!(gate.reason(&made("PS256")).await, None);
}

#[tokio::test]
async fn t83_jwt_12_a_key_in_the_token_is_no_key_and_nothing_is_fetched() {
    let gate = Gate::plain();
    let own = ec_jwk("x", "P-256", &KEYS.p256_other);
    for (name, value) in [
        ("jwk", own.clone()),
        ("jku", json!("https://evil.example/k")),
        ("x5u", json!("https://evil.example/c")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
    ] {
        let forged = token_by(&KEYS.p256_other, &with(header("ES256"), name, value.clone()), &claims());
        assert_eq!(gate.reason(&forged).await, Some(Reason::IdentityToken), "{name}");
        let genuine = token_by(&KEYS.p256, &with(header("ES256"), name, value), &claims());
        assert_eq!(
            gate.reason(&genuine).await,
            Some(Reason::IdentityToken),
            "jwt_16_t84: {name} is refused though signed"
        );
    }
    assert_eq!(gate.server.hits(), 0);
}

#[tokio::test]
async fn t85_jwt_1_only_compact_signed_tokens_are_read() {
    let good = token(&claims());
    let (head, rest) = good.split_once('.').unwrap();
    let gate = Gate::plain();
    for bad in [
        format!("{good}."),
        format!(".{good}"),
        format!("{head}..{rest}"),
        format!("{good}.x.y"),
        "a.b.c".into(),
        "a".into(),
        format!("{good}="),
        "..".into(),
        "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXY.Y3Q.dGFn".into(),
    ] {
        assert_eq!(gate.reason(&bad).await, Some(Reason::IdentityToken), "{bad}");
    }
    let serialised = format!("{{\"payload\":\"{head}\"}}");
    assert_eq!(gate.reason(&serialised).await, Some(Reason::IdentityMalformed));
}

#[tokio::test]
async fn t87_jwt_7_names_given_twice_are_refused() {
    let gate = Gate::plain();
    let (head, body) = (header("ES256").to_string(), claims().to_string());
    for twice in [
        body.replacen('{', "{\"aud\":\"x\",", 1),
        body.replacen('{', "{\"s\\u0075b\":\"x\",", 1),
        format!("\u{feff}{body}"),
        format!("{body} x"),
        format!("{body}{body}"),
        body.replace('}', ",}"),
    ] {
        assert_eq!(gate.reason(&token_of("ES256", &head, &twice)).await, Some(Reason::IdentityToken), "{twice}");
    }
    let head = head.replacen('{', "{\"alg\":\"ES256\",", 1);
    assert_eq!(gate.reason(&token_of("ES256", &head, &body)).await, Some(Reason::IdentityToken));
}

#[tokio::test]
async fn t91_long_tokens_are_refused_before_they_are_read() {
    let gate = Gate::plain();
    let padded = |n: usize| token(&with(claims(), "pad", "x".repeat(n)));
    assert_eq!(gate.reason(&padded(4000)).await, None);
    assert_eq!(gate.reason(&padded(8192)).await, Some(Reason::IdentityToken));
    for hostile in [".".repeat(100_000), "a".repeat(1_000_000), "a.".repeat(4000)] {
        assert_eq!(gate.reason(&hostile).await, Some(Reason::IdentityToken));
    }
}

#[tokio::test]
async fn jwt_11_t82_kid_is_a_name_and_nothing_else() {
    let gate = Gate::plain();
    for kid in ["../../dev/null", "' or 1=1 --", "E", "e ", "é", "unknown"] {
        let made = token_of("ES256", &with(header("ES256"), "kid", kid).to_string(), &claims().to_string());
        assert_eq!(gate.reason(&made).await, Some(Reason::IdentityKey), "{kid}");
    }
    let long = with(header("ES256"), "kid", "k".repeat(300)).to_string();
    assert_eq!(gate.reason(&token_of("ES256", &long, &claims().to_string())).await, Some(Reason::IdentityKey));
    let none = token_of("ES256", &without(header("ES256"), "kid").to_string(), &claims().to_string());
    assert_eq!(gate.reason(&none).await, None, "without a kid the only key for the algorithm is meant");
}

#[tokio::test]
async fn the_signature_of_another_message_proves_nothing() {
    let gate = Gate::with(|i| i.token_type = TokenType::Any);
    let good = token(&claims());
    let other = with(claims(), "sub", "u-bob").to_string();
    let head = header("ES256").to_string();
    let spliced = format!("{}.{}.{}", encode(&head), encode(&other), good.rsplit_once('.').unwrap().1);
    assert_eq!(gate.reason(&spliced).await, Some(Reason::IdentitySignature));
    for signature in [vec![0; 64], vec![0; 63], vec![0xff; 64], sign("ES384", b"x"), vec![1]] {
        let forged = format!("{}.{}.{}", encode(&head), encode(&other), encode(signature));
        assert_eq!(gate.reason(&forged).await, Some(Reason::IdentitySignature), "t81");
    }
}
