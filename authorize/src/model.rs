// SPDX-License-Identifier: Apache-2.0
//! What was compiled at load time: everything a request needs, looked up by operation.

use crate::declared::{Action, DenyAs, ForeignItems, SubjectSource, UnknownResponse, Validate};
use crate::pointer::Pointer;
use crate::word::Rule;
use http::{HeaderValue, StatusCode};
use portcullis_contract::{Contract, OperationIndex, ShapeId};
use portcullis_decision::Reason;
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A kind of object, by its place in [`Model::kinds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct KindIndex(pub(crate) usize);

/// A set of kinds; nearly always one.
pub(crate) type KindSet = SmallVec<[KindIndex; 2]>;

/// A declared type of object.
#[derive(Debug)]
pub(crate) struct ObjectKind {
    pub(crate) name: Arc<str>,
    pub(crate) schemas: Vec<Arc<str>>,
    pub(crate) owner: Option<Pointer>,
    pub(crate) id_is_owner: bool,
    /// Where its own id stands, declared or found.
    pub(crate) key: Option<Pointer>,
    pub(crate) subject: SubjectSource,
    /// The issuers whose users may own; empty: nobody owns.
    pub(crate) issuers: Vec<Arc<str>>,
    pub(crate) deny_as: DenyAs,
    pub(crate) rules: RuleTable,
}

impl ObjectKind {
    /// Where the owner stands in a representation.
    pub(crate) fn owner_place(&self) -> Option<&Pointer> {
        if self.id_is_owner { self.key.as_ref() } else { self.owner.as_ref() }
    }

    /// Shows an object refusal as the type's `deny_as` says.
    pub(crate) fn shown(&self, reason: Reason) -> Option<StatusCode> {
        match self.deny_as {
            DenyAs::Forbidden if reason.status() == Some(StatusCode::NOT_FOUND) => Some(StatusCode::FORBIDDEN),
            DenyAs::Forbidden | DenyAs::NotFound => None,
        }
    }
}

/// One rule per action.
#[derive(Debug)]
pub(crate) struct RuleTable {
    pub(crate) read: Rule,
    pub(crate) create: Rule,
    pub(crate) update: Rule,
    pub(crate) delete: Rule,
}

impl RuleTable {
    pub(crate) fn of(&self, action: Action) -> &Rule {
        match action {
            Action::Read => &self.read,
            Action::Create => &self.create,
            Action::Update => &self.update,
            Action::Delete => &self.delete,
        }
    }
}

/// Who may read or write one property.
#[derive(Debug)]
pub(crate) struct PropertyRule {
    pub(crate) read: Option<Rule>,
    pub(crate) write: Option<Rule>,
}

/// The properties of one component schema that have rules of their own.
pub(crate) type PropertyTable = HashMap<Arc<str>, SmallVec<[Arc<PropertyRule>; 1]>>;

/// How the owner of an object becomes known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// No word of the rule needs it.
    NotNeeded,
    /// The id names it.
    IdIsOwner,
    /// The answer shows it.
    Answer,
    /// The object is loaded first.
    LookUp,
}

/// Where an id stands in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    Path(Arc<str>),
    Query(Arc<str>),
    Header(Arc<str>),
    Body(Pointer),
}

impl std::fmt::Display for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(name) => write!(f, "path {name}"),
            Self::Query(name) => write!(f, "query {name}"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Body(pointer) => write!(f, "body {pointer}"),
        }
    }
}

/// What fills one path parameter of a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// The id that is judged.
    Id,
    /// The request's own path parameter of this name.
    Same(Arc<str>),
}

/// How an object is loaded.
#[derive(Clone, Debug)]
pub(crate) struct LookUpPlan {
    pub(crate) operation: OperationIndex,
    /// Its name, for records.
    pub(crate) name: Arc<str>,
    pub(crate) path: Vec<(Arc<str>, Fill)>,
    /// Where the object stands in the answer.
    pub(crate) place: Pointer,
    /// The look-up reads the very resource the request changes, so that its `ETag` fits `If-Match`.
    pub(crate) same_resource: bool,
    /// Whether the document declares an `ETag` for it.
    pub(crate) etag_declared: bool,
}

/// One id an operation carries.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) kind: KindIndex,
    pub(crate) at: Carrier,
    pub(crate) action: Action,
    pub(crate) how: How,
    /// Present where one was found, whether or not the rule needs it.
    pub(crate) lookup: Option<LookUpPlan>,
}

/// Which scopes suffice: any alternative, all members of it.
pub(crate) type ScopeAlternatives = Vec<Vec<Arc<str>>>;

/// Everything decided about one operation.
#[derive(Debug)]
pub(crate) struct OperationPlan {
    pub(crate) index: OperationIndex,
    /// Refused at load: answered as if it did not exist.
    pub(crate) served: bool,
    pub(crate) public: bool,
    /// `touches: none`: what looks like an object here is none.
    pub(crate) exempt: bool,
    pub(crate) scopes: ScopeAlternatives,
    pub(crate) allow: Option<Rule>,
    pub(crate) action: Action,
    pub(crate) carried: Vec<Carried>,
    /// Types that are made by this operation (in its body, without an id).
    pub(crate) created: KindSet,
    /// Every type the operation touches.
    pub(crate) touched: KindSet,
    /// What the root of the request body stands for when its schema is of no type.
    pub(crate) implied: KindSet,
    pub(crate) returns: Vec<(KindIndex, Pointer)>,
    pub(crate) foreign_items: ForeignItems,
    /// The operation whose declared answers hold: itself, or the GET beside a HEAD.
    pub(crate) judged_as: OperationIndex,
    /// The read rules of properties that an answer may hold.
    pub(crate) read_rules: Vec<Arc<PropertyRule>>,
    pub(crate) needs: Needs,
}

/// What the host of the stages must prepare for an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The request body must be buffered and parsed.
    pub request_body: bool,
    /// What happens to the answer.
    pub guard: Guard,
    /// A HEAD goes upstream as GET, is judged as GET, and its body is discarded.
    pub head_as_get: bool,
    /// The `Accept` to send upstream in place of the client's.
    pub narrow_accept: Option<HeaderValue>,
    /// Every owner is known before the call, whoever calls; `Range` may pass.
    pub known_before: bool,
}

/// What happens to an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Guard {
    /// Nothing in it is judged.
    Pass,
    /// It is read whole before one byte of it leaves.
    #[default]
    Buffered,
}

/// Everything compiled for one API.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) contract: Arc<Contract>,
    pub(crate) kinds: Vec<ObjectKind>,
    /// Component schema → the types it represents.
    pub(crate) by_schema: HashMap<Arc<str>, KindSet>,
    /// Component schema → property rules.
    pub(crate) properties: HashMap<Arc<str>, PropertyTable>,
    /// In the order of the contract's operations.
    pub(crate) plans: Vec<OperationPlan>,
    /// Schemas of bodies and answers that are composed of several.
    pub(crate) composed: HashSet<ShapeId>,
    pub(crate) unknown_response: UnknownResponse,
    pub(crate) response_max: usize,
    pub(crate) validate: Validate,
}

impl Model {
    pub(crate) fn plan(&self, operation: OperationIndex) -> Option<&OperationPlan> {
        self.plans.get(operation.to_usize())
    }

    pub(crate) fn kind(&self, index: KindIndex) -> Option<&ObjectKind> {
        self.kinds.get(index.0)
    }

    /// The property rules of a type: those of its schemas.
    pub(crate) fn rules_of_kind(&self, kind: &ObjectKind, property: &str) -> SmallVec<[&Arc<PropertyRule>; 1]> {
        let mut found: SmallVec<[&Arc<PropertyRule>; 1]> = SmallVec::new();
        for schema in &kind.schemas {
            for rule in self.rules_of_schema(schema, property) {
                if !found.iter().any(|known| Arc::ptr_eq(known, rule)) {
                    found.push(rule);
                }
            }
        }
        found
    }

    pub(crate) fn rules_of_schema(&self, schema: &str, property: &str) -> &[Arc<PropertyRule>] {
        self.properties.get(schema).and_then(|table| table.get(property)).map_or(&[], |rules| rules.as_slice())
    }
}
