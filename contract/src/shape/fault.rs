// SPDX-License-Identifier: Apache-2.0
//! Schemas that cannot be enforced, and who is touched by them.

use super::{Shape, ShapeId, Shapes};
use crate::document::Mark;
use std::sync::Arc;

/// A value may be described through at most this many schemas one after another (`$ref`, `allOf`, …): a limit for
/// the stack, far above what documents need (T75).
const COMPOSITION_DEPTH_MAX: u16 = 64;

/// Why a schema cannot be enforced.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) shape: ShapeId,
    pub(crate) mark: Mark,
    /// Lower case, no period.
    pub(crate) message: String,
}

/// How far the search of [`compositions`] is with a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    Open,
    /// The longest chain of composition below it.
    Done(u16),
}

/// Schemas that are composed of themselves (no value can be judged by them) or too deeply.
pub(super) fn compositions(arena: &[Shape]) -> Vec<Fault> {
    let mut states = vec![State::Unseen; arena.len()];
    let mut faults = Vec::new();
    for start in 0..arena.len() {
        let mut stack = vec![(start, false)];
        while let Some((at, leaving)) = stack.pop() {
            let (Some(shape), Some(state)) = (arena.get(at), states.get(at).copied()) else { continue };
            let id = ShapeId::new(u32::try_from(at).unwrap_or(u32::MAX));
            let fault = |message: &str| Fault { shape: id, mark: shape.mark, message: message.to_owned() };
            if leaving {
                let below = shape.in_place().map(|c| match states.get(c.index()) {
                    Some(State::Done(depth)) => *depth,
                    _ => 0,
                });
                let depth = below.max().unwrap_or(0).saturating_add(1);
                if depth == COMPOSITION_DEPTH_MAX {
                    faults.push(fault("a schema is composed through too many steps"));
                }
                if let Some(slot) = states.get_mut(at) {
                    *slot = State::Done(depth);
                }
                continue;
            }
            // A schema that was reached on two ways is done when it comes up again.
            if state != State::Unseen {
                continue;
            }
            if let Some(slot) = states.get_mut(at) {
                *slot = State::Open;
            }
            stack.push((at, true));
            for child in shape.in_place() {
                match states.get(child.index()) {
                    Some(State::Unseen) => stack.push((child.index(), false)),
                    // INVARIANT: what is open is an ancestor.
                    Some(State::Open) => faults.push(fault("a schema is composed of itself")),
                    Some(State::Done(_)) | None => {}
                }
            }
        }
    }
    faults
}

/// For each schema: a fault it reaches, if any. Who uses such a schema cannot be served.
pub(super) fn spread(shapes: &Shapes, faults: Vec<Fault>) -> Vec<Option<Arc<Fault>>> {
    let mut tainted: Vec<Option<Arc<Fault>>> = vec![None; shapes.len()];
    if faults.is_empty() {
        return tainted;
    }
    let mut users: Vec<Vec<u32>> = vec![Vec::new(); shapes.len()];
    for (index, shape) in shapes.arena.iter().enumerate() {
        for child in shape.in_place().chain(shape.inner()) {
            if let Some(list) = users.get_mut(child.index()) {
                list.push(u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
    }
    for fault in faults {
        let fault = Arc::new(fault);
        let mut pending = vec![fault.shape.index()];
        while let Some(at) = pending.pop() {
            if let Some(slot @ None) = tainted.get_mut(at) {
                *slot = Some(Arc::clone(&fault));
                let above = users.get(at).into_iter().flatten();
                pending.extend(above.map(|i| usize::try_from(*i).unwrap_or(usize::MAX)));
            }
        }
    }
    tainted
}
