// SPDX-License-Identifier: Apache-2.0
//! The reader against the plain one: the same documents, the same nodes, the same faults at the same places.

use super::super::{Document, JsonLimits};
use super::{MINES, first_reader, json_text};
use bytes::Bytes;
use proptest::prelude::*;

fn agree(bytes: &[u8], limits: &JsonLimits) -> Result<(), TestCaseError> {
    let shown = String::from_utf8_lossy(bytes);
    let read = Document::parse(Bytes::copy_from_slice(bytes), limits).map(|document| document.nodes);
    prop_assert_eq!(read, first_reader::read(bytes, limits), "{}", shown);
    Ok(())
}

fn limits() -> impl Strategy<Value = JsonLimits> {
    prop_oneof![
        3 => Just(JsonLimits::default()),
        1 => (0..4_usize, 0..12_usize).prop_map(|(depth_max, nodes_max)| JsonLimits { depth_max, nodes_max }),
    ]
}

/// What changes the meaning of a document wherever it stands.
const BAITS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\n",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"-",
    b"0",
    b"1e400",
    b"\\u0000",
    b"\\ud800",
    b"\\udc00",
    b"\\u0061",
    b"e\xcc\x81",
    b"\xc3\xa9",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"true",
    b"nul",
    b"\"a\":1,",
    b"12345678",
    b"abcdefgh",
];

/// A document with bytes taken out, repeated or put in.
fn bent() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(BAITS), 1..12_usize);
    (json_text(), prop::collection::vec(change, 1..4)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (at, how, bait, length) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            match how {
                0 => drop(bytes.drain(at..end)),
                1 => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                _ => drop(bytes.splice(at..at, bait.iter().copied())),
            }
        }
        bytes
    })
}

/// Objects of many keys that look alike: the same beginning, the same length, escapes, other normal forms.
fn alike_keys() -> impl Strategy<Value = String> {
    let key = "(a|ab|abcdefg|abcdefgh|abcdefghi|abcdefgh\\\\u0069|\\\\u0061b|\u{e9}|e\u{301}|\\\\u00e9|A|1234567\u{e9}){1,3}[0-9]{0,2}";
    prop::collection::vec(key, 0..30)
        .prop_map(|keys| format!("{{{}}}", keys.iter().map(|k| format!("\"{k}\":[]")).collect::<Vec<_>>().join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn t70_any_octets_are_read_as_the_plain_reader_reads_them(
        bytes in prop::collection::vec(any::<u8>(), 0..64), limits in limits()
    ) {
        agree(&bytes, &limits)?;
        agree(&[b"[\"", bytes.as_slice(), b"\"]"].concat(), &limits)?;
        agree(&[b"{\"", bytes.as_slice(), b"\":0}"].concat(), &limits)?;
    }

    #[test]
    fn t70_documents_that_were_bent_are_read_as_the_plain_reader_reads_them(bytes in bent(), limits in limits()) {
        agree(&bytes, &limits)?;
    }

    #[test]
    fn t70_whatever_looks_like_json_is_read_as_the_plain_reader_reads_it(
        text in "([\\[\\]{},: \n]|\"[a-c]{0,9}\"|-?[0-9]{1,3}(\\.[0-9])?(e[0-9])?|true|null|\\\\u[0-9a-d]{4}){0,24}",
        limits in limits()
    ) {
        agree(text.as_bytes(), &limits)?;
    }

    #[test]
    fn t67_keys_that_look_alike_are_told_apart_as_the_plain_reader_does(text in alike_keys()) {
        agree(text.as_bytes(), &JsonLimits::default())?;
    }
}

#[test]
fn t70_mines_cut_anywhere_are_read_as_the_plain_reader_reads_them() {
    for (name, _, bytes) in MINES {
        for end in 0..=bytes.len() {
            agree(&bytes[..end], &JsonLimits::default()).expect(name);
        }
    }
}
