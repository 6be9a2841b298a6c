// SPDX-License-Identifier: Apache-2.0
//! Answers that cannot be judged: of another media type than JSON, they leave only for those whom no property rule
//! restricts. Whether there is anybody is known at load time.

use super::Compiler;
use super::finding::UNENFORCEABLE;
use crate::model::{Carried, How, KindSet, PropertyRule};
use crate::word::{Rule, Word};
use portcullis_contract::{Operation, OperationIndex, Response};
use portcullis_decision::finding::Severity;
use std::sync::Arc;

/// What is known of an operation whose answers may be unreadable.
pub(super) struct Answers<'a> {
    pub(super) judged_as: OperationIndex,
    pub(super) kinds: &'a KindSet,
    pub(super) carried: &'a [Carried],
    pub(super) public: bool,
    pub(super) rules: &'a [Arc<PropertyRule>],
}

impl Compiler<'_> {
    /// Whether somebody may have a success answer of this operation. Tells of answers that only some may have.
    pub(super) fn answers_can_leave(&mut self, operation: &Operation, answers: &Answers<'_>) -> bool {
        let judged = self.contract.operation(answers.judged_as).unwrap_or(operation);
        let successes = super::spot::successes(judged);
        let mut media = successes.iter().flat_map(|response| &response.media);
        let Some(unread) = media.find(|media| !media.is_json).filter(|_| !answers.kinds.is_empty()) else {
            return true;
        };
        let rules: Vec<&Rule> = answers.rules.iter().filter_map(|rule| rule.read.as_ref()).collect();
        let Some(first) = rules.first() else { return true };
        let only = successes.iter().all(|response| is_unreadable(response));
        let what = format!("answers of `{}` in `{}` cannot be judged", operation.id, unread.media_type);
        if let Some(rule) = rules.iter().find(|rule| !can_hold(rule, answers)).filter(|_| only) {
            let message = format!("{what}, and a property rule that applies to them holds for nobody: {}", rule.text);
            let help = "answer in JSON, change the rule, or say `touches: none` if nothing of the object is in them";
            self.leave_out(UNENFORCEABLE, operation, message, help);
            return false;
        }
        let message = format!("{what}, so they leave only for those whom no property rule restricts: {}", first.text);
        let severity = if only { Severity::Medium } else { Severity::Low };
        let help = "everybody else gets a 502: answer in JSON, or say with `allow` who may call it";
        self.about(UNENFORCEABLE, severity, operation, message, Some(help));
        true
    }
}

/// Whether a declared answer has a body, and no form of it can be judged.
fn is_unreadable(response: &Response) -> bool {
    !response.media.is_empty() && response.media.iter().all(|media| !media.is_json)
}

/// Whether the rule of a property can hold for some caller where the object itself is not seen.
fn can_hold(rule: &Rule, answers: &Answers<'_>) -> bool {
    let known_before = |carried: &Carried| matches!(carried.how, How::IdIsOwner | How::LookUp);
    let owned = !answers.carried.is_empty() && answers.carried.iter().all(known_before);
    rule.words().iter().any(|word| match word {
        Word::Public => true,
        Word::Owner => owned && !answers.public,
        Word::Authenticated | Word::Role(_) | Word::Scope(_) | Word::Client(_) | Word::Plan(_) => !answers.public,
        Word::Nobody | Word::Never => false,
    })
}
