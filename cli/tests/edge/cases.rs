// SPDX-License-Identifier: Apache-2.0
//! The corpus, by rows of the threats table. A case is bytes and what the standards let follow from them.

mod chunks;
mod framing;
mod hostile;
mod identity;
mod lines;
mod paths;
mod reuse;
mod routes;
mod sizes;
mod targets;
