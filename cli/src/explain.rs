// SPDX-License-Identifier: Apache-2.0
//! `portcullis explain ID`: one decision, from the trail alone.

use crate::arguments::{CONFIG_DEFAULT, ExplainOptions, Format};
use crate::outcome::{Exit, Failure};
use crate::report;
use portcullis_audit::VerifyingKey;
use portcullis_audit::query::{self, Found, Proof, StoredRecord};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) fn run(options: &ExplainOptions, format: Format) -> Result<ExitCode, Failure> {
    let (directory, key) = places(options)?;
    let key = key.and_then(|path| VerifyingKey::load(&path).ok());
    let found = query::find(&directory, &options.id, key.as_ref()).map_err(|e| {
        Failure::new(Exit::Audit, e).help(format!("portcullis audit verify {} --key FILE.pub", directory.display()))
    })?;
    let record = match found {
        Found::One(record) => record,
        Found::None => {
            return Err(Failure::new(Exit::Usage, format!("no record of `{}` in {}", options.id, directory.display()))
                .help("take the id from the `Request-Id` of the answer, or name another trail with --audit DIR"));
        }
        Found::Many => {
            return Err(Failure::new(Exit::Usage, format!("`{}` is the beginning of several ids", options.id))
                .help("type more of it; the whole id has 26 characters"));
        }
    };
    let entry: Value = serde_json::from_str(&record.json)
        .map_err(|e| Failure::new(Exit::Audit, format!("record {} cannot be read: {e}", record.index)))?;
    match format {
        Format::Human => print!("{}", human(&entry, &record)),
        Format::Json => println!("{}", machine(&entry, &record)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The trail's directory and its public key, where the configuration names them.
fn places(options: &ExplainOptions) -> Result<(PathBuf, Option<PathBuf>), Failure> {
    if let Some(directory) = &options.audit {
        return Ok((directory.clone(), None));
    }
    let path = options.config.clone().unwrap_or_else(|| PathBuf::from(CONFIG_DEFAULT));
    let loaded = report::load(&path)?;
    let public = public_key(loaded.audit.key.path());
    Ok((loaded.audit.directory, Some(public)))
}

/// `FILE.pub` beside a signing key.
pub(crate) fn public_key(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn machine(entry: &Value, record: &StoredRecord) -> Value {
    let stages: Vec<Value> = entry["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|stage| {
            json!({
                "stage": stage["stage"], "verdict": verdict(stage), "reason": stage["reason"],
                "facts": stage.get("facts").unwrap_or(&json!({})), "micros": stage["micros"].as_u64().unwrap_or(0),
            })
        })
        .collect();
    json!({
        "schema": "portcullis/explain/v1",
        "id": entry["request"], "decision": entry["decision"], "status": entry["status"], "reason": entry["reason"],
        "who": entry["who"], "operation": entry["operation"], "object": entry["object"], "stages": stages,
        "alerts": entry.get("alerts").unwrap_or(&json!([])), "upstream": entry["upstream"],
        "replayed": entry["replayed"] == true, "at": at(entry), "node": entry["node"], "revision": entry["revision"], "address": entry["address"],
        "method": entry["method"], "template": entry["template"], "trace": entry["trace"],
        "record": { "index": record.index, "leaf": hex(&record.leaf), "sealed": sealed(record) },
    })
}

/// A stage that does not say otherwise allowed the request.
fn verdict(stage: &Value) -> &str {
    stage["verdict"].as_str().unwrap_or("allow")
}

/// When the request ended, for people.
fn at(entry: &Value) -> String {
    entry["unix_ms"].as_u64().map_or_else(|| "-".to_owned(), portcullis_audit::rfc3339)
}

/// Under a checkpoint that does not fail to verify.
fn sealed(record: &StoredRecord) -> bool {
    record.sealed.as_ref().is_some_and(|seal| seal.proof != Proof::Failed)
}

fn human(entry: &Value, record: &StoredRecord) -> String {
    let mut out = String::new();
    headline(&mut out, entry);
    who(&mut out, entry);
    what(&mut out, entry);
    for (number, stage) in (1..).zip(entry["stages"].as_array().into_iter().flatten()) {
        stage_line(&mut out, number, stage);
    }
    upstream(&mut out, entry);
    for alert in entry["alerts"].as_array().into_iter().flatten() {
        let _ = writeln!(
            out,
            "  alert       {} at {}   {}",
            text(&alert["reason"]),
            text(&alert["stage"]),
            facts(&alert["facts"])
        );
    }
    let _ = write!(
        out,
        "  record  #{}  leaf {}…  ",
        record.index,
        hex(&record.leaf).get(..8).unwrap_or_default().to_owned()
    );
    let _ = match &record.sealed {
        Some(seal) => write!(out, "in checkpoint {} signed by {}{}", seal.size, seal.origin, verified(seal.proof)),
        None => write!(out, "not yet under a checkpoint"),
    };
    let _ = writeln!(out, "     trace {}", text(&entry["trace"]));
    out
}

fn verified(proof: Proof) -> &'static str {
    match proof {
        Proof::Verified => " (verified)",
        Proof::Failed => " (DOES NOT VERIFY: run `portcullis audit verify`)",
        Proof::NotChecked => " (no key given, not checked)",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn headline(out: &mut String, entry: &Value) {
    let decision = match entry["decision"].as_str() {
        Some("allow") => "ALLOWED",
        Some("deny") => "DENIED",
        _ => "ABORTED",
    };
    let reason = match entry["reason"].as_str() {
        Some(reason) => format!(" (true reason: {reason})"),
        None if entry["replayed"] == true => " (replayed: the upstream was not called again)".to_owned(),
        None => String::new(),
    };
    let status = entry["status"].as_u64().unwrap_or(0);
    let seen = if status == 0 { "nothing to the client".to_owned() } else { format!("{status} to the client") };
    let _ = writeln!(
        out,
        "{decision}  {seen}{reason}     {}   node {}   revision {}",
        at(entry),
        text(&entry["node"]),
        text(&entry["revision"])
    );
}

fn who(out: &mut String, entry: &Value) {
    let who = &entry["who"];
    let _ = write!(out, "  who     ");
    if let Some(subject) = who["subject"].as_str() {
        let _ = write!(out, "subject {subject}  ");
        for (label, key) in [("client", "client"), ("plan", "plan"), ("issuer", "issuer"), ("tenant", "tenant")] {
            if let Some(value) = who[key].as_str() {
                let _ = write!(out, "{label} {value}  ");
            }
        }
        if let Some(age) = who["token_age_s"].as_u64() {
            let _ = write!(out, "token age {}m{:02}s  ", age / 60, age % 60);
        }
    } else {
        let _ = write!(out, "{}  ", who["kind"].as_str().unwrap_or("not known"));
    }
    let _ = writeln!(out, "address {}", text(&entry["address"]));
}

fn what(out: &mut String, entry: &Value) {
    let _ = write!(out, "  what    ");
    match entry["operation"].as_str() {
        Some(operation) => {
            let _ = write!(out, "{operation}  {} {}", text(&entry["method"]), text(&entry["template"]));
        }
        None => {
            let _ = write!(out, "{} to no declared operation", text(&entry["method"]));
        }
    }
    let object = &entry["object"];
    if let Some(kind) = object["type"].as_str() {
        let _ = write!(out, "   {kind} {}", object["id"].as_str().unwrap_or(""));
        if let Some(owner) = object["owner"].as_str() {
            let _ = write!(out, "  owner {owner}");
        }
    }
    out.push('\n');
}

fn stage_line(out: &mut String, number: u32, stage: &Value) {
    let verdict = if verdict(stage) == "allow" { "allow" } else { "DENY " };
    let micros = stage["micros"].as_u64().unwrap_or(0);
    let mut said = facts(&stage["facts"]);
    if let Some(reason) = stage["reason"].as_str() {
        said = format!("{reason}   {said}");
    }
    let _ = writeln!(
        out,
        "  {number:<2} {:<11} {verdict}   {said:<60} {:>6}.{:02} ms",
        text(&stage["stage"]),
        micros / 1000,
        micros % 1000 / 10
    );
}

fn upstream(out: &mut String, entry: &Value) {
    let upstream = &entry["upstream"];
    let Some(name) = upstream["name"].as_str() else {
        out.push_str("  upstream       not called\n");
        return;
    };
    let _ = write!(out, "  upstream       {name}");
    if let Some(status) = upstream["status"].as_u64() {
        let _ = write!(out, " answered {status}");
    }
    if let Some(micros) = upstream["micros"].as_u64() {
        let _ = write!(out, " in {}.{:02} ms", micros / 1000, micros % 1000 / 10);
    }
    out.push('\n');
}

fn facts(facts: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (name, value) in facts.as_object().into_iter().flatten() {
        parts.push(match value.as_str() {
            Some(text) => format!("{name} {text}"),
            None => format!("{name} {value}"),
        });
    }
    parts.join("   ")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
