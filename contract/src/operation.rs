// SPDX-License-Identifier: Apache-2.0
//! Operations: what the document promises for one method and path.

use crate::media::{RequestBody, Responses};
use crate::parameter::Parameter;
use crate::security::Security;
use http::Method;
use portcullis_decision::finding::{Finding, Place};
use std::sync::Arc;

/// The place of an operation in its [`Contract`](crate::Contract); dense, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationIndex(u32);

impl OperationIndex {
    pub(crate) fn new(index: usize) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The index as a number.
    pub fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Whether an operation can be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// Yes.
    Yes,
    /// No: the finding (PC0502) says why. The route answers as if the operation did not exist.
    No(Box<Finding>),
}

/// One operation of the document.
#[derive(Debug)]
pub struct Operation {
    /// `operationId`, or method and path where the document has none.
    pub id: Arc<str>,
    /// Its place in the contract.
    pub index: OperationIndex,
    /// Its method.
    pub method: Method,
    /// Its path template as the document spells it.
    pub template: Arc<str>,
    /// Where it stands in the document.
    pub place: Place,
    /// Whether the document calls it deprecated.
    pub deprecated: bool,
    /// What the document asks of the caller.
    pub security: Security,
    /// Names of the parameters in the template, in order.
    pub path_parameters: Vec<Arc<str>>,
    /// Declared parameters, those of the path item included.
    pub parameters: Vec<Parameter>,
    /// The request body, where one is declared.
    pub body: Option<RequestBody>,
    /// Declared answers.
    pub responses: Responses,
    /// Whether it can be enforced.
    pub served: Served,
}

impl Operation {
    /// Whether the operation can be enforced, and so is routed to.
    pub fn is_served(&self) -> bool {
        self.served == Served::Yes
    }
}
