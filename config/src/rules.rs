// SPDX-License-Identifier: Apache-2.0
//! The rules behind findings: their numbers are a public, versioned contract.

mod pages;

use std::fmt;

pub use pages::ALL;

/// Whether a waiver can silence a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waivable {
    /// No: what it refuses cannot be decided safely.
    Never,
    /// Only where it is a finding; where it refuses, it must be corrected.
    Finding,
    /// Also where it refuses: the configuration then starts.
    Always,
}

/// From which assurance level a rule counts (ASVS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Always.
    L1,
    /// `--level l2` and above.
    L2,
    /// `--level l3`.
    L3,
}

/// One rule and its page.
#[derive(Debug)]
pub struct Rule {
    /// `PC0201`
    pub number: &'static str,
    /// One line.
    pub title: &'static str,
    /// From which level it counts.
    pub level: Level,
    /// Whether it can be waived.
    pub waivable: Waivable,
    /// OWASP API Security Top 10 (2023).
    pub owasp: &'static str,
    /// ASVS 5.0 requirements.
    pub asvs: &'static [&'static str],
    /// CWE numbers.
    pub cwe: &'static [u16],
    /// What it means.
    pub means: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// How to correct it.
    pub fix: &'static str,
}

/// The rule of this number.
pub fn find(number: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.number == number)
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}\n", self.number, self.title)?;
        writeln!(
            f,
            "What it means\n  {}\n\nWhy it matters\n  {}\n\nHow to fix it\n  {}\n",
            self.means, self.why, self.fix
        )?;
        let cwe: Vec<String> = self.cwe.iter().map(|number| format!("CWE-{number}")).collect();
        writeln!(f, "OWASP {}   ASVS 5.0 {}   {}", self.owasp, self.asvs.join(", "), cwe.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_whole_page_and_a_number_of_its_own() {
        let mut numbers: Vec<&str> = ALL.iter().map(|rule| rule.number).collect();
        assert!(numbers.is_sorted());
        numbers.dedup();
        assert_eq!(numbers.len(), ALL.len());
        for rule in ALL {
            assert!(rule.owasp.starts_with("API") && !rule.asvs.is_empty() && !rule.cwe.is_empty(), "{}", rule.number);
            for text in [rule.means, rule.why, rule.fix] {
                assert!(text.len() > 40 && text.ends_with('.'), "{}: {text}", rule.number);
            }
        }
    }
}
