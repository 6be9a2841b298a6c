// SPDX-License-Identifier: Apache-2.0
//! The routes of the admin listener, and the guard in front of them.

use crate::metrics::{Metric, render};
use crate::readiness::{Source, reasons};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use std::net::IpAddr;
use std::sync::Arc;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const OPENMETRICS: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// What the admin listener shows.
#[derive(Debug, Default)]
pub struct Shown {
    /// Who is asked whether the gateway should get traffic.
    pub sources: Vec<Source>,
    /// How it fares, in numbers.
    pub metrics: Vec<Metric>,
}

/// The router over what is shown.
pub(crate) fn router(shown: Arc<Shown>) -> Router {
    Router::new()
        .route("/healthz", get(healthz).fallback(other_method))
        .route("/readyz", get(readyz).fallback(other_method))
        .route("/metrics", get(metrics).fallback(other_method))
        .fallback(async || problem(StatusCode::NOT_FOUND))
        .with_state(shown)
        .layer(from_fn(guard))
}

async fn healthz() -> Response {
    answer(StatusCode::OK, JSON, &json!({ "alive": true }))
}

async fn readyz(State(shown): State<Arc<Shown>>) -> Response {
    let reasons = reasons(&shown.sources);
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer(status, JSON, &json!({ "ready": reasons.is_empty(), "reasons": reasons }))
}

async fn metrics(State(shown): State<Arc<Shown>>) -> Response {
    let mut response = Response::new(Body::from(render(&shown.metrics)));
    response.headers_mut().insert(CONTENT_TYPE, OPENMETRICS);
    response
}

async fn other_method() -> Response {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// Only a client of this machine that means this machine gets through (T115).
async fn guard(request: Request, next: Next) -> Response {
    let mut response = match refuse(request.headers(), request.uri()) {
        Some(status) => problem(status),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The status a request is refused with, if it is.
fn refuse(headers: &HeaderMap, uri: &Uri) -> Option<StatusCode> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Some(StatusCode::BAD_REQUEST) };
    if !host.to_str().is_ok_and(is_loopback) || uri.authority().is_some_and(|named| !is_loopback(named.as_str())) {
        return Some(StatusCode::MISDIRECTED_REQUEST);
    }
    let origins_are_ours = headers.get_all(ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        origin.is_some_and(|(_, authority)| is_loopback(authority))
    });
    (!origins_are_ours).then_some(StatusCode::FORBIDDEN)
}

fn is_loopback(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A problem without a type of its own (RFC 9457 §4.2.1).
fn problem(status: StatusCode) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    answer(status, PROBLEM, &json!({ "type": "about:blank", "title": title, "status": status.as_u16() }))
}

fn answer(status: StatusCode, media_type: HeaderValue, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t115_only_loopback_names_are_ours() {
        for host in ["localhost", "LOCALHOST:9443", "127.0.0.1:9443", "127.8.9.1", "[::1]", "[::1]:80"] {
            assert!(is_loopback(host), "{host}");
        }
        let foreign = [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example@localhost",
            "0.0.0.0",
            "[::]",
            "192.168.0.1:9443",
            "localhost:9443/x",
            "localhost, evil.example",
        ];
        for host in foreign {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
