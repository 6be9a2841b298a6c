// SPDX-License-Identifier: Apache-2.0
//! One file per step of the order that is more than a call: facts in, proof or denial out.

mod clear;
mod identify;
mod respond_to;
mod route;
mod validate;
mod websocket;

pub(crate) use clear::clear;
pub use clear::{Decided, Pending};
pub(crate) use identify::identify;
pub use respond_to::Answer;
pub(crate) use respond_to::judge;
pub(crate) use route::route;
pub(crate) use validate::validate;
