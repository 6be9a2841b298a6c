// SPDX-License-Identifier: Apache-2.0
//! `portcullis keys audit`.

use crate::arguments::{AuditKeyOptions, Format};
use crate::outcome::{Exit, Failure};
use portcullis_audit::Signer;
use std::process::ExitCode;

pub(crate) fn audit(options: &AuditKeyOptions, format: Format) -> Result<ExitCode, Failure> {
    let origin = options.origin.clone().unwrap_or_else(host_name);
    let signer = Signer::generate(&origin)
        .map_err(|e| Failure::new(Exit::Usage, e).help("choose a name with --origin, such as `--origin edge-1`"))?;
    let public = signer.save(&options.out).map_err(|e| {
        Failure::new(Exit::Usage, e).help("name a new file in a directory you can write: --out audit.key")
    })?;
    match format {
        Format::Human => {
            println!("signing key   {} (mode 0600, keep it secret)", options.out.display());
            println!("public key    {} (give it to whoever verifies)", public.display());
            println!("log origin    {origin}");
        }
        Format::Json => println!(
            "{}",
            serde_json::json!({
                "schema": "portcullis/keys-audit/v1", "origin": origin,
                "key": options.out.display().to_string(), "public": public.display().to_string(),
                "vkey": signer.verifying_key().to_string(),
            })
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// The machine's name, as the log's origin; `portcullis` where it has none.
pub(crate) fn host_name() -> String {
    let read = |path| std::fs::read_to_string(path).ok().map(|t: String| t.trim().to_owned()).filter(|t| !t.is_empty());
    read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).unwrap_or_else(|| "portcullis".to_owned())
}
