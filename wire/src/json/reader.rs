// SPDX-License-Identifier: Apache-2.0
//! From bytes to the arena: one pass, one explicit stack, every refusal with its place.
//!
//! Strings are looked through eight bytes at a time, nothing is unescaped, and the keys of open objects wait on a
//! stack beside the nodes, so that an object that ends compares what it has at hand.

use super::duplicate::{self, KeyMark};
use super::{JsonFault, JsonKind, JsonLimits, Node, number, text};
use portcullis_decision::Reason;
use smallvec::SmallVec;

/// The arena starts with room for one value in so many bytes …
const BYTES_PER_VALUE: usize = 8;
/// … but at most for so many; what has more grows.
const FIRST_NODES_MAX: usize = 512;

/// Reads a document of less than 4 GiB.
pub(super) fn read(text: &str, limits: &JsonLimits) -> Result<Vec<Node>, JsonFault> {
    let bytes = text.as_bytes();
    let room = (bytes.len() / BYTES_PER_VALUE).clamp(1, FIRST_NODES_MAX).min(limits.nodes_max);
    let mut reader = Reader {
        text,
        bytes,
        limits,
        ascii: bytes.is_ascii(),
        at: 0,
        nodes: Vec::with_capacity(room),
        frame: Frame::OUTSIDE,
        around: SmallVec::new(),
        keys: SmallVec::new(),
        key: Key::NONE,
    };
    reader.document()?;
    Ok(reader.nodes)
}

/// A key whose value comes next, with its quotes.
#[derive(Clone, Copy)]
struct Key {
    start: u32,
    end: u32,
    escaped: bool,
}

impl Key {
    const NONE: Self = Self { start: 0, end: 0, escaped: false };
}

/// A container that is open.
#[derive(Clone, Copy)]
struct Frame {
    /// `Object` or `Array`; `Null` around the root.
    kind: JsonKind,
    /// A key of it is escaped or not ASCII.
    irregular: bool,
    index: u32,
    children: u32,
    /// Where its keys begin among [`Reader::keys`].
    keys: u32,
}

impl Frame {
    const OUTSIDE: Self = Self { kind: JsonKind::Null, irregular: false, index: 0, children: 0, keys: 0 };
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    limits: &'a JsonLimits,
    /// Every byte is ASCII.
    ascii: bool,
    at: usize,
    nodes: Vec<Node>,
    /// The innermost container.
    frame: Frame,
    /// Those around it, outermost first.
    around: SmallVec<[Frame; 16]>,
    /// The keys of all open objects, those of inner ones behind those of outer ones.
    keys: SmallVec<[KeyMark; 32]>,
    key: Key,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), JsonFault> {
        loop {
            let mut complete = self.value()?;
            while complete {
                if self.frame.kind == JsonKind::Null {
                    return match self.peek() {
                        None => Ok(()),
                        Some(_) => Err(self.fault("something follows the document")),
                    };
                }
                complete = self.after_value()?;
            }
        }
    }

    /// Reads a value, or the beginning of a container that is not empty; whether the value is complete.
    fn value(&mut self) -> Result<bool, JsonFault> {
        let Some(byte) = self.peek() else { return Err(self.fault("document ends too early")) };
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let (kind, length, escaped) = match byte {
            b'"' => {
                let string = self.string(rest)?;
                (JsonKind::String, string.length, string.escaped)
            }
            b'-' | b'0'..=b'9' => {
                let (kind, length) = number::read(rest).map_err(|detail| self.fault(detail))?;
                (kind, length, false)
            }
            b'{' => return self.object(),
            b'[' => return self.array(),
            b't' if rest.starts_with(b"true") => (JsonKind::Bool, 4, false),
            b'f' if rest.starts_with(b"false") => (JsonKind::Bool, 5, false),
            b'n' if rest.starts_with(b"null") => (JsonKind::Null, 4, false),
            _ => return Err(self.fault("expected a value")),
        };
        self.at = start.saturating_add(length);
        self.push(kind, start, escaped)?;
        Ok(true)
    }

    /// Reads what stands behind a complete value: the end of its container, which makes that complete, or a comma
    /// and the key of the next member.
    fn after_value(&mut self) -> Result<bool, JsonFault> {
        let Some(byte) = self.peek() else { return Err(self.fault("document ends too early")) };
        match (self.frame.kind, byte) {
            (JsonKind::Object, b',') => {
                self.at = self.at.saturating_add(1);
                match self.peek() {
                    Some(b'"') => self.read_key().map(|()| false),
                    Some(_) => Err(self.fault("expected a key")),
                    None => Err(self.fault("document ends too early")),
                }
            }
            (JsonKind::Array, b',') => {
                self.at = self.at.saturating_add(1);
                Ok(false)
            }
            (JsonKind::Object, b'}') | (JsonKind::Array, b']') => self.close().map(|()| true),
            _ => Err(self.fault("expected a comma or the end of the container")),
        }
    }

    fn object(&mut self) -> Result<bool, JsonFault> {
        self.open(JsonKind::Object)?;
        match self.peek() {
            Some(b'"') => self.read_key().map(|()| false),
            Some(b'}') => self.close().map(|()| true),
            Some(_) => Err(self.fault("expected a key")),
            None => Err(self.fault("document ends too early")),
        }
    }

    fn array(&mut self) -> Result<bool, JsonFault> {
        self.open(JsonKind::Array)?;
        if self.peek() == Some(b']') { self.close().map(|()| true) } else { Ok(false) }
    }

    fn open(&mut self, kind: JsonKind) -> Result<(), JsonFault> {
        // The stack holds what is around the innermost container, and the outside of the document.
        let depth = self.around.len();
        if depth >= self.limits.depth_max {
            let detail = "arrays and objects are nested too deep";
            return Err(JsonFault { reason: Reason::PayloadTooDeep, offset: self.at, detail });
        }
        let start = self.at;
        self.at = start.saturating_add(1);
        let index = short(self.nodes.len());
        self.push(kind, start, false)?;
        self.around.push(self.frame);
        self.frame = Frame { kind, irregular: false, index, children: 0, keys: short(self.keys.len()) };
        Ok(())
    }

    fn close(&mut self) -> Result<(), JsonFault> {
        self.at = self.at.saturating_add(1);
        let next = short(self.nodes.len());
        let frame = self.frame;
        if let Some(node) = self.nodes.get_mut(frame.index as usize) {
            node.end = short(self.at);
            node.next = next;
            node.children = frame.children;
        }
        if frame.kind == JsonKind::Object {
            let keys = self.keys.get_mut(frame.keys as usize..).unwrap_or_default();
            if frame.irregular || duplicate::may_be_among(keys, self.text) {
                let found = duplicate::find(&self.nodes, frame.index as usize, self.text);
                found.map_or(Ok(()), |offset| Err(malformed(offset, "duplicate member")))?;
            }
            self.keys.truncate(frame.keys as usize);
        }
        self.frame = self.around.pop().unwrap_or(Frame::OUTSIDE);
        Ok(())
    }

    /// Reads the key at the present place and the colon behind it.
    fn read_key(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let string = self.string(rest)?;
        self.at = start.saturating_add(string.length);
        let (start, end) = (short(start), short(self.at));
        self.key = Key { start, end, escaped: string.escaped };
        self.frame.irregular |=
            string.escaped || !(self.ascii || rest.get(..string.length).unwrap_or_default().is_ascii());
        self.keys.push(KeyMark { head: string.head, start, end });
        if self.peek() != Some(b':') {
            return Err(self.fault("expected a colon"));
        }
        self.at = self.at.saturating_add(1);
        Ok(())
    }

    fn string(&self, rest: &[u8]) -> Result<text::Quoted, JsonFault> {
        text::read(rest).map_err(|(offset, detail)| malformed(self.at.saturating_add(offset), detail))
    }

    /// Adds the value that ends at the present place.
    fn push(&mut self, kind: JsonKind, start: usize, escaped: bool) -> Result<(), JsonFault> {
        if self.nodes.len() >= self.limits.nodes_max {
            return Err(JsonFault { reason: Reason::PayloadTooLarge, offset: start, detail: "too many values" });
        }
        let key = std::mem::replace(&mut self.key, Key::NONE);
        self.frame.children = self.frame.children.wrapping_add(1);
        self.nodes.push(Node {
            kind,
            escaped,
            key_escaped: key.escaped,
            start: short(start),
            end: short(self.at),
            key_start: key.start,
            key_end: key.end,
            next: short(self.nodes.len()).wrapping_add(1),
            children: 0,
        });
        Ok(())
    }

    /// The next byte that is no white space; it stays.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at = self.at.saturating_add(1),
                byte => return byte.copied(),
            }
        }
    }

    fn fault(&self, detail: &'static str) -> JsonFault {
        malformed(self.at, detail)
    }
}

/// INVARIANT: the length of the document was checked, every offset is at most that, and every value has a byte.
#[expect(clippy::cast_possible_truncation, reason = "the document is shorter than 4 GiB")]
fn short(offset: usize) -> u32 {
    offset as u32
}

fn malformed(offset: usize, detail: &'static str) -> JsonFault {
    JsonFault { reason: Reason::RequestJson, offset, detail }
}
