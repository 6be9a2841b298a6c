// SPDX-License-Identifier: Apache-2.0
//! Property rules, by the component schemas they apply to.

use super::Compiler;
use crate::declared::PropertyDeclaration;
use crate::model::{PropertyRule, PropertyTable};
use crate::word::Rule;
use portcullis_contract::Shapes;
use std::collections::HashMap;
use std::sync::Arc;

impl Compiler<'_> {
    /// The rules of every schema. A rule that matches nothing is an error.
    pub(super) fn properties(&mut self) -> HashMap<Arc<str>, PropertyTable> {
        let mut tables: HashMap<Arc<str>, PropertyTable> = HashMap::new();
        for declaration in &self.declared.properties {
            let schemas = match self.kind_named(&declaration.schema).and_then(|index| self.kind(index)) {
                Some(kind) => kind.schemas.clone(),
                None => vec![Arc::clone(&declaration.schema)],
            };
            if let Some(message) = self.nothing_matched(declaration, &schemas) {
                let at =
                    format!("apis.{}.properties.{}.{}", self.declared.api, declaration.schema, declaration.property);
                self.refuse(None, Some(declaration.place.clone()), at, message);
            }
            let rule = Arc::new(rule(declaration));
            for schema in schemas {
                let table = tables.entry(schema).or_default();
                table.entry(Arc::clone(&declaration.property)).or_default().push(Arc::clone(&rule));
            }
        }
        tables
    }

    fn nothing_matched(&self, declaration: &PropertyDeclaration, schemas: &[Arc<str>]) -> Option<String> {
        let shapes = self.contract.shapes();
        if let Some(kind) = self.kind_named(&declaration.schema) {
            let places = self.places.iter().filter(|spot| spot.kind == kind);
            if places.into_iter().any(|spot| declares_property(shapes, &spot.set, &declaration.property)) {
                return None;
            }
        }
        let mut is_known = false;
        for operation in &self.contract.operations {
            let bodies = operation.body.iter().flat_map(|body| &body.media);
            let answers = operation.responses.iter().flat_map(|response| &response.media);
            for shape in bodies.chain(answers).filter_map(|media| media.shape) {
                for pattern in shapes.occurrences(shape, schemas) {
                    is_known = true;
                    if declares_property(shapes, &super::spot::set_at(shapes, shape, &pattern), &declaration.property) {
                        return None;
                    }
                }
            }
        }
        Some(if is_known {
            format!("no schema of `{}` declares a property `{}`", declaration.schema, declaration.property)
        } else {
            format!("`{}` is neither an object nor a schema that an operation shows or takes", declaration.schema)
        })
    }
}

fn declares_property(shapes: &Shapes, set: &portcullis_contract::ShapeSet, name: &str) -> bool {
    shapes.declared_names(set).any(|known| **known == *name)
}

fn rule(declaration: &PropertyDeclaration) -> PropertyRule {
    let name = &declaration.property;
    let written = |label: &str, words: &Option<Vec<crate::word::Word>>| {
        words.as_ref().map(|words| Rule::written(&format!("{name} {label}"), words, &declaration.place))
    };
    PropertyRule { read: written("read", &declaration.read), write: written("write", &declaration.write) }
}
