// SPDX-License-Identifier: Apache-2.0
//! The words of one upstream.

use super::{COUNT, DURATION, FLAG, PATH, SECRET};
use crate::words::{Kind, Section, Shape, choice, later, later_choice, word};

pub(super) static UPSTREAM: Section = Section {
    name: "an upstream",
    words: &[
        word("targets", Shape::OneOrList(&Shape::One(Kind::Url)), "its addresses; 1 to 32 that answer alike")
            .required(),
        word(
            "identity",
            Shape::Short(&Shape::Choice(&[choice("none"), later_choice("forward_token")]), &UPSTREAM_IDENTITY),
            "what it is told about the caller; none",
        ),
        word(
            "http",
            Shape::Choice(&[choice("1"), choice("2")]),
            "what is spoken to it: 1, or 2 (agreed on over https, known beforehand over http); 1",
        ),
        word("timeout", Shape::Section(&UPSTREAM_TIMEOUT), "how long it may take"),
        word("tls", Shape::Section(&UPSTREAM_TLS), "how https targets are spoken to"),
        word("retry", Shape::Section(&UPSTREAM_RETRY), "when a request is sent again; never"),
        word(
            "circuit_breaker",
            Shape::Short(&Shape::Choice(&[choice("off")]), &UPSTREAM_CIRCUIT_BREAKER),
            "when it is left alone, or off; per operation",
        ),
        word("concurrency", Shape::Section(&UPSTREAM_CONCURRENCY), "requests at once; 10000"),
        word("health", Shape::Section(&UPSTREAM_HEALTH), "how each target is asked whether it is well; not at all"),
    ],
    also: None,
};

static UPSTREAM_IDENTITY: Section = Section {
    name: "`identity` of an upstream",
    words: &[
        word("header", Shape::One(Kind::Header), "a header with the subject"),
        later("assertion", "a signed token"),
    ],
    also: None,
};

static UPSTREAM_TLS: Section = Section {
    name: "`tls` of an upstream",
    words: &[
        word("ca", PATH, "who vouches for it, in PEM, and nobody else; absent: the system's authorities"),
        word("certificate", PATH, "what the gateway shows it, in PEM"),
        word("key", Shape::Secret(&SECRET), "the key of that certificate, in PEM"),
        word("server_name", Shape::One(Kind::Host), "the name its certificate is for; the target's host"),
    ],
    also: None,
};

static UPSTREAM_RETRY: Section = Section {
    name: "`retry`",
    words: &[
        word("attempts", COUNT, "attempts beside the first, 1 to 3; none"),
        word("budget", Shape::One(Kind::Percent), "retries as a share of recent successes, at most 10%; 10%"),
    ],
    also: None,
};

static UPSTREAM_CIRCUIT_BREAKER: Section = Section {
    name: "`circuit_breaker`",
    words: &[
        word("per", Shape::Choice(&[choice("operation"), choice("target")]), "what is watched; operation"),
        word("consecutive_failures", COUNT, "failures in a row; 5"),
        word("failure_ratio", Shape::One(Kind::Percent), "or a share of the recent requests; 50%"),
        word("min_requests", COUNT, "of which there were at least so many; 20"),
        word("open", DURATION, "for how long it is left alone at least; 10s"),
    ],
    also: None,
};

static UPSTREAM_CONCURRENCY: Section = Section {
    name: "`concurrency` of an upstream",
    words: &[
        word("max", COUNT, "requests at once; 10000"),
        word("queue", COUNT, "requests that may wait for a place; none"),
        word("queue_timeout", DURATION, "how long they may wait; 250ms"),
        word("adaptive", FLAG, "whether the upstream's latency lowers `max`; false"),
    ],
    also: None,
};

static UPSTREAM_HEALTH: Section = Section {
    name: "`health`",
    words: &[
        word("path", Shape::One(Kind::BasePath), "what is asked for; 2xx is well").required(),
        word("every", DURATION, "how often; 5s"),
    ],
    also: None,
};

static UPSTREAM_TIMEOUT: Section = Section {
    name: "`timeout`",
    words: &[
        word("connect", DURATION, "to connect; 1s"),
        word("first_byte", DURATION, "to the first byte of the answer; 5s"),
        word("total", DURATION, "to the last byte of the answer; 15s"),
    ],
    also: None,
};
