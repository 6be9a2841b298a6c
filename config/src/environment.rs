// SPDX-License-Identifier: Apache-2.0
//! What the configuration may ask of the process: variables and the time of day. Passed in, so that a test decides.

use std::fmt;
use std::sync::Arc;

use portcullis_decision::Clock;

use crate::sink::Sink;
use crate::tree::{Node, ScalarKind, Value, plain_kind};
use crate::values::variable_name;

/// The surroundings of a load.
pub struct Environment<'a> {
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Tells which waivers are over.
    pub clock: &'a dyn Clock,
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

/// Replaces every scalar that is `${NAME}` as a whole; any other `${` is refused, for there is no templating.
pub(crate) fn substitute(node: &mut Node, environment: &Environment<'_>, sink: &Sink) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| substitute(item, environment, sink)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| substitute(&mut entry.value, environment, sink)),
        Value::Scalar { text, kind } => {
            if !text.contains("${") {
                return;
            }
            let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            let Some(name) = whole.and_then(|name| variable_name(name).ok()).map(Arc::<str>::from) else {
                sink.refuse(node.spot, "", "`${NAME}` stands for a whole value or not at all".to_owned())
                    .help("put the whole value into the variable; there is no templating");
                absent(node, "…".into());
                return;
            };
            let value = (environment.variable)(&name);
            match value {
                Some(value) if !value.trim().is_empty() => {
                    // As if it stood there unquoted, so that `${PORT}` can be a number.
                    *kind = match plain_kind(&value) {
                        ScalarKind::Null => ScalarKind::Text,
                        kind => kind,
                    };
                    sink.hide(&value, &name);
                    *text = value;
                    node.variable = Some(name);
                }
                value => {
                    let fault = if value.is_some() { "is blank" } else { "is not set" };
                    sink.refuse(node.spot, "", format!("the environment variable `{name}` {fault}"))
                        .help(format!("set `{name}` before starting"));
                    absent(node, name);
                }
            }
        }
    }
}

/// A value that could not be had: no second finding is made of it.
fn absent(node: &mut Node, variable: Arc<str>) {
    node.value = Value::Scalar { text: String::new(), kind: ScalarKind::Null };
    node.variable = Some(variable);
}
