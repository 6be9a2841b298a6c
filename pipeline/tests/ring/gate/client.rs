// SPDX-License-Identifier: Apache-2.0
//! A client of the gate.

use super::body::{Step, Steps};
use super::{HOST, Stand, tokens};
use bytes::{Bytes, BytesMut};
use http::request::Builder;
use http::{HeaderMap, Response};
use http_body::Body;
use portcullis_pipeline::{AnswerBody, Arrived, BodyFault, Connection, Handshake, respond};
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;

pub(crate) const SCOPES: &str = "orders.read orders.write";

/// A request being put together.
pub(crate) struct Call<'s> {
    stand: &'s Stand,
    builder: Builder,
    body: Steps,
    tls: Option<Arc<Handshake>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) fault: Option<BodyFault>,
}

impl Stand {
    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let builder = http::Request::builder().method(method).uri(path).header("host", HOST);
        Call { stand: self, builder, body: Steps::default(), tls: None }
    }

    /// A call that names this host.
    pub(crate) fn call_at(&self, host: &str, method: &str, path: &str) -> Call<'_> {
        let builder = http::Request::builder().method(method).uri(path).header("host", host);
        Call { stand: self, builder, body: Steps::default(), tls: None }
    }

    /// The answer was this refusal; it is recorded once, and the origin was not called at all.
    #[track_caller]
    pub(crate) fn refused(&self, reply: &Reply, status: u16, reason: &str) {
        assert_eq!(self.origin.seen().len(), 0, "the origin was called: {:?}", self.origin.seen());
        self.recorded_refusal(reply, status, reason);
    }

    /// The answer was this refusal and is recorded once.
    #[track_caller]
    pub(crate) fn recorded_refusal(&self, reply: &Reply, status: u16, reason: &str) {
        let records = self.records();
        let last = records.last().unwrap_or(&Value::Null);
        assert_eq!((reply.status, last["reason"].as_str()), (status, Some(reason)), "{reply:?} {records:#?}");
        let of_this = records.iter().filter(|record| record["request"] == reply.request_id()).count();
        assert_eq!(of_this, 1, "{records:#?}");
        assert_eq!(last["decision"], "deny");
        assert_eq!(last["status"], status);
        let problem = reply.json();
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"], format!("urn:portcullis:request:{}", reply.request_id()));
    }
}

impl<'s> Call<'s> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// On a connection with this handshake.
    pub(crate) fn over(self, handshake: Arc<Handshake>) -> Self {
        Self { tls: Some(handshake), ..self }
    }

    /// With this token.
    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// As a user with the usual scopes.
    pub(crate) fn user(self, subject: &str) -> Self {
        self.token(&tokens::token(subject, SCOPES, &[]))
    }

    /// As a user with the usual scopes and a role.
    pub(crate) fn role(self, subject: &str, role: &str) -> Self {
        self.token(&tokens::token(subject, SCOPES, &[role]))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw("application/json", &body.to_string())
    }

    pub(crate) fn raw(self, media_type: &str, body: &str) -> Self {
        let mut call = self.header("content-type", media_type).header("content-length", &body.len().to_string());
        call.body = Steps::whole(body.to_owned());
        call
    }

    pub(crate) fn chunked(self, media_type: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        let mut call = self.header("content-type", media_type).header("transfer-encoding", "chunked");
        call.body = Steps::stream(steps);
        call
    }

    /// The answer before its body.
    pub(crate) async fn start(self) -> Response<AnswerBody<Steps>> {
        let stand: &'s Stand = self.stand;
        let connection = Connection {
            peer: "192.0.2.1:4711".parse().unwrap(),
            local: "192.0.2.2:443".parse().unwrap(),
            tls: self.tls,
        };
        let (parts, body) = self.builder.body(self.body).unwrap().into_parts();
        let method = parts.method.clone();
        let received = portcullis_wire::receive(parts, &stand.gate.head_limits, &stand.gate.reserved);
        respond(
            &stand.gate,
            &stand.lane,
            &stand.origin,
            &connection,
            Arrived { received: received.map(Box::new), method, body },
        )
        .await
    }

    pub(crate) async fn send(self) -> Reply {
        read(self.start().await).await
    }
}

/// Reads an answer to its end or its fault.
pub(crate) async fn read(answer: Response<AnswerBody<Steps>>) -> Reply {
    let (head, mut body) = answer.into_parts();
    let (mut bytes, mut fault) = (BytesMut::new(), None);
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => bytes.extend_from_slice(&data),
            Ok(Err(_)) => panic!("a trailer left"),
            Err(found) => {
                fault = Some(found);
                break;
            }
        }
    }
    Reply { status: head.status.as_u16(), headers: head.headers, body: bytes.freeze(), fault }
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let one = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} came twice");
        one
    }

    #[track_caller]
    pub(crate) fn request_id(&self) -> &str {
        self.header("request-id").unwrap_or_else(|| panic!("no id: {self:?}"))
    }
}
