// SPDX-License-Identifier: Apache-2.0
//! `portcullis run --demo`: a small orders API, a token issuer and the gate before them, on loopback, needing nothing.

mod files;
mod issuer;
mod shop;

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::task::JoinSet;

pub(crate) use files::DIRECTORY;

/// What runs behind the gate, and the configuration that puts the gate before it.
pub(crate) struct Demo {
    /// The written configuration.
    pub(crate) config: PathBuf,
}

/// Starts the API and the issuer among `tasks` and writes the files of the demo.
pub(crate) async fn start(listen: SocketAddr, admin: SocketAddr, tasks: &mut JoinSet<()>) -> Result<Demo> {
    let issuer = issuer::Issuer::start(tasks).await.context("starting the demo's token issuer")?;
    let shop = shop::start(tasks).await.context("starting the demo's orders API")?;
    let config = files::write(&files::Places { listen, admin, shop, issuer: issuer.url() }, &issuer)
        .with_context(|| format!("writing the demo's files under ./{DIRECTORY}"))?;
    Ok(Demo { config })
}

/// The lines to try, once the gate listens.
pub(crate) fn guide(public: SocketAddr) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "portcullis".to_owned());
    let url = format!("http://{public}");
    let token = |user: &str| format!("-H \"Authorization: Bearer $(cat {DIRECTORY}/{user}.token)\"");
    let json = "-H 'Content-Type: application/json'";
    let (alice, bob, carol) = (token("alice"), token("bob"), token("carol"));
    let explain = format!("{program} explain -c {DIRECTORY}/portcullis.yaml");
    format!(
        r#"
The demo is ready. alice and bob have orders, carol has a small plan, dora is support. In another terminal:

  # 200: alice reads her own order
  curl -i {alice} {url}/orders/ord-1
  # 404: bob asks for the same order; the upstream would have given it to him
  curl -i {bob} {url}/orders/ord-1
  # 400: alice tries to set who owns the order
  curl -i -X PATCH {alice} {json} -d '{{"owner":"bob"}}' {url}/orders/ord-1
  # 401: no token
  curl -i {url}/orders/ord-1
  # 201, then the same answer again, ordered once
  curl -i {alice} {json} -H 'Idempotency-Key: "first-try"' -d '{{"item":"lamp","quantity":1}}' {url}/orders
  curl -i {alice} {json} -H 'Idempotency-Key: "first-try"' -d '{{"item":"lamp","quantity":1}}' {url}/orders
  # 429: carol's plan allows 5 a minute
  for i in 1 2 3 4 5 6; do curl -s -o /dev/null -D - {carol} {url}/orders; done

Why? Each answer has a Request-Id; any unique part of its beginning is enough:

  {explain} REQUEST-ID          # 200, the order is hers
  {explain} REQUEST-ID          # 404, true reason object.not_owner
  {explain} REQUEST-ID          # 400, property.undeclared
  {explain} REQUEST-ID          # 401, identity.missing
  {explain} REQUEST-ID          # 201, replayed
  {explain} REQUEST-ID          # 429, limit.rate
  {program} audit verify {DIRECTORY}/data/audit --key {DIRECTORY}/data/audit.key.pub

Stop with Ctrl-C. Everything the demo writes is under ./{DIRECTORY}.
"#
    )
}
