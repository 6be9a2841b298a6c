// SPDX-License-Identifier: Apache-2.0
//! `portcullis reason CODE` and `portcullis rule ID`: the pages of the public codes.

use crate::arguments::{Format, ReasonOptions, RuleOptions};
use crate::outcome::{Exit, Failure};
use portcullis_config::rules;
use portcullis_decision::Reason;
use serde_json::json;
use std::process::ExitCode;

/// One section per reason, `## code`.
const PAGES: &str = include_str!("../../docs/reasons.md");

pub(crate) fn run(options: &ReasonOptions, format: Format) -> Result<ExitCode, Failure> {
    let Some(code) = &options.code else {
        match format {
            Format::Human => {
                for reason in Reason::ALL {
                    let status = reason.status().map_or("none".to_owned(), |s| s.as_u16().to_string());
                    println!("{status:>4}  {reason}");
                }
            }
            Format::Json => {
                let all: Vec<_> = Reason::ALL
                    .iter()
                    .map(|r| json!({"code": r.code(), "status": r.status().map(|s| s.as_u16())}))
                    .collect();
                println!("{}", json!({"schema": "portcullis/reason/v1", "reasons": all}));
            }
        }
        return Ok(ExitCode::SUCCESS);
    };
    let reason = Reason::parse(code).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("no reason is called `{code}`")).help("`portcullis reason` lists all of them")
    })?;
    let page = page(reason).unwrap_or("this reason has no page");
    match format {
        Format::Human => println!("{page}"),
        Format::Json => println!(
            "{}",
            json!({
                "schema": "portcullis/reason/v1", "code": reason.code(),
                "status": reason.status().map(|s| s.as_u16()), "page": page,
            })
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// The text of a reason's page, without its heading's marks.
fn page(reason: Reason) -> Option<&'static str> {
    PAGES
        .split("\n## ")
        .skip(1)
        .find(|section| section.lines().next().is_some_and(|l| l.trim() == reason.code()))
        .map(str::trim)
}

pub(crate) fn rule(options: &RuleOptions, format: Format) -> Result<ExitCode, Failure> {
    let Some(id) = &options.rule else {
        for rule in rules::ALL {
            println!("{}  {}", rule.number, rule.title);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let rule = rules::find(id).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("no rule is called `{id}`")).help("`portcullis rule` lists all of them")
    })?;
    match format {
        Format::Human => print!("{rule}"),
        Format::Json => {
            println!(
                "{}",
                json!({"schema": "portcullis/rule/v1", "id": rule.number, "title": rule.title, "page": rule.to_string()})
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_page_that_says_what_to_do() {
        for reason in Reason::ALL {
            let text = page(*reason).unwrap_or_else(|| panic!("docs/reasons.md has no section `{reason}`"));
            for part in ["Means", "The client sees", "Likely causes", "Fix"] {
                assert!(text.contains(part), "{reason}: `{part}` is missing");
            }
        }
    }
}
