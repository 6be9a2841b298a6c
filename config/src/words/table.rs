// SPDX-License-Identifier: Apache-2.0
//! The table itself, section by section in the order of the example file; APIs and upstreams have a file of
//! their own.

mod api;
mod upstream;

use api::API;
use upstream::UPSTREAM;

use super::{Choice, Kind, Section, Shape, choice, later, later_choice, word};

const TEXT: Shape = Shape::One(Kind::Text);
const NAME: Shape = Shape::One(Kind::Name);
const SIZE: Shape = Shape::One(Kind::Size);
const DURATION: Shape = Shape::One(Kind::Duration);
const COUNT: Shape = Shape::One(Kind::Count);
const RATE: Shape = Shape::One(Kind::Rate);
const FLAG: Shape = Shape::One(Kind::Flag);
const PATH: Shape = Shape::One(Kind::Path);
const POINTER: Shape = Shape::One(Kind::Pointer);
const ADDRESS: Shape = Shape::One(Kind::Address);
const CLAIM: Shape = Shape::One(Kind::Claim);
const RULE_WORDS: Shape = Shape::OneOrList(&Shape::One(Kind::RuleWord));

/// The whole file.
pub static ROOT: Section = Section {
    name: "the configuration",
    words: &[
        word("version", Shape::One(Kind::Version), "the version of this contract: 1").required(),
        later("mode", "enforce, or shadow under a dated waiver"),
        word("listen", Shape::Short(&ADDRESS, &LISTEN), "where clients and operators connect; 127.0.0.1:8080"),
        word("edge", Shape::Section(&EDGE), "caps that hold before anything is known about the caller"),
        word("identity", Shape::Section(&IDENTITY), "who may be believed").required(),
        word("upstreams", Shape::Named(&Shape::Section(&UPSTREAM)), "the services behind the gateway"),
        word("apis", Shape::Named(&Shape::Section(&API)), "the APIs that are protected").required(),
        later("policies", "Cedar policies"),
        word("plans", Shape::Named(&Shape::Section(&PLAN)), "business tiers and their limits"),
        later("consumers", "API consumers and their plans"),
        word("limits", Shape::Section(&LIMITS), "how hard a caller may push"),
        word("idempotency", Shape::Section(&IDEMPOTENCY), "how long answers to keyed requests are kept"),
        word("audit", Shape::Section(&AUDIT), "the signed trail of decisions"),
        later("alerts", "who is told, and what is detected"),
        later("telemetry", "metrics and traces"),
        later("state", "the shared store"),
        word("data", PATH, "where the gateway keeps its own files; ./portcullis-data beside this file"),
        word("waivers", Shape::List(&Shape::Section(&WAIVER)), "findings somebody answers for until a date"),
    ],
    also: None,
};

static LISTEN: Section = Section {
    name: "`listen`",
    words: &[
        word("public", Shape::Section(&PUBLIC), "the listener of clients"),
        word(
            "admin",
            Shape::Short(&Shape::One(Kind::AddressOrOff), &ADMIN),
            "health and readiness, on loopback; 127.0.0.1:9443, or off",
        ),
        later("trusted_proxies", "whose Forwarded and X-Forwarded-For are believed"),
    ],
    also: None,
};

static PUBLIC: Section = Section {
    name: "`listen.public`",
    words: &[
        word("address", ADDRESS, "address and port; 127.0.0.1:8080"),
        word("public_url", Shape::One(Kind::Url), "what clients call; scheme and listen address"),
        word("plaintext", Shape::Choice(&[choice("behind_tls_terminator")]), "why a public address may go without TLS"),
        word("tls", Shape::OneOrList(&Shape::Section(&LISTEN_TLS)), "certificates, one entry each; absent: plain HTTP"),
    ],
    also: None,
};

static LISTEN_TLS: Section = Section {
    name: "`tls` of the listener",
    words: &[
        word("certificate", PATH, "the certificate and its chain, in PEM").required(),
        word("key", Shape::Secret(&SECRET), "its private key, in PEM").required(),
        word("names", Shape::OneOrList(&TEXT), "the names it serves; all of the certificate"),
        word("client_ca", PATH, "who vouches for clients, in PEM; absent: no client certificates"),
        word(
            "client_certificate",
            Shape::Choice(&[choice("optional"), choice("required")]),
            "optional or required; required",
        ),
        word("crl", PATH, "revocation lists of every authority of a client's chain, in PEM or DER"),
    ],
    also: None,
};

static ADMIN: Section = Section {
    name: "`listen.admin`",
    words: &[word("address", Shape::One(Kind::AddressOrOff), "address and port on loopback; port 0 takes any")],
    also: None,
};

static EDGE: Section = Section {
    name: "`edge`",
    words: &[
        word("head", Shape::Section(&EDGE_HEAD), "request heads"),
        word("body", Shape::Section(&EDGE_BODY), "request bodies"),
        word("uri", Shape::Section(&EDGE_URI), "request targets"),
        word("connections", Shape::Section(&EDGE_CONNECTIONS), "connections of clients"),
        word("address_rate", RATE, "requests by client address, before authentication; 100/s"),
    ],
    also: None,
};

static EDGE_HEAD: Section = Section {
    name: "`edge.head`",
    words: &[
        word("max", SIZE, "the largest head; 32KiB"),
        word("fields", COUNT, "the most header fields; 100"),
        word("timeout", DURATION, "the longest time a head may take; 10s"),
    ],
    also: None,
};

static EDGE_BODY: Section = Section {
    name: "`edge.body`",
    words: &[
        word("max", SIZE, "the largest body; 1MiB"),
        word("depth", COUNT, "how deep JSON may be nested; 32"),
        word("min_rate", Shape::One(Kind::ByteRate), "the slowest a body may arrive; 1KiB/s"),
        word("timeout", DURATION, "the longest time a body may take; 30s"),
    ],
    also: None,
};

static EDGE_URI: Section =
    Section { name: "`edge.uri`", words: &[word("max", SIZE, "the longest request target; 8KiB")], also: None };

static EDGE_CONNECTIONS: Section = Section {
    name: "`edge.connections`",
    words: &[
        word("max", COUNT, "connections at once; 10000"),
        word("per_address", COUNT, "connections of one address at once; 100"),
        word("requests", COUNT, "requests on one connection; 1000"),
        word("idle", DURATION, "how long a connection may be silent; 30s"),
    ],
    also: None,
};

static IDENTITY: Section = Section {
    name: "`identity`",
    words: &[
        word("issuers", Shape::Named(&Shape::Section(&ISSUER)), "token issuers by name"),
        later("introspection", "opaque tokens"),
        later("api_keys", "keys that identify a client"),
        later("mtls", "client certificates"),
        later("dpop", "proof of possession"),
        later("attributes", "facts about the caller that the token lacks"),
        later("roles", "role to subjects, where tokens carry none"),
        later("step_up", "stronger authentication for some operations"),
    ],
    also: Some(&ISSUER),
};

const ALGORITHMS: &[Choice] = &[
    choice("EdDSA"),
    choice("Ed25519"),
    choice("ES256"),
    choice("ES384"),
    choice("PS256"),
    choice("PS384"),
    choice("PS512"),
    choice("RS256"),
    choice("HS256"),
];

static ISSUER: Section = Section {
    name: "an issuer",
    words: &[
        word("issuer", Shape::One(Kind::Url), "the `iss` of its tokens, exactly").required(),
        word("audience", Shape::OneOrList(&TEXT), "the `aud` that means this gateway").required(),
        word("jwks", Shape::Short(&Shape::One(Kind::Url), &KEY_FILE), "its keys; found by discovery unless given"),
        word("secret", Shape::Secret(&SECRET), "the shared secret of HS256"),
        word(
            "algorithms",
            Shape::OneOrList(&Shape::Choice(ALGORITHMS)),
            "accepted signatures; EdDSA, Ed25519, ES256, ES384, PS256, PS384, PS512",
        ),
        word("type", Shape::Choice(&[choice("at+jwt"), choice("any")]), "at+jwt (RFC 9068), or any under a waiver"),
        word("lifetime", DURATION, "exp minus iat at most; 1h"),
        word("leeway", Shape::One(Kind::DurationOrZero), "how far clocks may differ; 30s"),
        word("claims", Shape::Section(&CLAIMS), "which claims say what"),
        word(
            "sender_constrained",
            Shape::Choice(&[choice("when_bound"), later_choice("required")]),
            "when_bound, or required",
        ),
        later("assurance", "acr to assurance level"),
    ],
    also: None,
};

static KEY_FILE: Section =
    Section { name: "`jwks`", words: &[word("file", PATH, "a key set in a file").required()], also: None };

static SECRET: Section = Section {
    name: "a secret",
    words: &[
        word("file", PATH, "read from a file"),
        word("env", NAME, "read from an environment variable"),
        word("credential", NAME, "read from systemd's credentials directory"),
    ],
    also: None,
};

static CLAIMS: Section = Section {
    name: "`claims`",
    words: &[
        word("scope", CLAIM, "the claim with the scopes; scope"),
        word("roles", CLAIM, "the claim with the roles; roles"),
        word("tenant", CLAIM, "the claim with the tenant"),
        word("plan", CLAIM, "the claim with the plan"),
    ],
    also: None,
};

static PLAN: Section = Section {
    name: "a plan",
    words: &[
        word("rate", RATE, "how often").required(),
        later("quota", "how much in a day or month"),
        later("concurrency", "requests at once"),
        word("priority", COUNT, "1 to 9: when places at an upstream are few the lowest waits; 5"),
    ],
    also: None,
};

const BY_ADDRESS: Shape = Shape::OneOrList(&Shape::Choice(&[choice("address")]));

static LIMITS: Section = Section {
    name: "`limits`",
    words: &[
        word("default", RATE, "one plan called default"),
        word(
            "by",
            Shape::OneOrList(&Shape::Choice(&[
                choice("subject"),
                choice("client"),
                choice("tenant"),
                later_choice("consumer"),
            ])),
            "what a plan's limits are counted by; subject",
        ),
        word("plan_from", Shape::One(Kind::ClaimSource), "the claim that names the plan"),
        word("default_plan", NAME, "the plan of those without one"),
        word("anonymous", Shape::Short(&RATE, &RATE_BY_ADDRESS), "callers of public operations, by address"),
        word(
            "authentication_failures",
            Shape::Short(&RATE, &RATE_BY_ADDRESS),
            "failed authentications of an address; 60/min",
        ),
        later("legacy_headers", "also X-RateLimit-*"),
        later("store_down", "what holds when the shared store is away"),
    ],
    also: None,
};

static RATE_BY_ADDRESS: Section = Section {
    name: "a limit by address",
    words: &[word("rate", RATE, "how often").required(), word("by", BY_ADDRESS, "address")],
    also: None,
};

static IDEMPOTENCY: Section = Section {
    name: "`idempotency`",
    words: &[
        word("keep", DURATION, "how long an answer is kept; 24h"),
        word("max_response", SIZE, "the largest answer that is kept; 256KiB"),
        word("unquoted_keys", FLAG, "whether keys may come without quotes; false"),
    ],
    also: None,
};

static AUDIT: Section = Section {
    name: "`audit`",
    words: &[
        word("directory", PATH, "where the trail is; DATA/audit"),
        word("key", Shape::Secret(&AUDIT_KEY), "the signing key; DATA/audit.key"),
        word(
            "durability",
            Shape::Choice(&[choice("committed"), later_choice("strict")]),
            "committed or strict; committed",
        ),
        word("checkpoint", DURATION, "how often the trail is sealed; 1s"),
        later("export", "the trail for other eyes"),
        later("privacy", "whether subjects are pseudonymous"),
    ],
    also: None,
};

static AUDIT_KEY: Section = Section {
    name: "`audit.key`",
    words: &[
        word("file", PATH, "made by `portcullis keys audit --out FILE`"),
        word("credential", NAME, "read from systemd's credentials directory"),
        later("env", "read from an environment variable"),
    ],
    also: None,
};

static WAIVER: Section = Section {
    name: "a waiver",
    words: &[
        word("rule", Shape::One(Kind::Rule), "the rule whose finding is silenced").required(),
        word("at", TEXT, "the operation, or the path in this file").required(),
        word("reason", TEXT, "why").required(),
        word("owner", TEXT, "who answers for it").required(),
        word("until", Shape::One(Kind::Date), "the last day it holds").required(),
    ],
    also: None,
};
