// SPDX-License-Identifier: Apache-2.0

use super::*;

/// What the other side sees of a body in these pieces.
fn body(coding: Coding, pieces: &[&'static str]) -> Result<String, Overrun> {
    let mut outlet = Outlet::new();
    outlet.start(coding);
    let mut sent = String::new();
    for piece in pieces {
        outlet.push(Bytes::from_static(piece.as_bytes()))?;
        sent.push_str(&taken(&mut outlet));
    }
    outlet.finish()?;
    sent.push_str(&taken(&mut outlet));
    Ok(sent)
}

/// Takes everything, one byte at a time.
fn taken(outlet: &mut Outlet) -> String {
    let mut bytes = Vec::new();
    while !outlet.is_empty() {
        let parts = [&outlet.head[outlet.taken..], &outlet.data[..], outlet.tail];
        bytes.push(*parts.iter().find_map(|part| part.first()).unwrap());
        outlet.took(1);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn pieces_are_chunks_and_end_with_the_last_one() {
    let pieces = ["hello", "", "0123456789abcdefg"];
    assert_eq!(body(Coding::Chunked, &pieces).unwrap(), "5\r\nhello\r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n");
    assert_eq!(body(Coding::Chunked, &[]).unwrap(), "0\r\n\r\n");
}

#[test]
fn f28_an_answer_is_never_longer_or_shorter_than_it_says() {
    let five = Coding::Length(5);
    assert_eq!(body(five, &["he", "llo"]).unwrap(), "hello");
    assert_eq!(body(five, &["hello", "!"]), Err(Overrun));
    assert_eq!(body(five, &["hell"]), Err(Overrun));
}

#[test]
fn the_last_piece_and_the_last_chunk_leave_together() {
    let mut outlet = Outlet::new();
    outlet.start(Coding::Chunked);
    outlet.push(Bytes::from_static(b"hello")).unwrap();
    outlet.finish().unwrap();
    assert_eq!(taken(&mut outlet), "5\r\nhello\r\n0\r\n\r\n");
}

#[test]
fn numbers_are_written_plainly() {
    let mut digits = [0; DIGITS_MAX];
    for (number, ten, sixteen) in
        [(0, "0", "0"), (10, "10", "a"), (255, "255", "ff"), (u64::MAX, "18446744073709551615", "ffffffffffffffff")]
    {
        assert_eq!(decimal(number, &mut digits), ten.as_bytes());
        assert_eq!(hexadecimal(number, &mut digits), sixteen.as_bytes());
    }
}
