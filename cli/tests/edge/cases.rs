// SPDX-License-Identifier: Apache-2.0
//! The corpus, by rows of the threats table. A case is bytes and what the standards let follow from them.

use crate::case::Case;

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

/// Every case: what other tests start from.
pub(crate) fn all() -> Vec<Case> {
    [
        chunks::all(),
        framing::all(),
        hostile::all(),
        identity::all(),
        lines::all(),
        paths::all(),
        reuse::all(),
        routes::all(),
        sizes::all(),
        targets::all(),
    ]
    .concat()
}
