// SPDX-License-Identifier: Apache-2.0
//! The words of an API: its document, its objects, its properties, its operations.

use super::{COUNT, FLAG, NAME, PATH, POINTER, RATE, RULE_WORDS, SIZE};
use crate::words::{Choice, Kind, Section, Shape, choice, later, word};

pub(super) static API: Section = Section {
    name: "an API",
    words: &[
        word("openapi", PATH, "its document, OpenAPI 3.0 or 3.1, JSON or YAML").required(),
        word("base_path", Shape::One(Kind::BasePath), "where it is mounted; /"),
        word("hosts", Shape::OneOrList(&Shape::One(Kind::Host)), "the hosts it answers for; any"),
        word("upstream", Shape::One(Kind::Upstream), "who serves it").required(),
        word("validate", Shape::Section(&VALIDATE), "what happens to what breaks the contract"),
        word("response", Shape::Section(&RESPONSE), "answers"),
        word("unknown_properties", Shape::Section(&UNKNOWN_PROPERTIES), "properties the document does not declare"),
        word("objects", Shape::Named(&Shape::Section(&OBJECT)), "whose objects they are"),
        word(
            "properties",
            Shape::Named(&Shape::Named(&Shape::Section(&PROPERTY))),
            "who may read and write single properties",
        ),
        word("operations", Shape::Named(&Shape::Section(&OPERATION)), "by operationId, or \"GET /orders/{orderId}\""),
        later("overlays", "OpenAPI overlays"),
        later("cors", "who may call from a browser"),
        later("accepts", "which credentials satisfy a security scheme"),
        later("mode", "enforce or shadow for this API"),
        later("policies", "Cedar policies of this API"),
    ],
    also: None,
};

const STRICTNESS: &[Choice] = &[choice("strict"), choice("observe")];

static VALIDATE: Section = Section {
    name: "`validate`",
    words: &[
        word("request", Shape::Choice(STRICTNESS), "strict, or observe; strict"),
        word("response", Shape::Choice(STRICTNESS), "strict, or observe; strict"),
    ],
    also: None,
};

static RESPONSE: Section =
    Section { name: "`response`", words: &[word("max", SIZE, "the largest guarded answer; 1MiB")], also: None };

static UNKNOWN_PROPERTIES: Section = Section {
    name: "`unknown_properties`",
    words: &[
        word(
            "request",
            Shape::Choice(&[choice("document"), choice("closed"), choice("closed_always")]),
            "document, closed or closed_always; closed",
        ),
        word("response", Shape::Choice(&[choice("drop"), choice("fail"), choice("pass")]), "drop, fail or pass; drop"),
    ],
    also: None,
};

static OBJECT: Section = Section {
    name: "an object",
    words: &[
        word("id", Shape::One(Kind::IdPlace), "the parameter that carries its id, or a template").required(),
        word("schemas", Shape::OneOrList(&NAME), "the schemas that represent it; its own name"),
        word("owner", POINTER, "where its owner stands in it"),
        word("id_is_owner", FLAG, "whether its id names the owner; false"),
        word("subject", Shape::One(Kind::Subject), "what the owner is compared with; sub"),
        word("issuers", Shape::OneOrList(&NAME), "whose subjects can own it; needed when there are several"),
        word("lookup", NAME, "the GET that loads it; found by itself"),
        word("key", POINTER, "where its own id stands in it; found by itself"),
        word("rules", Shape::Section(&RULES), "who may do what"),
        word("deny_as", Shape::Choice(&[choice("404"), choice("403")]), "404 as an absent one, or 403; 404"),
        later("tenant", "the tenant it belongs to"),
        later("relations", "further facts about who it is shared with"),
        later("owner_kinds", "which kinds of caller own anything"),
    ],
    also: None,
};

static RULES: Section = Section {
    name: "`rules`",
    words: &[
        word("read", RULE_WORDS, "who may read it; owner"),
        word("create", RULE_WORDS, "who may create one; authenticated"),
        word("update", RULE_WORDS, "who may change it; owner"),
        word("delete", RULE_WORDS, "who may delete it; owner"),
    ],
    also: None,
};

static PROPERTY: Section = Section {
    name: "a property",
    words: &[word("read", RULE_WORDS, "who may see it"), word("write", RULE_WORDS, "who may set it")],
    also: None,
};

static OPERATION: Section = Section {
    name: "an operation",
    words: &[
        word("public", FLAG, "whether it needs no credential; false"),
        word("touches", Shape::Choice(&[choice("none")]), "none: it touches no object"),
        word("carries", Shape::Named(&Shape::OneOrList(&Shape::One(Kind::Carry))), "ids that cannot be found"),
        word("returns", Shape::Named(&Shape::OneOrList(&POINTER)), "objects of its answer that cannot be found"),
        word(
            "action",
            Shape::Choice(&[choice("read"), choice("create"), choice("update"), choice("delete")]),
            "what it does to the object; by its method",
        ),
        word("allow", RULE_WORDS, "who may call it at all"),
        word("foreign_items", Shape::Choice(&[choice("drop"), choice("fail")]), "drop or fail; drop"),
        word("idempotency", Shape::Choice(&[choice("required")]), "required: no call without a key"),
        word("exposed", FLAG, "false: it does not exist"),
        word("body", Shape::Section(&OPERATION_BODY), "its request body"),
        word("limits", Shape::List(&Shape::Section(&OPERATION_LIMIT)), "its own limits"),
        word("concurrency", COUNT, "calls at once"),
        later("step_up", "stronger authentication"),
        later("cost", "how much a call counts"),
        later("once", "a key that is accepted once"),
        later("failure", "how a failed authentication looks"),
        later("outcome", "whether its outcome is hidden"),
        later("stream", "the streamed response guard"),
        later("audit", "durability of its records"),
        later("timeout", "its own deadline"),
        later("cache", "whether its answers may be cached"),
        later("counts", "whether integers beside a filtered list stay"),
    ],
    also: None,
};

static OPERATION_BODY: Section =
    Section { name: "`body`", words: &[word("max", SIZE, "the largest body; as edge.body.max")], also: None };

static OPERATION_LIMIT: Section = Section {
    name: "a limit",
    words: &[
        word("rate", RATE, "how often").required(),
        word("by", Shape::OneOrList(&Shape::One(Kind::LimitKey)), "counted by what; subject"),
        later("count", "what is counted"),
    ],
    also: None,
};
