// SPDX-License-Identifier: Apache-2.0
//! Lists of rule words: `[owner, role:support, scope:orders.admin]`.

use std::sync::Arc;

use portcullis_authorize::{RuleList, Word, WordError};

use crate::cursor::Cursor;
use crate::suggest::{did_you_mean, nearest};

/// The most words of one list.
const WORDS_MAX: usize = 64;

/// Which words a list may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    /// `rules.ACTION` of an object.
    Rule,
    /// `read` or `write` of a property.
    Property,
    /// `allow` of an operation: nothing that needs the object.
    Operation,
}

/// Names rule words may use.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) plans: &'a [Arc<str>],
    /// Relations of the object: not supported yet, and reported where they are declared.
    pub(super) relations: &'a [&'a str],
}

/// The words of a list, `None` where nothing is written.
pub(super) fn read(cursor: &Cursor<'_>, place: Where, names: Names<'_>) -> Option<RuleList> {
    if !cursor.is_present() {
        return None;
    }
    let items = cursor.items();
    if items.is_empty() {
        cursor.refuse("an empty list of words allows nobody").help("write `nobody` if that is meant");
    }
    if items.len() > WORDS_MAX {
        cursor.refuse(format!("more than {WORDS_MAX} words"));
    }
    let words: Vec<Word> = items.iter().filter_map(|item| word(item, place, names)).collect();
    let alone = words.iter().any(|word| matches!(word, Word::Nobody | Word::Never));
    if alone && words.len() > 1 {
        cursor
            .refuse("`nobody` beside other words says two things")
            .help("any word of the list suffices: remove one side");
    }
    Some(RuleList { words, place: cursor.key_place() })
}

fn word(item: &Cursor<'_>, place: Where, names: Names<'_>) -> Option<Word> {
    let text = item.text()?;
    let word = match Word::parse(text) {
        Ok(word) => word,
        Err(WordError::Blank(_)) => {
            item.refuse(format!("{} names nothing after the colon", item.shown()))
                .help("write, for example, `role:support`");
            return None;
        }
        Err(WordError::Unknown(_)) => {
            if !names.relations.contains(&text) {
                unknown(item, text);
            }
            return None;
        }
    };
    match (&word, place) {
        (Word::Never, Where::Rule | Where::Operation) => {
            item.refuse("`never` is a word of properties").help("did you mean `nobody`?");
            return None;
        }
        (Word::Owner, Where::Operation) => {
            item.refuse("`owner` needs an object, and `allow` is judged before there is one")
                .help("write it under `objects.TYPE.rules`");
            return None;
        }
        (Word::Plan(plan), _) if !names.plans.contains(plan) => {
            item.refuse(format!("there is no plan `{plan}`"))
                .help(did_you_mean(plan, names.plans.iter().map(|p| &**p)));
            return None;
        }
        _ => {}
    }
    Some(word)
}

fn unknown(item: &Cursor<'_>, text: &str) {
    let (kind, name) = text.split_once(':').unwrap_or((text, ""));
    let help = match nearest(&format!("{kind}:"), Word::PREFIXES.iter().copied()) {
        Some(prefix) if !name.is_empty() => format!("did you mean `{prefix}{name}`?"),
        _ => did_you_mean(text, Word::PLAIN.iter().chain(Word::PREFIXES).copied()),
    };
    item.refuse(format!("{} is no word of a rule", item.shown())).help(help);
}
