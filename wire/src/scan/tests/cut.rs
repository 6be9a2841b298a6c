// SPDX-License-Identifier: Apache-2.0
//! However the bytes are cut, and whatever they are.

use super::*;

/// Everything that is decided about a stream: heads one after the other, up to a refusal or the end.
fn decide(cuts: &[&[u8]]) -> Vec<String> {
    let (limits, reserved) = (small(), Reserved::default());
    let (mut scan, mut buffer, mut verdicts) = (Scan::new(), BytesMut::new(), Vec::new());
    for cut in cuts {
        buffer.extend_from_slice(cut);
        loop {
            match scan.head(&mut buffer, &limits, &reserved) {
                Scanned::NeedMore => break,
                Scanned::Head(head) => verdicts.push(format!("{head:?} {:?}", head.headers)),
                Scanned::Refused(refusal) => {
                    verdicts.push(format!("{:?} {}", refusal.fault.reason, refusal.method));
                    return verdicts;
                }
            }
        }
    }
    verdicts
}

/// Limits that short texts reach.
fn small() -> HeadLimits {
    HeadLimits { head_bytes_max: 120, fields_max: 4, field_bytes_max: 40, uri_bytes_max: 30, query_parameters_max: 3 }
}

/// Streams that are nearly right: pieces of the grammar in any order.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "GET / HTTP/1.1\r\n", "GET /a?b=c HTTP/1.0\r\n", "Host: a\r\n", "\r\n", "x: y\r\n", "Content-Length: 0\r\n", "\r", "\n",
            " ", ":", "GET ", "/a", "HTTP/1.1", "Connection: x\r\n", "x-user-id: a\r\n", "x: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
        1 => proptest::collection::vec(proptest::sample::select(b"aB-_: \t/?%#\r\n\0\x80".to_vec()), 0..60),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn z1_p2_however_the_bytes_are_cut_the_decisions_are_the_same(
        bytes in nearly(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let one_by_one: Vec<&[u8]> = bytes.chunks(1).collect();
        let expected = decide(&[&bytes]);
        prop_assert_eq!(&decide(&pieces), &expected);
        prop_assert_eq!(&decide(&one_by_one), &expected);
    }

    #[test]
    fn z1_a_head_that_is_written_is_read(
        method in "[A-Z]{1,10}",
        path in "(/[a-z0-9]{1,5}){1,3}",
        fields in proptest::collection::vec(("y-[a-z]{1,8}", "[!-~]([ -~]{0,20}[!-~])?"), 0..8),
    ) {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: a\r\n");
        for (name, value) in &fields {
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str("\r\n");
        let head = head(&text);
        prop_assert_eq!((head.method.as_str(), head.path.as_str()), (method.as_str(), path.as_str()));
        prop_assert_eq!(head.headers.len(), fields.len());
        for (name, value) in &fields {
            prop_assert!(head.headers.get_all(name).iter().any(|v| v == value));
        }
    }
}

#[test]
fn z1_a_small_stack_is_enough() {
    let big = with(&format!("x: {}\r\n", "a".repeat(8_000)).repeat(3));
    let chunks = "1\r\na\r\n".repeat(5_000);
    std::thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(move || {
            for _ in 0..3 {
                let mut buffer = BytesMut::from(big.as_bytes());
                let mut scan = Scan::new();
                assert!(matches!(
                    scan.head(&mut buffer, &HeadLimits::default(), &Reserved::default()),
                    Scanned::Head(_)
                ));
            }
            let (mut reader, mut rest) = (crate::ChunkReader::new(), chunks.as_bytes());
            while let crate::Pieces { framing, piece: crate::Piece::Data(bytes) } = reader.read(rest).unwrap() {
                rest = &rest[framing + bytes..];
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

/// Dripping a head byte by byte looks at each byte once, not at all of them each time.
#[test]
fn t55_a_head_that_drips_is_not_read_again_and_again() {
    let text = with(&format!("x: {}\r\n", "a".repeat(8_000)).repeat(3));
    let (limits, reserved) = (HeadLimits::default(), Reserved::default());
    let (mut scan, mut buffer) = (Scan::new(), BytesMut::with_capacity(text.len()));
    for (n, byte) in text.bytes().enumerate() {
        buffer.extend_from_slice(&[byte]);
        let scanned = scan.head(&mut buffer, &limits, &reserved);
        assert_eq!(matches!(scanned, Scanned::Head(_)), n + 1 == text.len());
        assert!(n + 1 == text.len() || scan.seen == n + 1);
    }
}
