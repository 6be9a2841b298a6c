// SPDX-License-Identifier: Apache-2.0
//! The authorization stages over a small orders API, with an origin that checks nothing.

#[cfg(test)]
mod composed;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod function;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod load_time;
#[cfg(test)]
mod lookups;
#[cfg(test)]
mod objects;
#[cfg(test)]
mod observed;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod random;
#[cfg(test)]
mod unjudged;
