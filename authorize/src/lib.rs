// SPDX-License-Identifier: Apache-2.0
//! What may they touch.
//!
//! One declaration of objects, properties and operations ([`Declared`]) is compiled against a contract into an
//! [`Authorizer`], which judges functions (API5) and objects and properties before the call (API1, API3), and
//! every answer before one byte of it leaves.
//!
//! Invariants: for every operation it is decided at load time how the owner of what it touches becomes known, and an
//! operation without a way is not served; a rule holds only where a word of it holds, so nothing that is missing,
//! unreadable or ambiguous lets anybody in; where several types may apply, every one's rule must hold; an answer is
//! passed on by its bytes, less what was removed; nothing recurses over input.
//!
//! Deliberately absent: sockets (objects are loaded through [`OwnerLookup`]), identity, limits, the order of stages.

mod authorizer;
mod compile;
mod declared;
mod describe;
mod evidence;
mod function;
mod guard;
mod model;
mod object;
mod owner;
mod pointer;
mod property;
mod word;

pub use authorizer::Authorizer;
pub use compile::{Compiled, compile};
pub use declared::{
    Action, CarryPlace, CarryPlaceError, Declared, DenyAs, ForeignItems, IdPlace, ObjectDeclaration,
    OperationDeclaration, PropertyDeclaration, RuleList, Rules, Strictness, SubjectSource, UnknownResponse, Validate,
};
pub use describe::{Described, DescribedObject, KnownBy};
pub use guard::{AnswerQuestion, HeadQuestion, HeadVerdict, Judged};
pub use model::{Guard, Needs};
pub use object::{Known, LOOKUP_BYTES_MAX, LookupAnswer, LookupFault, LookupRequest, ObjectQuestion, OwnerLookup};
pub use pointer::{POINTER_STEPS_MAX, Pointer, PointerError, Step};
pub use property::PropertyFault;
pub use word::{Word, WordError};
