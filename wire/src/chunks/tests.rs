// SPDX-License-Identifier: Apache-2.0
//! Tests of the chunked coding.

use super::*;
use proptest::prelude::*;

/// The content and what was left over, or `None` for a body that is not complete.
fn read(cuts: &[&[u8]]) -> Result<Option<(Vec<u8>, usize)>, WireFault> {
    let mut reader = ChunkReader::new();
    let (mut content, mut used) = (Vec::new(), 0);
    for cut in cuts {
        let mut rest: &[u8] = cut;
        loop {
            let Pieces { framing, piece } = reader.read(rest)?;
            used += framing;
            rest = &rest[framing..];
            match piece {
                Piece::NeedMore => {
                    assert!(rest.is_empty());
                    break;
                }
                Piece::Data(bytes) => {
                    content.extend_from_slice(&rest[..bytes]);
                    used += bytes;
                    rest = &rest[bytes..];
                    if rest.is_empty() {
                        break;
                    }
                }
                Piece::End => return Ok(Some((content, used))),
            }
        }
    }
    Ok(None)
}

fn whole(text: &str) -> Result<Option<(Vec<u8>, usize)>, WireFault> {
    read(&[text.as_bytes()])
}

#[test]
fn t10_a_chunk_size_has_one_reading() {
    for good in
        ["5\r\nhello\r\n0\r\n\r\n", "0000000000000005\r\nhello\r\n00\r\n\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"]
    {
        assert_eq!(whole(good), Ok(Some((b"hello".to_vec(), good.len()))), "{good:?}");
    }
    assert_eq!(whole("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n").unwrap().unwrap().0.len(), 20);
    for bad in [
        "0x1",
        "1_0",
        "+1",
        "-1",
        " 1",
        "1 ",
        "\t1",
        "1\t\r\n",
        "00000000000000001",
        "\r\n",
        ";a",
        "g",
        "1\n",
        "1\r1",
        "1,",
        "5\r\nhelloX",
        "5\r\nhello\n",
        "5\r\nhello0\r\n",
        "5\r\nhello\rX",
        "5\r\nhello\r\n\r\n",
        "0\r\r\n",
        "0\r\n\n",
        "0\n\r\n",
        "1 ;a\r\n",
    ] {
        assert_eq!(whole(bad).map_err(|fault| fault.reason), Err(portcullis_decision::Reason::WireFraming), "{bad:?}");
    }
    assert_eq!(whole("ffffffffffffffff\r\nhe"), Ok(None));
}

#[test]
fn t06_a_bare_lf_ends_nothing_in_a_chunked_body() {
    for bad in [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "0\r\n\n",
        "0\r\nT: a\n\r\n",
        "0\r\nT: a\r\n\n",
        "5;a\nhello",
    ] {
        assert!(whole(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn t11_extensions_are_discarded_and_bounded() {
    let good = "5;a=b;c=\"d e\"\r\nhello\r\n0;z\r\n\r\n";
    assert_eq!(whole(good), Ok(Some((b"hello".to_vec(), good.len()))));
    for bad in [";\n", ";a\rb", ";\0", ";a\x7f\r\n", ";\x01\r\n", ";\u{e9}\r\n"] {
        assert!(whole(&format!("5{bad}hello\r\n0\r\n\r\n")).is_err(), "{bad:?}");
    }
    let of = |bytes: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(bytes - 1));
    assert!(whole(&of(256)).unwrap().is_some());
    assert!(whole(&of(257)).is_err());
    let shared = format!("1;{0}\r\nx\r\n1;{0}\r\nx\r\n0\r\n\r\n", "a".repeat(128));
    assert!(whole(&shared).is_err(), "the bound is of the body, not of the chunk");
}

#[test]
fn t12_trailers_are_judged_bounded_and_thrown_away() {
    let good = "0\r\nHost: a\r\nAuthorization:b\r\nx:\r\n\r\n";
    assert_eq!(whole(good), Ok(Some((Vec::new(), good.len()))));
    for bad in
        [" a: b\r\n", "a : b\r\n", ": b\r\n", "a\r\n", "a_b: c\r\n", "a: \0\r\n", "a: b\r\n c\r\n", "a: \u{e9}\r\n"]
    {
        assert!(whole(&format!("0\r\n{bad}\r\n")).is_err(), "{bad:?}");
    }
    assert!(whole(&format!("0\r\n{}\r\n", "a:b\r\n".repeat(100))).unwrap().is_some());
    assert!(whole(&format!("0\r\n{}", "a:b\r\n".repeat(101))).is_err());
    assert!(whole(&format!("0\r\na:{}\r\n\r\n", "b".repeat(8 * 1024 - 2))).unwrap().is_some());
    assert!(whole(&format!("0\r\na:{}", "b".repeat(8 * 1024 - 1))).is_err());
}

#[test]
fn what_follows_a_body_is_none_of_it() {
    let text = "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
    assert_eq!(whole(text), Ok(Some((b"a".to_vec(), 11))));
    let mut reader = ChunkReader::new();
    assert!(reader.read(b"0\r\n\r\n").unwrap().piece == Piece::End && reader.is_end());
    assert_eq!(reader.read(b"more"), Ok(Pieces { framing: 0, piece: Piece::End }));
}

/// Bodies that are nearly right: pieces of the grammar in any order.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(vec![
            "0\r\n\r\n",
            "5\r\nhello\r\n",
            "5;a=b\r\nhello\r\n",
            "1\r\n",
            "\r\n",
            "\n",
            "\r",
            "0\r\n",
            "a: b\r\n",
            ";",
            "fff",
            "3\r\nabc\r\n",
            " ",
            "\0",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn z2_p2_however_the_bytes_are_cut_the_result_is_the_same(bytes in nearly(), cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6)) {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let one_by_one: Vec<&[u8]> = bytes.chunks(1).collect();
        let expected = read(&[&bytes]);
        prop_assert_eq!(&read(&pieces), &expected);
        prop_assert_eq!(&read(&one_by_one), &expected);
    }

    #[test]
    fn t10_what_is_written_in_chunks_is_read(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6)) {
        let mut text = Vec::new();
        for chunk in &chunks {
            text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            text.extend_from_slice(chunk);
            text.extend_from_slice(b"\r\n");
        }
        text.extend_from_slice(b"0\r\n\r\n");
        prop_assert_eq!(read(&[&text]), Ok(Some((chunks.concat(), text.len()))));
    }
}
