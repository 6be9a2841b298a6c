// SPDX-License-Identifier: Apache-2.0
//! How the process fares, in numbers, as the text of `OpenMetrics` 1.0.

use std::fmt;
use std::fmt::Write as _;

/// One number, or one fact with a name.
pub struct Metric {
    name: &'static str,
    help: &'static str,
    read: Reading,
}

enum Reading {
    Counter(Box<dyn Fn() -> u64 + Send + Sync>),
    Gauge(Box<dyn Fn() -> u64 + Send + Sync>),
    Info(&'static str, Box<dyn Fn() -> String + Send + Sync>),
}

impl Metric {
    /// A number that only grows; `name` without `_total`. `read` must not block.
    pub fn counter(name: &'static str, help: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { name, help, read: Reading::Counter(Box::new(read)) }
    }

    /// A number that goes up and down.
    pub fn gauge(name: &'static str, help: &'static str, read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { name, help, read: Reading::Gauge(Box::new(read)) }
    }

    /// A text under `label`; `name` without `_info`.
    pub fn info(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> String + Send + Sync + 'static,
    ) -> Self {
        Self { name, help, read: Reading::Info(label, Box::new(read)) }
    }
}

impl fmt::Debug for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The exposition as text.
pub(crate) fn render(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for Metric { name, help, read } in metrics {
        // Writing to a string cannot fail.
        let _ = match read {
            Reading::Counter(read) => {
                writeln!(text, "# TYPE {name} counter\n# HELP {name} {help}\n{name}_total {}", read())
            }
            Reading::Gauge(read) => writeln!(text, "# TYPE {name} gauge\n# HELP {name} {help}\n{name} {}", read()),
            Reading::Info(label, read) => {
                let value = read().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                writeln!(text, "# TYPE {name} info\n# HELP {name} {help}\n{name}_info{{{label}=\"{value}\"}} 1")
            }
        };
    }
    text.push_str("# EOF\n");
    text
}
