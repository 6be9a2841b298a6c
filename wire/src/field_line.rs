// SPDX-License-Identifier: Apache-2.0
//! Where a field's name and value stand in a head: cut when its line arrives, made values when the head is whole.

use crate::grammar;
use bytes::Bytes;
use http::HeaderValue;

/// Places in the head; a head is far shorter than 4 GiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldLine {
    start: u32,
    colon: u32,
    value: u32,
    end: u32,
}

impl FieldLine {
    /// The field of a `line` that begins at `start` of the head and has its colon at `colon` of the line.
    pub(crate) fn cut(line: &[u8], start: usize, colon: usize) -> Option<Self> {
        let value = colon.saturating_add(1);
        let (from, to) = grammar::trim(line.get(value..).unwrap_or_default());
        let place = |at: usize| u32::try_from(start.saturating_add(at)).ok();
        Some(Self {
            start: place(0)?,
            colon: place(colon)?,
            value: place(value.saturating_add(from))?,
            end: place(value.saturating_add(to))?,
        })
    }

    /// Bytes of its name and of its value without the blanks around it.
    pub(crate) fn size(self) -> usize {
        at(self.colon.saturating_sub(self.start)).saturating_add(at(self.end.saturating_sub(self.value)))
    }

    pub(crate) fn name(self, head: &Bytes) -> &[u8] {
        head.get(at(self.start)..at(self.colon)).unwrap_or_default()
    }

    /// A slice of the head, not a copy; `None` where a byte may not stand in a value.
    pub(crate) fn value(self, head: &Bytes) -> Option<HeaderValue> {
        let (from, to) = (at(self.value), at(self.end));
        if from > to || to > head.len() {
            return None;
        }
        HeaderValue::from_maybe_shared(head.slice(from..to)).ok()
    }
}

pub(crate) fn at(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
