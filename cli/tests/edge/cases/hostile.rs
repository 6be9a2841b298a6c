// SPDX-License-Identifier: Apache-2.0
//! T18: an answer that breaks the rules is a 502, and its connection carries no other request (SM-14, HTTP-8).

use crate::case::{Case, End, Table, UNCOUNTED, get, numbered};
use crate::corpus;
use crate::origin::{self, Reply, Then};
use crate::strict::Message;

/// What an origin says, and what the client may get.
struct Play {
    name: &'static str,
    bytes: fn() -> Vec<u8>,
    then: Then,
    outcomes: &'static [u16],
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";

fn plays() -> Vec<Play> {
    let bad = |name, bytes| Play { name, bytes, then: Then::Poisoned, outcomes: &[502] };
    let ends = |name, bytes| Play { name, bytes, then: Then::Close, outcomes: &[502] };
    let fine = |name, bytes| Play { name, bytes, then: Then::Keep, outcomes: &[200] };
    vec![
        bad("cl-and-te", || format!("{OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into()),
        bad("te-and-cl", || format!("{OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n").into()),
        bad("two-lengths", || format!("{OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello").into()),
        bad("equal-lengths", || format!("{OK}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello").into()),
        bad("list-of-lengths", || format!("{OK}Content-Length: 5, 5\r\n\r\nhello").into()),
        bad("signed-length", || format!("{OK}Content-Length: +5\r\n\r\nhello").into()),
        bad("hex-length", || format!("{OK}Content-Length: 0x5\r\n\r\nhello").into()),
        bad("empty-length", || format!("{OK}Content-Length:\r\n\r\nhello").into()),
        bad("negative-length", || format!("{OK}Content-Length: -5\r\n\r\nhello").into()),
        bad("word-as-length", || format!("{OK}Content-Length: abc\r\n\r\nhello").into()),
        bad("huge-length", || format!("{OK}Content-Length: 99999999999999999999\r\n\r\nhello").into()),
        bad("gzip-chunked", || format!("{OK}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n").into()),
        bad("xchunked", || format!("{OK}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n").into()),
        bad("chunked-twice", || {
            format!("{OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into()
        }),
        bad("chunked-in-1-0", || b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()),
        bad("folded-length", || format!("{OK}Content-Length:\r\n 5\r\n\r\nhello").into()),
        bad("folded-field", || format!("{OK}X-A: b\r\n c\r\nContent-Length: 5\r\n\r\nhello").into()),
        bad("nul-in-a-field", || format!("{OK}X-A: \0\r\nContent-Length: 5\r\n\r\nhello").into()),
        bad("cr-in-a-field", || format!("{OK}X-A: b\rc\r\nContent-Length: 5\r\n\r\nhello").into()),
        bad("no-colon", || format!("{OK}X-A\r\nContent-Length: 5\r\n\r\nhello").into()),
        bad("empty-name", || format!("{OK}: a\r\nContent-Length: 5\r\n\r\nhello").into()),
        bad("garbage", || b"\0\x01\x02 not http\r\n\r\n".to_vec()),
        bad("version-2", || b"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()),
        bad("version-9", || b"HTTP/9.9 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec()),
        bad("status-99", || b"HTTP/1.1 99 A\r\nContent-Length: 0\r\n\r\n".to_vec()),
        bad("status-abc", || b"HTTP/1.1 abc A\r\nContent-Length: 0\r\n\r\n".to_vec()),
        bad("status-2000", || b"HTTP/1.1 2000 A\r\nContent-Length: 0\r\n\r\n".to_vec()),
        bad("a-request", || b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec()),
        bad("101", || {
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nframes".to_vec()
        }),
        bad("200-interim", || b"HTTP/1.1 102 Processing\r\n\r\n".repeat(200)),
        bad("many-fields", || {
            let fields = numbered(5_000, "b");
            format!("{OK}{fields}Content-Length: 5\r\n\r\nhello").into()
        }),
        bad("huge-head", || format!("{OK}X-A: {}\r\nContent-Length: 5\r\n\r\nhello", "a".repeat(2_000_000)).into()),
        ends("nothing", Vec::new),
        ends("half-a-line", || b"HTTP/1.1 200".to_vec()),
        ends("half-a-head", || OK.into()),
        Play {
            name: "extra-bytes",
            bytes: || format!("{OK}Content-Length: 5\r\n\r\nhelloEXTRA").into(),
            then: Then::Poisoned,
            outcomes: &[200, 502],
        },
        Play {
            name: "second-answer",
            bytes: || format!("{OK}Content-Length: 5\r\n\r\nhello{OK}Content-Length: 7\r\n\r\nmallory").into(),
            then: Then::Poisoned,
            outcomes: &[200, 502],
        },
        Play {
            name: "extra-after-204",
            bytes: || b"HTTP/1.1 204 No Content\r\n\r\nmallory".to_vec(),
            then: Then::Poisoned,
            outcomes: &[502],
        },
        fine("plain", || format!("{OK}Content-Length: 5\r\n\r\nhello").into()),
        fine("chunks", || format!("{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").into()),
        fine("five-interim", || {
            [b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(5), format!("{OK}Content-Length: 5\r\n\r\nhello").into()]
                .concat()
        }),
        fine("hop-by-hop", || {
            format!("{OK}Connection: keep-alive, x-hop\r\nX-Hop: mallory\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello").into()
        }),
        Play {
            name: "until-the-end",
            bytes: || format!("{OK}\r\nhello").into(),
            then: Then::Close,
            outcomes: &[200, 502],
        },
        Play {
            name: "1-0",
            bytes: || b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
            then: Then::Close,
            outcomes: &[200, 502],
        },
    ]
}

fn script(message: &Message) -> Reply {
    let name = message.target.strip_prefix("/script/");
    let play = name.and_then(|name| plays().into_iter().find(|play| play.name == name));
    play.map_or_else(|| origin::echo(message), |play| Reply { bytes: (play.bytes)(), then: play.then })
}

fn t18() -> Vec<Case> {
    let mut table = Table::new("T18");
    for play in plays() {
        // A connection that ends without a byte may just have been old: the request may be sent again.
        let count = if play.name == "nothing" { UNCOUNTED } else { 1 };
        for again in 0..3 {
            let case = table
                .case(&format!("{} {again}", play.name), get(&format!("/v1/script/{}", play.name)))
                .upstream(count);
            table.add(play.outcomes.iter().fold(case, |case, status| case.or(&[*status], End::Any)));
        }
    }
    table.cases
}

/// The cases of this file.
pub(super) fn all() -> Vec<Case> {
    t18()
}

#[test]
fn t18_an_answer_that_breaks_the_rules_is_a_502_and_its_connection_is_not_used_again() {
    corpus::run(&all(), script);
}
