// SPDX-License-Identifier: Apache-2.0
//! JSON documents, with the byte at which each value begins. Duplicate members are refused after unescaping.
//!
//! The reader of request bodies is not used here, because documents hold what it refuses for good reasons: bounds
//! such as `9223372036854776000`, which generators write for the end of 64 bits. A number of a document that fits
//! no integer is read as the nearest float.

use super::{DEPTH_MAX, Members, NODES_MAX, Node, Raw, SyntaxFault};

/// Reads a JSON text.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxFault> {
    let mut reader = Reader { text, at: 0, nodes: 0 };
    let node = reader.value(0)?;
    reader.space();
    if reader.at == text.len() { Ok(node) } else { Err(reader.fault("something follows the document")) }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    nodes: usize,
}

impl Reader<'_> {
    /// INVARIANT: recurses at most `DEPTH_MAX` deep.
    fn value(&mut self, depth: usize) -> Result<Node, SyntaxFault> {
        self.space();
        self.nodes += 1;
        if depth > DEPTH_MAX || self.nodes > NODES_MAX {
            return Err(self.fault("too deep or too many values"));
        }
        let at = self.offset();
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Raw::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Raw::Bool(true))?,
            Some(b'f') => self.word("false", Raw::Bool(false))?,
            Some(b'n') => self.word("null", Raw::Null)?,
            _ => return Err(self.fault("a value is expected")),
        };
        Ok(Node { at, value })
    }

    fn object(&mut self, depth: usize) -> Result<Raw, SyntaxFault> {
        let mut entries = Vec::new();
        let mut places = Vec::new();
        self.at += 1;
        self.space();
        if self.take(b'}') {
            return Ok(Raw::Map(Members::default()));
        }
        loop {
            self.space();
            places.push(self.offset());
            if self.peek() != Some(b'"') {
                return Err(self.fault("a member name is expected"));
            }
            let key = self.string()?;
            self.space();
            if !self.take(b':') {
                return Err(self.fault("`:` is expected"));
            }
            entries.push((key, self.value(depth + 1)?));
            self.space();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return Err(self.fault("`,` or `}` is expected"));
            }
        }
        Members::new(entries).map(Raw::Map).map_err(|index| SyntaxFault {
            at: places.get(index).copied().unwrap_or(0),
            message: "not a JSON document: a member stands twice".to_owned(),
        })
    }

    fn list(&mut self, depth: usize) -> Result<Raw, SyntaxFault> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.take(b']') {
            return Ok(Raw::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.take(b']') {
                return Ok(Raw::List(items));
            }
            if !self.take(b',') {
                return Err(self.fault("`,` or `]` is expected"));
            }
        }
    }

    fn string(&mut self) -> Result<Box<str>, SyntaxFault> {
        let begin = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(0..=0x1f) => return Err(self.fault("a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(self.fault("a string without end")),
            }
        }
        self.at += 1;
        let raw = self.text.get(begin..self.at).unwrap_or_default();
        if !escaped {
            return Ok(raw.trim_matches('"').into());
        }
        serde_json::from_str::<Box<str>>(raw).map_err(|_| self.fault("a string with a broken escape"))
    }

    fn number(&mut self) -> Result<Raw, SyntaxFault> {
        let begin = self.at;
        while let Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        let raw = self.text.get(begin..self.at).unwrap_or_default();
        serde_json::from_str(raw).map(Raw::Number).map_err(|_| self.fault("a number that cannot be read"))
    }

    fn word(&mut self, word: &str, value: Raw) -> Result<Raw, SyntaxFault> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.fault("a value is expected"))
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn offset(&self) -> u32 {
        u32::try_from(self.at).unwrap_or(u32::MAX)
    }

    fn fault(&self, what: &str) -> SyntaxFault {
        SyntaxFault { at: self.offset(), message: format!("not a JSON document: {what}") }
    }
}
