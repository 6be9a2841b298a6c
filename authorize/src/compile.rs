// SPDX-License-Identifier: Apache-2.0
//! Load time: what is declared meets what the document says, and for every operation it is decided what it touches,
//! which rule applies, and how the owner becomes known. What cannot be decided is not served.

mod body;
mod carried;
mod composed;
mod finding;
mod kinds;
mod known;
mod needs;
mod operation;
mod properties;
mod spot;
mod suspects;
mod unjudged;
mod unmatched;

use crate::authorizer::Authorizer;
use crate::declared::{Declared, OperationDeclaration};
use crate::model::{KindIndex, KindSet, Model, ObjectKind, OperationPlan, PropertyTable};
use portcullis_contract::{Contract, Operation, ShapeId};
use portcullis_decision::finding::Finding;
use spot::{Spot, Spots};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What was compiled, and what is wrong or doubtful.
#[derive(Debug)]
pub struct Compiled {
    /// The judge.
    pub authorizer: Authorizer,
    /// Findings; one of severity `refuse` means that the configuration is not used.
    pub findings: Vec<Finding>,
}

/// Everything at hand while compiling.
pub(super) struct Compiler<'c> {
    contract: &'c Contract,
    declared: &'c Declared,
    kinds: Vec<ObjectKind>,
    spots: Spots<'c>,
    /// Every place of every type in all bodies and success answers.
    places: Vec<Spot>,
    findings: Vec<Finding>,
}

/// Compiles the declarations of one API against its document.
#[expect(clippy::needless_pass_by_value, reason = "the declarations end here: what holds is the compiled form")]
pub fn compile(contract: Arc<Contract>, declared: Declared) -> Compiled {
    let (Built { kinds, properties, plans, composed }, findings) = build(&contract, &declared);
    let mut by_schema: HashMap<Arc<str>, KindSet> = HashMap::new();
    for (index, kind) in kinds.iter().enumerate() {
        for schema in &kind.schemas {
            let set = by_schema.entry(Arc::clone(schema)).or_default();
            if !set.contains(&KindIndex(index)) {
                set.push(KindIndex(index));
            }
        }
    }
    let Declared { unknown_response, response_max, validate, .. } = declared;
    let model =
        Model { contract, kinds, by_schema, properties, plans, composed, unknown_response, response_max, validate };
    Compiled { authorizer: Authorizer::new(model), findings }
}

/// The parts of a model.
struct Built {
    kinds: Vec<ObjectKind>,
    properties: HashMap<Arc<str>, PropertyTable>,
    plans: Vec<OperationPlan>,
    composed: HashSet<ShapeId>,
}

fn build(contract: &Contract, declared: &Declared) -> (Built, Vec<Finding>) {
    let mut compiler = Compiler {
        contract,
        declared,
        kinds: Vec::new(),
        spots: Spots::new(contract),
        places: Vec::new(),
        findings: Vec::new(),
    };
    compiler.declare_kinds();
    compiler.find_keys();
    let properties = compiler.properties();
    let plans: Vec<_> =
        contract.operations.iter().map(|operation| compiler.operation(operation, &properties)).collect();
    compiler.unmatched(&plans);
    let composed = compiler.composed();
    let Compiler { kinds, findings, .. } = compiler;
    (Built { kinds, properties, plans, composed }, findings)
}

impl<'c> Compiler<'c> {
    fn declaration(&self, operation: &Operation) -> Option<&'c OperationDeclaration> {
        self.declared.operations.get(&operation.index)
    }

    fn kind(&self, index: KindIndex) -> Option<&ObjectKind> {
        self.kinds.get(index.0)
    }

    fn kind_named(&self, name: &str) -> Option<KindIndex> {
        self.kinds.iter().position(|kind| *kind.name == *name).map(KindIndex)
    }

    /// Every type by its index.
    fn indices(&self) -> impl Iterator<Item = KindIndex> + use<> {
        (0..self.kinds.len()).map(KindIndex)
    }
}
