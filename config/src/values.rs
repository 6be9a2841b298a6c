// SPDX-License-Identifier: Apache-2.0
//! Sizes, durations, rates, dates, addresses: text to checked values, each with its own error.
//!
//! The errors never repeat the text: the caller shows it, unless it came from the environment.

mod address;
mod date;
mod quantity;

pub use address::{Target, is_loopback_host};
pub use date::Day;

pub(crate) use address::{Scheme, Url, base_path, header_name, host, socket, url, variable_name};
pub(crate) use quantity::{bytes_per_second, duration, duration_or_zero, percent, rate, size, written};

/// Why a text is not the value it should be.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ValueError {
    /// A size that is none.
    #[error("a size is a whole number and one of B, KiB, MiB, GiB, such as `64KiB`")]
    Size,
    /// A byte rate that is none.
    #[error("a byte rate is a size per second, such as `1KiB/s`")]
    ByteRate,
    /// A duration that is none.
    #[error("a duration is a whole number and one of ms, s, m, h, d, such as `250ms` or `5s`")]
    Duration,
    /// A share that is none.
    #[error("a share is a whole number and `%`, such as `10%`")]
    Percent,
    /// A rate that is none.
    #[error(
        "a rate is `N/T` with T one of s, min, h, day or a duration, and perhaps `burst B`, such as `60/min burst 20`"
    )]
    Rate,
    /// Zero where it would switch a limit off.
    #[error("zero would mean no limit, and there is no way to say that")]
    Zero,
    /// Too much.
    #[error("at most {0}")]
    TooLarge(String),
    /// Too little.
    #[error("at least {0}")]
    TooSmall(String),
    /// A date that is none.
    #[error("a date is a day of the calendar written `YYYY-MM-DD`")]
    Date,
    /// An address to listen on that is none.
    #[error(
        "an address is an IP address and a port, such as `127.0.0.1:8080` or `[::1]:8080`; names are not looked up"
    )]
    Address,
    /// A URL that is none.
    #[error("an address begins with `https://` or `http://` and names a host")]
    Url,
    /// A URL with a user name or password.
    #[error("an address holds no user name and no password")]
    UrlUser,
    /// A URL with a query or fragment where none belongs.
    #[error("an address has no `?query` and no `#fragment` here")]
    UrlQuery,
    /// A host that is none.
    #[error("a host is a name without scheme, port, path or wildcard, such as `api.example.com`")]
    Host,
    /// A base path that is none.
    #[error(
        "a base path begins with `/`, ends without one, and holds no `..`, `//`, `?` or escapes that mean something"
    )]
    BasePath,
    /// A header name that is none.
    #[error("a header name is letters, digits and `-`")]
    Header,
    /// A header that others rely on.
    #[error("this header has a meaning of its own and cannot carry the subject")]
    HeaderTaken,
    /// A name of an environment variable that is none.
    #[error("a variable's name is letters, digits and `_`, and begins with no digit")]
    Variable,
}

#[cfg(test)]
mod tests;
