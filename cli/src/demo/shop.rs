// SPDX-License-Identifier: Apache-2.0
//! The orders API of the demo. It checks nothing: any id is served, any property is stored, everything is listed.
//! That is how many APIs are; the gate is what stands between it and the world.

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinSet;

/// Orders by number; a bounded toy store.
type Orders = Arc<Mutex<BTreeMap<u64, Map<String, Value>>>>;
/// More orders than this are refused.
const ORDERS_MAX: usize = 10_000;

/// Starts the API on a free loopback port.
pub(super) async fn start(tasks: &mut JoinSet<()>) -> Result<SocketAddr> {
    let orders: Orders = Arc::new(Mutex::new(first_orders()));
    let router = Router::new()
        .route("/catalog", get(catalog))
        .route("/login", post(login))
        .route("/orders", get(list).post(create))
        .route("/orders/{id}", get(read).patch(update).delete(remove))
        .route("/orders/{id}/receipt", get(receipt))
        .route("/statistics", get(statistics))
        .with_state(orders);
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    let address = listener.local_addr()?;
    tasks.spawn(async move { drop(axum::serve(listener, router).await) });
    Ok(address)
}

fn first_orders() -> BTreeMap<u64, Map<String, Value>> {
    [("alice", "lamp"), ("bob", "chair"), ("alice", "desk"), ("carol", "clock")]
        .into_iter()
        .zip(1u64..)
        .map(|((owner, item), number)| (number, order(number, owner, item, 1)))
        .collect()
}

fn order(number: u64, owner: &str, item: &str, quantity: u64) -> Map<String, Value> {
    let order = json!({
        "id": format!("ord-{number}"), "owner": owner, "item": item, "quantity": quantity,
        "status": "open", "margin": 0.31, "warehouse_shelf": "B-17",
    });
    match order {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn lock(orders: &Orders) -> MutexGuard<'_, BTreeMap<u64, Map<String, Value>>> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(id: &str) -> Option<u64> {
    id.strip_prefix("ord-")?.parse().ok()
}

fn absent() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"message": "no such order"}))).into_response()
}

/// A strong tag over the whole representation (FNV-1a is enough for a demo).
fn tag(order: &Map<String, Value>) -> HeaderValue {
    let text = Value::Object(order.clone()).to_string();
    let hash =
        text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3));
    HeaderValue::from_str(&format!("\"{hash:016x}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

fn show(status: StatusCode, order: &Map<String, Value>) -> Response {
    let mut response = (status, Json(Value::Object(order.clone()))).into_response();
    response.headers_mut().insert(header::ETAG, tag(order));
    response
}

fn stale(headers: &HeaderMap, order: &Map<String, Value>) -> bool {
    headers.get(header::IF_MATCH).is_some_and(|wanted| *wanted != tag(order))
}

async fn catalog() -> Json<Value> {
    Json(json!([{"item": "lamp", "price": 39.5}, {"item": "chair", "price": 120}, {"item": "desk", "price": 310}]))
}

async fn login(Json(credentials): Json<Value>) -> Response {
    if credentials.get("password").is_some_and(|password| password == "correct horse") {
        return Json(json!({"welcome": credentials.get("username")})).into_response();
    }
    (StatusCode::UNAUTHORIZED, Json(json!({"message": "wrong user name or password"}))).into_response()
}

async fn list(State(orders): State<Orders>) -> Json<Value> {
    let data: Vec<Value> = lock(&orders).values().cloned().map(Value::Object).collect();
    Json(json!({"total": data.len(), "data": data}))
}

async fn read(State(orders): State<Orders>, Path(id): Path<String>) -> Response {
    match number(&id).and_then(|n| lock(&orders).get(&n).cloned()) {
        Some(order) => show(StatusCode::OK, &order),
        None => absent(),
    }
}

async fn create(State(orders): State<Orders>, headers: HeaderMap, Json(body): Json<Map<String, Value>>) -> Response {
    let mut orders = lock(&orders);
    if orders.len() >= ORDERS_MAX {
        return StatusCode::INSUFFICIENT_STORAGE.into_response();
    }
    let owner = headers.get("x-auth-subject").and_then(|v| v.to_str().ok()).unwrap_or("nobody");
    let number = orders.keys().next_back().copied().unwrap_or(0).saturating_add(1);
    let mut order = order(number, owner, "", 1);
    order.extend(body);
    let mut response = show(StatusCode::CREATED, &order);
    if let Ok(location) = HeaderValue::from_str(&format!("/orders/ord-{number}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    orders.insert(number, order);
    response
}

async fn update(
    State(orders): State<Orders>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Map<String, Value>>,
) -> Response {
    let mut orders = lock(&orders);
    let Some(order) = number(&id).and_then(|n| orders.get_mut(&n)) else { return absent() };
    if stale(&headers, order) {
        return StatusCode::PRECONDITION_FAILED.into_response();
    }
    order.extend(body);
    show(StatusCode::OK, order)
}

async fn remove(State(orders): State<Orders>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let mut orders = lock(&orders);
    let Some(number) = number(&id) else { return absent() };
    match orders.get(&number) {
        None => absent(),
        Some(order) if stale(&headers, order) => StatusCode::PRECONDITION_FAILED.into_response(),
        Some(_) => {
            orders.remove(&number);
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

async fn receipt(State(orders): State<Orders>, Path(id): Path<String>) -> Response {
    match number(&id).and_then(|n| lock(&orders).get(&n).cloned()) {
        Some(order) => {
            format!("receipt for {}\n", order.get("item").and_then(Value::as_str).unwrap_or("")).into_response()
        }
        None => absent(),
    }
}

async fn statistics(State(orders): State<Orders>) -> Json<Value> {
    Json(json!({"orders": lock(&orders).len()}))
}
