// SPDX-License-Identifier: Apache-2.0
//! Kinds of scalars: what each is called in an error, and its pattern in the JSON Schema.

use serde_json::{Value, json};

use crate::tree::ScalarKind;

/// A kind of scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The number of this contract, 1.
    Version,
    /// Any text that is not blank.
    Text,
    /// A name the operator gave to something in this file.
    Name,
    /// `64KiB`
    Size,
    /// `1KiB/s`
    ByteRate,
    /// `250ms`
    Duration,
    /// `0s`, `30s`: where zero is the strictest value.
    DurationOrZero,
    /// `100/min burst 20`
    Rate,
    /// `10%`
    Percent,
    /// A whole number, at least one.
    Count,
    /// `true` or `false`
    Flag,
    /// `http://` or `https://`
    Url,
    /// The name of an upstream, or the address of one.
    Upstream,
    /// `127.0.0.1:8080`
    Address,
    /// `127.0.0.1:9443` or `off`
    AddressOrOff,
    /// `/owner`
    Pointer,
    /// A file or directory, relative to the file that names it.
    Path,
    /// `2027-03-31`
    Date,
    /// `api.example.com`
    Host,
    /// `/v1`
    BasePath,
    /// The name of a header.
    Header,
    /// `owner`, `role:R`, `scope:S` …
    RuleWord,
    /// `subject`, `address`, `body:/username` …
    LimitKey,
    /// `body:/order_id`, `query:NAME`, `header:NAME`
    Carry,
    /// `sub`, `claim:NAME`
    Subject,
    /// `claim:plan`
    ClaimSource,
    /// `orderId` or `/orders/{id}`
    IdPlace,
    /// The name of a claim.
    Claim,
    /// The number of a rule, `PC0105`.
    Rule,
}

impl Kind {
    /// What is expected, for "expected …, found …".
    pub fn expected(self) -> &'static str {
        match self {
            Kind::Version => "the number 1",
            Kind::Text => "text",
            Kind::Name => "a name",
            Kind::Size => "a size such as `64KiB`",
            Kind::ByteRate => "a byte rate such as `1KiB/s`",
            Kind::Duration => "a duration such as `250ms`, `5s` or `24h`",
            Kind::DurationOrZero => "a duration such as `0s` or `30s`",
            Kind::Rate => "a rate such as `100/min` or `60/min burst 20`",
            Kind::Percent => "a share such as `10%`",
            Kind::Count => "a whole number from 1",
            Kind::Flag => "`true` or `false`",
            Kind::Url => "an address such as `https://id.example.com`",
            Kind::Upstream => "an upstream's name, or an address such as `http://127.0.0.1:9000`",
            Kind::Address => "an address such as `127.0.0.1:8080`",
            Kind::AddressOrOff => "an address such as `127.0.0.1:9443`, or `off`",
            Kind::Pointer => "a JSON pointer such as `/owner`",
            Kind::Path => "a path",
            Kind::Date => "a date such as `2027-03-31`",
            Kind::Host => "a host name such as `api.example.com`",
            Kind::BasePath => "a path such as `/` or `/v1`",
            Kind::Header => "a header name such as `x-auth-subject`",
            Kind::RuleWord => "a rule word such as `owner`, `role:support` or `scope:orders.admin`",
            Kind::LimitKey => "a limit key such as `subject`, `address` or `body:/username`",
            Kind::Carry => "a place such as `body:/order_id`, `query:NAME` or `header:NAME`",
            Kind::Subject => "`sub` or `claim:NAME`",
            Kind::ClaimSource => "a claim such as `claim:plan`",
            Kind::IdPlace => "a parameter such as `orderId`, or a template such as `/orders/{id}`",
            Kind::Claim => "the name of a claim",
            Kind::Rule => "a rule number such as `PC0105`",
        }
    }

    /// Whether a scalar of the core schema can be of this kind at all.
    pub(crate) fn admits(self, scalar: ScalarKind) -> bool {
        match self {
            Kind::Version | Kind::Count => matches!(scalar, ScalarKind::Integer(_)),
            Kind::Flag => matches!(scalar, ScalarKind::Flag(_)),
            // `5`, `0.5` and the like get the error of their own parser, which names the missing unit.
            Kind::Size | Kind::ByteRate | Kind::Duration | Kind::DurationOrZero | Kind::Rate | Kind::Percent => {
                matches!(scalar, ScalarKind::Text | ScalarKind::Integer(_) | ScalarKind::Float)
            }
            _ => matches!(scalar, ScalarKind::Text),
        }
    }

    /// The kind as JSON Schema.
    pub(crate) fn schema(self) -> Value {
        match self {
            Kind::Version => json!({ "const": 1 }),
            Kind::Count => json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, variable()] }),
            Kind::Flag => json!({ "anyOf": [{ "type": "boolean" }, variable()] }),
            Kind::Size => text("^[1-9][0-9]*(B|KiB|MiB|GiB)$", "64KiB"),
            Kind::ByteRate => text("^[1-9][0-9]*(B|KiB|MiB|GiB)/s$", "1KiB/s"),
            Kind::Duration => text("^[1-9][0-9]*(ms|s|m|h|d)$", "5s"),
            Kind::DurationOrZero => text("^(0|[1-9][0-9]*)(ms|s|m|h|d)$", "30s"),
            Kind::Rate => text("^[1-9][0-9]*/(s|min|h|day|[1-9][0-9]*(ms|s|m|h|d))( burst [1-9][0-9]*)?$", "100/min"),
            Kind::Percent => text("^[1-9][0-9]{0,2}%$", "10%"),
            Kind::Url => text("^https?://", "https://id.example.com"),
            Kind::Pointer => text("^/", "/owner"),
            Kind::BasePath => text("^/", "/v1"),
            Kind::Date => text("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "2027-03-31"),
            Kind::Carry => text("^(body:/|query:|header:).", "body:/order_id"),
            Kind::ClaimSource => text("^claim:.", "claim:plan"),
            Kind::Rule => text("^PC[0-9]{4}$", "PC0105"),
            _ => json!({ "type": "string", "minLength": 1 }),
        }
    }
}

fn variable() -> Value {
    json!({ "type": "string", "pattern": "^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$" })
}

fn text(pattern: &str, example: &str) -> Value {
    // `${NAME}` may stand for any whole value.
    json!({ "type": "string", "pattern": format!("{pattern}|^\\$\\{{[A-Za-z_][A-Za-z0-9_]*\\}}$"), "examples": [example] })
}
