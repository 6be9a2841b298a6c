// SPDX-License-Identifier: Apache-2.0
//! `portcullis audit verify DIR --key FILE.pub`: needs only the directory and the public key.

use crate::arguments::{Format, VerifyOptions};
use crate::outcome::{Exit, Failure};
use portcullis_audit::{Report, VerifyingKey, verify_against};
use serde_json::json;
use std::process::ExitCode;

pub(crate) fn verify(options: &VerifyOptions, format: Format) -> Result<ExitCode, Failure> {
    let key = VerifyingKey::load(&options.key).map_err(|e| {
        Failure::new(Exit::Usage, e).help("the public key is the FILE.pub beside the signing key of `keys audit`")
    })?;
    if !options.directory.is_dir() {
        return Err(Failure::new(Exit::Usage, format!("{} is not a directory", options.directory.display()))
            .help("name the trail's directory: `audit.directory` of the configuration, or DATA/audit"));
    }
    match verify_against(&options.directory, &key, options.anchor.as_deref()) {
        Ok(report) => {
            tell(&report, format);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            if format == Format::Json {
                println!(
                    "{}",
                    json!({"schema": "portcullis/audit-verify/v1", "ok": false, "error": error.to_string()})
                );
            }
            Err(Failure::new(Exit::Audit, format!("the trail is broken: {error}"))
                .help("keep a copy of the directory as evidence before anything else is done with it"))
        }
    }
}

fn tell(report: &Report, format: Format) {
    match format {
        Format::Human => {
            println!("ok       {} records of `{}`", report.records, report.origin);
            println!("sealed   {} under the signed checkpoint", report.signed);
            println!("newer    {} records than the checkpoint", report.newer);
            if let Some(torn) = &report.torn_tail {
                println!("torn     {} bytes at {} of {}", torn.bytes, torn.offset, torn.file.display());
            }
            if let Some(anchor) = report.anchor {
                println!("anchor   the first {anchor} records are the anchor's");
            }
        }
        Format::Json => println!(
            "{}",
            json!({
                "schema": "portcullis/audit-verify/v1", "ok": true, "origin": report.origin,
                "records": report.records, "sealed": report.signed, "newer": report.newer, "anchor": report.anchor,
                "torn_tail": report.torn_tail.as_ref().map(|t| json!({
                    "file": t.file.display().to_string(), "offset": t.offset, "bytes": t.bytes,
                })),
            })
        ),
    }
}
