// SPDX-License-Identifier: Apache-2.0
//! Holds a tree against the table of words: unknown and not yet supported words, wrong shapes, blank and missing
//! values. Reports everything it finds; reads no meaning.

use crate::sink::Sink;
use crate::suggest::did_you_mean;
use crate::tree::{Entry, Node, ScalarKind, Spot, Value};
use crate::words::{Choice, Kind, Presence, Section, Shape, Support};

/// Longest name an operator may give to something.
const NAME_CHARS_MAX: usize = 200;

/// Judges the whole file.
pub(crate) fn judge(root: &Node, sink: &Sink) {
    section(root, &super::ROOT, "", sink);
}

/// `identity.issuers.customers`
pub(crate) fn join(at: &str, word: &str) -> String {
    if at.is_empty() { word.to_owned() } else { format!("{at}.{word}") }
}

fn section(node: &Node, section: &'static Section, at: &str, sink: &Sink) {
    let Value::Map(entries) = &node.value else {
        sink.refuse(node.spot, at, format!("expected the words of {}, found {}", section.name, node.shown()))
            .help(did_you_mean("", section.all().map(|word| word.name)));
        return;
    };
    for entry in entries {
        word(entry, section, at, sink);
    }
    // The short form of an entry and the entries themselves exclude each other, and so do their required words.
    let required = section.words.iter().chain(short_form(entries, section));
    for word in required.filter(|word| word.presence == Presence::Required) {
        if node.entry(word.name).is_none() {
            sink.refuse(node.spot, at, format!("`{}` is missing from {}", word.name, section.name))
                .help(format!("add `{}:` ({})", word.name, word.about))
                .rule_if(word.name == "audience", "PC0101");
        }
    }
}

fn short_form<'a>(entries: &'a [Entry], section: &'static Section) -> impl Iterator<Item = &'static super::Word> + 'a {
    let full = entries.iter().any(|entry| section.words.iter().any(|word| word.name == entry.key));
    let words = match section.also {
        Some(also) if !full || entries.iter().any(|entry| also.words.iter().any(|w| w.name == entry.key)) => also.words,
        _ => &[],
    };
    words.iter()
}

fn word(entry: &Entry, section: &'static Section, at: &str, sink: &Sink) {
    let inner = join(at, &entry.key);
    let Some(word) = section.find(&entry.key) else {
        sink.refuse(entry.spot, &inner, format!("`{}` is no word of {}", clean(&entry.key), section.name))
            .help(did_you_mean(&entry.key, section.all().map(|word| word.name)));
        return;
    };
    match word.support {
        Support::NotYet => not_yet(&entry.key, entry.spot, &inner, sink),
        Support::Supported => shape(&entry.value, &word.shape, &inner, sink),
    }
}

fn not_yet(word: &str, spot: Spot, at: &str, sink: &Sink) {
    sink.refuse(spot, at, format!("`{word}` is not supported yet"))
        .help(format!("remove `{at}`; a later version of portcullis obeys it"));
}

fn shape(node: &Node, expected: &'static Shape, at: &str, sink: &Sink) {
    match expected {
        Shape::One(kind) => scalar(node, *kind, at, sink),
        Shape::Choice(choices) => choice(node, choices, at, sink),
        Shape::Section(words) => section(node, words, at, sink),
        Shape::Named(inner) => named(node, inner, at, sink),
        Shape::List(inner) => list(node, inner, at, sink),
        Shape::OneOrList(inner) => match &node.value {
            Value::List(_) => list(node, inner, at, sink),
            _ => shape(node, inner, at, sink),
        },
        Shape::Short(short, full) => match &node.value {
            Value::Map(_) => section(node, full, at, sink),
            _ => shape(node, short, at, sink),
        },
        Shape::Secret(full) => secret(node, full, at, sink),
        Shape::Later => not_yet(at, node.spot, at, sink),
    }
}

fn secret(node: &Node, full: &'static Section, at: &str, sink: &Sink) {
    match &node.value {
        Value::Map(entries) => {
            section(node, full, at, sink);
            if entries.len() != 1 {
                sink.refuse(node.spot, at, format!("{} names exactly one source", full.name))
                    .help(did_you_mean("", full.all().map(|word| word.name)));
            }
        }
        Value::Scalar { kind: ScalarKind::Null, .. } => blank(node, at, sink),
        // The value is not shown: it is a secret.
        _ => sink
            .refuse(node.spot, at, "a secret never stands in the configuration".to_owned())
            .rule("PC0401")
            .help("write `{ file: PATH }`, `{ env: NAME }` or `{ credential: NAME }`, and replace this secret")
            .done(),
    }
}

fn blank(node: &Node, at: &str, sink: &Sink) {
    if node.variable.is_some() {
        // A variable without a value: reported where it was looked up.
        return;
    }
    sink.refuse(node.spot, at, format!("`{at}` has no value")).help("give it a value, or remove the line".to_owned());
}

fn scalar(node: &Node, expected: Kind, at: &str, sink: &Sink) {
    match &node.value {
        Value::Scalar { text, kind } => match kind {
            ScalarKind::Null => blank(node, at, sink),
            ScalarKind::Text if text.trim().is_empty() => blank(node, at, sink),
            kind if expected.admits(*kind) || (node.variable.is_some() && *kind == ScalarKind::Text) => {}
            ScalarKind::Text => {
                sink.refuse(
                    node.spot,
                    at,
                    format!("expected {}, found the text {}", expected.expected(), node.shown()),
                )
                .help("write it without quotes");
            }
            _ => {
                sink.refuse(node.spot, at, format!("expected {}, found {}", expected.expected(), node.shown()))
                    .help("put it in quotes if it is meant as text");
            }
        },
        Value::List(_) | Value::Map(_) => {
            sink.refuse(node.spot, at, format!("expected {}, found {}", expected.expected(), node.shown()));
        }
    }
}

fn choice(node: &Node, choices: &'static [Choice], at: &str, sink: &Sink) {
    let words = choices.iter().map(|choice| choice.word);
    let text = match &node.value {
        Value::Scalar { kind: ScalarKind::Null, .. } => return blank(node, at, sink),
        Value::Scalar { text, .. } => text.as_str(),
        Value::List(_) | Value::Map(_) => {
            sink.refuse(node.spot, at, format!("expected a word, found {}", node.shown()))
                .help(did_you_mean("", words));
            return;
        }
    };
    match choices.iter().find(|choice| choice.word == text) {
        Some(Choice { support: Support::Supported, .. }) => {}
        Some(Choice { word, .. }) => not_yet(word, node.spot, at, sink),
        None => sink
            .refuse(node.spot, at, format!("{} is no value of `{at}`", node.shown()))
            .help(did_you_mean(text, words))
            .done(),
    }
}

fn named(node: &Node, inner: &'static Shape, at: &str, sink: &Sink) {
    let Value::Map(entries) = &node.value else {
        sink.refuse(node.spot, at, format!("expected names and what they mean, found {}", node.shown()));
        return;
    };
    if entries.is_empty() {
        sink.refuse(node.spot, at, format!("`{at}` names nothing")).help("add an entry, or remove the line".to_owned());
    }
    for entry in entries {
        let long = entry.key.chars().count() > NAME_CHARS_MAX;
        if entry.key.trim().is_empty() || long || entry.key.chars().any(char::is_control) {
            let what = if long { "longer than 200 characters" } else { "blank or holds control characters" };
            sink.refuse(entry.spot, at, format!("a name in `{at}` is {what}"));
        }
        shape(&entry.value, inner, &join(at, &clean(&entry.key)), sink);
    }
}

fn list(node: &Node, inner: &'static Shape, at: &str, sink: &Sink) {
    let Value::List(items) = &node.value else {
        sink.refuse(node.spot, at, format!("expected a list, found {}", node.shown()));
        return;
    };
    for item in items {
        shape(item, inner, at, sink);
    }
}

/// A key as messages may show it: bounded, without control characters.
pub(crate) fn clean(key: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    key.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect()
}
