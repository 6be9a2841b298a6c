// SPDX-License-Identifier: Apache-2.0
//! What the demo writes, all of it under one directory.

use super::issuer::{Issuer, USERS};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the demo writes, below the working directory.
pub(crate) const DIRECTORY: &str = "portcullis-demo";

const DOCUMENT: &str = include_str!("../../demo/openapi.yaml");
const CONFIGURATION: &str = include_str!("../../demo/portcullis.yaml");

/// Addresses of the demo's parts.
pub(super) struct Places<'a> {
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) shop: SocketAddr,
    pub(super) issuer: &'a str,
}

/// Writes document, configuration and one token per user; answers where the configuration is.
pub(super) fn write(places: &Places<'_>, issuer: &Issuer) -> Result<PathBuf> {
    let directory = Path::new(DIRECTORY);
    std::fs::create_dir_all(directory).context("making the directory")?;
    let configuration = CONFIGURATION
        .replace("{LISTEN}", &quoted(&places.listen.to_string()))
        .replace("{ADMIN}", &quoted(&places.admin.to_string()))
        .replace("{UPSTREAM}", &quoted(&format!("http://{}", places.shop)))
        .replace("{ISSUER}", &quoted(places.issuer));
    std::fs::write(directory.join("openapi.yaml"), DOCUMENT)?;
    let path = directory.join("portcullis.yaml");
    std::fs::write(&path, configuration)?;
    for user in &USERS {
        std::fs::write(directory.join(format!("{}.token", user.name)), issuer.mint(user)?)?;
    }
    Ok(path)
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}
