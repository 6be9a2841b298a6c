// SPDX-License-Identifier: Apache-2.0
//! `edge`: caps that hold before anything is known about the caller. The defaults are those of the example file.

use std::num::NonZeroU32;
use std::time::Duration;

use portcullis_limit::Rate;

use crate::cursor::Cursor;
use crate::loaded::Edge;
use crate::values::{ValueError, bytes_per_second, duration, rate, size, written};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// No head may be larger.
const HEAD_BYTES_MAX: u64 = MIB;
/// The smallest head that holds a request with a token.
const HEAD_BYTES_MIN: u64 = KIB;
/// No body may be larger: bodies that are judged are held in memory.
const BODY_BYTES_MAX: u64 = 1024 * MIB;
/// No document may be nested deeper.
const DEPTH_MAX: u32 = 128;
/// No cap on fields, connections or requests may be higher.
const FIELDS_MAX: u32 = 1_000;
const CONNECTIONS_MAX: u32 = 1_000_000;
/// A connection must not be held for longer by silence, nor a head or body by slowness.
const PATIENCE_MAX: Duration = Duration::from_hours(1);

pub(super) fn read(cursor: &Cursor<'_>) -> Edge {
    let (head, body, connections) = (cursor.word("head"), cursor.word("body"), cursor.word("connections"));
    let count = |cursor: Cursor<'_>, max: u32, default: u32| cursor.count(max).unwrap_or(default);
    let connections_max = count(connections.word("max"), CONNECTIONS_MAX, 10_000);
    let per_address = count(connections.word("per_address"), CONNECTIONS_MAX, 100.min(connections_max));
    if per_address > connections_max {
        connections
            .word("per_address")
            .refuse("one address may have more connections than there are in all")
            .help("lower `per_address`, or raise `edge.connections.max`");
    }
    let head_bytes_max = bytes(&head.word("max"), (HEAD_BYTES_MIN, HEAD_BYTES_MAX), 32 * KIB);
    let uri_bytes_max = bytes(&cursor.word("uri").word("max"), (64, HEAD_BYTES_MAX), 8 * KIB);
    if uri_bytes_max > head_bytes_max {
        cursor
            .word("uri")
            .word("max")
            .refuse("a request target may be longer than the head it stands in")
            .help("lower `edge.uri.max`, or raise `edge.head.max`");
    }
    Edge {
        head_bytes_max,
        fields_max: index(count(head.word("fields"), FIELDS_MAX, 100)),
        head_timeout: patience(&head.word("timeout"), 10),
        body_bytes_max: bytes(&body.word("max"), (1, BODY_BYTES_MAX), MIB),
        body_depth_max: index(count(body.word("depth"), DEPTH_MAX, 32)),
        body_min_rate: body.word("min_rate").parse(bytes_per_second).unwrap_or(KIB),
        body_timeout: patience(&body.word("timeout"), 30),
        uri_bytes_max,
        connections_max: index(connections_max),
        connections_per_address: index(per_address),
        requests_per_connection: count(connections.word("requests"), CONNECTIONS_MAX, 1_000),
        idle_timeout: patience(&connections.word("idle"), 30),
        address_rate: cursor.word("address_rate").parse(rate).unwrap_or(per_second(100)),
    }
}

fn patience(cursor: &Cursor<'_>, default_s: u64) -> Duration {
    bounded_duration(cursor, PATIENCE_MAX).unwrap_or(Duration::from_secs(default_s))
}

/// A duration that is not zero and at most `max`.
pub(super) fn bounded_duration(cursor: &Cursor<'_>, max: Duration) -> Option<Duration> {
    cursor.parse(|text| match duration(text)? {
        long if long > max => Err(ValueError::TooLarge(written(max))),
        fits => Ok(fits),
    })
}

/// A size between two bounds, as a number of bytes in memory.
pub(super) fn bytes(cursor: &Cursor<'_>, (min, max): (u64, u64), default: u64) -> usize {
    let read = |text: &str| match size(text)? {
        small if small < min => Err(ValueError::TooSmall(format!("{min}B"))),
        large if large > max => Err(ValueError::TooLarge(format!("{}KiB", max / KIB))),
        fits => Ok(fits),
    };
    usize::try_from(cursor.parse(read).unwrap_or(default)).unwrap_or(usize::MAX)
}

fn index(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// `N/s`
pub(super) fn per_second(count: u32) -> Rate {
    Rate { count: NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN), per: Duration::from_secs(1), burst: None }
}

/// `N/min`
pub(super) fn per_minute(count: u32) -> Rate {
    Rate { per: Duration::from_mins(1), ..per_second(count) }
}
