// SPDX-License-Identifier: Apache-2.0
//! What an operator declares about objects, properties and operations (config.md §4), as plain checked data.

use crate::pointer::{Pointer, PointerError};
use crate::word::Word;
use portcullis_contract::OperationIndex;
use portcullis_decision::finding::Place;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Everything one API declares.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The API's name in the configuration.
    pub api: Arc<str>,
    /// `objects:`
    pub objects: Vec<ObjectDeclaration>,
    /// `properties:`
    pub properties: Vec<PropertyDeclaration>,
    /// `operations:`, those that exist in the document.
    pub operations: HashMap<OperationIndex, OperationDeclaration>,
    /// `unknown_properties.response`
    pub unknown_response: UnknownResponse,
    /// `response.max` in bytes.
    pub response_max: usize,
    /// Names of all issuers of the gateway.
    pub issuers: Vec<Arc<str>>,
    /// `validate`
    pub validate: Validate,
}

/// What happens to what breaks a schema of the contract, by direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Validate {
    /// Parameters and bodies of requests.
    pub request: Strictness,
    /// Bodies of answers.
    pub response: Strictness,
}

/// How a violation of a schema is taken. Ids, owners, rules, undeclared properties and the structure they stand in
/// are enforced either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Strictness {
    /// It is refused.
    #[default]
    Strict,
    /// It goes on, with an alert in its record.
    Observe,
}

/// What happens to properties of an answer that the document does not declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum UnknownResponse {
    /// Left out and reported.
    #[default]
    Drop,
    /// The answer is refused.
    Fail,
    /// Let through.
    Pass,
}

/// One type of object.
#[derive(Clone, Debug)]
pub struct ObjectDeclaration {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is declared.
    pub place: Place,
    /// Where an id of it travels.
    pub id: IdPlace,
    /// The component schemas that represent it; empty: the one of its own name.
    pub schemas: Vec<Arc<str>>,
    /// Where the owner stands in its representation.
    pub owner: Option<Pointer>,
    /// Whether the id itself names the owner.
    pub id_is_owner: bool,
    /// What of the caller the owner is compared with.
    pub subject: SubjectSource,
    /// The issuers whose users may own; empty: the only one.
    pub issuers: Vec<Arc<str>>,
    /// The operation that loads it.
    pub lookup: Option<String>,
    /// Where its own id stands in its representation.
    pub key: Option<Pointer>,
    /// Who may.
    pub rules: Rules,
    /// How a refusal looks.
    pub deny_as: DenyAs,
}

/// Where an id travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdPlace {
    /// A path or query parameter of this name, in any operation.
    Parameter(Arc<str>),
    /// The last parameter of this template, in every operation whose path begins so.
    Template(String),
}

impl IdPlace {
    /// Reads `orderId` or `/orders/{id}`.
    pub fn parse(text: &str) -> Self {
        if text.starts_with('/') { Self::Template(text.to_owned()) } else { Self::Parameter(text.into()) }
    }
}

/// What of the caller an owner is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum SubjectSource {
    /// The subject.
    #[default]
    Sub,
    /// The client id.
    ClientId,
    /// A claim of the token.
    Claim(Arc<str>),
}

/// What an operation does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Shows it.
    Read,
    /// Makes it.
    Create,
    /// Changes it.
    Update,
    /// Removes it.
    Delete,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 4] = [Action::Read, Action::Create, Action::Update, Action::Delete];

    /// The word used in configuration and records.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == text)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The rules of a type, by action.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Who may read.
    pub read: Option<RuleList>,
    /// Who may create.
    pub create: Option<RuleList>,
    /// Who may change.
    pub update: Option<RuleList>,
    /// Who may remove.
    pub delete: Option<RuleList>,
}

impl Rules {
    /// The rule written for an action.
    pub fn of(&self, action: Action) -> Option<&RuleList> {
        match action {
            Action::Read => self.read.as_ref(),
            Action::Create => self.create.as_ref(),
            Action::Update => self.update.as_ref(),
            Action::Delete => self.delete.as_ref(),
        }
    }
}

/// Words, any of which suffices, and where they are written.
#[derive(Clone, Debug)]
pub struct RuleList {
    /// The words.
    pub words: Vec<Word>,
    /// Where.
    pub place: Place,
}

/// How a refused object looks to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DenyAs {
    /// As an id that does not exist.
    #[default]
    NotFound,
    /// As something forbidden.
    Forbidden,
}

/// Who may read or write one property.
#[derive(Clone, Debug)]
pub struct PropertyDeclaration {
    /// The object type, or a component schema by its name.
    pub schema: Arc<str>,
    /// The property.
    pub property: Arc<str>,
    /// Who may read it; `None`: whoever may read the object.
    pub read: Option<Vec<Word>>,
    /// Who may write it; `None`: whoever may write the object.
    pub write: Option<Vec<Word>>,
    /// Where it is declared.
    pub place: Place,
}

/// What is declared about one operation.
#[derive(Clone, Debug)]
pub struct OperationDeclaration {
    /// Whether it may be called without credentials.
    pub public: bool,
    /// `touches: none`
    pub touches_none: bool,
    /// Ids that travel where they cannot be found: type and place.
    pub carries: Vec<(Arc<str>, CarryPlace)>,
    /// Objects in answers that cannot be found: type and place.
    pub returns: Vec<(Arc<str>, Pointer)>,
    /// The action, where the method misleads.
    pub action: Option<Action>,
    /// Who may call it at all, besides the scopes.
    pub allow: Option<RuleList>,
    /// What happens to foreign items of a list.
    pub foreign_items: ForeignItems,
    /// Where it is declared.
    pub place: Place,
}

/// What happens to foreign items of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ForeignItems {
    /// Left out and reported.
    #[default]
    Drop,
    /// The whole answer is refused.
    Fail,
}

/// Where an id travels that no parameter declaration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarryPlace {
    /// In the body.
    Body(Pointer),
    /// In a query parameter.
    Query(Arc<str>),
    /// In a header.
    Header(Arc<str>),
}

/// The text names no place where an id could travel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CarryPlaceError {
    /// Not `body:`, `query:` or `header:`.
    #[error("`{0}` is no place: `body:/order_id`, `query:NAME` or `header:NAME`")]
    Form(String),
    /// The pointer after `body:` is none.
    #[error(transparent)]
    Pointer(#[from] PointerError),
}

impl CarryPlace {
    /// Reads `body:/order_id`, `query:NAME`, `header:NAME`.
    pub fn parse(text: &str) -> Result<Self, CarryPlaceError> {
        match text.split_once(':') {
            Some(("body", pointer)) if !pointer.is_empty() => Ok(Self::Body(Pointer::parse(pointer)?)),
            Some(("query", name)) if !name.is_empty() => Ok(Self::Query(name.into())),
            Some(("header", name)) if !name.is_empty() => Ok(Self::Header(name.to_ascii_lowercase().into())),
            _ => Err(CarryPlaceError::Form(text.to_owned())),
        }
    }
}

impl fmt::Display for CarryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(pointer) => write!(f, "body:{pointer}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}
