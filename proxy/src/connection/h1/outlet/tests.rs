// SPDX-License-Identifier: Apache-2.0
use super::*;
use bytes::Bytes;
use http::HeaderValue;
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

const NOW: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";

/// A body of which only the size is known.
#[derive(Clone)]
struct Sized(SizeHint);

impl Body for Sized {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        self.0
    }
}

fn answer(status: u16, fields: &[(&'static str, &'static str)], size: &SizeHint) -> Response<Sized> {
    let mut response = Response::new(Sized(*size));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in fields {
        response.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    response
}

fn unknown() -> SizeHint {
    SizeHint::new()
}

fn head(asked: Asked, answer: &Response<Sized>, last: bool) -> String {
    let mut outlet = Outlet::new();
    outlet.begin(asked, answer, last, NOW);
    String::from_utf8(outlet.head().to_vec()).unwrap()
}

const GET: Asked = Asked { is_head: false, version: Version::HTTP_11 };
const HEAD: Asked = Asked { is_head: true, version: Version::HTTP_11 };
const GET_1_0: Asked = Asked { is_head: false, version: Version::HTTP_10 };

#[test]
fn a_head_has_one_framing_and_it_is_ours() {
    let dated = "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let lying =
        |size| answer(200, &[("content-length", "7"), ("transfer-encoding", "gzip"), ("connection", "x")], size);
    let (sized, unsized_) = (lying(&SizeHint::with_exact(5)), lying(&unknown()));
    assert_eq!(head(GET, &sized, false), format!("{dated}content-length: 5\r\n\r\n"));
    assert_eq!(head(GET, &unsized_, false), format!("{dated}transfer-encoding: chunked\r\n\r\n"));
    assert_eq!(head(GET_1_0, &unsized_, true), format!("{dated}connection: close\r\n\r\n"));
    assert!(Outlet::needs_close(GET_1_0, &unsized_));
    assert!(!Outlet::needs_close(GET_1_0, &sized));
}

#[test]
fn what_has_no_body_says_what_a_body_would_have() {
    let fields = &[("content-length", "7"), ("date", "x")];
    let sized = head(HEAD, &answer(200, fields, &unknown()), false);
    assert_eq!(sized, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\ndate: x\r\n\r\n");
    let left_out = head(HEAD, &answer(200, &[("date", "x")], &SizeHint::with_exact(5)), false);
    assert_eq!(left_out, "HTTP/1.1 200 OK\r\ndate: x\r\ncontent-length: 5\r\n\r\n");
    assert!(head(GET, &answer(304, fields, &unknown()), false).contains("content-length: 7"));
    let none = head(GET, &answer(204, fields, &unknown()), false);
    assert_eq!(none, "HTTP/1.1 204 No Content\r\ndate: x\r\n\r\n");
}
