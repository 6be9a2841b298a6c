// SPDX-License-Identifier: Apache-2.0
//! RFC 9113, section by section, as h2spec asks it: what breaks the protocol ends its stream or the connection with a
//! code, and what does not is taken.

use super::h2raw::{
    ACK, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY,
    H2, HEADERS, NO_ERROR, PADDED, PING, PRIORITIZED, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RESET, SETTINGS,
    STREAM_CLOSED, WINDOW_UPDATE, block, frame, get, headers, pseudo, reset, setting, window,
};
use super::{client, *};

/// What a case must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    /// The connection goes on, and no stream was reset.
    On,
    /// The stream is reset, or the connection ended, with one of these codes. The first is the RFC's; another is one
    /// it lets a server choose (RFC 9113 §5.4: a stream error may be treated as one of the connection), or the
    /// general one where the parser has no finer.
    To(&'static [u32]),
}

const PROTOCOL: Leads = Leads::To(&[PROTOCOL_ERROR]);
const SIZE: Leads = Leads::To(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]);
const FLOW: Leads = Leads::To(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR]);
const CLOSED: Leads = Leads::To(&[STREAM_CLOSED, PROTOCOL_ERROR]);
const COMPRESSION: Leads = Leads::To(&[COMPRESSION_ERROR, PROTOCOL_ERROR]);

type Case = (&'static str, Leads, Vec<Vec<u8>>);

/// Sends a case, then asks for something else; what came of it.
fn outcome(bench: &Bench, pieces: &[Vec<u8>]) -> Option<u32> {
    let mut client = client(bench);
    let last = get(1_001, "/deny");
    for piece in pieces.iter().chain([&last]) {
        if client.try_send(piece).is_err() {
            break;
        }
    }
    let said = client.find(|frame| match frame.kind {
        RESET => true,
        GOAWAY => frame.code() != NO_ERROR,
        HEADERS => frame.stream == 1_001,
        _ => false,
    })?;
    Some(if said.kind == HEADERS { NO_ERROR } else { said.code() })
}

fn hold(cases: Vec<Case>) {
    let bench = bench(&echo(), |_, _| {});
    let wrong: Vec<_> = cases
        .into_iter()
        .filter_map(|(name, leads, pieces)| {
            let came = outcome(&bench, &pieces);
            let right = match leads {
                Leads::On => came == Some(NO_ERROR),
                Leads::To(codes) => came.is_some_and(|code| codes.contains(&code)),
            };
            (!right).then_some((name, leads, came))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A stream whose request has no end yet.
fn open() -> Vec<u8> {
    headers(1, 0, &pseudo("POST", "/"))
}

/// A stream whose request has ended and whose answer has not.
fn half_closed() -> Vec<u8> {
    get(1, "/finish")
}

#[test]
fn section_4_frames_and_header_blocks() {
    let flagged = |kind, flags, payload: &[u8]| frame(kind, flags, 0, payload);
    hold(vec![
        ("4.1 an unknown type is ignored", Leads::On, vec![frame(0x16, 0, 0, b"12345678")]),
        ("4.1 unknown flags are ignored", Leads::On, vec![flagged(PING, 0x16, b"12345678")]),
        ("4.1 the reserved bit is ignored", Leads::On, vec![frame(PING, 0, 0x8000_0000, b"12345678")]),
        ("4.2 content larger than agreed", SIZE, vec![open(), frame(DATA, 0, 1, &vec![0; 16_385])]),
        ("4.2 a head larger than agreed", SIZE, vec![frame(HEADERS, END_HEADERS, 1, &vec![0; 16_385])]),
        ("4.2 settings larger than agreed", SIZE, vec![flagged(SETTINGS, 0, &vec![0; 16_386])]),
        ("4.3 an index that names nothing", COMPRESSION, vec![frame(HEADERS, 5, 1, &[0xff, 0xff, 0x00])]),
        ("4.3 a string without its end", COMPRESSION, vec![frame(HEADERS, 5, 1, &[0x00, 0x7f])]),
        ("4.3 a table larger than agreed", COMPRESSION, vec![frame(HEADERS, 5, 1, &[0x3f, 0xff, 0xff, 0x7f])]),
        (
            "4.3 another frame in a block",
            PROTOCOL,
            vec![frame(HEADERS, 0, 1, &block(&pseudo("GET", "/"))), frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 255])],
        ),
        ("4.3 another head in a block", PROTOCOL, vec![frame(HEADERS, 0, 1, &block(&pseudo("GET", "/"))), get(3, "/")]),
    ]);
}

#[test]
fn section_5_streams() {
    let itself = [0, 0, 0, 1, 255];
    hold(vec![
        ("5.1 content of an idle stream", PROTOCOL, vec![frame(DATA, 1, 1, b"x")]),
        ("5.1 a reset of an idle stream", PROTOCOL, vec![reset(1, 8)]),
        ("5.1 a window of an idle stream", PROTOCOL, vec![window(1, 100)]),
        ("5.1 a continuation of an idle stream", PROTOCOL, vec![frame(CONTINUATION, 4, 1, b"")]),
        ("5.1 a priority of an idle stream", Leads::On, vec![frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16])]),
        ("5.1 content after the end", CLOSED, vec![half_closed(), frame(DATA, 1, 1, b"x")]),
        ("5.1 a head after the end", CLOSED, vec![half_closed(), get(1, "/")]),
        ("5.1 a continuation after the end", CLOSED, vec![half_closed(), frame(CONTINUATION, 4, 1, b"")]),
        ("5.1 a window after the end", Leads::On, vec![half_closed(), window(1, 100)]),
        ("5.1 content after a reset", CLOSED, vec![open(), reset(1, 8), frame(DATA, 1, 1, b"x")]),
        ("5.1 a head after a reset", CLOSED, vec![open(), reset(1, 8), get(1, "/")]),
        ("5.1 a window after a reset", Leads::On, vec![open(), reset(1, 8), window(1, 100)]),
        ("5.1 a second reset", Leads::On, vec![open(), reset(1, 8), reset(1, 8)]),
        ("5.1.1 an even number", PROTOCOL, vec![get(2, "/")]),
        ("5.1.1 a number less than the last", PROTOCOL, vec![get(5, "/deny"), get(3, "/deny")]),
        (
            "5.3.1 a head that depends on itself",
            PROTOCOL,
            vec![frame(HEADERS, 5 | PRIORITIZED, 1, &[&itself[..], &block(&pseudo("GET", "/"))].concat())],
        ),
        ("5.3.1 a stream that depends on itself", PROTOCOL, vec![open(), frame(PRIORITY, 0, 1, &itself)]),
        (
            "5.5 an extension in a block",
            PROTOCOL,
            vec![frame(HEADERS, 0, 1, &block(&pseudo("GET", "/"))), frame(0xbe, 0, 0, b"")],
        ),
    ]);
}

#[test]
fn section_6_frame_definitions() {
    let get_block = || block(&pseudo("GET", "/deny"));
    hold(vec![
        ("6.1 content of no stream", PROTOCOL, vec![open(), frame(DATA, 0, 0, b"x")]),
        ("6.1 more padding than content", PROTOCOL, vec![open(), frame(DATA, PADDED, 1, &[9, b'x'])]),
        ("6.2 a head of no stream", PROTOCOL, vec![frame(HEADERS, 5, 0, &get_block())]),
        (
            "6.2 more padding than head",
            PROTOCOL,
            vec![frame(HEADERS, 5 | PADDED, 1, &[&[255], &*get_block()].concat())],
        ),
        (
            "6.2 a head with padding",
            Leads::On,
            vec![frame(HEADERS, 5 | PADDED, 1, &[&[2], &*get_block(), &[0, 0]].concat())],
        ),
        ("6.3 a priority of no stream", PROTOCOL, vec![frame(PRIORITY, 0, 0, &[0, 0, 0, 1, 16])]),
        ("6.3 a priority of four bytes", SIZE, vec![open(), frame(PRIORITY, 0, 1, &[0, 0, 0, 1])]),
        ("6.4 a reset of no stream", PROTOCOL, vec![reset(0, 8)]),
        ("6.4 a reset of three bytes", SIZE, vec![open(), frame(RESET, 0, 1, &[0, 0, 0])]),
        ("6.5 an acknowledgement with settings", SIZE, vec![frame(SETTINGS, ACK, 0, &[0; 6])]),
        ("6.5 settings of a stream", PROTOCOL, vec![frame(SETTINGS, 0, 1, b"")]),
        ("6.5 settings of five bytes", SIZE, vec![frame(SETTINGS, 0, 0, &[0; 5])]),
        ("6.5.2 push neither on nor off", PROTOCOL, vec![setting(2, 2)]),
        ("6.5.2 a window above its maximum", FLOW, vec![setting(4, 0x8000_0000)]),
        ("6.5.2 frames below their minimum", PROTOCOL, vec![setting(5, 16_383)]),
        ("6.5.2 frames above their maximum", PROTOCOL, vec![setting(5, 16_777_216)]),
        ("6.5.2 an unknown setting", Leads::On, vec![setting(0xff, 1)]),
        ("6.6 a promise of a client", PROTOCOL, vec![open(), frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2])]),
        ("6.7 a pong nobody asked for", Leads::On, vec![frame(PING, ACK, 0, b"invalid!")]),
        ("6.7 a ping of a stream", PROTOCOL, vec![frame(PING, 0, 1, b"12345678")]),
        ("6.7 a ping of six bytes", SIZE, vec![frame(PING, 0, 0, b"123456")]),
        ("6.8 a farewell of a stream", PROTOCOL, vec![frame(GOAWAY, 0, 1, &[0; 8])]),
        ("6.9 no more window", PROTOCOL, vec![window(0, 0)]),
        ("6.9 no more window of a stream", PROTOCOL, vec![open(), window(1, 0)]),
        ("6.9 a window of three bytes", SIZE, vec![frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1])]),
        ("6.9.1 a window above its maximum", FLOW, vec![window(0, 0x7fff_ffff), window(0, 0x7fff_ffff)]),
        ("6.9.1 a stream's above its maximum", FLOW, vec![open(), window(1, 0x7fff_ffff), window(1, 0x7fff_ffff)]),
        ("6.9.2 settings that overflow a window", FLOW, vec![open(), window(1, 0x7fff_0000), setting(4, 0x7fff_ffff)]),
        ("6.10 a continuation of nothing", PROTOCOL, vec![open(), frame(CONTINUATION, 4, 1, b"")]),
        (
            "6.10 a continuation of no stream",
            PROTOCOL,
            vec![frame(HEADERS, 1, 1, &get_block()), frame(CONTINUATION, END_HEADERS, 0, b"")],
        ),
        (
            "6.10 a continuation after the last",
            PROTOCOL,
            vec![
                frame(HEADERS, END_STREAM, 1, &get_block()),
                frame(CONTINUATION, END_HEADERS, 1, b""),
                frame(CONTINUATION, END_HEADERS, 1, b""),
            ],
        ),
        (
            "6.10 a head in four frames",
            Leads::On,
            vec![
                frame(HEADERS, END_STREAM, 1, &get_block()),
                frame(CONTINUATION, 0, 1, &block(&[("a", "b")])),
                frame(CONTINUATION, 0, 1, &block(&[("c", "d")])),
                frame(CONTINUATION, END_HEADERS, 1, &block(&[("e", "f")])),
            ],
        ),
    ]);
}

#[test]
fn content_beyond_its_windows_is_an_error_of_flow_control() {
    let bench = bench(&echo(), |_, _| {});
    // Nobody reads the body, so no window is given back.
    let mut client = client(&bench);
    client.send(headers(1, 0, &pseudo("POST", "/finish")));
    let piece = frame(DATA, 0, 1, &vec![b'x'; 16_000]);
    for _ in 0..5 {
        drop(client.try_send(&piece));
    }
    let said = client.find(|frame| matches!(frame.kind, RESET | GOAWAY)).unwrap();
    assert_eq!(said.code(), FLOW_CONTROL_ERROR);
}

#[test]
fn a_ping_is_answered_with_its_own_bytes_and_settings_are_as_promised() {
    let bench = bench(&echo(), |_, _| {});
    let mut client: H2 = client(&bench);
    let settings = client.find(|frame| frame.kind == SETTINGS && frame.flags == 0).unwrap();
    let told: Vec<(u16, u32)> = settings
        .payload
        .chunks(6)
        .map(|s| (u16::from_be_bytes([s[0], s[1]]), u32::from_be_bytes([s[2], s[3], s[4], s[5]])))
        .collect();
    for known in [(3, 100), (4, 65_535), (5, 16_384), (6, 32_768)] {
        assert!(told.contains(&known), "{told:?}");
    }
    assert!(!told.iter().any(|(id, _)| *id == 8), "extended CONNECT is not offered: {told:?}");
    client.send(frame(PING, 0, 0, b"same too"));
    let pong = client.find(|frame| frame.kind == PING).unwrap();
    assert_eq!((pong.flags, pong.payload.as_slice()), (ACK, b"same too".as_slice()));
}
