// SPDX-License-Identifier: Apache-2.0
//! The head of a request as it stood on the wire, kept by the connection until the next one and read back only when
//! the request must be sent again. Keeping the bytes costs one copy of them; keeping a second header map cost more
//! than all else here, for something that hardly ever happens.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Longest head that is kept; a longer one is not sent again.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// What the current request's first write began with.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    bytes: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nobody asked for it.
    #[default]
    Off,
    /// The next write begins with it.
    Awaited,
    /// It is here.
    Whole,
}

impl Sent {
    /// A request begins; `keep`: whether it may have to be sent again.
    pub(crate) fn begin(&mut self, keep: bool) {
        self.bytes.clear();
        self.state = if keep { State::Awaited } else { State::Off };
    }

    /// The socket is about to be offered a write that begins with `first`. hyper writes a head in one piece and the
    /// first write of a request begins with it; a body comes in pieces of its own, or behind the head in the same one.
    /// What the socket makes of it does not matter: it is offered again until it is taken.
    pub(crate) fn offer(&mut self, first: &[u8]) {
        if self.state != State::Awaited {
            return;
        }
        if first.len() > HEAD_BYTES_MAX {
            self.state = State::Off;
            return;
        }
        self.bytes.extend_from_slice(first);
        self.state = State::Whole;
    }

    /// The bytes from the request line on, if they are all there.
    pub(crate) fn head(&self) -> Option<&[u8]> {
        (self.state == State::Whole).then_some(self.bytes.as_slice())
    }
}

/// A head that was read back.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) headers: HeaderMap,
}

/// Reads a head that hyper wrote from values it was given; anything else is `None`.
pub(crate) fn read(bytes: &[u8]) -> Option<Head<'_>> {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r"));
    let mut words = lines.next()??.split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let path = std::str::from_utf8(words.next()?).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let line = line?;
        if line.is_empty() {
            return Some(Head { method, path, headers });
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b": ").or_else(|| value.strip_prefix(b":"))?;
        headers.append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &[u8] = b"PUT /a?b=c HTTP/1.1\r\nx-one: 1\r\nx-two: a: b\r\nx-one: 2\r\nx-empty: \r\n\r\n";

    #[test]
    fn f29_a_head_is_read_back_as_it_was() {
        let head = read(HEAD).unwrap();
        assert_eq!((head.method, head.path), (Method::PUT, "/a?b=c"));
        let fields: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 4] = [("x-one", b"1"), ("x-one", b"2"), ("x-two", b"a: b"), ("x-empty", b"")];
        assert_eq!(fields, expected);
    }

    #[test]
    fn f29_what_is_not_whole_is_not_sent_again() {
        let mut sent = Sent::default();
        sent.begin(true);
        assert_eq!(sent.head(), None);
        sent.offer(HEAD);
        assert_eq!(sent.head(), Some(HEAD));
        sent.offer(b"the body");
        assert_eq!(sent.head(), Some(HEAD), "a body is no part of it");
        sent.begin(false);
        sent.offer(HEAD);
        assert_eq!(sent.head(), None, "nobody asked for it");
        sent.begin(true);
        sent.offer(&vec![b'x'; HEAD_BYTES_MAX + 1]);
        assert_eq!(sent.head(), None, "too long");
        assert!(read(&HEAD[..HEAD.len() - 2]).is_none(), "no end");
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
