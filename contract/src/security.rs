// SPDX-License-Identifier: Apache-2.0
//! `security`: alternatives are OR, members AND; only the scopes matter, not the scheme's type or name.

use std::sync::Arc;

/// What the document says about security for an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Declared {
    /// Nothing, neither here nor at the root: authentication is required, no scope.
    #[default]
    Nothing,
    /// `[]` or an alternative `{}`: authentication is still required; only the operator can make it public.
    Empty,
    /// At least one scheme in every alternative.
    Some,
}

/// One scheme of an alternative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeNeed {
    /// Its name in `components.securitySchemes`.
    pub scheme: Arc<str>,
    /// The scopes it asks for.
    pub scopes: Vec<Arc<str>>,
}

/// The `security` that holds for an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// How it was said.
    pub declared: Declared,
    /// Any alternative suffices; all members of one are needed. An alternative without members asks for no scope.
    pub alternatives: Vec<Vec<SchemeNeed>>,
}
