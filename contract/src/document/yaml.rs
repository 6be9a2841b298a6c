// SPDX-License-Identifier: Apache-2.0
//! YAML documents (1.2 core schema): duplicate keys refused, aliases within a small budget, one document.

use super::{DEPTH_MAX, Members, NODES_MAX, Node, Raw, SyntaxFault};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::Spanned;
use std::fmt;

/// Aliases may add at most this many events to a document.
const REPLAYED_EVENTS_MAX: usize = 200_000;

/// Reads a YAML text.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxFault> {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_events = NODES_MAX.saturating_mul(2);
    budget.max_nodes = NODES_MAX;
    budget.max_depth = DEPTH_MAX;
    budget.flow_nesting_limit = DEPTH_MAX;
    budget.max_documents = 1;
    budget.max_aliases = 10_000;
    let mut limits = serde_saphyr::options::AliasLimits::default();
    limits.max_total_replayed_events = REPLAYED_EVENTS_MAX;
    let mut options = serde_saphyr::Options::default();
    options.budget = Some(budget);
    options.alias_limits = limits;
    options.duplicate_keys = serde_saphyr::options::DuplicateKeyPolicy::Error;
    options.strict_booleans = true;
    options.with_snippet = false;
    let tree: Spanned<Tree> = serde_saphyr::from_str_with_options(text, options).map_err(|error| SyntaxFault {
        at: error.location().and_then(|l| l.span().byte_offset()).map_or(0, to_u32),
        message: format!("not a YAML document: {}", first_line(&error.without_snippet().to_string())),
    })?;
    Ok(node(tree))
}

fn node(tree: Spanned<Tree>) -> Node {
    Node { at: tree.referenced.span().byte_offset().map_or(0, to_u32), value: tree.value.0 }
}

fn to_u32(offset: u64) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A raw value as it comes from the deserializer.
struct Tree(Raw);

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor).map(Tree)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(Self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Raw, E> {
        Number::from_i128(value).map(Raw::Number).ok_or_else(|| E::custom("an integer beyond 64 bits"))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Raw, E> {
        Number::from_u128(value).map(Raw::Number).ok_or_else(|| E::custom("an integer beyond 64 bits"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Raw, E> {
        Number::from_f64(value).map(Raw::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.into()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Tree>>()? {
            items.push(node(item));
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries: Vec<(Box<str>, Node)> = Vec::new();
        while let Some(Key(key)) = map.next_key::<Key>()? {
            entries.push((key, node(map.next_value::<Spanned<Tree>>()?)));
        }
        // Keys that differ in YAML may be one text for us (`200` and `"200"`).
        Members::new(entries).map(Raw::Map).map_err(|_| A::Error::custom("duplicate mapping key"))
    }
}

/// A key: `200:` and `true:` are keys of text, as they are in JSON.
struct Key(Box<str>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Key(text.into()))
    }
}
