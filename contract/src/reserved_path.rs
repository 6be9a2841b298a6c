// SPDX-License-Identifier: Apache-2.0
//! Paths the gateway answers itself (cli.md): a document that declares one of them is refused.

/// Paths of the gateway on its public listener; everything below them too.
const RESERVED: [&[&str]; 3] =
    [&[".well-known", "oauth-protected-resource"], &[".well-known", "portcullis"], &["problems"]];

/// The gateway's path that a template, mounted at `base_path`, would hide.
pub(crate) fn declared(base_path: &str, template: &str) -> Option<String> {
    let base = base_path.split('/').filter(|s| !s.is_empty());
    let path: Vec<&str> = base.chain(template.split('/').filter(|s| !s.is_empty())).collect();
    let own = RESERVED.iter().find(|own| path.starts_with(own))?;
    Some(format!("/{}", own.join("/")))
}
