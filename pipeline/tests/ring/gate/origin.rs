// SPDX-License-Identifier: Apache-2.0
//! An origin that remembers exactly what it was given, and checks nothing.

use super::body::Steps;
use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt;
use portcullis_decision::Reason;
use portcullis_pipeline::{Cleared, Destination, Lookup, Origin, OriginFault, OriginRequest, Outgoing, Work};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Sent,
    LookedUp,
}

/// One call as the origin saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) how: How,
    pub(crate) to: Destination,
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let one = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} came twice");
        one
    }
}

/// What the origin does with a call.
pub(crate) enum Does {
    Answer(Response<Steps>),
    /// Answers after it was told to.
    After(Arc<Notify>, Response<Steps>),
    Fault(Reason),
    /// A fault that is over after this time.
    Until(Reason, Duration),
    Panic,
    Hang,
}

type Script = Box<dyn Fn(&Seen) -> Does + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Fake(Arc<Inner>);

struct Inner {
    seen: Mutex<Vec<Seen>>,
    script: Mutex<Script>,
    called: Notify,
}

impl Fake {
    pub(crate) fn new() -> Self {
        let inner = Inner { seen: Mutex::default(), script: Mutex::new(Box::new(orders)), called: Notify::new() };
        Self(Arc::new(inner))
    }

    /// From now on.
    pub(crate) fn does(&self, script: impl Fn(&Seen) -> Does + Send + Sync + 'static) {
        *self.0.script.lock().unwrap() = Box::new(script);
    }

    /// Everything it was given, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    /// What it was sent (not looked up).
    pub(crate) fn sent(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.how == How::Sent).collect()
    }

    /// The one request it was sent.
    pub(crate) fn only(&self) -> Seen {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }

    /// Waits for the next call.
    pub(crate) async fn called(&self) {
        self.0.called.notified().await;
    }

    async fn answer(&self, seen: Seen) -> Result<Response<Steps>, OriginFault> {
        let does = {
            self.0.seen.lock().unwrap().push(seen.clone());
            let script = self.0.script.lock().unwrap();
            script(&seen)
        };
        self.0.called.notify_one();
        match does {
            Does::Answer(answer) => Ok(answer),
            Does::After(told, answer) => {
                told.notified().await;
                Ok(answer)
            }
            Does::Fault(reason) => Err(OriginFault::new(reason)),
            Does::Until(reason, over) => Err(OriginFault { reason, retry_after: Some(over) }),
            Does::Panic => panic!("the origin of a test panics"),
            Does::Hang => std::future::pending().await,
        }
    }
}

impl Origin for Fake {
    type RequestBody = Steps;
    type ResponseBody = Steps;

    async fn send(&self, cleared: Cleared<Steps>) -> Result<Response<Steps>, OriginFault> {
        let OriginRequest { to, method, target, headers, body, .. } = cleared.into_request();
        assert_eq!(to.upstream, 0);
        let body = match body {
            Outgoing::Empty => Bytes::new(),
            Outgoing::Full(bytes) => bytes,
            Outgoing::Stream { body, .. } => match body.collect().await {
                Ok(collected) => collected.to_bytes(),
                Err(_) => return Err(OriginFault::new(Reason::UpstreamUnreachable)),
            },
        };
        self.answer(Seen { how: How::Sent, to, method, target, headers, body }).await
    }

    async fn look_up(&self, lookup: Lookup) -> Result<Response<Bytes>, OriginFault> {
        let OriginRequest { to, method, target, headers, .. } = lookup.into_request::<Steps>();
        let seen = Seen { how: How::LookedUp, to, method, target, headers, body: Bytes::new() };
        Ok(self.answer(seen).await?.map(|steps| steps.all()))
    }

    fn finish(&self, work: Work) {
        tokio::runtime::Handle::current().spawn(work);
    }
}

pub(crate) fn bare(status: u16) -> Response<Steps> {
    Response::builder().status(status).body(Steps::default()).unwrap()
}

pub(crate) fn json_answer(status: u16, body: &Value) -> Response<Steps> {
    raw(status, "application/json", body.to_string())
}

pub(crate) fn raw(status: u16, media_type: &str, body: impl Into<Bytes>) -> Response<Steps> {
    let builder = Response::builder().status(status).header("content-type", media_type);
    builder.body(Steps::whole(body)).unwrap()
}

/// An order as the origin shows it, with more than anybody should see.
pub(crate) fn order(id: &str, owner: &str) -> Value {
    json!({"id": id, "owner": owner, "item": "lamp", "status": "new", "internal_margin": 0.4, "undeclared": "leak"})
}

/// `a-1` is Alice's, `b-1` Bob's.
pub(crate) fn orders(seen: &Seen) -> Does {
    let path = seen.target.split('?').next().unwrap();
    let id = path.strip_prefix("/orders/").unwrap_or_default().trim_end_matches("/pdf");
    let owner = match id {
        "a-1" => Some("alice"),
        "b-1" => Some("bob"),
        _ => None,
    };
    Does::Answer(match (seen.method.as_str(), path) {
        ("GET", "/orders") => json_answer(200, &json!({"data": [order("a-1", "alice"), order("b-1", "bob")]})),
        ("POST", "/orders") => {
            let mut answer = json_answer(201, &order("n-1", seen.header("x-user-id").unwrap_or("nobody")));
            answer.headers_mut().insert("location", "/orders/n-1".parse().unwrap());
            answer
        }
        ("POST", "/payments") => json_answer(201, &json!({"paid": true})),
        ("GET", "/statistics") => json_answer(200, &json!({"orders": 2})),
        ("GET", "/status") => json_answer(200, &json!({"state": "up"})),
        ("GET", "/exports") => raw(200, "application/octet-stream", "bytes"),
        ("POST", "/login" | "/uploads") => bare(204),
        _ if owner.is_none() => json_answer(404, &json!({"message": "no row in table orders_v2"})),
        ("DELETE", _) => bare(204),
        (_, pdf) if pdf.ends_with("/pdf") => raw(200, "application/pdf", "%PDF"),
        _ => json_answer(200, &order(id, owner.unwrap())),
    })
}
