// SPDX-License-Identifier: Apache-2.0
//! `portcullis check`: parse, build and audit everything offline.

use crate::arguments::{AssuranceLevel, CONFIG_DEFAULT, CheckOptions, FailOn, Format};
use crate::outcome::{Exit, Failure};
use crate::{report, wire_up};
use portcullis_authorize::Described;
use portcullis_config::rules::{self, Level};
use portcullis_config::{Sources, render_all};
use portcullis_contract::{LoadOptions, Source};
use portcullis_decision::finding::{Finding, Severity};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(options: &CheckOptions, format: Format) -> Result<ExitCode, Failure> {
    let mut checked = match &options.openapi {
        Some(document) => check_document(document)?,
        None => check_configuration(options.config.as_deref().unwrap_or(Path::new(CONFIG_DEFAULT))),
    };
    checked.findings.retain(|finding| counts(finding, options.level));
    match format {
        Format::Human => print!("{}", human(&checked)),
        Format::Json => println!("{}", machine(&checked)),
    }
    let worst = checked.findings.iter().map(|f| f.severity).max();
    Ok(match worst {
        Some(Severity::Refuse) => Exit::Configuration.into(),
        Some(severity) if severity >= threshold(options.fail_on) => Exit::Findings.into(),
        _ => ExitCode::SUCCESS,
    })
}

/// What a check found.
struct Checked {
    findings: Vec<Finding>,
    sources: Sources,
    /// API name and what was decided for each of its operations.
    described: Vec<(String, Vec<Described>)>,
    /// Operations of a document that was checked alone.
    operations: usize,
}

fn check_configuration(path: &Path) -> Checked {
    let loaded = match report::read(path) {
        Ok(loaded) => loaded,
        Err(refused) => {
            let (findings, sources) = (refused.findings, refused.sources);
            return Checked { findings, sources, described: Vec::new(), operations: 0 };
        }
    };
    let (compiled, found) = wire_up::compile(&loaded);
    let findings = loaded.settle(found);
    let described = loaded
        .apis
        .iter()
        .zip(&compiled)
        .map(|(api, compiled)| (api.name.to_string(), compiled.authorizer.describe()))
        .collect();
    let operations = loaded.apis.iter().map(|api| api.contract.operations.len()).sum();
    Checked { findings, sources: loaded.sources, described, operations }
}

fn check_document(path: &Path) -> Result<Checked, Failure> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Failure::new(Exit::Configuration, format!("`{}`: {e}", path.display()))
            .help("name an OpenAPI 3.0 or 3.1 document")
    })?;
    let name: std::sync::Arc<str> = path.display().to_string().into();
    let mut sources = Sources::default();
    sources.keep(std::sync::Arc::clone(&name), text.as_str().into());
    let directory = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let files = |relative: &str| std::fs::read_to_string(directory.join(relative)).map_err(|e| e.kind().to_string());
    let (findings, operations) = match portcullis_contract::load(Source { name, text }, &LoadOptions::default(), &files)
    {
        Ok(contract) => (contract.findings, contract.operations.len()),
        Err(findings) => (findings, 0),
    };
    Ok(Checked { findings, sources, described: Vec::new(), operations })
}

/// Whether a finding counts at this level. One without a rule always does, and so does what refuses: it would not start.
fn counts(finding: &Finding, asked: AssuranceLevel) -> bool {
    let asked = match asked {
        AssuranceLevel::L1 => Level::L1,
        AssuranceLevel::L2 => Level::L2,
        AssuranceLevel::L3 => Level::L3,
    };
    let level = finding.rule.and_then(rules::find).map_or(Level::L1, |rule| rule.level);
    finding.severity == Severity::Refuse || level <= asked
}

fn threshold(fail_on: FailOn) -> Severity {
    match fail_on {
        FailOn::Info => Severity::Info,
        FailOn::Low => Severity::Low,
        FailOn::Medium => Severity::Medium,
        FailOn::High => Severity::High,
    }
}

fn human(checked: &Checked) -> String {
    let mut text = String::new();
    for (api, operations) in &checked.described {
        let _ = writeln!(text, "api {api}");
        for operation in operations {
            describe(&mut text, operation);
        }
        text.push('\n');
    }
    text.push_str(&render_all(&checked.findings, &checked.sources));
    let _ = writeln!(text, "{} operations checked", checked.operations);
    text
}

fn describe(text: &mut String, operation: &Described) {
    let served = if operation.served { "" } else { "   NOT SERVED" };
    let who = if operation.public { "public".to_owned() } else { scopes(operation) };
    let _ = write!(text, "  {:<24} {:<7} {:<34} {who}", operation.operation, operation.method, operation.template);
    if let Some(allow) = &operation.allow {
        let _ = write!(text, "   allow {allow}");
    }
    let _ = writeln!(text, "{served}");
    for object in &operation.objects {
        let id = object.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
        let interval = if object.interval { "   (no strong ETag between look-up and change)" } else { "" };
        let _ = writeln!(
            text,
            "      {} {}{id}: {}   owner known by {}{interval}",
            object.action, object.object, object.rule, object.known
        );
    }
}

fn scopes(operation: &Described) -> String {
    let alternatives: Vec<String> = operation.scopes.iter().map(|all| all.join("+")).collect();
    match alternatives.join(" or ") {
        none if none.is_empty() => "any token".to_owned(),
        scopes => scopes,
    }
}

fn described(operation: &Described) -> Value {
    let objects: Vec<Value> = operation
        .objects
        .iter()
        .map(|o| {
            json!({
                "object": &*o.object, "id": o.id, "action": o.action.to_string(), "rule": &*o.rule,
                "known_by": o.known.to_string(), "interval": o.interval,
            })
        })
        .collect();
    json!({
        "operation": &*operation.operation, "method": operation.method.as_str(), "template": &*operation.template,
        "served": operation.served, "public": operation.public, "scopes": operation.scopes, "objects": objects,
        "allow": operation.allow.as_deref(),
    })
}

fn machine(checked: &Checked) -> Value {
    let findings: Vec<Value> = checked
        .findings
        .iter()
        .map(|f| {
            json!({
                "rule": f.rule, "severity": f.severity.word(), "at": f.at, "message": f.message, "help": f.help,
                "place": f.place.as_ref().map(|p| json!({"file": &*p.file, "line": p.line, "column": p.column})),
            })
        })
        .collect();
    let apis: Vec<Value> = checked
        .described
        .iter()
        .map(|(api, operations)| {
            let operations: Vec<Value> = operations.iter().map(described).collect();
            json!({"name": api, "operations": operations})
        })
        .collect();
    json!({
        "schema": "portcullis/check/v1", "usable": checked.findings.iter().all(|f| f.severity < Severity::Refuse),
        "operations": checked.operations, "findings": findings, "apis": apis,
    })
}
