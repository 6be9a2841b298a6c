// SPDX-License-Identifier: Apache-2.0
//! HTTP/2 towards upstreams: few connections for many requests, each stream with the deadlines of a request.
//!
//! An upstream is believed no more than a client is. Its frames are counted before they are parsed
//! ([`portcullis_wire::frames::UpstreamFrames`]), the parser has every cap set ([`builder`]), and its answers are judged
//! as those in HTTP/1 are. A request that ends early resets its stream and nothing else.

mod body;
mod connect;
mod drive;
mod exchange;
mod head;
mod line;
mod pool;
mod transport;
mod upload;
mod watch;

pub(crate) use body::{Open, Piece};
pub(crate) use connect::{Connected, Times, connect};
pub(crate) use exchange::{Fault, exchange};
pub(crate) use pool::{Entered, Place, Pool, Reached, Turn, alone};

use h2::client::Builder;
use std::time::Duration;

/// Streams of one connection at once, where the upstream allows as many.
const STREAMS_MAX: usize = 100;
/// Content of one answer that may come unread.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// Content of all answers that may come unread: as much as all streams together, so that a client that does not read
/// its answer never keeps those of others back.
const CONNECTION_WINDOW_BYTES: u32 = 100 * STREAM_WINDOW_BYTES;
/// Largest frame (the least that RFC 9113 allows).
const FRAME_BYTES_MAX: u32 = 16 * 1024;
/// Largest head of an answer, counted as RFC 9113 §6.5.2 does.
const HEAD_LIST_BYTES_MAX: u32 = 64 * 1024;
/// Table of the header compression.
const HEADER_TABLE_BYTES: u32 = 4 * 1024;
/// Content of one request that waits in the parser for the transport.
const SEND_BUFFER_BYTES_MAX: usize = 32 * 1024;
/// What many small DATA frames may cost beside their content, before they are read.
const SMALL_FRAMES_BYTES_MAX: usize = 1024 * 1024;
/// Streams an upstream may make the parser reset, in the life of a connection.
const PROVOKED_RESETS_MAX: usize = 64;
/// Reset streams remembered, so that what is still on its way to them is no error, and for how long.
const REMEMBERED_RESETS_MAX: usize = STREAMS_MAX;
const REMEMBERED_RESETS_FOR: Duration = Duration::from_secs(5);

/// Every cap there is; what `h2` takes by itself is of no account.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(STREAMS_MAX)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(HEAD_LIST_BYTES_MAX)
        .header_table_size(HEADER_TABLE_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .data_frame_budget(SMALL_FRAMES_BYTES_MAX)
        .max_local_error_reset_streams(Some(PROVOKED_RESETS_MAX))
        .max_concurrent_reset_streams(REMEMBERED_RESETS_MAX)
        .reset_stream_duration(REMEMBERED_RESETS_FOR);
    builder
}
