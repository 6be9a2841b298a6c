// SPDX-License-Identifier: Apache-2.0
//! Loading: from the text of a document to a [`Contract`].

use crate::contract::Contract;
use crate::document::{Cursor, Library, Node, refusal, refused_extensions};
use crate::file::{ReadFile, Source};
use crate::operation::{Operation, OperationIndex, Served};
use crate::route::{Entry, Table, Template, overlaps};
use crate::shape::{Builder, Dialect, Fault};
use crate::validator::{Direction, Engine, Validator};
use portcullis_decision::finding::{Finding, Place, Severity};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

mod body;
mod operation;
mod parameter;
mod security;
#[cfg(test)]
mod tests;

/// The rule of what cannot be enforced (config.md §6).
const UNENFORCEABLE: &str = "PC0502";
/// A document has at most this many operations.
const OPERATIONS_MAX: usize = 100_000;

/// What properties a request may have beyond the declared ones (config.md §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownRequest {
    /// As the document says.
    Document,
    /// None, unless a schema opens itself explicitly.
    #[default]
    Closed,
    /// None, even where a schema opens itself, as long as it names properties.
    ClosedAlways,
}

/// Choices of the operator that shape a contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// `unknown_properties.request`.
    pub unknown_request: UnknownRequest,
    /// Where the API is mounted (`base_path`), to find paths that would hide the gateway's own; empty: at the root.
    pub base_path: String,
}

/// Reads a document. Errors refuse the whole document; what cannot be enforced of it is in
/// [`Contract::findings`] and [`Operation::served`].
pub fn load(source: Source, options: &LoadOptions, files: &dyn ReadFile) -> Result<Contract, Vec<Finding>> {
    let library = Library::open(source, files).map_err(|finding| vec![*finding])?;
    let Some(root) = library.root() else { return Err(Vec::new()) };
    let dialect = dialect(&library, root).map_err(|finding| vec![*finding])?;
    let unread = refused_extensions(&library);
    if !unread.is_empty() {
        return Err(unread);
    }
    let mut loader = Loader {
        library: &library,
        root,
        dialect,
        builder: Builder::new(&library, dialect),
        operations: Vec::new(),
        findings: Vec::new(),
        ids: HashSet::new(),
        templates: Vec::new(),
    };
    loader.paths(&options.base_path)?;
    Ok(loader.finish(options))
}

/// A document being read.
pub(crate) struct Loader<'a> {
    pub(crate) library: &'a Library,
    pub(crate) root: Cursor<'a>,
    pub(crate) dialect: Dialect,
    pub(crate) builder: Builder<'a>,
    operations: Vec<Operation>,
    pub(crate) findings: Vec<Finding>,
    /// Operation ids seen so far.
    ids: HashSet<Box<str>>,
    /// The parsed template of each operation.
    templates: Vec<Result<Template, String>>,
}

/// Something about an operation that cannot be enforced.
pub(crate) struct Unenforceable {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl Unenforceable {
    fn finding(self, operation: &str) -> Finding {
        Finding {
            rule: Some(UNENFORCEABLE),
            severity: Severity::High,
            place: Some(self.place),
            at: operation.to_owned(),
            message: format!("`{operation}` is not served: {}", self.message),
            help: Some("change the document, or take the operation away with `exposed: false`".to_owned()),
        }
    }
}

impl<'a> Loader<'a> {
    fn paths(&mut self, base_path: &str) -> Result<(), Vec<Finding>> {
        let Some(paths) = self.root.get("paths") else { return Ok(()) };
        let mut refused = Vec::new();
        for (template, item) in paths.members() {
            if template.starts_with("x-") {
                continue;
            }
            if let Some(own) = crate::reserved_path::declared(base_path, template) {
                let message = format!("`{template}` would hide `{own}`, which the gateway answers itself");
                refused.push(refusal(self.library.place(item), message));
                continue;
            }
            match self.library.resolve(item) {
                Ok(target) => self.path_item(template, target),
                Err(message) => self.note(Severity::High, Some(item), template, message),
            }
            if self.operations.len() > OPERATIONS_MAX {
                let message = format!("the document has more than {OPERATIONS_MAX} operations");
                refused.push(refusal(self.library.place(paths), message));
                break;
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    /// A finding without a rule.
    pub(crate) fn note(&mut self, severity: Severity, at: Option<Cursor<'a>>, subject: &str, message: String) {
        let place = at.map(|c| self.library.place(c));
        self.findings.push(Finding { rule: None, severity, place, at: subject.to_owned(), message, help: None });
    }

    fn finish(mut self, options: &LoadOptions) -> Contract {
        let text =
            |name: &str| self.root.get("info").and_then(|i| i.node.get(name)?.text()).unwrap_or_default().to_owned();
        let (title, version) = (text("title"), text("version"));
        let (shapes, tainted) = self.builder.finish(options.unknown_request);
        let shapes = Arc::new(shapes);
        let engine = Engine::new(Arc::clone(&shapes));
        for operation in &mut self.operations {
            if operation.is_served()
                && let Some(fault) = fault_of(operation, &tainted)
            {
                let place = self.library.place_of(fault.mark);
                let finding = Unenforceable { place, message: fault.message.clone() }.finding(&operation.id);
                self.findings.push(finding.clone());
                operation.served = Served::No(Box::new(finding));
            }
            if operation.is_served() {
                if let Err(unenforceable) = parameter::settle(operation, &shapes, &engine) {
                    let finding = unenforceable.finding(&operation.id);
                    self.findings.push(finding.clone());
                    operation.served = Served::No(Box::new(finding));
                }
                validators(operation, &engine);
            }
        }
        let table = table(&mut self.operations, &self.templates, &mut self.findings);
        let by_id = self.operations.iter().map(|o| (Arc::clone(&o.id), o.index)).collect();
        let mut contract = Contract {
            title,
            version,
            operations: self.operations,
            findings: self.findings,
            shapes,
            table,
            hidden: Table::default(),
            hidden_methods: HashMap::new(),
            by_id,
        };
        contract.findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        contract
    }
}

/// The version of the document.
fn dialect(library: &Library, root: Cursor<'_>) -> Result<Dialect, Box<Finding>> {
    let refuse = |cursor: Cursor<'_>, message: &str| Box::new(refusal(library.place(cursor), message.to_owned()));
    if root.node.map().is_none() {
        return Err(refuse(root, "an OpenAPI document is an object"));
    }
    if let Some(swagger) = root.get("swagger") {
        return Err(refuse(swagger, "Swagger 2.0 is not read; convert the document to OpenAPI 3.0 or 3.1"));
    }
    let Some(version) = root.get("openapi") else {
        return Err(refuse(root, "not an OpenAPI document: `openapi` is missing"));
    };
    match version.node.text() {
        Some(v) if v == "3.0" || v.starts_with("3.0.") => Ok(Dialect::V30),
        Some(v) if v == "3.1" || v.starts_with("3.1.") => Ok(Dialect::V31),
        _ => Err(refuse(version, "only OpenAPI 3.0 and 3.1 are read")),
    }
}

/// The first fault that an operation's schemas reach.
fn fault_of<'t>(operation: &Operation, tainted: &'t [Option<Arc<Fault>>]) -> Option<&'t Fault> {
    let parameters = operation.parameters.iter().filter_map(|p| p.shape);
    let body = operation.body.iter().flat_map(|b| &b.media).filter_map(|m| m.shape);
    let answers = operation.responses.iter().flat_map(|r| &r.media).filter_map(|m| m.shape);
    let mut shapes = parameters.chain(body).chain(answers);
    shapes.find_map(|id| tainted.get(id.index())?.as_deref())
}

/// Gives each JSON body its validator.
fn validators(operation: &mut Operation, engine: &Arc<Engine>) {
    for media in operation.body.iter_mut().flat_map(|b| &mut b.media).filter(|m| m.is_json) {
        media.validator = media.shape.map(|shape| Validator::new(engine, shape, Direction::Request));
    }
    for media in operation.responses.all.iter_mut().flat_map(|r| &mut r.media).filter(|m| m.is_json) {
        media.validator = media.shape.map(|shape| Validator::new(engine, shape, Direction::Response));
    }
}

/// The route table. Of two operations with one method and the same path, the first is served.
fn table(operations: &mut [Operation], templates: &[Result<Template, String>], findings: &mut Vec<Finding>) -> Table {
    let mut table = Table::default();
    for (operation, template) in operations.iter_mut().zip(templates) {
        let Ok(template) = template else { continue };
        let Some(leaf) = table.insert(template) else { continue };
        if leaf.entries.iter().any(|e| e.method == operation.method) {
            if operation.is_served() {
                let message = format!("`{}` already stands for the same paths", leaf.template);
                let finding = Unenforceable { place: operation.place.clone(), message }.finding(&operation.id);
                findings.push(finding.clone());
                operation.served = Served::No(Box::new(finding));
            }
            continue;
        }
        let (method, served) = (operation.method.clone(), operation.is_served());
        leaf.entries.push(Entry { method, operation: operation.index, served, names: template.names.clone() });
    }
    for (winner, other) in overlaps(&table) {
        findings.push(Finding {
            rule: None,
            severity: Severity::Low,
            place: operations.iter().find(|o| o.template == other).map(|o| o.place.clone()),
            at: other.to_string(),
            message: format!("a path can match both `{winner}` and `{other}`; the first is taken"),
            help: None,
        });
    }
    table
}

/// Whether a member says true.
pub(crate) fn says(node: &Node, name: &str) -> bool {
    node.says(name)
}

/// The index of the next operation.
pub(crate) fn next_index(operations: &[Operation]) -> OperationIndex {
    OperationIndex::new(operations.len())
}
