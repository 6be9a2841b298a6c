// SPDX-License-Identifier: Apache-2.0
//! The compiled authorization of one API: what the pipeline asks.

use crate::declared::Strictness;
use crate::describe::{self, Described};
use crate::function;
use crate::guard::{AnswerGuard, AnswerQuestion, HeadQuestion, HeadVerdict, Judged};
use crate::model::{Carrier, Fill, Model, Needs, OperationPlan};
use crate::object::{Known, ObjectQuestion, ObjectStage, OwnerLookup};
use crate::property::{self, PropertyFault};
use portcullis_contract::{Location, OperationIndex, ShapeId};
use portcullis_decision::caller::Caller;
use portcullis_decision::receipt::{Receipt, Stage, stage};
use portcullis_decision::{Denial, Facts, Reason, Trail};
use portcullis_wire::json::Document;

/// Judges functions, objects, properties and answers of one API.
#[derive(Debug)]
pub struct Authorizer {
    model: Model,
}

impl Authorizer {
    pub(crate) fn new(model: Model) -> Self {
        Self { model }
    }

    /// What the host must prepare for an operation.
    pub fn needs(&self, operation: OperationIndex) -> Needs {
        self.model.plan(operation).map(|plan| plan.needs.clone()).unwrap_or_default()
    }

    /// Whether the operation can be enforced. One that cannot is answered as if it did not exist.
    pub fn served(&self, operation: OperationIndex) -> bool {
        self.model.plan(operation).is_some_and(|plan| plan.served)
    }

    /// Whether the operation may be called without credentials.
    pub fn is_public(&self, operation: OperationIndex) -> bool {
        self.model.plan(operation).is_some_and(|plan| plan.served && plan.public)
    }

    /// Whether violations of request schemas are only observed (`validate.request: observe`).
    pub fn observes_requests(&self) -> bool {
        self.model.validate.request == Strictness::Observe
    }

    /// Whether a parameter says which object an operation is about. Its schema always holds.
    pub fn relies_on_parameter(&self, operation: OperationIndex, location: Location, name: &str) -> bool {
        let Some(plan) = self.model.plan(operation) else { return true };
        plan.carried.iter().any(|carried| match (&carried.at, location) {
            (Carrier::Path(own), Location::Path)
            | (Carrier::Query(own), Location::Query)
            | (Carrier::Header(own), Location::Header)
                if **own == *name =>
            {
                true
            }
            (_, Location::Path) => carried.lookup.iter().flat_map(|lookup| &lookup.path).any(|(_, fill)| match fill {
                Fill::Same(own) => **own == *name,
                Fill::Id => false,
            }),
            _ => false,
        })
    }

    /// Whether the value at this JSON pointer of a body, or part of it, says which object an operation is about. Its
    /// schema always holds.
    pub fn relies_on_body(&self, operation: OperationIndex, pointer: &str) -> bool {
        let Some(plan) = self.model.plan(operation) else { return true };
        plan.carried.iter().any(|carried| match &carried.at {
            Carrier::Body(place) => place.leads_to(pointer),
            Carrier::Path(_) | Carrier::Query(_) | Carrier::Header(_) => false,
        })
    }

    /// What was decided for every operation.
    pub fn describe(&self) -> Vec<Described> {
        describe::all(&self.model)
    }

    /// May this caller call this operation at all (API5)?
    pub fn function(
        &self,
        operation: OperationIndex,
        caller: &Caller,
        trail: &mut Trail,
    ) -> Result<Receipt<stage::Function>, Denial> {
        function::judge(self.plan::<stage::Function>(operation, trail)?, caller, trail)
    }

    /// What is wrong with the properties of a body, whoever sends it: undeclared, `readOnly`, or another spelling of
    /// a known one. For the request stage, which owns the body's contract; [`Authorizer::object`] asks it again.
    pub fn property_faults(&self, operation: OperationIndex, body: &Document, shape: ShapeId) -> Vec<PropertyFault> {
        match self.model.plan(operation) {
            Some(plan) => property::walk(&self.model, plan, body, shape, None).faults,
            None => Vec::new(),
        }
    }

    /// May this caller touch these objects, and write these properties (API1, API3)?
    pub async fn object(
        &self,
        operation: OperationIndex,
        question: ObjectQuestion<'_>,
        lookups: &dyn OwnerLookup,
        trail: &mut Trail,
    ) -> Result<(Known, Receipt<stage::Object>), Denial> {
        let plan = self.plan::<stage::Object>(operation, trail)?;
        ObjectStage { model: &self.model, plan, question, lookups }.judge(trail).await
    }

    /// Must the body of this answer be read, or may it be streamed? Optional before [`Authorizer::answer`], which
    /// judges the head again.
    pub fn answer_head(
        &self,
        operation: OperationIndex,
        question: &HeadQuestion<'_>,
        trail: &mut Trail,
    ) -> Result<HeadVerdict, Denial> {
        let plan = self.plan::<stage::Response>(operation, trail)?;
        AnswerGuard { model: &self.model, plan }.head(question, trail)
    }

    /// May this answer leave, and what of it (API1, API3)?
    pub fn answer(
        &self,
        operation: OperationIndex,
        question: AnswerQuestion<'_>,
        trail: &mut Trail,
    ) -> Result<(Judged, Receipt<stage::Response>), Denial> {
        let plan = self.plan::<stage::Response>(operation, trail)?;
        AnswerGuard { model: &self.model, plan }.answer(question, trail)
    }

    /// The plan of an operation that is served; anything else is as if it did not exist.
    fn plan<S: Stage>(&self, operation: OperationIndex, trail: &mut Trail) -> Result<&OperationPlan, Denial> {
        match self.model.plan(operation) {
            Some(plan) if plan.served => Ok(plan),
            _ => Err(trail.deny::<S>(Reason::RouteNotFound, Facts::none().with("why", "not served"))),
        }
    }
}
