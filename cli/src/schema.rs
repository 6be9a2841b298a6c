// SPDX-License-Identifier: Apache-2.0
//! `portcullis schema`.

use crate::outcome::{Exit, Failure};
use std::process::ExitCode;

pub(crate) fn run() -> Result<ExitCode, Failure> {
    let text =
        serde_json::to_string_pretty(&portcullis_config::schema()).map_err(|e| Failure::new(Exit::Internal, e))?;
    println!("{text}");
    Ok(ExitCode::SUCCESS)
}
