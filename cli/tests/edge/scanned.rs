// SPDX-License-Identifier: Apache-2.0
//! The corpus and streams bent from it, read by the gate's scanner alone: no panic, one verdict however the bytes are cut,
//! and no head that a second, independent reader refuses.

use crate::cases;
use crate::smuggle::mutate::Seeds;
use crate::strict::{self, Reading};
use bytes::BytesMut;
use portcullis_wire::{HeadLimits, Reserved, Scan, Scanned};

/// Bent streams that are read, beside every case of the corpus.
const STREAMS: u64 = 20_000;
const SEED: u64 = 7;

/// What is said of the first head when the bytes come in these pieces; `None` when it is not whole.
fn verdict(pieces: &[&[u8]], reserved: &Reserved) -> Option<String> {
    let (mut scan, mut buffer, limits) = (Scan::new(), BytesMut::new(), HeadLimits::default());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        match scan.head(&mut buffer, &limits, reserved) {
            Scanned::NeedMore => {}
            Scanned::Head(head) => return Some(format!("head {} {} {:?}", head.method, head.path, head.framing)),
            Scanned::Refused(refusal) => return Some(format!("{:?}", refusal.fault)),
        }
    }
    None
}

fn agrees(bytes: &[u8], cut: usize, reserved: &Reserved) -> Option<String> {
    let whole = verdict(&[bytes], reserved);
    let (before, after) = bytes.split_at(cut.min(bytes.len()));
    let said = || bytes[..bytes.len().min(2_000)].escape_ascii().to_string();
    assert_eq!(whole, verdict(&[before, after], reserved), "cut at {cut}: {}", said());
    if bytes.len() < 600 {
        let each: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(whole, verdict(&each, reserved), "each byte: {}", said());
    }
    if whole.as_ref().is_some_and(|verdict| verdict.starts_with("head")) {
        // Only the head was judged here: a fault of its body is found when the body is read.
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
        let refused = matches!(strict::read(&bytes[..end]), Reading::Malformed(_));
        let without_host = bytes.windows(8).any(|w| w == b"HTTP/1.0");
        assert!(!refused || without_host, "a strict reader refuses {}", said());
    }
    whole
}

#[test]
fn t24_heads_have_one_verdict_however_they_are_cut() {
    let (cases, reserved) = (cases::all(), Reserved::default());
    let (mut heads, mut refusals) = (0_u32, 0_u32);
    let mut count = |verdict: Option<String>| match verdict {
        Some(text) if text.starts_with("head") => heads += 1,
        Some(_) => refusals += 1,
        None => {}
    };
    for case in &cases {
        for cut in [1, 17, case.bytes.len() / 2, case.bytes.len().saturating_sub(1)] {
            count(agrees(&case.bytes, cut, &reserved));
        }
    }
    let seeds = Seeds::of(&cases);
    for stream in 0..STREAMS {
        let bytes = seeds.stream(SEED, stream, "/v1");
        let cut = usize::try_from(stream * 31).unwrap() % bytes.len().max(1);
        count(agrees(&bytes, cut, &reserved));
    }
    println!("{heads} heads, {refusals} refusals");
    assert!(heads > 5_000 && refusals > 5_000, "{heads} heads, {refusals} refusals");
}
