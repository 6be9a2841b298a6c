// SPDX-License-Identifier: Apache-2.0
//! Handshakes and frames: one reading each, however the bytes are cut.

use super::*;
use crate::{AnswerScan, AnswerScanned};
use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use proptest::prelude::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const BOUNDS: Bounds = Bounds { message_bytes_max: 1000, fragments_max: 4 };

fn fields(all: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in all {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn offer(more: &[(&str, &str)]) -> Offer {
    let usual = [("sec-websocket-version", "13"), ("sec-websocket-key", KEY)];
    Offer::read(&fields(&[&usual, more].concat())).unwrap()
}

#[test]
fn t15_a_handshake_has_one_version_one_key_and_different_subprotocols() {
    let read = |version: &[&str], key: &[&str], protocols: &[&str]| {
        let named = |name: &'static str, values: &[&str]| -> Vec<(&str, String)> {
            values.iter().map(|value| (name, (*value).to_owned())).collect()
        };
        let all = [
            named("sec-websocket-version", version),
            named("sec-websocket-key", key),
            named("sec-websocket-protocol", protocols),
        ]
        .concat();
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Offer::read(&fields(&all)).map(|offer| offer.protocols().len())
    };
    assert_eq!(read(&["13"], &[KEY], &["chat, superchat", "v2"]), Ok(3));
    for version in [&[][..], &["8"], &["13, 8"], &["13", "13"], &["013"], &[""]] {
        assert_eq!(read(version, &[KEY], &[]), Err(OfferFault::Version), "{version:?}");
    }
    for key in [
        &[][..],
        &[KEY, KEY],
        &["dGhlIHNhbXBsZSBub25jZR=="],
        &["dGhlIHNhbXBsZSBub25jZQ"],
        &["dGhlIHNhbXBsZSBub25j"],
        &["dGhlIHNhbXBsZSBub25jZQ= "],
        &["dGhlIHNhbXBsZSBub25j-Q=="],
        &[""],
    ] {
        assert_eq!(read(&["13"], key, &[]), Err(OfferFault::Key), "{key:?}");
    }
    for protocols in [&["a, a"][..], &["a", "a"], &["a,,b"], &[""], &["a b"], &["\"a\""]] {
        assert_eq!(read(&["13"], &[KEY], protocols), Err(OfferFault::Protocol), "{protocols:?}");
    }
}

/// Reads an answer that comes in pieces of this size.
fn answered(bytes: &[u8], piece: usize, offer: &Offer) -> Result<Option<(bool, Vec<u8>)>, ()> {
    let (mut scan, mut buffer) = (AnswerScan::new(), BytesMut::new());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        buffer.extend_from_slice(now);
        rest = later;
        let head = match scan.head(&mut buffer, false) {
            AnswerScanned::NeedMore => continue,
            AnswerScanned::Refused(_) => return Err(()),
            AnswerScanned::Head(head) => head,
        };
        buffer.extend_from_slice(rest);
        let switches = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if switches {
            switched(&head, offer, b"proof").map_err(drop)?;
        }
        return Ok(Some((switches, buffer.to_vec())));
    }
    Ok(None)
}

const SWITCHES: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Accept: proof\r\n";

#[test]
fn t15_a_101_is_believed_where_it_switches_to_what_was_asked_for() {
    let offer = offer(&[("sec-websocket-protocol", "chat, v2")]);
    for good in [format!("{SWITCHES}\r\n"), format!("{SWITCHES}Sec-WebSocket-Protocol: v2\r\n\r\n")] {
        let early = format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{good}frames");
        for piece in 1..40 {
            assert_eq!(answered(early.as_bytes(), piece, &offer), Ok(Some((true, b"frames".to_vec()))), "{piece}");
        }
    }
    for bad in [
        SWITCHES.replace("HTTP/1.1", "HTTP/1.0"),
        SWITCHES.replace("WebSocket\r", "h2c\r"),
        SWITCHES.replace("WebSocket\r", "websocket, h2c\r"),
        SWITCHES.replace(", Upgrade", ""),
        SWITCHES.replace("proof", "other"),
        SWITCHES.replace("Sec-WebSocket-Accept: proof\r\n", ""),
        format!("{SWITCHES}Sec-WebSocket-Accept: proof\r\n"),
        format!("{SWITCHES}Upgrade: websocket\r\n"),
        format!("{SWITCHES}Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        format!("{SWITCHES}Sec-WebSocket-Protocol: other\r\n"),
        format!("{SWITCHES}Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n"),
        format!("{SWITCHES}Content-Length: 0\r\n"),
        format!("{SWITCHES}Transfer-Encoding: chunked\r\n"),
        SWITCHES.replace("\r\nUpgrade", "\nUpgrade"),
        format!("{SWITCHES} folded\r\n"),
        format!("{SWITCHES}no colon\r\n"),
        SWITCHES.replace("101", "1010"),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(6),
    ] {
        let bytes = format!("{bad}\r\n");
        for piece in [1, 7, 4096] {
            assert!(answered(bytes.as_bytes(), piece, &offer).is_err(), "{bad:?}");
        }
    }
    let refused = answered(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", 4096, &offer);
    assert_eq!(refused, Ok(Some((false, b"no".to_vec()))));
    for doubtful in ["Content-Length: 2\r\nContent-Length: 2", "Content-Length: +2", "Transfer-Encoding: gzip, chunked"]
    {
        assert!(answered(format!("HTTP/1.1 403 No\r\n{doubtful}\r\n\r\n").as_bytes(), 4096, &offer).is_err());
    }
    assert!(answered("HTTP/1.1 200 OK\r\nx: y\r\n".repeat(2000).as_bytes(), 4096, &offer).is_err(), "no end");
}

/// Frame bytes of a client: masked with zeros, so that the payload is readable.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..=125 => bytes.push(0x80 | u8::try_from(short).unwrap()),
        middle @ 126..=65_535 => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&u16::try_from(middle).unwrap().to_be_bytes());
        }
        long => {
            bytes.push(0xff);
            bytes.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// What passes of bytes that come in these pieces, and what stopped them.
fn passed(side: Side, bytes: &[u8], pieces: impl Iterator<Item = usize>) -> (Vec<u8>, Option<Breach>, bool) {
    let mut reader = FrameReader::new(side, BOUNDS);
    let (mut held, mut passed, mut rest) = (Vec::new(), Vec::new(), bytes);
    for piece in pieces {
        let (now, later) = rest.split_at(piece.min(rest.len()));
        held.extend_from_slice(now);
        rest = later;
        loop {
            match reader.read(&held) {
                Ok(Step::NeedMore) => break,
                Ok(Step::Pass(bytes, _)) => passed.extend(held.drain(..bytes)),
                Err(breach) => return (passed, Some(breach), reader.is_closed()),
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    (passed, None, reader.is_closed())
}

fn whole(side: Side, bytes: &[u8]) -> (Vec<u8>, Option<Breach>, bool) {
    passed(side, bytes, std::iter::repeat(4096))
}

#[test]
fn t128_frames_that_may_not_be_do_not_pass() {
    let text = frame(0x81, b"hello");
    for (bad, breach) in [
        (frame(0xc1, b"x"), Breach::Reserved),
        (frame(0x91, b"x"), Breach::Reserved),
        (frame(0x83, b"x"), Breach::Opcode),
        (frame(0x8f, b""), Breach::Opcode),
        (vec![0x81, 1, b'x'], Breach::Mask),
        (frame(0x09, b""), Breach::Control),
        (frame(0x89, &[0; 126]), Breach::Control),
        (frame(0x80, b"x"), Breach::Order),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), Breach::Order),
        (vec![0x81, 0xfe, 0, 125], Breach::Length),
        (vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], Breach::Length),
        (vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0], Breach::Length),
        (frame(0x88, &[3]), Breach::Code),
        (frame(0x88, &1005_u16.to_be_bytes()), Breach::Code),
        (frame(0x88, &999_u16.to_be_bytes()), Breach::Code),
        (frame(0x88, &2000_u16.to_be_bytes()), Breach::Code),
        ([frame(0x88, &1000_u16.to_be_bytes()), frame(0x89, b"")].concat(), Breach::AfterClose),
        (frame(0x82, &[0; 1001]), Breach::TooLarge),
        ([frame(0x01, &[0; 600]), frame(0x80, &[0; 401])].concat(), Breach::TooLarge),
        ([frame(0x01, b""), frame(0x00, b"").repeat(3), frame(0x80, b"")].concat(), Breach::TooManyFragments),
    ] {
        let (before, found, _) = whole(Side::Client, &[&text[..], &bad].concat());
        assert_eq!(found, Some(breach), "{bad:?}");
        assert!(before.starts_with(&text), "what came before it passes: {bad:?}");
    }
    assert_eq!(whole(Side::Server, &text).1, Some(Breach::Mask));
}

#[test]
fn frames_that_may_be_pass_byte_for_byte() {
    let good = [
        frame(0x81, b"hello"),
        frame(0x01, &[b'a'; 126]),
        frame(0x89, &[b'p'; 125]),
        frame(0x00, b""),
        frame(0x8a, b""),
        frame(0x80, &[b'b'; 874]),
        frame(0x82, &[1; 1000]),
        frame(0x88, b"\x03\xe8bye"),
    ]
    .concat();
    assert_eq!(whole(Side::Client, &good), (good.clone(), None, true));
    let unmasked = [0x82, 126, 0, 200].into_iter().chain([7; 200]).chain([0x88, 0]).collect::<Vec<u8>>();
    assert_eq!(whole(Side::Server, &unmasked), (unmasked.clone(), None, true));
    for (side, mask) in [(Side::Client, [1, 2, 3, 4]), (Side::Server, [0; 4])] {
        let (ours, length) = close_frame(side, 1008, mask);
        let mut reader = FrameReader::new(side, BOUNDS);
        assert_eq!(reader.read(&ours[..length]), Ok(Step::Pass(length, Some(Kind::Close(Some(Close(1008)))))));
    }
}

/// Streams of frames, many of them good for a while.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![4 => Just(0x81_u8), 2 => Just(0x01), 2 => Just(0x80), 1 => Just(0x89), 1 => Just(0x88), 1 => any::<u8>()];
    let one = (first, 0_usize..300, any::<u8>()).prop_map(|(first, length, fill)| frame(first, &vec![fill; length]));
    let noise = proptest::collection::vec(any::<u8>(), 0..12);
    proptest::collection::vec(prop_oneof![6 => one, 1 => noise], 0..8).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_verdict(bytes in stream(), cuts in proptest::collection::vec(1_usize..64, 1..20)) {
        let at_once = whole(Side::Client, &bytes);
        prop_assert_eq!(&passed(Side::Client, &bytes, cuts.iter().copied().cycle()), &at_once);
        prop_assert_eq!(&passed(Side::Client, &bytes, std::iter::repeat(1)), &at_once);
        prop_assert!(bytes.starts_with(&at_once.0), "what passes is what came");
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = whole(Side::Server, &bytes);
        let _ = answered(&bytes, 5, &offer(&[]));
        let with_head = [b"HTTP/1.1 101 \r\n".as_slice(), &bytes, b"\r\n\r\n"].concat();
        let _ = answered(&with_head, 9, &offer(&[]));
    }
}
