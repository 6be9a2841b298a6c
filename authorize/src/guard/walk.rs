// SPDX-License-Identifier: Apache-2.0
//! Walking an answer beside its schema, with an explicit stack: what is not declared, what is `writeOnly`, which
//! objects stand where, and which members have read rules of their own.

use crate::declared::UnknownResponse;
use crate::model::{KindSet, Model, OperationPlan, PropertyRule};
use portcullis_contract::{Member, ShapeId, ShapeSet};
use portcullis_wire::json::{Document, JsonKind, NodeId, NodeRef};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

/// A value that represents objects of declared types.
pub(super) struct Instance<'d> {
    pub(super) node: NodeRef<'d>,
    /// All types it may be of; every one's rule must hold.
    pub(super) kinds: KindSet,
    /// The innermost array element it stands in, by its place in [`Seen::elements`].
    pub(super) element: Option<usize>,
    pub(super) depth: usize,
}

/// An element of an array, which can be dropped.
pub(super) struct Element<'d> {
    pub(super) node: NodeRef<'d>,
    /// The object that has the array as a member.
    pub(super) holder: Option<NodeRef<'d>>,
}

/// A member with read rules of its own.
pub(super) struct Ruled<'d> {
    pub(super) member: NodeRef<'d>,
    pub(super) object: NodeRef<'d>,
    pub(super) kinds: KindSet,
    pub(super) rules: SmallVec<[Arc<PropertyRule>; 1]>,
}

/// What a walk saw.
#[derive(Default)]
pub(super) struct Seen<'d> {
    pub(super) undeclared: Vec<NodeId>,
    pub(super) write_only: Vec<NodeId>,
    /// In document order.
    pub(super) instances: Vec<Instance<'d>>,
    pub(super) elements: Vec<Element<'d>>,
    pub(super) ruled: Vec<Ruled<'d>>,
    drop_undeclared: bool,
}

impl Seen<'_> {
    /// What nobody may read.
    pub(super) fn set_aside(&self) -> impl Iterator<Item = NodeId> {
        let undeclared = if self.drop_undeclared { self.undeclared.as_slice() } else { &[] };
        undeclared.iter().chain(&self.write_only).copied()
    }
}

struct Visit<'d> {
    node: NodeRef<'d>,
    /// `None`: nothing is said of this value.
    shape: Option<ShapeSet>,
    /// The object whose member this is.
    holder: Option<NodeRef<'d>>,
    element: Option<usize>,
    depth: usize,
}

struct Walk<'m, 'd> {
    model: &'m Model,
    plan: &'m OperationPlan,
    /// Objects the operator points at with `returns`.
    returned: HashMap<NodeId, KindSet>,
    seen: Seen<'d>,
}

/// Walks an answer.
pub(super) fn walk<'d>(
    model: &Model,
    plan: &OperationPlan,
    document: &'d Document,
    shape: Option<ShapeId>,
) -> Seen<'d> {
    let mut returned: HashMap<NodeId, KindSet> = HashMap::new();
    for (kind, place) in &plan.returns {
        for node in place.values(document.root()) {
            let kinds = returned.entry(node.id()).or_default();
            if !kinds.contains(kind) {
                kinds.push(*kind);
            }
        }
    }
    let drop_undeclared = model.unknown_response != UnknownResponse::Pass;
    let mut walk = Walk { model, plan, returned, seen: Seen { drop_undeclared, ..Seen::default() } };
    let shape = shape.map(|id| model.contract.shapes().enter(id));
    let mut stack = vec![Visit { node: document.root(), shape, holder: None, element: None, depth: 0 }];
    while let Some(visit) = stack.pop() {
        match visit.node.kind() {
            JsonKind::Object => walk.object(&visit, &mut stack),
            JsonKind::Array => walk.array(&visit, &mut stack),
            _ => {}
        }
    }
    walk.seen.instances.sort_by_key(|instance| instance.node.id());
    walk.seen.undeclared.sort_unstable();
    walk.seen
}

impl<'d> Walk<'_, 'd> {
    fn array(&mut self, visit: &Visit<'d>, stack: &mut Vec<Visit<'d>>) {
        for (index, node) in visit.node.elements().enumerate() {
            if !matches!(node.kind(), JsonKind::Object | JsonKind::Array) {
                continue;
            }
            let shape = visit.shape.as_ref().map(|set| self.model.contract.shapes().element(set, index));
            self.seen.elements.push(Element { node, holder: visit.holder });
            let element = Some(self.seen.elements.len().saturating_sub(1));
            stack.push(Visit { node, shape, holder: None, element, depth: visit.depth.saturating_add(1) });
        }
    }

    fn object(&mut self, visit: &Visit<'d>, stack: &mut Vec<Visit<'d>>) {
        let kinds = self.kinds_at(visit);
        for (name, member) in visit.node.members() {
            let shape = match &visit.shape {
                None => None,
                Some(set) => match self.declared(set, &name, member) {
                    Declared::Walk(shape) => shape,
                    Declared::Aside => continue,
                },
            };
            self.rules_of(visit, &kinds, (&name, member));
            let is_container = matches!(member.kind(), JsonKind::Object | JsonKind::Array);
            // Below a value of which nothing is said only what `returns` points at can be recognised.
            if is_container && (shape.is_some() || !self.returned.is_empty()) {
                let depth = visit.depth.saturating_add(1);
                stack.push(Visit { node: member, shape, holder: Some(visit.node), element: visit.element, depth });
            }
        }
        if !kinds.is_empty() {
            let (node, element, depth) = (visit.node, visit.element, visit.depth);
            self.seen.instances.push(Instance { node, kinds, element, depth });
        }
    }

    fn kinds_at(&self, visit: &Visit<'d>) -> KindSet {
        if self.plan.exempt {
            return KindSet::new();
        }
        let mut kinds = visit.shape.as_ref().map(|set| self.model.kinds_of(set)).unwrap_or_default();
        for kind in self.returned.get(&visit.node.id()).into_iter().flatten() {
            if !kinds.contains(kind) {
                kinds.push(*kind);
            }
        }
        kinds
    }

    fn declared(&mut self, set: &ShapeSet, name: &str, member: NodeRef<'d>) -> Declared {
        let shapes = self.model.contract.shapes();
        match shapes.member(set, name) {
            Member::Declared(shape) if shapes.marks(&shape).write_only => {
                self.seen.write_only.push(member.id());
                Declared::Aside
            }
            Member::Declared(shape) => Declared::Walk(Some(shape)),
            Member::Open => Declared::Walk(None),
            Member::Undeclared => {
                self.seen.undeclared.push(member.id());
                if self.seen.drop_undeclared { Declared::Aside } else { Declared::Walk(None) }
            }
        }
    }

    fn rules_of(&mut self, visit: &Visit<'d>, kinds: &KindSet, (name, member): (&str, NodeRef<'d>)) {
        if self.model.properties.is_empty() {
            return;
        }
        let shapes = self.model.contract.shapes();
        let schemas = visit.shape.iter().flat_map(|set| shapes.names(set));
        let by_schema = schemas.flat_map(|schema| self.model.rules_of_schema(schema, name));
        let of_kinds = kinds.iter().filter_map(|kind| self.model.kind(*kind));
        let by_kind = of_kinds.flat_map(|kind| self.model.rules_of_kind(kind, name));
        let mut rules: SmallVec<[Arc<PropertyRule>; 1]> = SmallVec::new();
        for rule in by_schema.chain(by_kind) {
            if rule.read.is_some() && !rules.iter().any(|known| Arc::ptr_eq(known, rule)) {
                rules.push(Arc::clone(rule));
            }
        }
        if !rules.is_empty() {
            self.seen.ruled.push(Ruled { member, object: visit.node, kinds: kinds.clone(), rules });
        }
    }
}

enum Declared {
    Walk(Option<ShapeSet>),
    Aside,
}
