// SPDX-License-Identifier: Apache-2.0
//! Problem details (RFC 9457): the one form of every refusal.

use crate::denial::Denial;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

/// Media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// 429, `RateLimit` fields draft 11 §6.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
/// 503 for lowered capacity, `RateLimit` fields draft 11 §6.
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// The name of a status as used in `/problems/{name}`: its reason phrase in kebab case.
pub fn name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or("error").to_ascii_lowercase().replace([' ', '\''], "-")
}

/// The body of a refusal. It tells no more than the status does, and never a value the client sent.
pub fn body(denial: &Denial, public_url: &str) -> Bytes {
    let status = denial.status();
    let kind = match (status, denial.violated_policies().is_empty()) {
        (StatusCode::TOO_MANY_REQUESTS, _) => QUOTA_EXCEEDED.to_owned(),
        (StatusCode::SERVICE_UNAVAILABLE, false) => REDUCED_CAPACITY.to_owned(),
        _ => format!("{}/problems/{}", public_url.trim_end_matches('/'), name(status)),
    };
    let mut problem = json!({
        "type": kind,
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "instance": format!("urn:portcullis:request:{}", denial.request()),
    });
    if let Value::Object(members) = &mut problem {
        if !denial.violations().is_empty() {
            let errors = denial.violations().iter().map(|v| json!({"pointer": v.pointer, "detail": v.detail}));
            members.insert("errors".to_owned(), errors.collect());
        }
        if !denial.violated_policies().is_empty() {
            let names = denial.violated_policies().iter().map(|n| Value::from(&**n));
            members.insert("violated-policies".to_owned(), names.collect());
        }
    }
    Bytes::from(problem.to_string())
}
