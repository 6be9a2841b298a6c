// SPDX-License-Identifier: Apache-2.0
//! Bodies that cannot be judged: JSON Patch, forms and other media types that carry an object.

use super::Compiler;
use super::finding::UNENFORCEABLE;
use super::operation::Touched;
use crate::model::{Carrier, KindSet, PropertyTable};
use portcullis_contract::{Media, Operation};
use std::collections::HashMap;
use std::sync::Arc;

/// A list of changes: its members name properties by pointers, which are not walked (RFC 6902).
const JSON_PATCH: &str = "application/json-patch+json";

impl Compiler<'_> {
    /// Whether every declared media type of the body can be judged under the rules that apply to it.
    pub(super) fn bodies_can_be_judged(
        &mut self,
        operation: &Operation,
        touched: &Touched,
        implied: &KindSet,
        properties: &HashMap<Arc<str>, PropertyTable>,
    ) -> bool {
        let Some(body) = &operation.body else { return true };
        let carries_ids = touched.ids.iter().any(|(_, at)| matches!(at, Carrier::Body(_)));
        let represents = !touched.body.is_empty() || !implied.is_empty();
        let mut faults = Vec::new();
        for media in &body.media {
            let ruled = represents || carries_ids || self.has_ruled_schema(media, properties);
            if !ruled {
                continue;
            }
            let why = if *media.media_type == *JSON_PATCH {
                "a JSON Patch names properties by pointers, which are not judged"
            } else if !media.is_json {
                "only JSON can be judged"
            } else if media.shape.is_none() {
                "it has no schema"
            } else {
                continue;
            };
            faults.push(format!("`{}` takes `{}` for an object with rules: {why}", operation.id, media.media_type));
        }
        let fine = faults.is_empty();
        for message in faults {
            let help = "take the media type out of the document, or describe the body as JSON";
            self.leave_out(UNENFORCEABLE, operation, message, help);
        }
        fine
    }

    fn has_ruled_schema(&self, media: &Media, properties: &HashMap<Arc<str>, PropertyTable>) -> bool {
        let names: Vec<Arc<str>> = properties.keys().cloned().collect();
        let shapes = self.contract.shapes();
        !names.is_empty() && media.shape.is_some_and(|shape| !shapes.occurrences(shape, &names).is_empty())
    }
}
