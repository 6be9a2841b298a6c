// SPDX-License-Identifier: Apache-2.0
//! Who is asked whether the gateway should get traffic.

use serde_json::{Value, json};
use std::borrow::Cow;
use std::fmt;

/// What a source answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Nothing stands in the way.
    Yes,
    /// Traffic should go elsewhere; why, in a few words without any secret or client data.
    No(Cow<'static, str>),
}

/// One part of the gateway that may not be ready: the trail, the signing keys, the drain.
pub struct Source {
    name: &'static str,
    ask: Box<dyn Fn() -> Ready + Send + Sync>,
}

impl Source {
    /// A source; `ask` must not block.
    pub fn new(name: &'static str, ask: impl Fn() -> Ready + Send + Sync + 'static) -> Self {
        Self { name, ask: Box::new(ask) }
    }

    /// What the source answers now.
    pub fn ready(&self) -> Ready {
        (self.ask)()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Every source that is not ready, as JSON; empty when all are.
pub(crate) fn reasons(sources: &[Source]) -> Vec<Value> {
    sources
        .iter()
        .filter_map(|source| match source.ready() {
            Ready::Yes => None,
            Ready::No(reason) => Some(json!({ "source": source.name, "reason": reason })),
        })
        .collect()
}
