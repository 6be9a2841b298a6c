// SPDX-License-Identifier: Apache-2.0
//! What a scalar means in the core schema, and the few tags there are.

use serde_saphyr::granit_parser::{ScalarStyle, Tag};

use super::{ScalarKind, TreeError};

const CORE_TAGS: &str = "tag:yaml.org,2002:";

pub(super) fn collection_tag(tag: Option<&Tag>, allowed: &str) -> Result<(), TreeError> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.handle() == CORE_TAGS && tag.suffix() == allowed => Ok(()),
        Some(tag) => Err(TreeError::Tag(shown_tag(tag))),
    }
}

fn shown_tag(tag: &Tag) -> String {
    if tag.handle() == CORE_TAGS { format!("!!{}", tag.suffix()) } else { format!("{}{}", tag.handle(), tag.suffix()) }
}

pub(super) fn scalar_kind(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<ScalarKind, TreeError> {
    match tag {
        // `!!str 12` is text; every other tag would be a second way to say something.
        Some(tag) if tag.handle() == CORE_TAGS && tag.suffix() == "str" => return Ok(ScalarKind::Text),
        Some(tag) => return Err(TreeError::Tag(shown_tag(tag))),
        None => {}
    }
    Ok(if matches!(style, ScalarStyle::Plain) { plain_kind(text) } else { ScalarKind::Text })
}

/// The core schema's reading of a plain scalar (YAML 1.2.2 §10.3.2).
pub(crate) fn plain_kind(text: &str) -> ScalarKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return ScalarKind::Null,
        "true" | "True" | "TRUE" => return ScalarKind::Flag(true),
        "false" | "False" | "FALSE" => return ScalarKind::Flag(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_or(ScalarKind::Float, ScalarKind::Integer);
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            return i64::from_str_radix(digits, radix).map_or(ScalarKind::Float, ScalarKind::Integer);
        }
    }
    let number = digits.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit())
        && text.parse::<f64>().is_ok();
    let special = matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN");
    if number || special { ScalarKind::Float } else { ScalarKind::Text }
}
