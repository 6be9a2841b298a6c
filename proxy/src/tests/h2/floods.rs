// SPDX-License-Identifier: Apache-2.0
//! More than a client may send: each flood ends its connection with `ENHANCE_YOUR_CALM`, and no other.

use super::h2raw::{
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, End, GOAWAY, H2, HEADERS, PING,
    PRIORITIZED, PRIORITY, SETTINGS, WINDOW_UPDATE, block, frame, get, headers, pseudo, remembered, reset, window,
};
use super::{client, *};

/// Sends until the other side has had enough, then reads what it said.
fn flood(client: &mut H2, pieces: impl IntoIterator<Item = Vec<u8>>) -> Option<u32> {
    for piece in pieces {
        if client.try_send(piece).is_err() {
            break;
        }
    }
    client.farewell()
}

/// An origin that answers nothing, and knows how many requests it has at once.
fn patient() -> (Scripted, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (held, peak) = (Arc::clone(&now), Arc::clone(&most));
    let origin = origin(move |_, mut wire| {
        if wire.request().is_some() {
            let at_once = held.fetch_add(1, Ordering::SeqCst) + 1;
            peak.fetch_max(at_once, Ordering::SeqCst);
            // The next request never comes: this ends when the gate lets go.
            assert!(wire.request().is_none());
            held.fetch_sub(1, Ordering::SeqCst);
        }
    });
    (origin, now, most)
}

#[test]
fn t47_ten_thousand_streams_reset_at_once_cost_the_origin_no_more_than_a_hundred() {
    let (origin, held, most) = patient();
    let bench = bench(&origin, |_, _| {});
    let mut streams = 0;
    while streams < 10_000 {
        let mut client = client(&bench);
        let pairs = (0..100).map(|n| [get(2 * n + 1, "/"), reset(2 * n + 1, CANCEL)].concat());
        assert_eq!(flood(&mut client, [pairs.flatten().collect()]), Some(ENHANCE_YOUR_CALM));
        streams += 100;
    }
    assert!(most.load(Ordering::SeqCst) <= 100, "{most:?}");
    eventually("all work has ended", || held.load(Ordering::SeqCst) == 0);
    assert!(bench.handled.load(Ordering::SeqCst) < 10_000, "what stands behind a flood is not looked at");
    assert_eq!(H2::connect(bench.running.public).fetch(1, &pseudo("GET", "/deny")).status, 403);
}

#[test]
fn t47_resets_under_half_of_the_streams_are_bounded_by_a_hundred_in_ten_seconds() {
    let (origin, held, most) = patient();
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    let mut sent = 0;
    for n in 0..1_000 {
        // One is reset after it reached the origin, two are answered by the gate.
        let piece = [get(6 * n + 1, "/"), get(6 * n + 3, "/deny"), get(6 * n + 5, "/deny"), reset(6 * n + 1, CANCEL)];
        if client.try_send(piece.concat()).is_err() {
            break;
        }
        sent += 1;
        std::thread::sleep(ms(1));
    }
    assert_eq!(client.farewell(), Some(ENHANCE_YOUR_CALM));
    assert!((101..1_000).contains(&sent), "{sent}");
    assert!(most.load(Ordering::SeqCst) <= 100, "{most:?}");
    eventually("all work has ended", || held.load(Ordering::SeqCst) == 0);
}

/// What makes a server reset a stream, by its number.
type Primitive = (&'static str, fn(u32) -> Vec<u8>);

const MALFORMED: &str = "a head that is malformed";

/// Each primitive makes the server reset a stream, so that its work goes on beside the count of open streams.
#[test]
fn t48_resets_that_a_client_provokes_are_counted() {
    let primitives: [Primitive; 6] = [
        ("a window update of zero", |stream| window(stream, 0)),
        ("a window that overflows", |stream| window(stream, 0x7fff_ffff)),
        ("content after the end of a stream", |stream| frame(DATA, END_STREAM, stream, b"x")),
        ("a second head after the end of a stream", |stream| headers(stream, END_STREAM, &[("x", "y")])),
        ("a stream that depends on itself", |stream| {
            frame(PRIORITY, 0, stream, &[&stream.to_be_bytes()[..], &[0]].concat())
        }),
        (MALFORMED, |stream| headers(stream, END_STREAM, &[("x", "y")])),
    ];
    for (name, provoke) in primitives {
        let (origin, held, most) = patient();
        let bench = bench(&origin, |_, _| {});
        let mut client = client(&bench);
        let mut sent = 0_usize;
        for n in 0..400 {
            let mut piece = get(2 * n + 1, "/");
            if name == MALFORMED {
                piece.clear();
            }
            piece.extend(provoke(2 * n + 1));
            if client.try_send(piece).is_err() {
                break;
            }
            sent += 1;
        }
        let farewell = client.farewell();
        // Whoever writes to a stream that has ended breaks the protocol itself, which ends the connection at once.
        assert!(matches!(farewell, Some(ENHANCE_YOUR_CALM | 0x1 | 0x5)), "{name}: {farewell:?}");
        assert!(most.load(Ordering::SeqCst) <= 100, "{name}: {most:?}");
        eventually("all work has ended", || held.load(Ordering::SeqCst) == 0);
        assert!(bench.handled.load(Ordering::SeqCst) <= 165, "{name}: {:?} of {sent}", bench.handled);
    }
}

#[test]
fn t49_a_header_block_has_few_frames_and_few_bytes() {
    let bench = bench(&echo(), |_, _| {});
    let begin = || frame(HEADERS, END_STREAM, 1, &block(&pseudo("GET", "/")));
    let empty = std::iter::repeat_with(|| frame(CONTINUATION, 0, 1, b"")).take(10_000);
    assert_eq!(flood(&mut client(&bench), std::iter::once(begin()).chain(empty)), Some(ENHANCE_YOUR_CALM));
    let field = block(&[("x-field", &"v".repeat(8_000))]);
    let large = std::iter::repeat_with(|| frame(CONTINUATION, 0, 1, &field)).take(10_000);
    assert_eq!(flood(&mut client(&bench), std::iter::once(begin()).chain(large)), Some(ENHANCE_YOUR_CALM));
    let huge = frame(0x1, END_STREAM | END_HEADERS, 1, &vec![0; 16_385]);
    let farewell = flood(&mut client(&bench), [huge]);
    assert_eq!(farewell, Some(h2raw::FRAME_SIZE_ERROR), "a frame larger than was allowed");
    assert_eq!(bench.handled.load(Ordering::SeqCst), 0);
}

/// One field in the table, named by one byte ten thousand times.
fn bomb(stream: u32, value: &str, times: usize) -> Vec<u8> {
    let mut fields = block(&pseudo("GET", "/deny"));
    if stream == 1 {
        fields.extend(remembered(("x", value)));
    }
    fields.extend(std::iter::repeat_n(0xbe, times));
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &fields)
}

#[test]
fn t50_a_head_that_unfolds_is_refused_by_its_size_unfolded() {
    let bench = bench(&echo(), |_, _| {});
    let mut small = H2::silent(bench.running.public);
    // With a table, because the attack is one on it.
    small.send([h2raw::PREFACE.to_vec(), frame(SETTINGS, 0, 0, b"")].concat());
    small.send(bomb(1, "v", 10_000));
    assert_eq!(small.farewell(), Some(ENHANCE_YOUR_CALM), "far beyond: the connection ends");

    let mut refused = client(&bench);
    for (stream, times) in [(1, 600), (3, 490), (5, 101)] {
        refused.send(bomb(stream, "v", times));
        let answer = refused.answer(stream);
        assert_eq!((answer.status, answer.text().as_str()), (431, "wire.head_too_large"), "{times}");
    }
    refused.send(bomb(7, "v", 90));
    assert_eq!(refused.answer(7).status, 403, "a head of 90 fields is one");
    let mut long = client(&bench);
    long.send(bomb(1, &"v".repeat(500), 40));
    assert_eq!(long.answer(1).status, 431, "more than 16 KiB unfolded");
}

#[test]
fn t50_the_heads_of_open_streams_have_a_maximum_together() {
    let (origin, _, _) = patient();
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    let value = "v".repeat(7_000);
    let fields = [&pseudo("GET", "/")[..], &[("a", &value), ("b", &value)]].concat();
    // All of them at once: on a busy machine the first may have ended before the last begins.
    let all: Vec<u8> = (0..60).flat_map(|n| headers(2 * n + 1, END_STREAM, &fields)).collect();
    client.send(all);
    let refused = (30..60).map(|n| client.answer(2 * n + 1)).find(|answer| answer.status == 431);
    assert_eq!(refused.map(|answer| answer.text()).as_deref(), Some("wire.head_too_large"));
}

#[test]
fn t51_many_thousand_distinct_fields_are_no_panic() {
    let bench = bench(&echo(), |_, _| {});
    let names: Vec<String> = (0..30_000).map(|n| format!("{n:x}")).collect();
    let mut fields = block(&pseudo("GET", "/"));
    for name in &names {
        fields.extend(block(&[(name, "")]));
    }
    let mut client = client(&bench);
    let mut pieces = fields.chunks(16_384);
    let mut frames = vec![frame(HEADERS, END_STREAM, 1, pieces.next().unwrap())];
    frames.extend(pieces.map(|piece| frame(CONTINUATION, 0, 1, piece)));
    assert_eq!(flood(&mut client, frames), Some(ENHANCE_YOUR_CALM));
    assert_eq!(H2::connect(bench.running.public).fetch(1, &pseudo("GET", "/deny")).status, 403);
}

#[test]
fn t52_frames_without_content_end_the_connection() {
    let bench = bench(&echo(), |_, _| {});
    let open = || headers(1, 0, &pseudo("POST", "/"));
    let empty = |kind, flags| std::iter::repeat_with(move || frame(kind, flags, 1, b"")).take(10_000);
    let padded = std::iter::repeat_with(|| frame(DATA, h2raw::PADDED, 1, &[0])).take(200_000);
    let data = flood(&mut client(&bench), std::iter::once(open()).chain(empty(DATA, 0)));
    assert_eq!(data, Some(ENHANCE_YOUR_CALM));
    let heads = flood(&mut client(&bench), std::iter::once(open()).chain(empty(HEADERS, END_HEADERS)));
    // Trailers that do not end a stream are an error before they are a flood.
    assert!(matches!(heads, Some(ENHANCE_YOUR_CALM | 0x1)), "{heads:?}");
    let padding = flood(&mut client(&bench), std::iter::once(open()).chain(padded));
    assert!(matches!(padding, Some(ENHANCE_YOUR_CALM | h2raw::FLOW_CONTROL_ERROR)), "{padding:?}");
}

#[test]
fn t53_control_frames_have_a_rate() {
    let bench = bench(&echo(), |_, _| {});
    let five = [0, 0, 0, 0, 16];
    let kinds: [(&str, Vec<u8>); 8] = [
        ("settings", frame(SETTINGS, 0, 0, b"")),
        ("settings acknowledged", frame(SETTINGS, 1, 0, b"")),
        ("ping", frame(PING, 0, 0, b"12345678")),
        ("pong", frame(PING, 1, 0, b"12345678")),
        ("priority", frame(PRIORITY, 0, 1, &five)),
        ("window update", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("goaway", frame(GOAWAY, 0, 0, &[0; 8])),
        ("an extension", frame(0xbe, 0, 0, b"what")),
    ];
    for (name, one) in kinds {
        let mut client = client(&bench);
        // A stream that stays open, so that a farewell of the client does not end it all.
        client.send(headers(1, 0, &pseudo("POST", "/")));
        let many = std::iter::repeat_n(one, 20_000);
        let said = flood(&mut client, many);
        // What only settings acknowledge out of turn is an error of its own.
        assert!(
            said == Some(ENHANCE_YOUR_CALM) || name == "settings acknowledged" && said == Some(1),
            "{name} {said:?}"
        );
    }
    assert_eq!(H2::connect(bench.running.public).fetch(1, &pseudo("GET", "/deny")).status, 403);
}

#[test]
fn t53_orders_of_frames_that_broke_others_are_no_panic() {
    let bench = bench(&echo(), |_, _| {});
    let goaway = || frame(GOAWAY, 0, 0, &[0; 8]);
    let scripts: [Vec<Vec<u8>>; 7] = [
        vec![goaway(), frame(SETTINGS, 0, 0, b"")],
        vec![frame(SETTINGS, 0, 0, b""), goaway(), get(1, "/deny")],
        vec![goaway(), goaway(), h2raw::setting(4, 0), get(1, "/deny")],
        vec![get(1, "/deny"), goaway(), reset(1, CANCEL), window(0, 1)],
        vec![headers(1, 0, &pseudo("POST", "/")), headers(1, 0, &[("x-trailer", "without an end")])],
        vec![headers(1, PRIORITIZED, &[("x", "y")]), goaway()],
        vec![h2raw::setting(5, 16_384), h2raw::setting(5, 16_777_215), get(1, "/deny"), goaway()],
    ];
    for script in scripts {
        let mut hostile = client(&bench);
        for piece in &script {
            if hostile.try_send(piece).is_err() {
                break;
            }
        }
        drop(hostile);
        let mut other = client(&bench);
        assert_eq!(other.fetch(1, &pseudo("GET", "/deny")).status, 403, "{script:?}");
    }
}

#[test]
fn more_streams_than_agreed_are_refused_one_by_one() {
    let (origin, _, most) = patient();
    let bench = bench(&origin, |_, _| {});
    let mut client = client(&bench);
    for n in 0..110 {
        client.send(get(2 * n + 1, "/"));
    }
    for n in 100..110 {
        assert_eq!(client.answer(2 * n + 1).end, End::Reset(0x7), "{n}");
    }
    eventually("a hundred are upstream", || most.load(Ordering::SeqCst) == 100);
}
