// SPDX-License-Identifier: Apache-2.0
//! The authorization stages over a small orders API, with an origin that checks nothing.

mod fixture;
mod function;
mod golden;
mod guard;
mod load_time;
mod lookups;
mod objects;
mod properties;
mod random;
