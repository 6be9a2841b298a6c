// SPDX-License-Identifier: Apache-2.0
//! The watcher sees the same whatever way the bytes are cut, and stops at the first frame that is too much.

use super::*;
use proptest::prelude::*;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn client() -> ClientFrames {
    let mut client = ClientFrames::new(FrameRules::default());
    client.read(PREFACE, 0).unwrap();
    client
}

/// Reads frames one after the other, all at `now_ms`; which one was too much, and why.
fn flood(
    client: &mut ClientFrames,
    now_ms: u64,
    frames: impl IntoIterator<Item = Vec<u8>>,
) -> Option<(usize, Violation)> {
    frames
        .into_iter()
        .enumerate()
        .find_map(|(index, bytes)| client.read(&bytes, now_ms).err().map(|refused| (index, refused.violation)))
}

#[test]
fn heads_are_read_as_rfc_9113_draws_them() {
    let mut seen = Vec::new();
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(HEADERS, 0x5, 1, b"block"));
    bytes.extend(frame(RESET, 0, 0x8000_0003, &[0, 0, 0, 8]));
    bytes.extend(frame(0xee, 0xff, 0, b""));
    let fed = Frames::of_client().feed(&bytes, |what| {
        seen.push(what);
        ControlFlow::<()>::Continue(())
    });
    assert!(fed.is_ok());
    let head = |length, kind, flags, stream| Seen::Head(FrameHead { length, kind, flags, stream });
    let all = [
        head(5, FrameKind::Headers, 5, 1),
        head(4, FrameKind::Reset, 0, 3),
        Seen::Code(8),
        head(0, FrameKind::Unknown, 0xff, 0),
    ];
    assert_eq!(seen, all);
}

#[test]
fn t49_a_header_block_has_five_continuations_and_32_kib() {
    let begin = || frame(HEADERS, 0, 1, b"x");
    let more = |length: usize| frame(CONTINUATION, 0, 1, &vec![b'x'; length]);
    assert_eq!(flood(&mut client(), 0, [begin(), more(1), more(1), more(1), more(1), more(1)]), None);
    let six = [begin(), more(0), more(0), more(0), more(0), more(0), more(0)];
    assert_eq!(flood(&mut client(), 0, six), Some((6, Violation::Continuations)));
    let large = [begin(), more(16_384), more(16_383), more(1)];
    assert_eq!(flood(&mut client(), 0, large), Some((3, Violation::HeaderBlock)));
    assert_eq!(flood(&mut client(), 0, [frame(HEADERS, 4, 1, &vec![0; 32_769])]), Some((0, Violation::HeaderBlock)));
    let whole =
        (0..100).map(|n| if n % 2 == 0 { frame(HEADERS, 0, n + 1, b"x") } else { frame(CONTINUATION, 4, n, b"x") });
    assert_eq!(flood(&mut client(), 0, whole), None, "blocks that end are counted each for itself");
}

#[test]
fn t49_a_header_block_that_does_not_end_is_known_by_its_first_byte() {
    let mut client = client();
    assert_eq!(client.unfinished_since_ms(), None);
    client.read(&frame(HEADERS, 0, 1, b"x"), 1_000).unwrap();
    for now_ms in (2_000..8_000).step_by(2_000) {
        client.read(&frame(CONTINUATION, 0, 1, b"x"), now_ms).unwrap();
        assert_eq!(client.unfinished_since_ms(), Some(1_000));
    }
    client.read(&frame(CONTINUATION, 4, 1, b"x"), 9_000).unwrap();
    assert_eq!(client.unfinished_since_ms(), None);
    client.read(&[0, 0], 9_500).unwrap();
    assert_eq!(client.unfinished_since_ms(), Some(9_500), "part of a frame's head");
    client.read(&[9, DATA, 0, 0, 0, 0, 1, b'x'], 9_700).unwrap();
    assert_eq!(client.unfinished_since_ms(), None, "content has a pace of its own");
}

#[test]
fn t53_frames_that_bring_nothing_have_a_rate_and_a_burst() {
    for kind in [2, SETTINGS, PING, 7, WINDOW_UPDATE, 0xb] {
        let mut client = client();
        let many = || std::iter::repeat_with(|| frame(kind, 0, 0, &[0; 8])).take(10_000);
        assert_eq!(flood(&mut client, 0, many()), Some((200, Violation::Control)), "{kind}");
        assert_eq!(flood(&mut client, 1_000, many()), Some((100, Violation::Control)), "{kind}");
        for second in 2..100 {
            assert_eq!(flood(&mut client, second * 1_000, many().take(100)), None, "{kind}");
        }
    }
}

#[test]
fn t53_a_client_that_gets_much_content_may_update_its_windows() {
    let mut client = client();
    for _ in 0..100_000 {
        client.data_sent(1);
        let updates = [frame(WINDOW_UPDATE, 0, 0, &[0, 0, 64, 0]), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 64, 0])];
        assert_eq!(flood(&mut client, 0, updates), None);
    }
    client.data_sent(u32::MAX);
    let many = std::iter::repeat_with(|| frame(PING, 0, 0, &[0; 8])).take(10_000);
    assert_eq!(flood(&mut client, 0, many), Some((2_000, Violation::Control)), "not without end");
}

#[test]
fn t52_empty_data_and_empty_header_blocks_are_counted() {
    for (kind, flags) in [(DATA, 0), (HEADERS, 4), (HEADERS, 5)] {
        let many = std::iter::repeat_with(|| frame(kind, flags, 1, b"")).take(1_000);
        // The stream that opens brings an allowance of its own.
        let (index, violation) = flood(&mut client(), 0, many).unwrap();
        assert!((200..=202).contains(&index), "{index}");
        assert_eq!(violation, Violation::Control);
    }
    let last = std::iter::repeat_with(|| frame(DATA, 1, 1, b"")).take(1_000);
    assert_eq!(flood(&mut client(), 0, last), None, "the end of a stream is not nothing");
}

#[test]
fn t47_resets_are_bounded_in_number_and_share() {
    let stream = |n: u32| [frame(HEADERS, 5, 2 * n + 1, b"x"), frame(RESET, 0, 2 * n + 1, &[0, 0, 0, 8])].concat();
    let all_reset = (0..1_000).map(stream);
    assert_eq!(flood(&mut client(), 0, all_reset), Some((24, Violation::RapidReset)), "more than half");
    let third = (0..1_000).map(|n| if n % 3 == 0 { stream(n) } else { frame(HEADERS, 5, 2 * n + 1, b"x") });
    assert_eq!(flood(&mut client(), 0, third), Some((300, Violation::RapidReset)), "more than 100 in ten seconds");
    let mut slow = client();
    for n in 0..2_000 {
        let bytes = if n % 3 == 0 { stream(n) } else { frame(HEADERS, 5, 2 * n + 1, b"x") };
        assert!(slow.read(&bytes, u64::from(n) * 40).is_ok(), "{n}: about eight a second are somebody's habit");
    }
}

#[test]
fn t48_resets_a_client_provokes_are_counted_and_ours_are_not() {
    let mut server = ServerFrames::new();
    for code in [0, 2, 8].into_iter().cycle().take(1_000) {
        assert!(server.write(&frame(RESET, 0, 1, &[0, 0, 0, code])).is_ok());
    }
    for _ in 0..64 {
        assert!(server.write(&frame(RESET, 0, 1, &[0, 0, 0, 1])).is_ok());
    }
    assert_eq!(server.write(&frame(RESET, 0, 1, &[0, 0, 0, 3])), Err(Violation::ProvokedResets));
}

#[test]
fn data_that_leaves_is_counted_by_frames() {
    let bytes = [frame(HEADERS, 4, 1, b"x"), frame(DATA, 0, 1, &[0; 100]), frame(DATA, 1, 1, &[0; 9])].concat();
    let mut server = ServerFrames::new();
    assert_eq!(server.write(&bytes[..30]).unwrap().data_frames, 1);
    assert_eq!(server.write(&bytes[30..]).unwrap().data_frames, 1);
}

/// Cuts `bytes` at `cuts`.
fn pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

fn script() -> impl Strategy<Value = Vec<u8>> {
    let one = (0_u8..12, any::<u8>(), 0_u32..9, prop::collection::vec(any::<u8>(), 0..40));
    prop::collection::vec(one, 0..60).prop_map(|frames| {
        let frames = frames.iter().map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload));
        std::iter::once(PREFACE.to_vec()).chain(frames).flatten().collect()
    })
}

const TIGHT: FrameRules = FrameRules {
    continuations_max: 2,
    block_bytes_max: 60,
    control_rate: 1,
    control_burst: 12,
    resets_max: 4,
    resets_share_from: 3,
};

proptest! {
    #[test]
    fn t53_the_verdict_does_not_depend_on_how_the_bytes_are_cut(
        bytes in script(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let whole = ClientFrames::new(TIGHT).read(&bytes, 5);
        let mut watcher = ClientFrames::new(TIGHT);
        let mut passed = 0;
        let mut verdict = Ok(());
        for piece in pieces(&bytes, &cuts) {
            if let Err(refused) = watcher.read(&piece, 5) {
                // Where the head of the frame was cut, its beginning has gone on already.
                verdict = Err((passed + refused.keep, refused.violation));
                break;
            }
            passed += piece.len();
        }
        match (whole, verdict) {
            (Ok(()), Ok(())) => prop_assert_eq!(passed, bytes.len()),
            (Err(whole), Err((at, violation))) => {
                prop_assert_eq!(whole.violation, violation);
                prop_assert!(at >= whole.keep && at < whole.keep + HEAD_BYTES, "{} {}", at, whole.keep);
            }
            (whole, cut) => prop_assert!(false, "{:?} {:?}", whole, cut),
        }
    }

    #[test]
    fn t48_what_is_seen_of_our_frames_does_not_depend_on_how_they_are_cut(
        bytes in script(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let bytes = &bytes[PREFACE.len()..];
        let mut whole = ServerFrames::new();
        let expected = whole.write(bytes).unwrap().data_frames;
        let mut server = ServerFrames::new();
        let seen: u32 = pieces(bytes, &cuts).iter().map(|piece| server.write(piece).unwrap().data_frames).sum();
        prop_assert_eq!(seen, expected);
    }

    #[test]
    fn t53_any_bytes_are_watched_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), now_ms in any::<u64>()) {
        let mut watcher = ClientFrames::new(FrameRules::default());
        let _ = watcher.read(&bytes, now_ms);
        let _ = watcher.read(&bytes, now_ms.wrapping_mul(3));
        let _ = ServerFrames::new().write(&bytes);
    }
}
