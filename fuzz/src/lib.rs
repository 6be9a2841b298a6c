// SPDX-License-Identifier: Apache-2.0
//! What fuzzers ask of every reader of bytes from outside. Each target is a function that panics where a promise does
//! not hold; `cargo xtask fuzz` feeds it with libFuzzer, and the tests feed it with what that found worth keeping.
//!
//! Invariants: a target has no state, no clock and no randomness of its own; the same bytes say the same every time.
//!
//! Deliberately absent: generators of inputs (libFuzzer and proptest have them) and anything a product links.
#![expect(clippy::panic, clippy::missing_panics_doc, reason = "a promise that does not hold must stop the fuzzer")]

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Version};
use portcullis_wire::frames::{ClientFrames, FrameRules, PREFACE, UpstreamFrames};
use portcullis_wire::json::{Document, JsonLimits};
use portcullis_wire::websocket::{Bounds, FrameReader, Side, Step};
use portcullis_wire::{
    AnswerScan, AnswerScanned, CanonicalPath, ChunkReader, HeadLimits, Piece, Query, Reserved, Scan, Scanned, receive,
};

/// A target: its name, and what it asks.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 9] = [
    ("z1", z1_heads),
    ("z2", z2_chunks),
    ("z3", z3_frames),
    ("z4", z4_paths),
    ("z5", z5_queries),
    ("z6", z6_fields),
    ("z7", z7_json),
    ("answers", answers),
    ("websocket", websocket_frames),
];

fn same<T: PartialEq + std::fmt::Debug>(whole: &T, cut: &T, what: &str) {
    assert!(whole == cut, "{what} depends on how the bytes are cut:\n{whole:?}\n{cut:?}");
}

/// Requests have one reading, however their bytes are cut (T24, SM-20).
pub fn z1_heads(bytes: &[u8]) {
    same(&heads([bytes].into_iter()), &heads(bytes.chunks(1)), "a head");
}

fn heads<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> Vec<String> {
    let (limits, reserved) = (HeadLimits::default(), Reserved::default());
    let (mut scan, mut buffer, mut verdicts) = (Scan::new(), BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match scan.head(&mut buffer, &limits, &reserved) {
                Scanned::NeedMore => break,
                Scanned::Head(head) => {
                    assert!(!head.headers.keys().any(|name| reserved.contains(name)), "a reserved field passed");
                    verdicts.push(format!("{head:?}"));
                }
                Scanned::Refused(refusal) => {
                    verdicts.push(format!("{refusal:?}"));
                    return verdicts;
                }
            }
        }
    }
    verdicts
}

/// Chunked bodies have one reading, split at every byte (T10, T11).
pub fn z2_chunks(bytes: &[u8]) {
    same(&chunks([bytes].into_iter()), &chunks(bytes.chunks(1)), "a chunked body");
}

/// The content, how many bytes it took, and how it ended.
fn chunks<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> (Vec<u8>, Result<bool, String>) {
    let (mut reader, mut content) = (ChunkReader::new(), Vec::new());
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            let read = match reader.read(rest) {
                Ok(read) => read,
                Err(fault) => return (content, Err(format!("{fault:?}"))),
            };
            rest.advance(read.framing);
            match read.piece {
                Piece::NeedMore => {}
                Piece::Data(length) => {
                    content.extend_from_slice(rest.get(..length).unwrap_or_else(|| panic!("more than there is")));
                    rest.advance(length);
                }
                Piece::End => return (content, Ok(true)),
            }
        }
    }
    (content, Ok(false))
}

/// Frames of both sides are judged alike however they are cut (T47–T53).
pub fn z3_frames(bytes: &[u8]) {
    stops(client([bytes].into_iter()), client(bytes.chunks(1)), "a client");
    stops(upstream([bytes].into_iter()), upstream(bytes.chunks(1)), "an upstream");
}

/// Both stop at the same frame for the same reason; of that frame's head, which says nothing before it is whole, a part
/// may have gone on.
fn stops((whole, why): (usize, String), (cut, why_cut): (usize, String), who: &str) {
    const HEAD_BYTES: usize = 9;
    same(&why, &why_cut, who);
    assert!((whole..whole.saturating_add(HEAD_BYTES)).contains(&cut), "{who} is stopped at {whole} or at {cut}");
}

fn client<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> (usize, String) {
    let mut frames = ClientFrames::new(FrameRules::default());
    frames.read(PREFACE, 0).unwrap_or_else(|refused| panic!("the preface is refused: {refused:?}"));
    kept(pieces, |piece| frames.read(piece, 0).map_err(|refused| (refused.keep, format!("{:?}", refused.violation))))
}

fn upstream<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> (usize, String) {
    let mut frames = UpstreamFrames::new();
    kept(pieces, |piece| {
        let read = frames.read(piece, 0, |_| ());
        read.map(drop).map_err(|refused| (refused.keep, format!("{:?}", refused.violation)))
    })
}

/// How many bytes may go on, and what stopped them.
fn kept<'b>(
    pieces: impl Iterator<Item = &'b [u8]>,
    mut read: impl FnMut(&[u8]) -> Result<(), (usize, String)>,
) -> (usize, String) {
    let mut passed = 0_usize;
    for piece in pieces {
        match read(piece) {
            Ok(()) => passed = passed.saturating_add(piece.len()),
            Err((keep, violation)) => return (passed.saturating_add(keep), violation),
        }
    }
    (passed, String::new())
}

/// A canonical path is its own canonical form (T25–T31).
pub fn z4_paths(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(path) = CanonicalPath::parse(text) else { return };
    let again = CanonicalPath::parse(path.as_str()).unwrap_or_else(|fault| panic!("{path:?} is refused: {fault:?}"));
    same(&path.as_str(), &again.as_str(), "a path");
    assert!(path.segments().eq(again.segments()), "{path:?} has two readings");
    assert!(path.segments().all(|segment| segment != "." && segment != ".."), "{path:?} has a dot segment");
}

/// A query is read into at most so many parameters (T32, T33).
pub fn z5_queries(bytes: &[u8]) {
    const PARAMETERS_MAX: usize = 8;
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(query) = Query::parse(text, PARAMETERS_MAX) else { return };
    assert!(query.pairs().len() <= PARAMETERS_MAX, "{} parameters", query.pairs().len());
    for (name, _) in query.pairs() {
        assert!(query.all(name).next().is_some(), "{name:?} is not found");
    }
}

/// What is received from another reader of HTTP holds nothing a client may not say (T34, T37, T38).
pub fn z6_fields(bytes: &[u8]) {
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_11;
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut halves = line.splitn(2, |byte| *byte == b':');
        let name = HeaderName::from_bytes(halves.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(halves.next().unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers_mut().append(name, value);
        }
    }
    let reserved = Reserved::default();
    let Ok(head) = receive(request.into_parts().0, &HeadLimits::default(), &reserved) else { return };
    for name in head.headers.keys() {
        assert!(!reserved.contains(name), "{name} passed");
        assert!(
            !["connection", "transfer-encoding", "upgrade", "te", "host"].contains(&name.as_str()),
            "{name} passed"
        );
    }
}

/// A document that is read has an end, and its bytes are kept.
pub fn z7_json(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok(document) = Document::parse(bytes.clone(), &JsonLimits::default()) {
        assert!(*document.bytes() == bytes, "the bytes of a document changed");
    }
}

/// Answers have one reading, however their bytes are cut (T18).
pub fn answers(bytes: &[u8]) {
    for to_head in [false, true] {
        same(&answer([bytes].into_iter(), to_head), &answer(bytes.chunks(1), to_head), "an answer");
    }
}

fn answer<'b>(pieces: impl Iterator<Item = &'b [u8]>, to_head: bool) -> Option<String> {
    let (mut scan, mut buffer) = (AnswerScan::new(), BytesMut::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        match scan.head(&mut buffer, to_head) {
            AnswerScanned::NeedMore => {}
            AnswerScanned::Head(head) => return Some(format!("{head:?}")),
            AnswerScanned::Refused(_) => return Some("refused".to_owned()),
        }
    }
    None
}

/// Frames of a WebSocket pass alike however they are cut (T128).
pub fn websocket_frames(bytes: &[u8]) {
    for side in [Side::Client, Side::Server] {
        same(&passed([bytes].into_iter(), side), &passed(bytes.chunks(1), side), "what passes");
    }
}

fn passed<'b>(pieces: impl Iterator<Item = &'b [u8]>, side: Side) -> (usize, String) {
    let mut reader = FrameReader::new(side, Bounds { message_bytes_max: 1000, fragments_max: 4 });
    let (mut held, mut passed) = (BytesMut::new(), 0_usize);
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            match reader.read(&held) {
                Ok(Step::NeedMore) => break,
                Ok(Step::Pass(bytes, _)) => {
                    held.advance(bytes);
                    passed = passed.saturating_add(bytes);
                }
                Err(breach) => return (passed, format!("{breach:?}")),
            }
        }
    }
    (passed, String::new())
}
