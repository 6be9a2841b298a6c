// SPDX-License-Identifier: Apache-2.0
//! The files of one document, and references between them. Remote references are refused; local ones stay inside
//! the document's directory.

use super::{Lines, Mark, Members, Node, Raw, parse, refusal};
use crate::file::{ReadFile, Source};
use portcullis_decision::finding::{Finding, Place};
use std::collections::HashMap;
use std::sync::Arc;

/// A document may consist of at most this many files.
const FILES_MAX: usize = 512;
/// A reference may lead to at most this many further references before something else stands there.
const HOPS_MAX: usize = 32;

/// One file.
struct File {
    name: Arc<str>,
    /// Relative to the document's directory; empty for the document itself.
    path: String,
    text: String,
    lines: Lines,
    root: Node,
}

/// The files of a document, read and parsed.
pub(crate) struct Library {
    files: Vec<File>,
    /// By relative path: the file, or why there is none.
    by_path: HashMap<String, Result<usize, String>>,
}

/// A value and the file it stands in.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) file: usize,
    pub(crate) node: &'a Node,
}

impl<'a> Cursor<'a> {
    pub(crate) fn get(self, name: &str) -> Option<Cursor<'a>> {
        self.node.get(name).map(|node| self.to(node))
    }

    pub(crate) fn to(self, node: &'a Node) -> Cursor<'a> {
        Cursor { file: self.file, node }
    }

    pub(crate) fn members(self) -> impl Iterator<Item = (&'a str, Cursor<'a>)> {
        let members = self.node.map();
        members.into_iter().flat_map(Members::iter).map(move |(k, n)| (k, self.to(n)))
    }

    pub(crate) fn elements(self) -> impl Iterator<Item = Cursor<'a>> {
        self.node.list().unwrap_or_default().iter().map(move |n| self.to(n))
    }
}

impl Library {
    /// Reads the document and every local file it refers to, directly or not.
    pub(crate) fn open(source: Source, reader: &dyn ReadFile) -> Result<Self, Box<Finding>> {
        let (root, lines) = parse(&source.name, &source.text)?;
        let file = File { name: source.name, path: String::new(), text: source.text, lines, root };
        let mut library = Self { files: vec![file], by_path: HashMap::new() };
        let mut next = 0;
        while let Some(file) = library.files.get(next) {
            let mut wanted = Vec::new();
            collect(&file.root, &file.path, &mut wanted);
            next += 1;
            for path in wanted {
                library.add(path, reader)?;
            }
        }
        Ok(library)
    }

    /// The document itself.
    pub(crate) fn root(&self) -> Option<Cursor<'_>> {
        self.files.first().map(|f| Cursor { file: 0, node: &f.root })
    }

    /// The root of every file, the document's own first.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.files.iter().map(|file| &file.root)
    }

    /// The file a cursor stands in.
    pub(crate) fn mark(&self, cursor: Cursor<'_>) -> Mark {
        let Some(file) = self.files.get(cursor.file) else { return Mark::default() };
        let (line, column) = file.lines.locate(&file.text, cursor.node.at);
        Mark { file: u16::try_from(cursor.file).unwrap_or(u16::MAX), line, column }
    }

    /// The place of a value.
    pub(crate) fn place(&self, cursor: Cursor<'_>) -> Place {
        self.place_of(self.mark(cursor))
    }

    /// The place of a mark.
    pub(crate) fn place_of(&self, mark: Mark) -> Place {
        let file = self.files.get(usize::from(mark.file)).map_or_else(|| Arc::from(""), |f| Arc::clone(&f.name));
        Place { file, line: mark.line, column: mark.column }
    }

    /// Follows one reference from `from`.
    pub(crate) fn follow<'a>(&'a self, from: Cursor<'a>, reference: &str) -> Result<Cursor<'a>, String> {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let file = if path.is_empty() { from.file } else { self.file_of(from.file, path)? };
        let root = self.files.get(file).map(|f| &f.root).ok_or_else(|| format!("`{reference}` leads nowhere"))?;
        let pointer = percent_decoded(fragment).ok_or_else(|| format!("`{reference}` is not a valid reference"))?;
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(format!("`{reference}` names an anchor; only JSON pointers are followed"));
        }
        let node = root.pointer(&pointer).ok_or_else(|| format!("`{reference}` leads nowhere"))?;
        Ok(Cursor { file, node })
    }

    /// Follows references until something else stands there (path items, parameters, bodies, answers).
    pub(crate) fn resolve<'a>(&'a self, mut cursor: Cursor<'a>) -> Result<Cursor<'a>, String> {
        for _ in 0..HOPS_MAX {
            let Some(reference) = cursor.node.get("$ref").and_then(Node::text) else { return Ok(cursor) };
            cursor = self.follow(cursor, reference)?;
        }
        Err("a `$ref` that leads to itself".to_owned())
    }

    fn file_of(&self, from: usize, path: &str) -> Result<usize, String> {
        let base = self.files.get(from).map_or("", |f| &f.path);
        let path = local_path(base, path)?;
        self.by_path.get(&path).cloned().unwrap_or_else(|| Err(format!("the file `{path}` was not read")))
    }

    fn add(&mut self, path: String, reader: &dyn ReadFile) -> Result<(), Box<Finding>> {
        if self.by_path.contains_key(&path) {
            return Ok(());
        }
        let Some(main) = self.files.first() else { return Ok(()) };
        let directory = main.name.rsplit_once('/').map_or("", |(directory, _)| directory);
        let name: Arc<str> =
            if directory.is_empty() { path.as_str().into() } else { format!("{directory}/{path}").into() };
        if self.files.len() >= FILES_MAX {
            let place = Place { file: name, line: 0, column: 0 };
            return Err(Box::new(refusal(place, format!("the document refers to more than {FILES_MAX} files"))));
        }
        let file = match reader.read(&path) {
            Ok(text) => text,
            Err(why) => {
                self.by_path.insert(path.clone(), Err(format!("the file `{path}` cannot be read: {why}")));
                return Ok(());
            }
        };
        let (root, lines) = parse(&name, &file)?;
        self.by_path.insert(path.clone(), Ok(self.files.len()));
        self.files.push(File { name, path, text: file, lines, root });
        Ok(())
    }
}

/// Local files that a value's references name. What cannot be a local file is reported where it is used.
fn collect(node: &Node, base: &str, wanted: &mut Vec<String>) {
    match &node.value {
        Raw::List(items) => items.iter().for_each(|n| collect(n, base, wanted)),
        Raw::Map(members) => {
            for (key, member) in members.iter() {
                let reference = if key == "$ref" { member.text() } else { None };
                let path = reference.map(|r| r.split_once('#').map_or(r, |(path, _)| path));
                if let Some(path) = path.filter(|p| !p.is_empty()) {
                    wanted.extend(local_path(base, path));
                }
                collect(member, base, wanted);
            }
        }
        Raw::Null | Raw::Bool(_) | Raw::Number(_) | Raw::Text(_) => {}
    }
}

/// A reference's path, relative to the document's directory.
fn local_path(base: &str, path: &str) -> Result<String, String> {
    if path.contains("://") || path.starts_with("//") {
        return Err(format!("`{path}` is remote; only local files are followed"));
    }
    let decoded = percent_decoded(path).ok_or_else(|| format!("`{path}` is not a valid reference"))?;
    let refused = || format!("`{path}` leaves the document's directory");
    if decoded.starts_with('/') || decoded.contains(['\\', '\0', ':']) {
        return Err(refused());
    }
    let mut segments: Vec<&str> =
        base.rsplit_once('/').map_or(Vec::new(), |(directory, _)| directory.split('/').collect());
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or_else(refused)?;
            }
            name => segments.push(name),
        }
    }
    Ok(segments.join("/"))
}

/// Percent-decodes a reference; `None` where an escape is broken or the result is no text.
fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
