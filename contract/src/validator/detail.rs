// SPDX-License-Identifier: Apache-2.0
//! What is expected, in words. Everything said here comes from the document, nothing from the value.

use jsonschema::JsonType;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

/// Details are at most this long.
const DETAIL_CHARS_MAX: usize = 200;

/// The detail of one error.
pub(super) fn of(kind: &Kind) -> String {
    let text = match kind {
        Kind::Type { kind: TypeKind::Single(one) } => format!("must be of type {one}"),
        Kind::Type { kind: TypeKind::Multiple(set) } => {
            let names: Vec<String> = set.iter().map(|t| t.to_string()).collect();
            format!("must be of type {}", names.join(" or "))
        }
        Kind::Required { property } => format!("property `{}` is required", property.as_str().unwrap_or_default()),
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Enum { options } => format!("must be one of {}", listed(options)),
        Kind::Pattern { pattern } => format!("must match the pattern `{pattern}`"),
        Kind::Format { format } => format!("must have the format {format}"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} elements"),
        Kind::MaxItems { limit } => format!("must have at most {limit} elements"),
        Kind::MinProperties { limit } => format!("must have at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} properties"),
        Kind::UniqueItems => "must have no element twice".to_owned(),
        Kind::Contains => "must contain the elements its schema asks for".to_owned(),
        Kind::AdditionalItems { limit } => format!("must have no more than {limit} elements"),
        Kind::UnevaluatedItems { .. } => "must have no elements beyond the declared ones".to_owned(),
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => {
            "must have no properties beyond the declared ones".to_owned()
        }
        Kind::PropertyNames { .. } => "must have only property names of the declared form".to_owned(),
        Kind::AnyOf { context } => format!("must fit at least one of {} schemas", context.len()),
        Kind::OneOfNotValid { context } => format!("must fit one of {} schemas", context.len()),
        Kind::OneOfMultipleValid { context } => format!("must fit exactly one of {} schemas", context.len()),
        Kind::Not { .. } => "must not fit the excluded schema".to_owned(),
        Kind::FalseSchema => "must not be here".to_owned(),
        _ => "does not fit its schema".to_owned(),
    };
    if text.chars().count() <= DETAIL_CHARS_MAX {
        return text;
    }
    text.chars().take(DETAIL_CHARS_MAX).chain("…".chars()).collect()
}

/// Whether an error leaves a reader of the structure in the dark. What is not known to be harmless does.
pub(super) fn breaks_structure(kind: &Kind, value: &Value) -> bool {
    let is_scalar = !value.is_object() && !value.is_array();
    let nests = |json_type: JsonType| matches!(json_type, JsonType::Array | JsonType::Object);
    match kind {
        Kind::Type { kind: TypeKind::Single(one) } => !is_scalar || nests(*one),
        Kind::Type { kind: TypeKind::Multiple(set) } => !is_scalar || set.iter().any(nests),
        Kind::Constant { expected_value } => !is_scalar || expected_value.is_object() || expected_value.is_array(),
        Kind::Enum { options } => {
            let mut options = options.as_array().into_iter().flatten();
            !is_scalar || options.any(|option| option.is_object() || option.is_array())
        }
        Kind::Required { .. }
        | Kind::Pattern { .. }
        | Kind::Format { .. }
        | Kind::Minimum { .. }
        | Kind::Maximum { .. }
        | Kind::ExclusiveMinimum { .. }
        | Kind::ExclusiveMaximum { .. }
        | Kind::MultipleOf { .. }
        | Kind::MinLength { .. }
        | Kind::MaxLength { .. }
        | Kind::MinItems { .. }
        | Kind::MaxItems { .. }
        | Kind::MinProperties { .. }
        | Kind::MaxProperties { .. }
        | Kind::UniqueItems
        | Kind::Contains => false,
        _ => true,
    }
}

fn listed(options: &Value) -> String {
    let values = options.as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<String> = values.iter().take(16).map(ToString::to_string).collect();
    let more = if values.len() > texts.len() { ", …" } else { "" };
    format!("{}{more}", texts.join(", "))
}
