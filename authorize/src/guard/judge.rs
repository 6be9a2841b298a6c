// SPDX-License-Identifier: Apache-2.0
//! Whose objects stand in an answer: the one that was asked for, the ones beside it, and the items of lists.

use super::AnswerGuard;
use super::head::HeadQuestion;
use super::walk::{Instance, Seen};
use crate::declared::{Action, ForeignItems};
use crate::evidence;
use crate::model::{KindIndex, ObjectKind};
use crate::object::{KnownId, Standing};
use crate::owner::{self, Ownership};
use portcullis_decision::receipt::{StageName, stage};
use portcullis_decision::{Denial, Facts, Reason, Trail};
use portcullis_wire::json::{JsonKind, NodeId, NodeRef};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// So many hidden values before an object are looked at; an object that is not found inside one is judged.
const NESTED_HIDDEN_MAX: usize = 64;

/// What leaves a list.
#[derive(Default)]
pub(super) struct Foreign {
    /// Number of items that are dropped.
    pub(super) items: usize,
    /// The items, and the integers beside their arrays.
    pub(super) removed: Vec<NodeId>,
}

/// The judge of one answer.
pub(super) struct Judge<'g> {
    guard: &'g AnswerGuard<'g>,
    head: &'g HeadQuestion<'g>,
    seen: &'g Seen<'g>,
    /// By kind: the text an owner must equal.
    own: Vec<Option<Cow<'g, str>>>,
    /// By kind: the shallowest value of it outside of lists, where there is exactly one so shallow.
    places: Vec<Option<NodeId>>,
}

impl<'g> Judge<'g> {
    pub(super) fn new(guard: &'g AnswerGuard<'g>, head: &'g HeadQuestion<'g>, seen: &'g Seen<'g>) -> Self {
        let own = guard.model.kinds.iter().map(|kind| owner::own_name(head.caller, kind)).collect();
        let indices = (0..guard.model.kinds.len()).map(KindIndex);
        let places = indices.map(|kind| outermost(seen, kind).map(|instance| instance.node.id())).collect();
        Self { guard, head, seen, own, places }
    }

    /// Judges the objects whose owner only the answer shows, and makes sure it is those that were asked for.
    pub(super) fn asked(&self, trail: &mut Trail) -> Result<(), Denial> {
        if !self.head.status.is_success() {
            return Ok(());
        }
        for id in self.head.known.ids.iter().filter(|id| id.standing == Standing::Pending) {
            let Some(kind) = self.guard.model.kind(id.kind) else {
                return Err(trail.deny::<stage::Response>(Reason::GateInternal, Facts::none()));
            };
            let Some(instance) = outermost(self.seen, id.kind) else {
                return self.guard.must_be_settled(self.head, trail);
            };
            let shown = kind.key.as_ref().map(|key| key.value(instance.node).and_then(NodeRef::canonical_text));
            if let Some(shown) = shown
                && shown.as_deref() != Some(&*id.id)
            {
                let facts =
                    Facts::none().with("object", Arc::clone(&kind.name)).with("why", "the origin shows another object");
                trail.alert(StageName::Response, Reason::ObjectAbsent, facts.clone());
                return Err(evidence::deny::<stage::Response>(trail, kind, Reason::ObjectAbsent, facts));
            }
            self.note(instance, kind, id, trail);
        }
        Ok(())
    }

    /// Members this caller may not read.
    pub(super) fn unreadable(&self) -> Vec<NodeRef<'g>> {
        let hidden = |ruled: &&super::walk::Ruled<'_>| {
            let readable = |ownership: &Ownership| {
                let rules = ruled.rules.iter().filter_map(|rule| rule.read.as_ref());
                rules.into_iter().all(|rule| rule.holds(self.head.caller, ownership))
            };
            if ruled.kinds.is_empty() {
                return !readable(&Ownership::Unknown);
            }
            !ruled.kinds.iter().all(|kind| readable(&self.ownership(ruled.object, *kind)))
        };
        let mut nodes: Vec<NodeRef<'g>> = self.seen.ruled.iter().filter(hidden).map(|ruled| ruled.member).collect();
        nodes.sort_unstable_by_key(|node| node.id());
        nodes
    }

    /// Judges every object: those in lists are dropped, any other refuses the answer.
    pub(super) fn instances(&self, unreadable: &[NodeRef<'_>], trail: &mut Trail) -> Result<Foreign, Denial> {
        let mut dropped: HashSet<usize> = HashSet::new();
        let mut witness = None;
        for instance in self.seen.instances.iter().filter(|instance| !is_inside(instance.node, unreadable)) {
            for index in &instance.kinds {
                let Some(kind) = self.guard.model.kind(*index) else { continue };
                if self.may_leave(instance, *index, kind) {
                    continue;
                }
                match instance.element {
                    Some(element) => {
                        dropped.insert(element);
                        witness.get_or_insert((instance.node, *index));
                    }
                    None => return Err(self.withheld(instance.node, *index, trail)),
                }
            }
        }
        let Some((node, index)) = witness else { return Ok(Foreign::default()) };
        let Some(kind) = self.guard.model.kind(index) else { return Ok(Foreign::default()) };
        let facts = self.facts(node, index, kind).with("items", dropped.len());
        trail.alert(StageName::Response, Reason::ObjectForeignItem, facts.clone());
        if self.guard.plan.foreign_items == ForeignItems::Fail {
            return Err(evidence::deny::<stage::Response>(trail, kind, Reason::ObjectForeignItem, facts));
        }
        Ok(self.removal(&dropped))
    }

    /// Whether the caller may see this value, as this type.
    fn may_leave(&self, instance: &Instance<'_>, index: KindIndex, kind: &ObjectKind) -> bool {
        let ownership = owner::of_object(instance.node, kind, self.own_name(index));
        if kind.rules.read.holds(self.head.caller, &ownership) {
            return true;
        }
        let shown = owner::is_shown(instance.node, kind);
        let outermost = self.is_outermost(instance.node, index);
        if let Some(known) = self.asked_id(instance.node, index, kind) {
            // Who may change an object may see the answer to the change; an object whose owner the answer does not
            // show was judged before.
            let action = self.action_on(index);
            return known.standing == Standing::Settled
                && (!shown || (action != Action::Read && kind.rules.of(action).holds(self.head.caller, &ownership)));
        }
        if !outermost {
            return false;
        }
        if self.guard.plan.created.contains(&index) {
            return !shown || ownership == Ownership::Own;
        }
        // A change without an id acts on the caller's own (`/me`): the rule of the change decides.
        let action = self.guard.plan.action;
        self.head.known.ids.is_empty()
            && matches!(action, Action::Update | Action::Delete)
            && kind.rules.of(action).holds(self.head.caller, &ownership)
    }

    /// The judged id this value is the object of.
    fn asked_id(&self, node: NodeRef<'_>, index: KindIndex, kind: &ObjectKind) -> Option<&KnownId> {
        let mut ids = self.head.known.ids.iter().filter(|id| id.kind == index);
        let shown = kind.key.as_ref().and_then(|key| key.value(node)).and_then(NodeRef::canonical_text);
        if let Some(shown) = shown {
            return ids.find(|id| *id.id == *shown);
        }
        let only = ids.next().filter(|_| self.is_outermost(node, index))?;
        if ids.next().is_some() { None } else { Some(only) }
    }

    fn action_on(&self, index: KindIndex) -> Action {
        let carried = self.guard.plan.carried.iter().find(|carried| carried.kind == index);
        carried.map_or(self.guard.plan.action, |carried| carried.action)
    }

    fn is_outermost(&self, node: NodeRef<'_>, index: KindIndex) -> bool {
        self.places.get(index.0).copied().flatten() == Some(node.id())
    }

    fn own_name(&self, index: KindIndex) -> Option<&str> {
        self.own.get(index.0).and_then(Option::as_deref)
    }

    /// How the caller stands to a value, counting what was learned before the call.
    fn ownership(&self, node: NodeRef<'_>, index: KindIndex) -> Ownership {
        let Some(kind) = self.guard.model.kind(index) else { return Ownership::Unknown };
        if owner::is_shown(node, kind) {
            return owner::of_object(node, kind, self.own_name(index));
        }
        let known = self.asked_id(node, index, kind).is_some_and(|id| id.owned);
        let made = self.guard.plan.created.contains(&index) && self.is_outermost(node, index);
        if known || (made && self.own_name(index).is_some()) { Ownership::Own } else { Ownership::Unknown }
    }

    fn withheld(&self, node: NodeRef<'_>, index: KindIndex, trail: &mut Trail) -> Denial {
        let Some(kind) = self.guard.model.kind(index) else {
            return trail.deny::<stage::Response>(Reason::GateInternal, Facts::none());
        };
        let ownership = owner::of_object(node, kind, self.own_name(index));
        let reason = evidence::reason_of(&ownership);
        let facts = self.facts(node, index, kind);
        trail.alert(StageName::Response, reason, facts.clone());
        evidence::deny::<stage::Response>(trail, kind, reason, facts)
    }

    fn facts(&self, node: NodeRef<'_>, index: KindIndex, kind: &ObjectKind) -> Facts {
        let ownership = owner::of_object(node, kind, self.own_name(index));
        evidence::facts(kind, &ownership, self.own_name(index)).with("rule", Arc::clone(&kind.rules.read.text))
    }

    fn note(&self, instance: &Instance<'_>, kind: &ObjectKind, id: &KnownId, trail: &mut Trail) {
        let own = self.own_name(id.kind);
        let ownership = owner::of_object(instance.node, kind, own);
        let owner = match &ownership {
            Ownership::Own => own,
            Ownership::Foreign(owner) => Some(&**owner),
            Ownership::Unknown => None,
        };
        evidence::note(trail, kind, Some(&id.id), owner);
    }

    /// The items, and the integers beside their arrays: counts that would tell how many were dropped. An object's
    /// own id and owner are no counts.
    fn removal(&self, dropped: &HashSet<usize>) -> Foreign {
        let mut removed = Vec::with_capacity(dropped.len());
        let mut holders: HashSet<NodeId> = HashSet::new();
        for element in dropped.iter().filter_map(|index| self.seen.elements.get(*index)) {
            removed.push(element.node.id());
            let Some(holder) = element.holder.filter(|holder| holders.insert(holder.id())) else { continue };
            let names = self.names_of_identity(holder);
            let counts = holder.members().filter(|(name, member)| {
                member.kind() == JsonKind::Integer && !names.iter().any(|known| **known == **name)
            });
            removed.extend(counts.map(|(_, member)| member.id()));
        }
        Foreign { items: dropped.len(), removed }
    }

    fn names_of_identity(&self, holder: NodeRef<'_>) -> Vec<Arc<str>> {
        let instance = self.seen.instances.binary_search_by_key(&holder.id(), |instance| instance.node.id());
        let Some(instance) = instance.ok().and_then(|at| self.seen.instances.get(at)) else { return Vec::new() };
        let kinds = instance.kinds.iter().filter_map(|kind| self.guard.model.kind(*kind));
        let places = kinds.flat_map(|kind| [kind.key.as_ref(), kind.owner.as_ref()]);
        places.flatten().filter_map(|place| place.head()).map(Arc::clone).collect()
    }
}

/// Whether a value stands inside one of these, which are in document order. What is hidden is not judged further.
fn is_inside(node: NodeRef<'_>, hidden: &[NodeRef<'_>]) -> bool {
    let start = node.span().start;
    // Hidden values may stand inside each other, so the nearest one before is not always the one around.
    let before = hidden.partition_point(|other| other.span().start <= start);
    hidden.iter().take(before).rev().take(NESTED_HIDDEN_MAX).any(|other| other.span().end > start)
}

/// The shallowest value of a type outside of lists, where exactly one is so shallow.
fn outermost<'s, 'd>(seen: &'s Seen<'d>, kind: KindIndex) -> Option<&'s Instance<'d>> {
    let outside = || seen.instances.iter().filter(|i| i.element.is_none() && i.kinds.contains(&kind));
    let depth = outside().map(|instance| instance.depth).min()?;
    let mut shallowest = outside().filter(|instance| instance.depth == depth);
    let first = shallowest.next();
    if shallowest.next().is_some() { None } else { first }
}
