// SPDX-License-Identifier: Apache-2.0
//! Streams of requests, bent where parsers differ: line ends, blanks, signs, framing fields, chunk sizes.

use super::chance::Chance;
use crate::case::Case;

/// Requests joined in one stream at most.
const REQUESTS_MAX: usize = 3;
/// Longer streams are cut: they cost time and show nothing more.
const STREAM_BYTES_MAX: usize = 6_000;

const LINE_ENDS: [&[u8]; 9] = [b"\n", b"\r", b"\r\r\n", b"\n\r", b"", b"\r\n\r\n", b" \r\n", b"\r\n ", b"\0\r\n"];
const SIGNS: [&[u8]; 22] = [
    b"\0",
    b"\x0b",
    b"\x0c",
    b" ",
    b"\t",
    b"\x85",
    b"\xa0",
    b"\xff",
    b",",
    b";",
    b":",
    b"\r",
    b"\n",
    b"\r\n",
    b"_",
    b"\"",
    b"%",
    b"#",
    b"0",
    b"\\",
    b"\x7f",
    b"\xc2\xa0",
];
const FIELDS: [&[u8]; 44] = [
    b"Content-Length: 0",
    b"Content-Length: 5",
    b"Content-Length: 48",
    b"Content-Length: 05",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Content-Length:5",
    b"Content-Length : 5",
    b"Content-Length: 5 ",
    b"Content-Length\t: 5",
    b"Content-Length: 0x5",
    b"content-length: 1",
    b"Content_Length: 5",
    b" Content-Length: 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding:\x0bchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: \"chunked\"",
    b"transfer-encoding: CHUNKED",
    b"Transfer_Encoding: chunked",
    b" Transfer-Encoding: chunked",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rContent-Length: 5",
    b"Expect: 100-continue",
    b"Expect: x",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: content-length",
    b"Connection: transfer-encoding",
    b"Connection: upgrade\r\nUpgrade: h2c",
    b"Host: edge.example.com",
    b"Host: other.example.com",
    b"X-HTTP-Method-Override: DELETE",
    b"Trailer: content-length",
    b"TE: trailers",
    b"X-A: b",
    b"X-A:",
    b": b",
];
const METHODS: [&[u8]; 9] = [b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"CONNECT", b"get", b"TRACE"];
const VERSIONS: [&[u8]; 7] =
    [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.1 "];
const NUMBERS: [&[u8]; 16] = [
    b"0",
    b"1",
    b"5",
    b"6",
    b"7",
    b"a",
    b"F",
    b"00",
    b"+5",
    b"-1",
    b"0x5",
    b"10",
    b"ffffffffffffffff",
    b"18446744073709551616",
    b"05",
    b"5 ",
];

/// What streams are made of.
pub(crate) struct Seeds {
    /// Every case that is short enough.
    all: Vec<Vec<u8>>,
    /// Those that are served.
    good: Vec<Vec<u8>>,
}

impl Seeds {
    pub(crate) fn of(cases: &[Case]) -> Self {
        let short = |case: &&Case| {
            case.bytes.len() <= 1_500 && !case.bytes.windows(7).any(|w| w == b"{ALICE}" || w == b"/script")
        };
        let served = |case: &&Case| case.outcomes.iter().all(|o| o.statuses.iter().all(|status| *status == 200));
        let bytes = |case: &Case| case.bytes.clone();
        Self {
            all: cases.iter().filter(short).map(bytes).collect(),
            good: cases.iter().filter(short).filter(served).map(bytes).collect(),
        }
    }

    /// The stream of this number: bytes for the API mounted at `mount`.
    pub(crate) fn stream(&self, seed: u64, number: u64, mount: &str) -> Vec<u8> {
        let mut chance = Chance::of(seed, number);
        let mut bytes = Vec::new();
        for _ in 0..=chance.below(REQUESTS_MAX) {
            let from = if chance.once_in(3) { &self.all } else { &self.good };
            bytes.extend_from_slice(&from[chance.below(from.len())]);
        }
        for _ in 0..chance.below(4) {
            bend(&mut bytes, &mut chance, &self.good);
        }
        bytes.truncate(STREAM_BYTES_MAX);
        named(&bytes, number, mount)
    }
}

/// Gives every request of a stream a path of its own, at the given mount.
fn named(bytes: &[u8], number: u64, mount: &str) -> Vec<u8> {
    let mut named = Vec::with_capacity(bytes.len() + 64);
    let mut at = 0;
    let mut count = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"/v1/items/") {
            named.extend_from_slice(format!("{mount}/items/s{number}r{count}-").as_bytes());
            (count, at) = (count + 1, at + b"/v1/items/".len());
        } else if rest.starts_with(b"/v1/") {
            named.extend_from_slice(mount.as_bytes());
            at += b"/v1".len();
        } else {
            named.push(bytes[at]);
            at += 1;
        }
    }
    named
}

/// Places where a line ends.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    bytes.windows(2).enumerate().filter(|(_, w)| *w == b"\r\n").map(|(at, _)| at).collect()
}

fn splice(bytes: &mut Vec<u8>, from: usize, to: usize, with: &[u8]) {
    let (from, to) = (from.min(bytes.len()), to.min(bytes.len()));
    bytes.splice(from..to.max(from), with.iter().copied());
}

fn bend(bytes: &mut Vec<u8>, chance: &mut Chance, good: &[Vec<u8>]) {
    let ends = line_ends(bytes);
    let end = ends.get(chance.below(ends.len())).copied().unwrap_or_default();
    let start = ends.iter().rev().find(|at| **at < end).map_or(0, |at| at + 2);
    let anywhere = chance.below(bytes.len());
    match chance.below(14) {
        0 => splice(bytes, end, end + 2, chance.pick(&LINE_ENDS)),
        1 => splice(bytes, anywhere, anywhere, chance.pick(&SIGNS)),
        2 => splice(bytes, anywhere, anywhere + 1, chance.pick(&SIGNS)),
        3 => splice(bytes, end + 2, end + 2, &[chance.pick(&FIELDS), b"\r\n"].concat()),
        4 => around_the_colon(bytes, start, end, chance),
        5 => {
            let line = bytes.get(start..end + 2).unwrap_or_default().to_vec();
            splice(bytes, end + 2, end + 2, &line);
        }
        6 => splice(bytes, start, end + 2, b""),
        7 => number(bytes, start, end, chance),
        8 => bytes.truncate(anywhere),
        9 => {
            let other = &good[chance.below(good.len())];
            splice(bytes, anywhere, anywhere, other);
        }
        10 => {
            let other = &good[chance.below(good.len())];
            let cut = chance.below(other.len());
            bytes.truncate(anywhere);
            bytes.extend_from_slice(&other[cut..]);
        }
        11 => word(bytes, chance),
        12 => {
            if let Some(byte) = bytes.get_mut(anywhere) {
                *byte = if chance.once_in(2) { *byte ^ 0x20 } else { u8::try_from(chance.below(256)).unwrap() };
            }
        }
        _ => reframe(bytes, chance),
    }
}

fn around_the_colon(bytes: &mut Vec<u8>, start: usize, end: usize, chance: &mut Chance) {
    let Some(colon) = bytes.get(start..end).and_then(|line| line.iter().position(|b| *b == b':')) else { return };
    let at = start + colon + usize::from(chance.once_in(2));
    splice(bytes, at, at, chance.pick(&SIGNS));
}

/// Writes another number where one stands: a length, a chunk size, a port.
fn number(bytes: &mut Vec<u8>, start: usize, end: usize, chance: &mut Chance) {
    let line = bytes.get(start..end).unwrap_or_default();
    let Some(first) = line.iter().position(u8::is_ascii_digit) else { return };
    let digits = line[first..].iter().take_while(|b| b.is_ascii_hexdigit()).count();
    splice(bytes, start + first, start + first + digits, chance.pick(&NUMBERS));
}

/// Writes another method or version into a request line.
fn word(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let at = bytes.windows(9).position(|w| w == b" HTTP/1.1");
    if chance.once_in(2) {
        if let Some(at) = at {
            splice(bytes, at + 1, at + 9, chance.pick(&VERSIONS));
        }
    } else if let Some(method) = bytes.iter().position(|b| *b == b' ') {
        splice(bytes, 0, method, chance.pick(&METHODS));
    }
}

/// Says the other framing about the first body, with or without changing the body.
fn reframe(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let find = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|w| w == what);
    if let Some(at) = find(bytes, b"Transfer-Encoding: chunked") {
        let length = chance.pick(&NUMBERS);
        splice(bytes, at, at + b"Transfer-Encoding: chunked".len(), &[b"Content-Length: ", length].concat());
    } else if let Some(at) = find(bytes, b"Content-Length: ") {
        let digits = bytes[at + 16..].iter().take_while(|b| b.is_ascii_digit()).count();
        splice(bytes, at, at + 16 + digits, b"Transfer-Encoding: chunked");
        if chance.once_in(2) {
            let Some(body) = find(bytes, b"\r\n\r\n") else { return };
            splice(bytes, body + 4, body + 4, b"5\r\n");
            splice(bytes, body + 12, body + 12, b"\r\n0\r\n\r\n");
        }
    }
}
