// SPDX-License-Identifier: Apache-2.0
//! Path templates: `/repos/{owner}/{repo}/compare/{base}...{head}`.

use portcullis_wire::CanonicalPath;
use smallvec::SmallVec;
use std::fmt::Write;
use std::sync::Arc;

/// A template has at most this many segments.
const SEGMENTS_MAX: usize = 64;
/// A segment has at most this many parameters.
const PARAMETERS_MAX: usize = 8;

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Text, decoded.
    Literal(Box<str>),
    /// One parameter and nothing else.
    Parameter,
    /// Parameters and text.
    Mixed(Mixed),
}

/// A segment of text and parameters in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mixed {
    /// Text before the first parameter.
    lead: Box<str>,
    /// Text after each parameter; empty only after the last.
    after: Vec<Box<str>>,
}

impl Mixed {
    pub(crate) fn literal_bytes(&self) -> usize {
        self.lead.len() + self.after.iter().map(|s| s.len()).sum::<usize>()
    }

    /// The parameters of a segment, where there is exactly one way to read them.
    pub(crate) fn split<'p>(&self, segment: &'p str) -> Option<SmallVec<[&'p str; 4]>> {
        let mut rest = segment.strip_prefix(&*self.lead)?;
        let (last, inner) = self.after.split_last()?;
        rest = rest.strip_suffix(&**last)?;
        let mut found = None;
        if readings(inner, rest, &mut SmallVec::new(), &mut found) == 1 { found } else { None }
    }
}

/// Counts the ways to read `rest` (up to 2) and keeps the first.
fn readings<'p>(
    separators: &[Box<str>],
    rest: &'p str,
    parts: &mut SmallVec<[&'p str; 4]>,
    found: &mut Option<SmallVec<[&'p str; 4]>>,
) -> usize {
    let Some((separator, further)) = separators.split_first() else {
        if rest.is_empty() {
            return 0;
        }
        parts.push(rest);
        found.get_or_insert_with(|| parts.clone());
        parts.pop();
        return 1;
    };
    let mut count = 0;
    for (at, _) in rest.char_indices().skip(1) {
        let Some((part, tail)) = rest.split_at_checked(at) else { continue };
        if let Some(tail) = tail.strip_prefix(&**separator) {
            parts.push(part);
            count += readings(further, tail, parts, found);
            parts.pop();
        }
        if count > 1 {
            return 2;
        }
    }
    count
}

/// A parsed template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// As the document spells it.
    pub(crate) text: Arc<str>,
    pub(crate) segments: Vec<Segment>,
    /// Names of its parameters, in order.
    pub(crate) names: Vec<Arc<str>>,
}

impl Template {
    /// Parses a template, or says why no request can match it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else { return Err("the path does not begin with `/`".to_owned()) };
        let mut template = Self { text: text.into(), segments: Vec::new(), names: Vec::new() };
        let mut sample = String::new();
        for raw in path.split('/') {
            let parts = parts(raw)?;
            let _ = write!(sample, "/{}", parts.sample());
            if template.segments.len() >= SEGMENTS_MAX || parts.names.len() > PARAMETERS_MAX {
                return Err("the path has too many segments or parameters".to_owned());
            }
            template.names.extend(parts.names.iter().map(|n| Arc::from(*n)));
            template.segments.push(parts.segment()?);
        }
        if path.is_empty() {
            template.segments.clear();
        }
        // The reader of requests is asked: what it refuses, or reads otherwise, can never be matched.
        let canonical = CanonicalPath::parse(&sample)
            .map_err(|fault| format!("no request can match the path: {}", fault.detail))?;
        let decoded: Vec<&str> = canonical.segments().collect();
        if decoded.len() != template.segments.len() {
            return Err("no request can match the path".to_owned());
        }
        for (segment, decoded) in template.segments.iter_mut().zip(decoded) {
            if let Segment::Literal(text) = segment {
                *text = decoded.into();
            }
        }
        let mut names: Vec<&str> = template.names.iter().map(|n| &**n).collect();
        names.sort_unstable();
        if names.array_windows().any(|[a, b]| a == b) {
            return Err("a parameter stands twice in the path".to_owned());
        }
        Ok(template)
    }
}

/// A segment before it is judged: text, then (name, text) in turn.
struct Parts<'t> {
    lead: &'t str,
    names: Vec<&'t str>,
    after: Vec<&'t str>,
}

fn parts(raw: &str) -> Result<Parts<'_>, String> {
    let unbalanced = || "the path has an unbalanced brace".to_owned();
    let mut pieces = raw.split('{');
    let lead = pieces.next().unwrap_or_default();
    let mut parts = Parts { lead, names: Vec::new(), after: Vec::new() };
    for piece in pieces {
        let (name, after) = piece.split_once('}').ok_or_else(unbalanced)?;
        let plain = |c: char| c.is_alphanumeric() || "_-.$[]@ ".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(format!("`{{{name}}}` is not a plain path parameter"));
        }
        parts.names.push(name);
        parts.after.push(after);
    }
    if parts.lead.contains('}') || parts.after.iter().any(|a| a.contains('}')) {
        return Err(unbalanced());
    }
    Ok(parts)
}

impl Parts<'_> {
    /// A path segment such as a request would have, escaped.
    fn sample(&self) -> String {
        let mut text = String::new();
        let pieces = std::iter::once(&self.lead).chain(&self.after);
        for (index, piece) in pieces.enumerate() {
            if index > 0 {
                text.push('x');
            }
            for byte in piece.bytes() {
                if byte.is_ascii_graphic() {
                    text.push(char::from(byte));
                } else {
                    let _ = write!(text, "%{byte:02X}");
                }
            }
        }
        text
    }

    fn segment(&self) -> Result<Segment, String> {
        let Some((last, inner)) = self.after.split_last() else { return Ok(Segment::Literal(self.lead.into())) };
        if inner.iter().any(|text| text.is_empty()) {
            return Err("two parameters of the path stand side by side with nothing between them".to_owned());
        }
        if self.lead.contains('%') || self.after.iter().any(|a| a.contains('%')) {
            return Err("an escape beside a parameter in one segment of the path".to_owned());
        }
        if self.lead.is_empty() && inner.is_empty() && last.is_empty() {
            return Ok(Segment::Parameter);
        }
        Ok(Segment::Mixed(Mixed { lead: self.lead.into(), after: self.after.iter().map(|a| Box::from(*a)).collect() }))
    }
}
