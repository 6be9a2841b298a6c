// SPDX-License-Identifier: Apache-2.0
//! `identity`: whose tokens are believed.

use std::sync::Arc;

use portcullis_decision::finding::Severity;
use portcullis_identity::{
    Algorithm, ClaimNames, DEFAULT_ALGORITHMS, IssuerConfig, KeySource, LEEWAY_DEFAULT, LEEWAY_MAX, LIFETIME_DEFAULT,
    LIFETIME_MAX, SECRET_BYTES_MIN, TokenType,
};

use super::edge::bounded_duration;
use super::{Surroundings, keyset, secret};
use crate::cursor::Cursor;
use crate::values::{Scheme, ValueError, duration_or_zero, written};

/// The most issuers of one gateway.
const ISSUERS_MAX: usize = 64;
/// The most audiences of one issuer.
const AUDIENCES_MAX: usize = 32;
/// The longest name of a claim.
const CLAIM_CHARS_MAX: usize = 200;

pub(super) fn read(cursor: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Vec<IssuerConfig> {
    let listed = cursor.word("issuers");
    let mut sections = listed.entries();
    let short = cursor.word("issuer").is_present() || cursor.word("audience").is_present();
    if short {
        if let Some((_, twice)) = sections.iter().find(|(name, _)| *name == "default") {
            twice.refuse("`identity.issuer` is the issuer called `default` already").help("write it in one place");
        }
        sections.insert(0, ("default", cursor.clone()));
    }
    if sections.len() > ISSUERS_MAX {
        listed.refuse(format!("more than {ISSUERS_MAX} issuers"));
        sections.truncate(ISSUERS_MAX);
    }
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    for (name, section) in sections {
        let Some(issuer) = issuer(name.into(), &section, surroundings) else { continue };
        if let Some(other) = issuers.iter().find(|other| other.issuer == issuer.issuer) {
            section
                .word("issuer")
                .refuse(format!("the issuer `{}` is `{}` already", issuer.name, other.name))
                .help("one `iss` has one set of keys and rules; list both audiences in one issuer");
        }
        issuers.push(issuer);
    }
    issuers
}

fn issuer(name: Arc<str>, section: &Cursor<'_>, surroundings: &Surroundings<'_>) -> Option<IssuerConfig> {
    // All of it is read before anything is given up, so that all of it is judged.
    let issuer = web_address(&section.word("issuer"), "the issuer");
    let audiences = audiences(&section.word("audience"));
    let (keys, symmetric) = keys(section, surroundings);
    let algorithms = algorithms(section, symmetric);
    let token_type = token_type(&section.word("type"));
    let lifetime_max = bounded_duration(&section.word("lifetime"), LIFETIME_MAX).unwrap_or(LIFETIME_DEFAULT);
    let leeway = section.word("leeway").parse(|text| match duration_or_zero(text)? {
        long if long > LEEWAY_MAX => Err(ValueError::TooLarge(written(LEEWAY_MAX))),
        fits => Ok(fits),
    });
    let claims = claims(&section.word("claims"));
    section.word("sender_constrained").text();
    Some(IssuerConfig {
        name,
        issuer: issuer?,
        audiences: audiences?,
        keys: keys?,
        algorithms,
        token_type,
        lifetime_max,
        leeway: leeway.unwrap_or(LEEWAY_DEFAULT),
        claims,
    })
}

/// `https`, or `http` to this machine; the text itself, since `iss` is compared exactly.
fn web_address(cursor: &Cursor<'_>, what: &str) -> Option<String> {
    let text = cursor.text()?;
    let url = cursor.url()?;
    if url.scheme == Scheme::Http && !url.is_loopback() {
        cursor
            .refuse(format!("{what} {} is called over plain http", cursor.shown()))
            .help("write `https://`; plain http is for loopback addresses only")
            .rule("PC0405");
        return None;
    }
    Some(text.to_owned())
}

fn audiences(cursor: &Cursor<'_>) -> Option<Vec<String>> {
    if !cursor.is_present() {
        // The table reported it.
        return None;
    }
    let audiences: Vec<String> = cursor.items().iter().filter_map(Cursor::text).map(str::to_owned).collect();
    // A blank one is reported as such.
    if audiences.is_empty() && !cursor.items().is_empty() {
        return None;
    }
    if audiences.is_empty() {
        cursor
            .refuse("no audience: a token for any other service would be taken")
            .help("name the `aud` that means this gateway, such as `https://api.example.com`")
            .rule("PC0101");
        return None;
    }
    if audiences.len() > AUDIENCES_MAX {
        cursor.refuse(format!("more than {AUDIENCES_MAX} audiences"));
    }
    Some(audiences)
}

/// Where keys come from, and whether that is a shared secret.
fn keys(section: &Cursor<'_>, surroundings: &Surroundings<'_>) -> (Option<KeySource>, bool) {
    let (jwks, shared) = (section.word("jwks"), section.word("secret"));
    if jwks.is_present() && shared.is_present() {
        shared
            .refuse("an issuer has public keys or a shared secret, never both")
            .help("remove `jwks` or `secret`")
            .rule("PC0102");
    }
    if shared.is_present() {
        let secret = secret::read(&shared, surroundings).filter(|secret| {
            let long = secret.expose().len() >= SECRET_BYTES_MIN;
            if !long {
                shared
                    .refuse(format!("the shared secret has less than {SECRET_BYTES_MIN} bytes"))
                    .help("make one with `openssl rand -base64 48`, and give it to the issuer too")
                    .rule("PC0103");
            }
            long
        });
        return (secret.map(KeySource::Hmac), true);
    }
    let source = match (jwks.is_present(), jwks.is_map()) {
        (false, _) => Some(KeySource::Discovery),
        (true, true) => keyset::read(&jwks, surroundings).map(KeySource::Inline),
        (true, false) => web_address(&jwks, "the key set").map(KeySource::Url),
    };
    (source, false)
}

fn algorithms(section: &Cursor<'_>, shared_secret: bool) -> Vec<Algorithm> {
    let cursor = section.word("algorithms");
    let items = cursor.items();
    let mut named: Vec<Algorithm> = items.iter().filter_map(|item| item.text().and_then(Algorithm::parse)).collect();
    named.dedup();
    if !cursor.is_present() {
        return if shared_secret { vec![Algorithm::Hs256] } else { DEFAULT_ALGORITHMS.to_vec() };
    }
    let symmetric = named.iter().any(|algorithm| algorithm.is_symmetric());
    let asymmetric = named.iter().any(|algorithm| !algorithm.is_symmetric());
    if items.is_empty() {
        cursor
            .refuse("no algorithm: no token could be accepted")
            .help("name some, or remove the line for the defaults");
    }
    if symmetric && asymmetric {
        cursor
            .refuse("a symmetric algorithm beside an asymmetric one lets a public key be used as a secret")
            .help("an issuer signs with HS256 and a `secret`, or with the others and public keys")
            .rule("PC0102");
    } else if symmetric && !shared_secret {
        cursor.refuse("HS256 needs a shared secret").help("add `secret: { file: PATH }`, or name another algorithm");
    } else if asymmetric && shared_secret {
        cursor.refuse("a shared secret is for HS256 alone").help("write `algorithms: [HS256]`, or remove `secret`");
    }
    for item in items.iter().filter(|item| item.text() == Some("RS256")) {
        let message = "RS256 is older than what else there is: RSASSA-PKCS1-v1_5".to_owned();
        item.sink()
            .report(item.spot(), item.at(), message, Severity::Low)
            .help("ask the issuer for ES256, EdDSA or PS256")
            .rule("PC0105")
            .done();
    }
    named
}

fn token_type(cursor: &Cursor<'_>) -> TokenType {
    if cursor.text() != Some("any") {
        return TokenType::AccessToken;
    }
    cursor
        .refuse("with `any`, tokens that do not say they are access tokens are taken for some")
        .help("have the issuer send `typ: at+jwt` (RFC 9068), or waive PC0104 here until a date")
        .rule("PC0104");
    TokenType::Any
}

fn claims(cursor: &Cursor<'_>) -> ClaimNames {
    let claim = |word: &str| {
        cursor.word(word).parse(|text| {
            let segments_max = 8;
            let nested = !text.contains("://");
            let rest = if nested { text.strip_prefix('/').unwrap_or(text) } else { text };
            let separator = if text.starts_with('/') { '/' } else { '.' };
            let segments = if nested { rest.split(separator).count() } else { 1 };
            let blank = nested && rest.split(separator).any(str::is_empty);
            if blank || segments > segments_max || text.chars().count() > CLAIM_CHARS_MAX {
                return Err("a claim is its name, `outer.inner`, or a JSON pointer of at most 8 steps");
            }
            Ok(text.to_owned())
        })
    };
    let standard = ClaimNames::default();
    ClaimNames {
        scope: claim("scope").unwrap_or(standard.scope),
        roles: claim("roles").unwrap_or(standard.roles),
        tenant: claim("tenant"),
        plan: claim("plan"),
        client: standard.client,
    }
}
