// SPDX-License-Identifier: Apache-2.0
//! What callgrind wrote: instructions by function, one file a thread.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Instructions of one function: its own, and with everything it called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) own: u64,
    pub(crate) with_callees: u64,
}

/// One thread of the process.
#[derive(Debug, Default)]
pub(crate) struct Thread {
    pub(crate) functions: BTreeMap<String, Cost>,
}

impl Thread {
    pub(crate) fn total(&self) -> u64 {
        self.functions.values().map(|c| c.own).sum()
    }

    /// Whether it ever ran a function of this crate.
    pub(crate) fn ran(&self, name: &str) -> bool {
        self.functions.keys().any(|f| f.contains(name))
    }

    fn add(&mut self, other: Self) {
        for (name, cost) in other.functions {
            let mine = self.functions.entry(name).or_default();
            mine.own += cost.own;
            mine.with_callees += cost.with_callees;
        }
    }
}

/// The threads of a run that do something for requests.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    /// Those that carry traffic.
    pub(crate) proxy: Thread,
    /// Every other but the first, which starts the process: the audit trail's.
    pub(crate) others: Thread,
}

/// Reads the files of one run: `STEM-01`, `STEM-02`, …; `-01` is the thread that started the process.
pub(crate) fn read(stem: &Path) -> Result<Threads> {
    let mut threads = Threads::default();
    for number in 2.. {
        let path = PathBuf::from(format!("{}-{number:02}", stem.display()));
        if !path.is_file() {
            break;
        }
        let thread = parse(&std::fs::read_to_string(&path).with_context(|| path.display().to_string())?);
        if thread.ran("portcullis_proxy") {
            threads.proxy.add(thread);
        } else {
            threads.others.add(thread);
        }
    }
    Ok(threads)
}

/// The callgrind format without compressed names: `fn=`, cost lines, and `calls=` whose next line is what the callee cost.
fn parse(text: &str) -> Thread {
    let mut thread = Thread::default();
    let (mut function, mut of_a_call) = (String::new(), false);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("fn=") {
            function = plain(name);
        } else if line.starts_with("calls=") {
            of_a_call = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            // Line number, instructions.
            let count = line.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
            let cost = thread.functions.entry(function.clone()).or_default();
            if !of_a_call {
                cost.own += count;
            }
            cost.with_callees += count;
            of_a_call = false;
        }
    }
    thread
}

/// A name without its hash, and without what valgrind adds for recursion.
fn plain(name: &str) -> String {
    let name = name.split('\'').next().unwrap_or(name);
    match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => rest.to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cost, parse, plain};

    #[test]
    fn costs_of_callees_are_not_a_functions_own() {
        let thread =
            parse("fl=a.rs\nfn=a::b::h0123456789abcdef\n12 5\ncfn=c\ncalls=2 40\n13 100\n14 7\nfn=c\n40 100\n");
        assert_eq!(thread.functions.get("a::b"), Some(&Cost { own: 12, with_callees: 112 }));
        assert_eq!(thread.total(), 112);
        assert!(thread.ran("a::") && !thread.ran("d"));
    }

    #[test]
    fn names_lose_hash_and_recursion_only() {
        assert_eq!(plain("x::y::h0123456789abcdef'2"), "x::y");
        assert_eq!(plain("x::header"), "x::header");
    }
}
