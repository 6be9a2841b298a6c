// SPDX-License-Identifier: Apache-2.0
//! Heads in HTTP/2: the request's is ours (RFC 9113 §8.3.1), the answer's is judged before it is believed (T18).

use crate::outlet::Coding;
use crate::upstream::outgoing::{Draft, OutgoingBody, Purpose};
use crate::upstream::target::{Carriage, Target};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use portcullis_wire::{AnswerFraming, AnswerHead};

/// Most fields of a head, or of trailers.
const FIELDS_MAX: usize = 100;
/// Digits of a length; more do not fit 64 bits.
const LENGTH_DIGITS_MAX: usize = 19;

/// Fields of a connection: HTTP/2 has none (RFC 9113 §8.2.2).
static OF_A_CONNECTION: [HeaderName; 5] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];
/// Fields of one hop that may stand in an answer (RFC 9110 §7.6.1).
static HOP_BY_HOP: [HeaderName; 3] = [PROXY_AUTHENTICATE, TE, TRAILER];

/// The answer has two readings, or is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Disbelieved;

/// Whether an answer's trailers were asked for, and go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trailers {
    Pass,
    Drop,
}

/// The head of a request; `None` where its path is no origin-form, which the canonical path rules out.
pub(super) fn request(draft: &Draft, target: &Target) -> Option<Request<()>> {
    let scheme = match target.scheme {
        Carriage::Plain => "http",
        Carriage::Tls => "https",
    };
    let base = if draft.purpose == Purpose::Probe { "" } else { &target.path };
    let path = if base.is_empty() { draft.path.clone() } else { format!("{base}{}", draft.path) };
    if !path.starts_with('/') {
        return None;
    }
    let uri = Uri::builder().scheme(scheme).authority(target.authority.as_bytes()).path_and_query(path).build().ok()?;
    let mut headers = draft.headers.clone();
    for name in OF_A_CONNECTION.iter().chain([&HOST, &CONTENT_LENGTH, &TRAILER]) {
        headers.remove(name);
    }
    if headers.get(TE).is_some_and(|te| te != "trailers") {
        headers.remove(TE);
    }
    if let Some(length) = length(draft) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let mut request = Request::new(());
    *request.method_mut() = draft.method.clone();
    *request.uri_mut() = uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    Some(request)
}

/// What is said of the length of a body.
pub(super) fn length(draft: &Draft) -> Option<u64> {
    match &draft.body {
        // RFC 9110 §8.6: said where the method gives content a meaning.
        OutgoingBody::Empty => matches!(draft.method, Method::POST | Method::PUT | Method::PATCH).then_some(0),
        OutgoingBody::Full(bytes) => Some(bytes.len() as u64),
        OutgoingBody::Stream(stream) => match stream.coding {
            Coding::Length(length) => Some(length),
            Coding::Bodiless | Coding::Chunked | Coding::Close => None,
        },
    }
}

/// Whether the answer's trailers are wanted: only gRPC asks for them.
pub(super) fn trailers(draft: &Draft) -> Trailers {
    if draft.headers.get(TE).is_some_and(|te| te == "trailers") { Trailers::Pass } else { Trailers::Drop }
}

/// Judges the head of an answer. `to_head`: the request was a `HEAD`; `ended`: no content follows.
pub(super) fn believe(parts: Parts, to_head: bool, ended: bool) -> Result<AnswerHead, Disbelieved> {
    let Parts { status, mut headers, .. } = parts;
    if status.is_informational() || headers.len() > FIELDS_MAX {
        return Err(Disbelieved);
    }
    if OF_A_CONNECTION.iter().any(|name| headers.contains_key(name)) {
        return Err(Disbelieved);
    }
    let length = told_length(&headers)?;
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    let bodiless = to_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let framing = match length {
        _ if bodiless => AnswerFraming::None,
        Some(1..) if ended => return Err(Disbelieved),
        None if ended => AnswerFraming::None,
        Some(length) => AnswerFraming::Length(length),
        // By the end of the stream, which cannot be mistaken for the end of the connection.
        None => AnswerFraming::UntilClose,
    };
    Ok(AnswerHead { status, headers, framing, keeps_alive: true, switches_to_websocket: false })
}

/// One number, or none.
fn told_length(headers: &HeaderMap) -> Result<Option<u64>, Disbelieved> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(None),
        (Some(length), None) => {
            let digits = length.as_bytes();
            if digits.is_empty() || digits.len() > LENGTH_DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
                return Err(Disbelieved);
            }
            length.to_str().ok().and_then(|digits| digits.parse().ok()).map(Some).ok_or(Disbelieved)
        }
        (Some(_), Some(_)) => Err(Disbelieved),
    }
}

/// Whether trailers may be looked at: few, and none of a connection.
pub(super) fn trailers_are_plain(trailers: &HeaderMap) -> bool {
    trailers.len() <= FIELDS_MAX && !OF_A_CONNECTION.iter().any(|name| trailers.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(fields: &[(&'static str, &'static str)], ended: bool) -> Result<AnswerHead, Disbelieved> {
        let mut response = http::Response::new(());
        for (name, value) in fields {
            response.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        believe(response.into_parts().0, false, ended)
    }

    #[test]
    fn t18_an_answer_in_http_2_with_two_readings_is_none() {
        for fields in [
            &[("content-length", "5"), ("content-length", "5")] as &[_],
            &[("content-length", "5, 5")],
            &[("content-length", "+5")],
            &[("content-length", "")],
            &[("content-length", "99999999999999999999")],
            &[("connection", "close")],
            &[("transfer-encoding", "chunked")],
            &[("upgrade", "h2c")],
            &[("keep-alive", "timeout=5")],
        ] {
            assert!(judged(fields, false).is_err(), "{fields:?}");
        }
        assert!(judged(&[("content-length", "5")], true).is_err(), "shorter than it says");
        let many: Vec<_> = (0..101).map(|_| ("x-many", "1")).collect();
        assert!(judged(&many, false).is_err());
    }

    #[test]
    fn fields_of_one_hop_stay_on_it_in_http_2_too() {
        let fields =
            [("te", "trailers"), ("trailer", "x"), ("proxy-authenticate", "x"), ("content-length", "2"), ("etag", "a")];
        let head = judged(&fields, false).unwrap();
        assert_eq!(head.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-length", "etag"]);
        assert_eq!(head.framing, AnswerFraming::Length(2));
        assert_eq!(judged(&[], true).unwrap().framing, AnswerFraming::None);
    }
}
