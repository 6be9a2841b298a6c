// SPDX-License-Identifier: Apache-2.0
//! The plain reader, byte for byte and step for step, that the fast one has to agree with in every verdict.

use super::super::{JsonFault, JsonKind, JsonLimits, Node, number, text};
use portcullis_decision::Reason;
use smallvec::SmallVec;
use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;

/// Objects up to this many members are searched for duplicates pair by pair; larger ones are sorted. Neither
/// hashes, so no choice of keys makes it slow (T63).
const PAIRWISE_MEMBERS_MAX: usize = 12;

pub(super) fn read(bytes: &[u8], limits: &JsonLimits) -> Result<Vec<Node>, JsonFault> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(JsonFault { reason: Reason::PayloadTooLarge, offset: 0, detail: "document is too long" });
    }
    if let Err(error) = std::str::from_utf8(bytes) {
        return Err(malformed(error.valid_up_to(), "document is not utf-8"));
    }
    let mut reader = Reader { bytes, limits, at: 0, nodes: Vec::new(), open: SmallVec::new(), key: None };
    reader.document()?;
    Ok(reader.nodes)
}

#[derive(Clone, Copy)]
enum Expect {
    Value,
    ElementOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

#[derive(Clone, Copy)]
struct Key {
    start: u32,
    end: u32,
    escaped: bool,
}

struct Reader<'a> {
    bytes: &'a [u8],
    limits: &'a JsonLimits,
    at: usize,
    nodes: Vec<Node>,
    /// The open containers, outermost first.
    open: SmallVec<[usize; 32]>,
    /// The key whose value comes next.
    key: Option<Key>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<(), JsonFault> {
        let mut expect = Expect::Value;
        loop {
            self.skip_space();
            let byte = self.bytes.get(self.at).copied();
            expect = match (expect, byte) {
                (Expect::ElementOrEnd, Some(b']')) | (Expect::KeyOrEnd, Some(b'}')) => self.close()?,
                (Expect::Value | Expect::ElementOrEnd, Some(byte)) => self.value(byte)?,
                (Expect::Key | Expect::KeyOrEnd, Some(b'"')) => self.read_key()?,
                (Expect::CommaOrEnd, Some(byte)) => self.after_value(byte)?,
                (_, None) => return Err(self.fault("document ends too early")),
                (Expect::Key | Expect::KeyOrEnd, Some(_)) => return Err(self.fault("expected a key")),
            };
            if self.open.is_empty() {
                self.skip_space();
                return match self.bytes.get(self.at) {
                    None => Ok(()),
                    Some(_) => Err(self.fault("something follows the document")),
                };
            }
        }
    }

    /// The byte after a complete value inside a container.
    fn after_value(&mut self, byte: u8) -> Result<Expect, JsonFault> {
        let parent = self.open.last().and_then(|index| self.nodes.get(*index)).map(|node| node.kind);
        match (parent, byte) {
            (Some(JsonKind::Object), b'}') | (Some(JsonKind::Array), b']') => self.close(),
            (Some(JsonKind::Object), b',') => {
                self.at = self.at.saturating_add(1);
                Ok(Expect::Key)
            }
            (Some(JsonKind::Array), b',') => {
                self.at = self.at.saturating_add(1);
                Ok(Expect::Value)
            }
            _ => Err(self.fault("expected a comma or the end of the container")),
        }
    }

    fn value(&mut self, byte: u8) -> Result<Expect, JsonFault> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let (kind, length, escaped) = match byte {
            b'{' => return self.open(JsonKind::Object),
            b'[' => return self.open(JsonKind::Array),
            b'"' => {
                let (length, escaped) = self.string(rest)?;
                (JsonKind::String, length, escaped)
            }
            b'-' | b'0'..=b'9' => {
                let (kind, length) = number::read(rest).map_err(|detail| self.fault(detail))?;
                (kind, length, false)
            }
            b't' if rest.starts_with(b"true") => (JsonKind::Bool, 4, false),
            b'f' if rest.starts_with(b"false") => (JsonKind::Bool, 5, false),
            b'n' if rest.starts_with(b"null") => (JsonKind::Null, 4, false),
            _ => return Err(self.fault("expected a value")),
        };
        self.at = start.saturating_add(length);
        self.push(kind, start, escaped)?;
        Ok(Expect::CommaOrEnd)
    }

    fn open(&mut self, kind: JsonKind) -> Result<Expect, JsonFault> {
        if self.open.len() >= self.limits.depth_max {
            let detail = "arrays and objects are nested too deep";
            return Err(JsonFault { reason: Reason::PayloadTooDeep, offset: self.at, detail });
        }
        let start = self.at;
        self.at = start.saturating_add(1);
        let index = self.nodes.len();
        self.push(kind, start, false)?;
        self.open.push(index);
        Ok(if kind == JsonKind::Object { Expect::KeyOrEnd } else { Expect::ElementOrEnd })
    }

    fn close(&mut self) -> Result<Expect, JsonFault> {
        self.at = self.at.saturating_add(1);
        let (end, next) = (self.short(self.at)?, self.short(self.nodes.len())?);
        let index = self.open.pop().unwrap_or_default();
        if let Some(node) = self.nodes.get_mut(index) {
            node.end = end;
            node.next = next;
            if node.kind == JsonKind::Object {
                self.refuse_duplicates(index)?;
            }
        }
        Ok(Expect::CommaOrEnd)
    }

    fn read_key(&mut self) -> Result<Expect, JsonFault> {
        let start = self.at;
        let (length, escaped) = self.string(self.bytes.get(start..).unwrap_or_default())?;
        self.at = start.saturating_add(length);
        self.key = Some(Key { start: self.short(start)?, end: self.short(self.at)?, escaped });
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b':') {
            return Err(self.fault("expected a colon"));
        }
        self.at = self.at.saturating_add(1);
        Ok(Expect::Value)
    }

    fn string(&self, rest: &[u8]) -> Result<(usize, bool), JsonFault> {
        read_string(rest).map_err(|(offset, detail)| malformed(self.at.saturating_add(offset), detail))
    }

    /// Adds the value that ends at the present place.
    fn push(&mut self, kind: JsonKind, start: usize, escaped: bool) -> Result<(), JsonFault> {
        if self.nodes.len() >= self.limits.nodes_max {
            return Err(JsonFault { reason: Reason::PayloadTooLarge, offset: start, detail: "too many values" });
        }
        let key = self.key.take().unwrap_or(Key { start: 0, end: 0, escaped: false });
        let node = Node {
            kind,
            escaped,
            key_escaped: key.escaped,
            start: self.short(start)?,
            end: self.short(self.at)?,
            key_start: key.start,
            key_end: key.end,
            next: self.short(self.nodes.len().saturating_add(1))?,
            children: 0,
        };
        self.nodes.push(node);
        if let Some(parent) = self.open.last().and_then(|index| self.nodes.get_mut(*index)) {
            parent.children = parent.children.saturating_add(1);
        }
        Ok(())
    }

    /// T67: members that are equal after unescaping and NFC are one member with two values.
    fn refuse_duplicates(&self, object: usize) -> Result<(), JsonFault> {
        let Some(node) = self.nodes.get(object).filter(|node| node.children > 1) else { return Ok(()) };
        let mut keys: SmallVec<[(Cow<'_, str>, u32); PAIRWISE_MEMBERS_MAX]> = SmallVec::new();
        let mut index = object.saturating_add(1);
        while let Some(member) = self.nodes.get(index).filter(|_| index < node.next as usize) {
            let quoted = self.bytes.get(member.key_start as usize..member.key_end as usize).unwrap_or_default();
            let quoted = std::str::from_utf8(quoted).unwrap_or_default();
            keys.push((normal_form(text::unescape(quoted, member.key_escaped)), member.key_start));
            index = member.next as usize;
        }
        let duplicate = if keys.len() <= PAIRWISE_MEMBERS_MAX {
            keys.iter().enumerate().find_map(|(index, (key, offset))| {
                keys.iter().take(index).any(|(other, _)| other == key).then_some(*offset)
            })
        } else {
            keys.sort_unstable();
            keys.windows(2).find_map(|pair| match pair {
                [(first, _), (second, offset)] if first == second => Some(*offset),
                _ => None,
            })
        };
        duplicate.map_or(Ok(()), |offset| Err(malformed(offset as usize, "duplicate member")))
    }

    fn skip_space(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let space = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.at = self.at.saturating_add(space);
    }

    /// Offsets fit, because the length of the document was checked; a value that does not fit is refused all the same.
    fn short(&self, offset: usize) -> Result<u32, JsonFault> {
        u32::try_from(offset).map_err(|_| self.fault("document is too long"))
    }

    fn fault(&self, detail: &'static str) -> JsonFault {
        malformed(self.at, detail)
    }
}

fn normal_form(key: Cow<'_, str>) -> Cow<'_, str> {
    if key.is_ascii() || unicode_normalization::is_nfc(&key) { key } else { Cow::Owned(key.nfc().collect()) }
}

fn malformed(offset: usize, detail: &'static str) -> JsonFault {
    JsonFault { reason: Reason::RequestJson, offset, detail }
}

/// The length of a string with both quotes, and whether it holds an escape.
fn read_string(bytes: &[u8]) -> Result<(usize, bool), (usize, &'static str)> {
    let mut at = 1_usize;
    let mut escaped = false;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).unwrap_or(rest.len());
        at = at.saturating_add(plain);
        match bytes.get(at) {
            Some(b'"') => return Ok((at.saturating_add(1), escaped)),
            Some(b'\\') => {
                escaped = true;
                let tail = bytes.get(at.saturating_add(1)..).unwrap_or_default();
                let (_, length) = text::escape(tail).map_err(|detail| (at, detail))?;
                at = at.saturating_add(1).saturating_add(length);
            }
            Some(_) => return Err((at, "control character in a string")),
            None => return Err((at, "string does not end")),
        }
    }
}
