// SPDX-License-Identifier: Apache-2.0
//! What does the API promise.
//!
//! An `OpenAPI` 3.0 or 3.1 document becomes a [`Contract`]: operations, a route table, typed parameters, body
//! validators, and [`Shapes`], a walk of schemas beside values for the stages that judge properties and objects.
//!
//! Invariants: a document is read as raw values, so that no keyword is lost to a typed model; what cannot be
//! enforced is not served ([`Served::No`]) and says so with its place; no reference leaves the document's
//! directory and nothing is fetched; a message about a value names what was expected, never what was sent;
//! every schema is stored and compiled once, however many operations use it; every loop over a document has a
//! named maximum. After loading, everything is pure and shared by reference.
//!
//! Deliberately absent: who may call an operation (only its declared `security` is read), where it is mounted,
//! files and sockets (files come through [`ReadFile`]).

mod contract;
mod document;
mod file;
#[cfg(test)]
mod fixture;
mod load;
mod media;
mod operation;
mod parameter;
mod pattern;
mod reserved_path;
mod route;
mod security;
mod shape;
mod validator;

pub use contract::Contract;
pub use file::{ReadFile, Source};
pub use load::{LoadOptions, UnknownRequest, load};
pub use media::{Media, MediaFault, RequestBody, Response, Responses, StatusKey};
pub use operation::{Operation, OperationIndex, Served};
pub use parameter::{Argument, Location, ObservedParameters, Parameter, Parameters};
pub use portcullis_decision::Violation;
pub use route::{Captures, RouteMatch};
pub use security::{Declared, SchemeNeed, Security};
pub use shape::{Marks, Member, Pattern, PatternSegment, ShapeId, ShapeSet, Shapes};
pub use validator::Validator;
