// SPDX-License-Identifier: Apache-2.0
//! `portcullis version`.

use crate::arguments::Format;
use std::process::ExitCode;

pub(crate) fn run(format: Format) -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    match format {
        Format::Human => println!("portcullis {version}"),
        Format::Json => println!("{}", serde_json::json!({"schema": "portcullis/version/v1", "version": version})),
    }
    ExitCode::SUCCESS
}
