// SPDX-License-Identifier: Apache-2.0
//! The head of an answer to an HTTP/1 client: ours, and its framing too (RFC 9112 §6).

use crate::outlet::{Coding, Outlet};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{Method, Response, StatusCode, Version};
use http_body::Body;

/// What the framing of an answer depends on, beside the answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) version: Version,
}

impl Asked {
    pub(super) fn new(method: &Method, version: Version) -> Self {
        Self { is_head: *method == Method::HEAD, version }
    }
}

impl Outlet {
    /// Whether the end of this answer is the end of the connection.
    pub(super) fn needs_close<B: Body>(asked: Asked, answer: &Response<B>) -> bool {
        coding(asked, answer) == Coding::Close
    }

    /// Writes a head into the buffer.
    pub(super) fn begin<B: Body>(&mut self, asked: Asked, answer: &Response<B>, last: bool, date: &[u8]) {
        let coding = coding(asked, answer);
        let status = answer.status();
        self.start(coding);
        self.put(b"HTTP/1.1 ");
        self.put(status.as_str().as_bytes());
        self.put(b" ");
        self.put(status.canonical_reason().unwrap_or_default().as_bytes());
        self.put(b"\r\n");
        let (mut dated, mut sized) = (false, false);
        for (name, value) in answer.headers() {
            if *name == CONNECTION || *name == TRANSFER_ENCODING {
                continue;
            }
            // Where there is a body its length is what is counted; elsewhere it tells what a body would have.
            if *name == CONTENT_LENGTH && (coding != Coding::Bodiless || status == StatusCode::NO_CONTENT) {
                continue;
            }
            dated |= *name == DATE;
            sized |= *name == CONTENT_LENGTH;
            self.field(name, value.as_bytes());
        }
        if !dated {
            self.field(&DATE, date);
        }
        match coding {
            Coding::Length(length) => self.length(length),
            Coding::Chunked => self.field(&TRANSFER_ENCODING, b"chunked"),
            // The answer to a HEAD tells the length of what it leaves out.
            Coding::Bodiless if asked.is_head && !sized => {
                if let Some(length) = answer.body().size_hint().exact().filter(|length| *length > 0) {
                    self.length(length);
                }
            }
            Coding::Bodiless | Coding::Close => {}
        }
        if last {
            self.field(&CONNECTION, b"close");
        }
        self.put(b"\r\n");
    }
}

fn coding<B: Body>(asked: Asked, answer: &Response<B>) -> Coding {
    let status = answer.status();
    let bodiless = asked.is_head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    match answer.body().size_hint().exact() {
        _ if bodiless => Coding::Bodiless,
        Some(length) => Coding::Length(length),
        None if asked.version == Version::HTTP_10 => Coding::Close,
        None => Coding::Chunked,
    }
}

#[cfg(test)]
mod tests;
