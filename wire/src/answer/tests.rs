// SPDX-License-Identifier: Apache-2.0

use super::*;
use proptest::prelude::*;

fn scan(bytes: &[u8]) -> Result<Option<AnswerHead>, AnswerFault> {
    scan_to(bytes, false)
}

fn scan_to(bytes: &[u8], to_head: bool) -> Result<Option<AnswerHead>, AnswerFault> {
    match AnswerScan::new().head(&mut BytesMut::from(bytes), to_head) {
        AnswerScanned::NeedMore => Ok(None),
        AnswerScanned::Head(head) => Ok(Some(head)),
        AnswerScanned::Refused(fault) => Err(fault),
    }
}

fn head(bytes: &str) -> AnswerHead {
    scan(bytes.as_bytes()).unwrap().unwrap()
}

#[test]
fn an_answer_has_one_framing() {
    let framing = |bytes: &str| head(bytes).framing;
    assert_eq!(framing("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n"), AnswerFraming::Length(12));
    assert_eq!(framing("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n"), AnswerFraming::Chunked);
    assert_eq!(framing("HTTP/1.1 200 \r\n\r\n"), AnswerFraming::UntilClose);
    assert_eq!(framing("HTTP/1.0 200 OK\r\n\r\n"), AnswerFraming::UntilClose);
    assert_eq!(framing("HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n"), AnswerFraming::None);
    assert_eq!(framing("HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"), AnswerFraming::None);
    let to_head = scan_to(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", true).unwrap().unwrap();
    assert_eq!((to_head.framing, to_head.headers.len()), (AnswerFraming::None, 1));
}

#[test]
fn t18_ambiguous_framing_is_not_believed() {
    for fields in [
        "content-length: 5\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 5",
        "content-length: +5",
        "content-length: -0",
        "content-length: 0x5",
        "content-length:",
        "content-length: 99999999999999999999",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: xchunked",
        "transfer-encoding: identity",
        "transfer-encoding:",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        assert!(scan(bytes.as_bytes()).is_err(), "{fields:?}");
        // Also where there is no body to delimit.
        assert!(scan_to(bytes.as_bytes(), true).is_err(), "{fields:?} to HEAD");
    }
    assert!(scan(b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
}

#[test]
fn t18_what_is_no_answer_is_refused() {
    for bytes in [
        "HTTP/1.1 200 OK\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 200\tOK\r\n\r\n",
        "HTTP/1.1 200 O\u{1}K\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "SSH-2.0-x",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx : a\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\u{0}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\rb\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: \u{7f}\r\n\r\n",
    ] {
        assert!(scan(bytes.as_bytes()).is_err(), "{bytes:?}");
    }
}

#[test]
fn t18_a_head_has_64_kib_and_100_fields() {
    let fields = |count: usize| format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(count));
    assert_eq!(head(&fields(100)).headers.len(), 100);
    assert!(scan(fields(101).as_bytes()).is_err());
    let long = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(HEAD_BYTES_MAX));
    assert!(scan(long.as_bytes()).is_err(), "before its line ends");
}

#[test]
fn t18_interim_answers_are_skipped_and_bounded() {
    let interims = |count| "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(count);
    let last = "HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
    let five = head(&format!("{}{last}", interims(5)));
    assert_eq!((five.status.as_u16(), five.headers.len()), (201, 1));
    assert!(scan(format!("{}{last}", interims(6)).as_bytes()).is_err());
    let switching = head("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n");
    assert_eq!((switching.status.as_u16(), switching.framing), (101, AnswerFraming::None));
}

#[test]
fn fields_of_one_hop_stay_on_it() {
    let answer = head(
        "HTTP/1.1 200 OK\r\nConnection: close, X-Private\r\nconnection: content-length\r\nx-private: 1\r\n\
         Keep-Alive: timeout=5\r\nupgrade: h2c\r\ncontent-length: 2\r\nETag: \"a\"\r\nx_y: \u{e9}\r\n\r\n",
    );
    let mut left: Vec<_> = answer.headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["content-length", "etag", "x_y"]);
    assert!(!answer.keeps_alive);
}

#[test]
fn a_connection_is_kept_where_the_answer_says_so() {
    assert!(head("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").keeps_alive);
    assert!(!head("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: x, Close\r\n\r\n").keeps_alive);
    assert!(!head("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n").keeps_alive);
    assert!(!head("HTTP/1.1 200 OK\r\n\r\n").keeps_alive);
}

/// Bytes near to an answer: the interesting ones.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        Just(b"content-length: 5\r\n".to_vec()),
        Just(b"transfer-encoding: chunked\r\n".to_vec()),
        Just(b"connection: close\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"x: y\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn t18_however_the_bytes_are_cut_the_verdict_is_the_same(
        bytes in nearly(), cuts in proptest::collection::vec(1_usize..40, 1..30),
    ) {
        let (mut buffer, mut scan, mut rest) = (BytesMut::new(), AnswerScan::new(), bytes.as_slice());
        let mut cut = AnswerScanned::NeedMore;
        for at in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*at).min(rest.len()));
            buffer.extend_from_slice(now);
            rest = later;
            cut = scan.head(&mut buffer, false);
            if rest.is_empty() || !matches!(cut, AnswerScanned::NeedMore) { break; }
        }
        let whole = super::tests::scan(&bytes);
        match (whole, cut) {
            (Ok(None), AnswerScanned::NeedMore) | (Err(_), AnswerScanned::Refused(_)) => {}
            (Ok(Some(one)), AnswerScanned::Head(other)) => {
                prop_assert_eq!((one.status, one.framing, one.keeps_alive), (other.status, other.framing, other.keeps_alive));
                prop_assert_eq!(one.headers, other.headers);
            }
            (one, other) => prop_assert!(false, "{:?} {:?}", one, other),
        }
    }

    #[test]
    fn t18_any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = scan(&bytes);
    }
}
