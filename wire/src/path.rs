// SPDX-License-Identifier: Apache-2.0
//! The canonical path: decoded once, encoded in one way (SM-19, T25–T31).
//!
//! Refused, not repaired: dot segments, empty inner segments, `;`, `\`, encoded separators, control characters,
//! double encoding, what is not UTF-8 or not NFC, and every character RFC 3986 does not let stand in a path.

use crate::fault::WireFault;
use crate::percent::{self, Plus};
use http::uri::PathAndQuery;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The canonical text, without a copy where the client already sent it so.
#[derive(Clone)]
enum Text {
    Received(PathAndQuery),
    Written(Arc<str>),
}

/// The decoded text; its segments are separated by `/`, which no decoded segment can hold.
#[derive(Clone)]
enum Decoded {
    AsWritten,
    Text(Arc<str>),
}

/// A path in canonical form. Equality, order of segments and hashing are those of [`CanonicalPath::as_str`].
#[derive(Clone)]
pub struct CanonicalPath {
    text: Text,
    decoded: Decoded,
    /// Bytes of a stripped base at the start of the canonical and of the decoded text.
    text_skip: usize,
    decoded_skip: usize,
}

/// The decoded segments of a path. Made by [`CanonicalPath::segments`].
#[derive(Clone)]
pub struct Segments<'a>(Option<std::str::Split<'a, char>>);

impl<'a> Iterator for Segments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.0.as_mut()?.next()
    }
}

impl CanonicalPath {
    /// Reads an absolute path.
    pub fn parse(raw: &str) -> Result<Self, WireFault> {
        Ok(match read(raw)? {
            Reading::Canonical(decoded) => Self::new(Text::Written(Arc::from(raw)), decoded),
            Reading::Rewritten { text, decoded } => Self::new(Text::Written(text), decoded),
        })
    }

    /// The same without a copy where the target is canonical already.
    pub(crate) fn from_target(target: PathAndQuery) -> Result<Self, WireFault> {
        Ok(match read(target.path())? {
            Reading::Canonical(decoded) => Self::new(Text::Received(target), decoded),
            Reading::Rewritten { text, decoded } => Self::new(Text::Written(text), decoded),
        })
    }

    fn new(text: Text, decoded: Decoded) -> Self {
        Self { text, decoded, text_skip: 0, decoded_skip: 0 }
    }

    /// The canonical percent-encoded text. It starts with `/`.
    pub fn as_str(&self) -> &str {
        let whole = match &self.text {
            Text::Received(target) => target.path(),
            Text::Written(text) => text,
        };
        whole.get(self.text_skip..).unwrap_or("/")
    }

    fn decoded(&self) -> &str {
        match &self.decoded {
            Decoded::AsWritten => self.as_str(),
            Decoded::Text(text) => text.get(self.decoded_skip..).unwrap_or("/"),
        }
    }

    /// The decoded segments: `/` has none, `/a/` has `a` and the empty one.
    pub fn segments(&self) -> Segments<'_> {
        let rest = self.decoded().strip_prefix('/').unwrap_or_default();
        Segments((!rest.is_empty()).then(|| rest.split('/')))
    }

    /// The path below `base`, when it lies there. A trailing `/` of the base does not count; the base itself
    /// without a `/` after it does not lie below it (segments are compared byte by byte, T29).
    #[must_use]
    pub fn strip_base(&self, base: &Self) -> Option<Self> {
        let (base_text, base_decoded) = (without_end_slash(base.as_str()), without_end_slash(base.decoded()));
        if !self.as_str().strip_prefix(base_text)?.starts_with('/') {
            return None;
        }
        Some(Self {
            text_skip: self.text_skip.checked_add(base_text.len())?,
            decoded_skip: self.decoded_skip.checked_add(base_decoded.len())?,
            ..self.clone()
        })
    }

    /// This path below `base`: the inverse of [`CanonicalPath::strip_base`].
    #[must_use]
    pub fn join(&self, base: &Self) -> Self {
        let below = |base: &str, path: &str| -> Arc<str> {
            let base = without_end_slash(base);
            let mut joined = String::with_capacity(base.len() + path.len());
            joined.push_str(base);
            joined.push_str(path);
            Arc::from(joined)
        };
        if without_end_slash(base.as_str()).is_empty() {
            return self.clone();
        }
        let decoded = match (&base.decoded, &self.decoded) {
            (Decoded::AsWritten, Decoded::AsWritten) => Decoded::AsWritten,
            _ => Decoded::Text(below(base.decoded(), self.decoded())),
        };
        Self::new(Text::Written(below(base.as_str(), self.as_str())), decoded)
    }
}

impl PartialEq for CanonicalPath {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for CanonicalPath {}

impl Hash for CanonicalPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for CanonicalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for CanonicalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn without_end_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

enum Reading {
    /// The raw text is canonical.
    Canonical(Decoded),
    Rewritten {
        text: Arc<str>,
        decoded: Decoded,
    },
}

fn read(raw: &str) -> Result<Reading, WireFault> {
    if !raw.starts_with('/') {
        return Err(WireFault::path("path does not start with a slash"));
    }
    let mut escaped = false;
    let mut previous = 0;
    for byte in raw.bytes() {
        match byte {
            b'/' if previous == b'/' => return Err(WireFault::path("empty path segment")),
            b'%' => escaped = true,
            b'/' => {}
            b';' => return Err(WireFault::path("semicolon in the path")),
            b'\\' => return Err(WireFault::path("backslash in the path")),
            plain if percent::is_path_plain(plain) => {}
            _ => return Err(WireFault::path("character that may not stand in a path")),
        }
        previous = byte;
    }
    if !escaped {
        refuse_dot_segments(raw)?;
        return Ok(Reading::Canonical(Decoded::AsWritten));
    }
    let decoded = decode(raw)?;
    refuse_dot_segments(&decoded)?;
    let text = encode(&decoded);
    // Where the canonical text has no escape left, it is its own decoded form.
    let form = if text.contains('%') { Decoded::Text(Arc::from(decoded)) } else { Decoded::AsWritten };
    Ok(if text == raw { Reading::Canonical(form) } else { Reading::Rewritten { text: Arc::from(text), decoded: form } })
}

fn decode(raw: &str) -> Result<String, WireFault> {
    let separators = memchr::memchr_iter(b'/', raw.as_bytes()).count();
    let bytes = percent::decode(raw.as_bytes(), Plus::Literal).map_err(|_| WireFault::path("bad percent escape"))?;
    if memchr::memchr_iter(b'/', &bytes).count() != separators {
        return Err(WireFault::path("encoded slash in the path"));
    }
    if memchr::memchr2(b'\\', b';', &bytes).is_some() {
        return Err(WireFault::path("encoded backslash or semicolon in the path"));
    }
    if percent::has_escape(&bytes) {
        return Err(WireFault::path("path is encoded twice"));
    }
    let decoded = String::from_utf8(bytes).map_err(|_| WireFault::path("path is not utf-8"))?;
    if decoded.chars().any(char::is_control) {
        return Err(WireFault::path("control character in the path"));
    }
    if !unicode_normalization::is_nfc(&decoded) {
        return Err(WireFault::path("path is not in unicode normal form c"));
    }
    Ok(decoded)
}

fn refuse_dot_segments(decoded: &str) -> Result<(), WireFault> {
    // Nearly no path has a segment that starts with a dot; look before splitting.
    if memchr::memmem::find(decoded.as_bytes(), b"/.").is_some()
        && decoded.split('/').any(|segment| matches!(segment, "." | ".."))
    {
        return Err(WireFault::path("dot segment in the path"));
    }
    Ok(())
}

fn encode(decoded: &str) -> String {
    let mut text = String::with_capacity(decoded.len() + 16);
    for byte in decoded.bytes() {
        if byte == b'/' || percent::is_path_plain(byte) {
            text.push(char::from(byte));
        } else {
            percent::push_escape(&mut text, byte);
        }
    }
    text
}

#[cfg(test)]
mod tests;
