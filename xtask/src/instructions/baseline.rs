// SPDX-License-Identifier: Apache-2.0
//! The committed numbers and the tolerance: `bench/instructions.toml`.

use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

const HEAD: &str = "\
# Instructions of the proxy's thread for one request, under callgrind: `cargo xtask instructions [--release]`.
# `cargo xtask test` fails where `test` is over by more than the tolerance. `--update` writes this file.
";

/// `PROFILE.SCENARIO` and its instructions.
#[derive(Debug)]
pub(crate) struct Baseline {
    tolerance_percent: f64,
    counts: BTreeMap<String, f64>,
}

/// A count beside the committed one.
#[derive(Debug, PartialEq)]
pub(crate) enum Judgement {
    /// Nothing is committed for it.
    New,
    /// Within the tolerance.
    Within { percent: f64 },
    /// Less than it was: worth committing, so that it stays.
    Under { percent: f64 },
    /// More than is allowed.
    Over { percent: f64 },
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => write!(f, "no number committed"),
            Self::Within { percent } => write!(f, "{percent:+.1} %, within the tolerance"),
            Self::Under { percent } => write!(f, "{percent:+.1} %: keep it with `cargo xtask instructions --update`"),
            Self::Over { percent } => write!(f, "{percent:+.1} %: OVER"),
        }
    }
}

impl Baseline {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::parse(&std::fs::read_to_string(path).with_context(|| path.display().to_string())?)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut counts = BTreeMap::new();
        let mut tolerance_percent = None;
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let (name, value) = line.split_once('=').with_context(|| format!("instructions.toml: `{line}`"))?;
            let value: f64 =
                value.trim().replace('_', "").parse().with_context(|| format!("instructions.toml: `{line}`"))?;
            if name.trim() == "tolerance_percent" {
                tolerance_percent = Some(value);
            } else {
                counts.insert(name.trim().to_owned(), value);
            }
        }
        let tolerance_percent = tolerance_percent.context("instructions.toml: no `tolerance_percent`")?;
        Ok(Self { tolerance_percent, counts })
    }

    pub(crate) fn judge(&self, key: &str, count: f64) -> Judgement {
        let Some(committed) = self.counts.get(key) else { return Judgement::New };
        let percent = (count / committed - 1.0) * 100.0;
        if percent > self.tolerance_percent {
            Judgement::Over { percent }
        } else if percent < -self.tolerance_percent {
            Judgement::Under { percent }
        } else {
            Judgement::Within { percent }
        }
    }

    pub(crate) fn set(&mut self, key: String, count: f64) {
        self.counts.insert(key, count);
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        Ok(std::fs::write(path, self.text())?)
    }

    fn text(&self) -> String {
        let counts: Vec<String> = self.counts.iter().map(|(key, count)| format!("{key} = {count:.0}\n")).collect();
        format!("{HEAD}tolerance_percent = {}\n{}", self.tolerance_percent, counts.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::{Baseline, Judgement};

    #[test]
    fn over_is_over_and_the_file_reads_back() {
        let mut baseline = Baseline::parse("# x\ntolerance_percent = 5\ntest.plain = 1_000\n").unwrap();
        assert!(matches!(baseline.judge("test.plain", 1051.0), Judgement::Over { .. }));
        assert!(matches!(baseline.judge("test.plain", 1049.0), Judgement::Within { .. }));
        assert!(matches!(baseline.judge("test.plain", 900.0), Judgement::Under { .. }));
        assert_eq!(baseline.judge("test.all", 1.0), Judgement::New);
        baseline.set("test.all".to_owned(), 7.4);
        assert_eq!(
            Baseline::parse(&baseline.text()).unwrap().judge("test.all", 7.0),
            Judgement::Within { percent: 0.0 }
        );
    }

    #[test]
    fn a_file_without_a_tolerance_guards_nothing_and_is_refused() {
        assert!(Baseline::parse("test.plain = 1\n").is_err());
    }
}
