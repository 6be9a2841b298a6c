// SPDX-License-Identifier: Apache-2.0
//! The stages in their order over one API, from a request to what leaves.

use crate::fixture::{Handler, Reply, SUBJECT};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use portcullis_authorize::{
    AnswerQuestion, Authorizer, Judged, Known, LookupAnswer, LookupFault, LookupRequest, ObjectQuestion, OwnerLookup,
};
use portcullis_contract::{Contract, OperationIndex, RouteMatch};
use portcullis_decision::caller::Caller;
use portcullis_decision::fetch::BoxFuture;
use portcullis_decision::{Denial, ManualClock, Reason, RequestId, Trail};
use portcullis_wire::json::{Document, JsonLimits};
use portcullis_wire::{HeadLimits, Reserved};
use serde_json::Value;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The stages over one API.
pub(crate) struct Gateway {
    pub(crate) contract: Arc<Contract>,
    pub(crate) authorizer: Authorizer,
    pub(crate) origin: Handler,
    /// What reached the origin: method and path, look-ups marked.
    pub(crate) calls: Mutex<Vec<String>>,
}

/// How one request ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) reason: Option<Reason>,
    pub(crate) body: Bytes,
    pub(crate) denial: Option<Denial>,
    pub(crate) judged: Option<Judged>,
    pub(crate) known: Option<Known>,
    pub(crate) alerts: Vec<Reason>,
    pub(crate) object: Option<portcullis_decision::record::ObjectEvidence>,
}

impl Outcome {
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// `200` or `404 object.not_owner`.
    pub(crate) fn line(&self) -> String {
        self.reason.map_or(self.status.to_string(), |reason| format!("{} {reason}", self.status))
    }
}

/// One request of a test.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a str,
    pub(crate) if_match: Option<&'static str>,
}

struct Lookups<'g>(&'g Gateway);

impl OwnerLookup for Lookups<'_> {
    fn look_up<'a>(&'a self, request: LookupRequest<'a>) -> BoxFuture<'a, Result<LookupAnswer, LookupFault>> {
        Box::pin(async move {
            let operation = self.0.contract.operation(request.operation).unwrap();
            let target = request.target(operation).ok_or(LookupFault::Unavailable)?;
            self.0.calls.lock().unwrap().push(format!("lookup {target}"));
            let answer = (self.0.origin)(&Method::GET, &target, "");
            Ok(LookupAnswer {
                status: StatusCode::from_u16(answer.status).unwrap(),
                etag: answer.headers.get(http::header::ETAG).cloned(),
                content_type: answer.headers.get(http::header::CONTENT_TYPE).cloned(),
                body: answer.body,
            })
        })
    }
}

impl Gateway {
    pub(crate) fn with(mut self, origin: impl Fn(&Method, &str, &str) -> Reply + Send + Sync + 'static) -> Self {
        self.origin = Box::new(origin);
        self
    }

    pub(crate) fn get(&self, caller: &Caller, path: &str) -> Outcome {
        self.send(Ask { caller, method: "GET", path, body: "", if_match: None })
    }

    pub(crate) fn ask(&self, caller: &Caller, method: &str, path: &str, body: &str) -> Outcome {
        self.send(Ask { caller, method, path, body, if_match: None })
    }

    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn send(&self, ask: Ask<'_>) -> Outcome {
        let clock = Arc::new(ManualClock::at(Duration::from_secs(1)));
        let mut trail = Trail::open(RequestId::from_parts(1, 2), clock);
        let ended = self.stages(ask, &mut trail);
        let alerts = trail.alerts().iter().map(|alert| alert.reason).collect();
        let object = trail.object().cloned();
        match ended {
            Ok((judged, known)) => Outcome {
                status: if known.precondition_failed { 412 } else { judged.status.as_u16() },
                reason: None,
                body: judged.body.clone(),
                denial: None,
                judged: Some(judged),
                known: Some(known),
                alerts,
                object,
            },
            Err(denial) => Outcome {
                status: denial.status().as_u16(),
                reason: Some(denial.reason()),
                body: Bytes::new(),
                denial: Some(denial),
                judged: None,
                known: None,
                alerts,
                object,
            },
        }
    }

    fn stages(&self, ask: Ask<'_>, trail: &mut Trail) -> Result<(Judged, Known), Denial> {
        let request = http::Request::builder().method(ask.method).uri(ask.path).header("host", "api.example.com");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let head = portcullis_wire::receive(parts, &HeadLimits::default(), &Reserved::new(&[])).unwrap();
        let RouteMatch::Operation(index, captures) = self.contract.route(&head.method, &head.path) else {
            return Err(trail
                .deny::<portcullis_decision::stage::Route>(Reason::RouteNotFound, portcullis_decision::Facts::none()));
        };
        let operation = self.contract.operation(index).unwrap();
        let _receipt = self.authorizer.function(index, ask.caller, trail)?;
        let parameters = operation.read_parameters(&head, &captures).unwrap();
        let limits = JsonLimits::default();
        let document = (!ask.body.is_empty())
            .then(|| Document::parse(Bytes::copy_from_slice(ask.body.as_bytes()), &limits).unwrap());
        let shape = operation.body.as_ref().and_then(|body| body.media.first()).and_then(|media| media.shape);
        let if_match = ask.if_match.map(HeaderValue::from_static);
        let question = ObjectQuestion {
            caller: ask.caller,
            parameters: &parameters,
            body: document.as_ref().zip(shape),
            if_match: if_match.as_ref(),
        };
        let lookups = Lookups(self);
        let (known, _receipt) = block_on(self.authorizer.object(index, question, &lookups, trail))?;
        if known.precondition_failed {
            let judged = Judged {
                status: StatusCode::OK,
                body: Bytes::new(),
                changed: false,
                private: false,
                strip_headers: Vec::new(),
            };
            return Ok((judged, known));
        }
        let judged = self.origin_answers(index, ask, &known, trail)?;
        Ok((judged, known))
    }

    fn origin_answers(
        &self,
        index: OperationIndex,
        ask: Ask<'_>,
        known: &Known,
        trail: &mut Trail,
    ) -> Result<Judged, Denial> {
        let method = if self.authorizer.needs(index).head_as_get { Method::GET } else { ask.method.parse().unwrap() };
        self.calls.lock().unwrap().push(format!("{method} {}", ask.path));
        let subject = ask.caller.identity().map(|i| i.subject.to_string()).unwrap_or_default();
        SUBJECT.set(subject);
        let path = ask.path.split('?').next().unwrap();
        let answer = (self.origin)(&method, path, ask.body);
        let status = StatusCode::from_u16(answer.status).unwrap();
        let question =
            AnswerQuestion { caller: ask.caller, known, status, headers: &answer.headers, body: answer.body };
        let (judged, _receipt) = self.authorizer.answer(index, question, trail)?;
        Ok(judged)
    }
}

/// Runs a future that never waits.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a fake port waited"),
    }
}
